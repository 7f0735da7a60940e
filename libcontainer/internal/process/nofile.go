package process

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"oci-run/specconv"
)

// ExplainNofile says of an error of a process that is about to be the container's whose limit of
// open files was too low for what init, or an exec's helper, has to open until then.
func (p *Plan) ExplainNofile(err error) error {
	if !errors.Is(err, unix.EMFILE) {
		return err
	}
	pointer := ""
	if field, ok := errors.AsType[*specconv.FieldError](err); ok {
		pointer, err = field.Pointer, field.Err
	}
	limit, source := p.CallerNofile.Cur, "inherited from the caller"
	for i := range p.Rlimits {
		if p.Rlimits[i].Resource == unix.RLIMIT_NOFILE {
			limit, source = p.Rlimits[i].Soft, "from process.rlimits"
			pointer = p.At + specconv.Pointer("rlimits", i)
		}
	}
	err = fmt.Errorf("%w (RLIMIT_NOFILE, %s %s, is too low for init)", err, limitString(limit), source)
	if pointer == "" {
		return err
	}
	return specconv.Field(pointer, err)
}
