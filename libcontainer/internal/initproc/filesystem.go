package initproc

import (
	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/console"
	"oci-run/libcontainer/internal/lsm"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/rootfs"
)

// mounts opens the root and mounts what the plan lists.
func (c *container) mounts() error {
	var err error
	if c.root == nil {
		c.root, err = rootfs.Open(&c.plan.Root, c.parent.MountFD, c.prepared...)
	}
	if err != nil {
		return err
	}
	return c.root.Mounts()
}

func (c *container) devices() error { return c.root.Devices() }

// changeRoot makes the container's root "/". Without a terminal, stdio that is /dev/null becomes
// the container's own before. A procfs of our own for the later steps has to be opened before: in a
// user namespace the kernel wants to see the host's for it.
func (c *container) changeRoot() error {
	var err error
	sysctls := len(c.plan.Sysctl) > 0
	if sysctls || !c.elsewhere && (c.plan.UserNamespace || c.plan.Labels != (lsm.Plan{})) {
		if c.proc, err = c.root.OpenProc(sysctls); err != nil {
			return err
		}
	}
	if c.plan.Terminal == nil {
		null := &c.stdio
		if null.File, null.FDs, err = c.root.StdioNull(); err == nil && !c.elsewhere {
			err = c.takeStdio()
		}
		if err != nil {
			return err
		}
	}
	if err := c.root.Pivot(); err != nil {
		return err
	}
	c.rootDir, err = files.Open("/", unix.O_PATH|unix.O_DIRECTORY, 0)
	return err
}

// createCwd makes the working directory while the root can be written.
func (c *container) createCwd() error { return c.plan.Process.CreateCwd(c.containerRoot()) }

// console makes the terminal, sends its master away and puts init on it.
func (c *container) console() error {
	if c.plan.Terminal == nil {
		return nil
	}
	t, err := console.Open(c.rootDir, c.plan.Terminal)
	if err != nil {
		return err
	}
	c.stdio = console.OnTerminal(t.Peer)
	if err = c.root.Console(t.Peer); err != nil {
		t.Master.Close()
	} else {
		err = t.Send(c.socket)
	}
	if err != nil || c.elsewhere {
		return err
	}
	c.socket.Close()
	// From here on whoever has the terminal can hang up on init. By default Go's runtime ends then,
	// and doesn't say why.
	if err := c.make(func(l *calls.List) { process.AddDefaultActions(l, unix.SIGHUP) }); err != nil {
		return err
	}
	return c.takeStdio()
}

// masks hides and protects paths. It comes after the sysctls, whose files it would make
// read-only.
func (c *container) masks() error {
	if err := c.root.Readonly(); err != nil {
		return err
	}
	if err := c.root.ProtectPaths(); err != nil {
		return err
	}
	// The last step that needs the root: a container that waits for start shows none of its fds.
	c.root.Close()
	return nil
}

// takeStdio gives init what is to be its stdio.
func (c *container) takeStdio() error {
	if c.stdio.File == nil {
		return nil
	}
	defer c.stdio.Close()
	return c.make(func(l *calls.List) {
		do := c.stdio.Here(l)
		if c.plan.Exec == nil {
			c.stdio.AddControl(do)
		}
		c.stdio.Add(do)
	})
}
