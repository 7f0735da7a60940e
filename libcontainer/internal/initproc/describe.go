package initproc

import (
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/lsm"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/program"
	"oci-run/libcontainer/internal/seccomp"
)

// StepNames lists the steps of a create in order, by the names that their errors begin with.
func StepNames() (names []string) {
	for _, part := range createSteps {
		for i := range part {
			names = append(names, part[i].name)
		}
	}
	return names
}

// Describe lists the system calls by which a process becomes what the plan says, from its session
// to the execution of the program, without those that make its root. They are of the same functions
// that a create gets them from. root is the container's as it is now: where the program isn't in it
// yet, because a mount brings it, the search is left out.
func (p *Plan) Describe(root process.Root) ([]calls.Line, error) {
	l := calls.New(0)
	addSession(l)
	if p.Keyring {
		p.addKeyring(l, lsm.Plan{}, -1)
	}
	p.addCgroupNamespace(l)
	l.Do(unix.SYS_CLOSE_RANGE, uintptr(3+p.PreserveFDs), ^uintptr(0)>>33, unix.CLOSE_RANGE_CLOEXEC).Or("mark descriptors close-on-exec")
	become := p.Process // what it finds out changes it
	become.AddRlimits(l, 0)
	become.AddPriorities(l, false)
	become.ResolveHome(root)
	whole := *p
	whole.Process = become
	if _, err := whole.addUser(l, root, -1, false); err != nil {
		return nil, err
	}
	found, err := program.AddLookup(l, &become, root)
	if err != nil {
		found = nil
	}
	addFilter(l, p.Seccomp)
	if found != nil {
		found.AddExec(l, nil)
	} else {
		l.Do(unix.SYS_EXECVE, l.Text(p.Process.Args[0]))
	}
	return l.Describe(seccomp.Name), nil
}
