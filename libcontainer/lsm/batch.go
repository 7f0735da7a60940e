package lsm

import (
	"fmt"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/batch"
)

// Add adds to a batch what LabelExec and ProfileExec do. proc is a directory fd of procfs that the process has at the same number.
func (p *Plan) Add(l *batch.List, proc int) {
	if p.SELinux != "" {
		add(l, proc, "attr/exec", p.SELinux, "")
	}
	if p.AppArmor == "" {
		return
	}
	attribute := "attr/apparmor/exec"
	if unix.Faccessat(proc, "thread-self/"+attribute, unix.F_OK, 0) != nil {
		attribute = "attr/exec"
	}
	add(l, proc, attribute, "exec "+p.AppArmor, fmt.Sprintf(" (is the profile %q loaded?)", p.AppArmor))
}

// add is write, in a batch. hint explains why a write is ENOENT.
func add(l *batch.List, proc int, attribute, value, hint string) {
	path := "thread-self/" + attribute
	how := batch.Struct(l, &unix.OpenHow{
		Flags: unix.O_WRONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	})
	open := l.Do(unix.SYS_OPENAT2, uintptr(proc), l.Text(path), how, unix.SizeofOpenHow).Or("%w `/proc/%s`", errNoAttribute, path)
	write := l.Do(unix.SYS_WRITE, 0, l.Bytes([]byte(value)), uintptr(len(value)))
	write.Explain = func(errno unix.Errno) error {
		if errno != unix.ENOENT {
			hint = ""
		}
		return fmt.Errorf("write %q to `/proc/%s`: %w%s", value, path, errno, hint)
	}
	open.Into, open.IntoArg = write, 0
}
