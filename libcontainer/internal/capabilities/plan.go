package capabilities

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/spelling"
	"oci-run/specconv"
)

// Plan is what a thread's five sets shall be at execve. Bit N of a set is capability number N. The
// sets are consistent: what the kernel would refuse (capset(2)) is no longer in them.
type Plan struct {
	Bounding, Effective, Permitted, Inheritable, Ambient uint64
}

// Permitted returns the capabilities that a process forked by the calling thread can have at most:
// the thread's permitted set, or every capability if the process gets a user namespace of its own
// or joins one (user_namespaces(7)).
func Permitted(userNS bool) (uint64, error) {
	if userNS {
		return all, nil
	}
	_, permitted, err := get()
	return permitted & all, err
}

// NewPlan turns process.capabilities into sets. available is what Permitted returns. The spec wants
// neither an unknown name nor a capability that can't be granted to be an error, so both become one
// warning each and are left out of the sets. No process.capabilities are no capabilities, the
// bounding set included: who forgets them must not get root's.
// at is the JSON pointer of process.capabilities; what is unknown is a *specconv.FieldError.
func NewPlan(c *specs.LinuxCapabilities, available uint64, at string) (p *Plan, warnings []error) {
	if c == nil {
		return &Plan{}, nil
	}
	unknown := unknownNames{at: at}
	p = &Plan{
		Bounding:    unknown.parse("bounding", c.Bounding),
		Effective:   unknown.parse("effective", c.Effective),
		Permitted:   unknown.parse("permitted", c.Permitted),
		Inheritable: unknown.parse("inheritable", c.Inheritable),
		Ambient:     unknown.parse("ambient", c.Ambient),
	}
	if len(unknown.names) > 0 {
		warnings = append(warnings, specconv.Fieldf(unknown.first, "ignoring unknown capabilities: %s", strings.Join(unknown.names, ", ")))
	}
	for _, text := range p.restrict(available) {
		warnings = append(warnings, errors.New(text))
	}
	return p, warnings
}

// restrict removes from the sets what the kernel would not accept and returns a warning for each
// reason.
func (p *Plan) restrict(available uint64) (warnings []string) {
	asked := p.Bounding | p.Effective | p.Permitted | p.Inheritable | p.Ambient
	if missing := asked &^ available; missing != 0 {
		warnings = append(warnings, "ignoring capabilities that the runtime does not have itself: "+Format(missing))
		for _, set := range []*uint64{&p.Bounding, &p.Effective, &p.Permitted, &p.Inheritable, &p.Ambient} {
			*set &= available
		}
	}
	if extra := p.Effective &^ p.Permitted; extra != 0 {
		warnings = append(warnings, "ignoring effective capabilities that are not permitted: "+Format(extra))
		p.Effective &= p.Permitted
	}
	if extra := p.Inheritable &^ p.Bounding; extra != 0 {
		warnings = append(warnings, "ignoring inheritable capabilities that are not in the bounding set: "+Format(extra))
		p.Inheritable &= p.Bounding
	}
	if extra := p.Ambient &^ (p.Permitted & p.Inheritable); extra != 0 {
		warnings = append(warnings, ambientWarning(extra))
		p.Ambient &^= extra
	}
	return warnings
}

// ambientWarning is a single line, because Buildah asks for a dozen such capabilities in each RUN
// of a user that isn't root, and shows what the runtime says.
func ambientWarning(extra uint64) string {
	first := extra & -extra
	if first == extra {
		return "can't raise ambient capability " + Format(first) + ": it is not both permitted and inheritable"
	}
	return "can't raise ambient capability " + Format(first) + ": it is not both permitted and inheritable, and neither are " +
		Format(extra&^first)
}

// unknownNames are those that Linux does not have, once each, and the pointer of the first.
type unknownNames struct {
	at, first string
	names     []string
}

// parse returns the set of the names in a list and notes those that are unknown.
func (u *unknownNames) parse(field string, list []string) (set uint64) {
	for i, name := range list {
		n, ok := Number(name)
		if ok {
			set |= 1 << n
			continue
		}
		if q := fmt.Sprintf("%q%s", name, spelling.Hint(name, names[:])); !slices.Contains(u.names, q) {
			u.names = append(u.names, q)
			u.first = cmp.Or(u.first, u.at+specconv.Pointer(field, i))
		}
	}
	return set
}

// Format lists the names of a set in the kernel's order: "CAP_CHOWN, CAP_KILL".
func Format(set uint64) string {
	var b strings.Builder
	for n := range names {
		if set&(1<<n) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(names[n])
	}
	return b.String()
}

// sysAdmin is what loading a seccomp filter asks for without no_new_privs (seccomp(2)).
const sysAdmin uint64 = 1 << unix.CAP_SYS_ADMIN
