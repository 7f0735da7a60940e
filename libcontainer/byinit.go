package libcontainer

import (
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/initproc"
	"oci-run/libcontainer/internal/rootfs"
	"oci-run/libcontainer/internal/selfexe"
	"oci-run/libcontainer/internal/spawn"
	"oci-run/libcontainer/internal/syncpipe"
)

// byInit is the way by another start of oci-run, which applies the plan: see [initproc.Plan].
type byInit struct {
	exe   *os.File // what init is executed from
	sync  *syncpipe.Parent
	child *os.File // init's end of it, as long as there is no init
}

func (w *byInit) prepare(c *creation) (err error) {
	if w.exe, err = selfexe.Open(w.seal(c)); err != nil {
		return err
	}
	w.sync, w.child, err = syncpipe.Pair()
	return err
}

// seal is how init's binary is sealed. Where processes of the user namespace that init
// joins can see init, because it has no new pid namespace, they could look at it through
// /proc, at the host's root above all, if it weren't for a binary that they can't read.
func (w *byInit) seal(c *creation) string {
	joinsUser := false
	for _, j := range c.plan.joined {
		joinsUser = joinsUser || j.Kind.Type == specs.UserNamespace
	}
	if joinsUser && c.plan.spawn.New&unix.CLONE_NEWPID == 0 {
		return selfexe.Memfd
	}
	return c.options.Seal
}

func (w *byInit) spawn(c *creation, request *spawn.Request) (err error) {
	defer w.closeChild()
	request.Exe = w.exe
	request.Args = initproc.Args(w.child, c.dir.File())
	request.Env = initproc.Env()
	request.Pass = []*os.File{w.child, c.dir.File()}
	if c.init, err = spawn.Start(request); err == nil {
		trace.Cloned(c.init.PID)
		w.sync.From("init", c.init.PID)
	}
	return err
}

// closeChild closes init's end of the channel, so that we notice its end.
func (w *byInit) closeChild() {
	closeAll(w.child)
	w.child = nil
}

// closeExe closes what init was executed from. The end of that mount would hold up the ones that
// are made for init meanwhile, so it comes once init has its plan.
func (w *byInit) closeExe() {
	if w.exe != nil {
		letGo(w.exe)
	}
	w.exe = nil
}

// letGo closes the fd of a sealed binary while the caller goes on: the end of a detached mount
// is a grace period of RCU.
func letGo(exe *os.File) { go exe.Close() }

func closeNamed(files []syncpipe.File) {
	for _, f := range files {
		f.Close()
	}
}

// serve sends init its plan and does what it asks until it is ready.
func (w *byInit) serve(c *creation) error {
	files, err := w.startFiles(c)
	defer closeNamed(files)
	if err != nil {
		return err
	}
	if socket := c.options.ConsoleSocket; socket != nil {
		files = append(files, syncpipe.File{Name: initproc.ConsoleSocket, File: socket})
	}
	c.plan.init.Loopback = c.network.loopback(c.plan.init.Loopback)
	prepared := w.prepareMounts(c.plan)
	defer closeNamed(prepared)
	files = append(files, prepared...)
	c.plan.init.Trace = trace.ForChild()
	err = w.sync.Config(&c.plan.init, files...)
	if err == nil {
		err = c.stage()
	}
	w.closeExe()
	if err == nil {
		server := &server{create: c}
		err = w.sync.Serve(server)
		server.close()
	}
	return syncpipe.Located(err)
}

// prepareMounts makes what init would need for mounts, which is still starting.
func (w *byInit) prepareMounts(p *plan) (files []syncpipe.File) {
	if p.spawn.New&unix.CLONE_NEWNS == 0 || p.init.UserNamespace {
		return nil
	}
	root := &p.init.Root
	for i, file := range rootfs.Prepare(root) {
		files = append(files, syncpipe.File{Name: initproc.PreparedMount(root.Prepared[i]), File: file})
	}
	return files
}

// startFiles makes what tells of the container's start: the channel that init waits on for it, and
// the file by which its startContainer hooks are seen.
func (w *byInit) startFiles(c *creation) (files []syncpipe.File, err error) {
	for _, f := range [...]struct {
		wanted bool
		name   string
		make   func() (*os.File, error)
	}{
		{!c.options.Starts, initproc.StartChannel, c.dir.ListenStart},
		{c.record.StartHooks, initproc.StartingLock, c.dir.HoldStart},
	} {
		if !f.wanted {
			continue
		}
		file, err := f.make()
		if err != nil {
			return files, err
		}
		files = append(files, syncpipe.File{Name: f.name, File: file})
	}
	return files, nil
}

func (w *byInit) committed() error { return w.sync.Committed() }

func (w *byInit) follow(c *Created, watch func() error) error {
	return w.sync.Follow(func(listener *os.File) error { return c.seccompAgent(c.dir, listener) }, watch)
}

func (w *byInit) close() {
	w.closeChild()
	w.closeExe()
	if w.sync != nil {
		w.sync.Close()
	}
}
