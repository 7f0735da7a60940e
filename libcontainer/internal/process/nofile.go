package process

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ExplainNofile says of an error of a process that is about to be the container's whose limit of
// open files was too low for what init, or an exec's helper, has to open until then.
func (p *Plan) ExplainNofile(err error) error {
	if !errors.Is(err, unix.EMFILE) {
		return err
	}
	limit, source := p.CallerNofile.Cur, "inherited from the caller"
	for i := range p.Rlimits {
		if p.Rlimits[i].Resource == unix.RLIMIT_NOFILE {
			limit, source = p.Rlimits[i].Soft, "from process.rlimits"
		}
	}
	return fmt.Errorf("%w (RLIMIT_NOFILE, %s %s, is too low for init)", err, limitString(limit), source)
}
