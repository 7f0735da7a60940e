package initproc

import (
	"os"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/console"
	"oci-run/libcontainer/internal/lsm"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/program"
	"oci-run/libcontainer/internal/seccomp"
)

// StepNames lists the steps of a create in order, by the names that their errors begin with, and
// who makes each: init, or in the way of a list the process and the command's builder.
func StepNames(byList bool) (names []string) {
	who := [...]string{"init", "init", "init"}
	if byList {
		who = [...]string{"process", "builder", "process"}
	}
	for i, part := range createSteps {
		for j := range part {
			names = append(names, who[i]+": "+part[j].name)
		}
	}
	return names
}

// Describe lists the system calls of a container's process until it executes the program: in the
// way of a list all of them, and in the way of init those by which it becomes what the plan says,
// from the same functions. root is the container's as it is now: where the program isn't in it yet,
// because a mount brings it, its look-up and execution are left out.
func (p *Plan) Describe(root process.Root, byList bool) (lines []calls.Line, err error) {
	own := *p // what is found out changes it
	if byList {
		lines, err = own.describeList(root)
	} else {
		lines, err = own.describeInit(root)
	}
	if program.IsFailure(err) {
		err = nil
	}
	return lines, err
}

func (p *Plan) describeInit(root process.Root) ([]calls.Line, error) {
	l := calls.New(0)
	err := p.addAll(l, root)
	return calls.Describe(seccomp.Name, nil, l), err
}

// addAll adds what init's steps add, one after the other.
func (p *Plan) addAll(l *calls.List, root process.Root) error {
	addSession(l)
	if p.Keyring {
		p.addKeyring(l, lsm.Plan{}, -1)
	}
	p.addCgroupNamespace(l)
	p.addCloseOnExec(l)
	found, _, err := p.addBecome(l, becoming{root: root, proc: -1})
	if err != nil {
		return err
	}
	p.addFilter(l, nil)
	found.AddExec(l, nil)
	return nil
}

// describeList works a list out as a create does, with descriptors that stand for its own.
func (p *Plan) describeList(root process.Root) (lines []calls.Line, err error) {
	b := &List{}
	stand := map[uintptr]string{}
	for _, d := range [...]struct {
		to   **os.File
		name string
	}{
		{&b.Channel, "channel"}, {&b.Half, "second half"}, {&b.Lock, "lock"}, {&b.Start, "start channel"}, {&b.Proc, "procfs"},
	} {
		if d.to == &b.Start && p.Starts || d.to == &b.Proc && !p.Labelled() {
			continue
		}
		if *d.to, err = files.Open("/proc", unix.O_PATH|unix.O_DIRECTORY, 0); err != nil {
			return nil, err
		}
		defer (*d.to).Close()
		stand[(*d.to).Fd()] = d.name
	}
	first, _, _ := b.Begin(p, false)
	_, err = b.become(root, &console.Stdio{}, false)
	return calls.Describe(seccomp.Name, stand, first, b.half), err
}
