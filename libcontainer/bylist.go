package libcontainer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/internal/log"
	"oci-run/internal/thread"
	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/fdsocket"
	"oci-run/libcontainer/internal/initproc"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/rootfs"
	"oci-run/libcontainer/internal/spawn"
	"oci-run/libcontainer/internal/syncpipe"
)

// byList is the way by a list of calls, in an executable of some kilobytes, while a thread of ours
// makes the container's root: see [initproc.List] and [initproc.Builder].
type byList struct {
	channel *os.File // our end
	list    initproc.List
	exe     *calls.File
	calls   *calls.List   // to read its reports by
	plan    *process.Plan // to explain them
	entered chan error    // the thread is in the container's namespaces, or not
	tree    *os.File      // the mount namespace, so that its mounts outlive a process that has failed, and can be looked at

	mounts  []int // what the first report brings, see List.Begin
	cgroup  bool
	waits   bool // the process waits until it is in its cgroup
	builder *initproc.Builder
	built   chan error
	asks    chan ask

	since int64 // when the process began what it does, for its spans
	sent  bool  // the process has all that it needs but the commit
	ahead bool  // and not even that
}

func (w *byList) prepare(c *creation) (err error) {
	w.plan = &c.plan.init.Process
	if w.channel, w.list.Channel, err = fdsocket.Pair(); err != nil {
		return err
	}
	fd, err := linux.Memfd("oci-run:calls", false)
	if err != nil {
		return err
	}
	w.list.Half = os.NewFile(uintptr(fd), "calls")
	if c.plan.init.Labelled() {
		proc, err := rootfs.HostProc()
		if err != nil {
			return err
		}
		w.list.Proc = proc.Dir()
	}
	if c.thread == nil {
		c.thread = thread.New()
	}
	w.entered = make(chan error, 1)
	c.thread.Go(func() { w.entered <- trace.Do("enter the namespaces", c.plan.enter) })
	return nil
}

// byThread are the namespaces that a thread of a process can be in without the others.
const byThread = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET

// enter has the calling thread enter the container's namespaces, as far as it can. What it clones
// is born there.
func (p *plan) enter() error {
	for _, j := range p.joined {
		if j.Kind.Flag&byThread == 0 {
			continue
		}
		if err := unix.Setns(int(j.File.Fd()), int(j.Kind.Flag)); err != nil {
			return fmt.Errorf("join %s namespace: %w", j.Kind.Type, err)
		}
	}
	// A new network namespace is one that the thread has made already.
	flags := p.spawn.New & byThread &^ unix.CLONE_NEWNET
	if err := unix.Unshare(int(flags)); err != nil {
		return fmt.Errorf("unshare %#x: %w", flags, err)
	}
	return nil
}

// spawn clones init from the thread. If the thread could not enter the namespaces, the other way is
// gone, which finds out why.
func (w *byList) spawn(c *creation, request *spawn.Request) (err error) {
	span := trace.Begin("wait for the namespaces")
	err = <-w.entered
	span.End(err)
	if err == nil {
		err = c.network.missing()
	}
	if err != nil {
		w.close()
		if err := c.byInit(err.Error()); err != nil {
			return err
		}
		return c.way.spawn(c, request)
	}
	if !c.options.Starts {
		if w.list.Start, err = c.dir.ListenStart(); err != nil {
			return err
		}
	}
	w.list.Lock, w.waits = c.dir.File(), !c.plan.cgroup.Born()
	w.calls, w.mounts, w.cgroup = w.list.Begin(&c.plan.init, w.waits)
	exe, err := w.calls.OpenIn(w.exe)
	if err != nil {
		return err
	}
	defer exe.Close()
	request.Exe, request.Args, request.Pass = exe, initproc.Args(), w.list.Pass()
	request.New &^= byThread
	request.Join = withoutThreads(request.Join)
	c.thread.Do(func() { c.init, err = spawn.Start(request) })
	w.since = trace.Now()
	closeAll(w.list.Channel, w.list.Start, w.list.Proc)
	w.list.Channel, w.list.Start, w.list.Proc = nil, nil, nil
	return err
}

// withoutThreads leaves out the namespaces that the thread has joined.
func withoutThreads(list []spawn.Join) (rest []spawn.Join) {
	for _, j := range list {
		if j.Flag&byThread == 0 {
			rest = append(rest, j)
		}
	}
	return rest
}

func (w *byList) serve(c *creation) error {
	if w.waits {
		if err := w.write(nil); err != nil && !errors.Is(err, syncpipe.ErrClosed) {
			return err
		}
	}
	c.plan.init.Loopback = c.network.loopback(c.plan.init.Loopback)
	server := &server{create: c}
	defer server.close()
	w.built, w.asks = make(chan error, 1), make(chan ask)
	w.builder = initproc.NewBuilder(&c.plan.init, outside{server, w.asks}, c.options.ConsoleSocket)
	c.thread.Go(func() { w.built <- trace.Do("build", func() error { return w.build(c) }) })
	staged := trace.Do("stage", c.stage)
	if err := w.await(staged); err != nil || staged != nil {
		return cmp.Or(staged, w.plan.ExplainNofile(err))
	}
	c.endThread() // it is in the container's namespaces, which are the program's soon
	return w.finish(c.init.PID)
}

// build is what the thread does.
func (w *byList) build(c *creation) (err error) {
	b := w.builder
	defer func() {
		if err != nil {
			b.Abort()
		}
	}()
	if err := b.Open(); err != nil {
		return err
	}
	w.keepMounts()
	pid, files, err := w.first()
	if err != nil {
		return err
	}
	trace.Record("init", "first half", c.init.PID, w.since)
	if w.cgroup {
		last := len(files) - 1
		defer files[last].Close()
		if err := b.EnterCgroups(files[last]); err != nil {
			closeAll(files[:last]...)
			return err
		}
		files = files[:last]
	}
	b.Supply(pid, w.mounts, files)
	for _, j := range c.plan.joined {
		if j.Kind.Flag != unix.CLONE_NEWCGROUP {
			continue
		}
		if err := b.EnterCgroups(j.File); err != nil {
			return err
		}
	}
	return b.Build()
}

// first receives the first report: the process's pid in its own pid namespace, and files.
func (w *byList) first() (pid int, files []*os.File, err error) {
	report, files, err := fdsocket.ReceiveAll(w.channel, calls.ReportSize)
	if errors.Is(err, fdsocket.ErrClosed) {
		return 0, nil, syncpipe.ErrClosed
	}
	value := uint32(0)
	if err == nil {
		value, err = w.calls.Failure([calls.ReportSize]byte(report))
	}
	want := len(w.mounts)
	if w.cgroup {
		want++
	}
	if err == nil && len(files) != want {
		err = fmt.Errorf("%d files came from the container's process instead of %d", len(files), want)
	}
	if err != nil {
		closeAll(files...)
		return 0, nil, err
	}
	return int(value), files, nil
}

// ask is what the builder wants to be done on another thread than its own.
type ask struct {
	do     func() error
	answer chan error
}

// outside is what a builder asks of the create.
type outside struct {
	server *server
	asks   chan ask
}

func (o outside) ask(do func() error) error {
	a := ask{do, make(chan error)}
	o.asks <- a
	return <-a.answer
}

// MountFD makes what a mount needs that no other has.
func (o outside) MountFD(index int) (file *os.File, err error) {
	err = o.ask(func() (err error) {
		file, err = o.server.MountFD(index)
		return err
	})
	return file, err
}

// Hooks runs the hooks that come before the change of root.
func (o outside) Hooks() error { return o.ask(o.server.Hooks) }

// await does what the builder asks for until it is done, or refuses it for an error.
func (w *byList) await(refuse error) error {
	for {
		select {
		case a := <-w.asks:
			err := refuse
			if err == nil {
				err = a.do()
			}
			a.answer <- err
		case err := <-w.built:
			return err
		}
	}
}

// finish tells the process the rest, and waits until it is ready.
func (w *byList) finish(pid int) error {
	stdio := w.builder.Stdio()
	warnings, err := w.list.Finish(process.Root{Dir: w.builder.Root()}, stdio, w.ahead)
	if err != nil {
		return err
	}
	for _, text := range warnings {
		log.Warn(text)
	}
	w.sent, w.since = true, trace.Now()
	if err := w.write(stdio.File); err != nil && !errors.Is(err, syncpipe.ErrClosed) {
		return err
	}
	stdio.Close() // so that its end is seen
	err = w.report()
	trace.Record("init", "second half", pid, w.since)
	return err
}

// write lets the process go on, with a file if that isn't nil. If the process has ended it may have
// said why.
func (w *byList) write(file *os.File) error {
	err := fdsocket.SendByte(w.channel, file)
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return syncpipe.ErrClosed
	}
	return err
}

// report waits for a report. It returns nil if that is none of an error, and syncpipe.ErrClosed if
// there is none.
func (w *byList) report() error {
	_, err := w.calls.Receive(w.channel)
	if errors.Is(err, io.EOF) {
		return syncpipe.ErrClosed
	}
	return w.plan.ExplainNofile(err)
}

func (w *byList) committed() error {
	if w.sent {
		return w.write(nil)
	}
	w.ahead = true
	return nil
}

func (w *byList) follow(c *Created, watch func() error) error {
	since := trace.Now()
	if err := syncpipe.Listen(w.channel, watch); err != nil {
		return err
	}
	if err := w.report(); !errors.Is(err, syncpipe.ErrClosed) { // the execve has closed its end
		return err
	}
	trace.Record("init", "execve", c.PID, since)
	w.letMountsGo()
	return nil
}

// keepMounts has the thread's mounts outlive a process that fails, so that its error can look at
// them. Where the namespace can't be had, only that is missing.
func (w *byList) keepMounts() {
	if fd, err := unix.Open("/proc/thread-self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
		w.tree = os.NewFile(uintptr(fd), "mnt")
	}
}

// letMountsGo leaves the end of the container's mounts to the end of its last process.
func (w *byList) letMountsGo() {
	closeAll(w.tree)
	w.tree = nil
}

func (w *byList) close() {
	w.letMountsGo()
	closeAll(w.channel, w.list.Channel, w.list.Half, w.list.Proc)
	w.channel, w.list.Channel, w.list.Half, w.list.Proc = nil, nil, nil, nil
	if w.exe != nil {
		w.exe.Close()
	}
	if w.builder != nil {
		w.builder.Close()
	}
}
