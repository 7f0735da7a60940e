package spawn

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// UserNamespace makes a user namespace that has mappings and no process, for idmapped
// mounts, and returns an fd of it. It lives as long as something refers to it.
func UserNamespace(writeMaps func(pid int) error) (ns *os.File, err error) {
	err = stand(nil, unix.CLONE_NEWUSER, func(pid int) error {
		if err := writeMaps(pid); err != nil {
			return err
		}
		ns, err = os.Open("/proc/" + strconv.Itoa(pid) + "/ns/user")
		return err
	})
	return ns, err
}

// InUserNamespace calls look with the pid of a process that has joined an existing user
// namespace and does nothing there: /proc/PID/uid_map is the only way to learn what a
// namespace maps. The process is gone when InUserNamespace returns.
func InUserNamespace(ns *os.File, look func(pid int) error) error {
	return stand([]Join{{File: ns, Flag: unix.CLONE_NEWUSER, Name: "user"}}, 0, look)
}

// stand starts a child that only stands in its user namespace, for as long as use takes.
func stand(join []Join, flags uint64, use func(pid int) error) error {
	stage, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socketpair: %w", err)
	}
	p := &Process{stage: os.NewFile(uintptr(stage[0]), "stage")}
	c, err := standing(join, stage)
	if err != nil {
		p.stage.Close()
		unix.Close(stage[1])
		return err
	}
	c.first.flags, p.list = flags, c.list
	pid, errno := c.clone()
	unix.Close(stage[1])
	if errno != 0 {
		p.stage.Close()
		return refused(errno, c.first.flags)
	}
	p.PID = pid
	// The child waits for an answer that it never gets: its end is our end of the channel.
	defer p.abandon()
	if _, err := p.next(); err != nil {
		return err
	}
	return use(pid)
}
