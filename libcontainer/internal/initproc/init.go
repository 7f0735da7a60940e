// Package initproc is the re-executed oci-run inside the container: it applies the plan
// that the parent made, one visible list of steps, and becomes the container's program.
//
// Everything happens on one locked thread, the main one. Go's runtime has others, but
// namespaces, credentials, labels and the seccomp filter are changed by raw system calls
// on this thread only, and the final execve ends the rest.
package initproc

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"oci-run/internal/log"
	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/console"
	"oci-run/libcontainer/internal/program"
	"oci-run/libcontainer/internal/rootfs"
	"oci-run/libcontainer/internal/syncpipe"
	"oci-run/specconv"
)

// verb is the command line's first word for init. Users never type it.
const verb = "init"

// Init runs here, on the process's first thread, where Go keeps everything until main: held
// there without the thread that runtime.LockOSThread would make, and before the packages that
// only the command needs are initialised.
func init() {
	if len(os.Args) > 1 && os.Args[1] == verb {
		run()
	}
}

// Args is init's command line: the numbers of the fds that it inherits. That of an exec
// has no lock.
func Args(inherited ...*os.File) []string {
	args := []string{"oci-run", verb}
	for _, f := range inherited {
		args = append(args, strconv.Itoa(int(f.Fd())))
	}
	return args
}

// Executing is the name (comm) that init gives itself before it loads a seccomp filter, or waits
// under a limit of memory: by it, whoever finds init dead knows that it never executed. No program
// can have it from its execution: names of files have no slash.
const Executing = "oci-run/execve"

// Env is init's whole environment: nothing of the container's, which could change what a
// Go program does (GODEBUG), and nothing of the caller's. One processor and no garbage
// collection save it a third of its start-up time; it allocates a few hundred kilobytes
// and is gone.
func Env() []string { return []string{"GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1"} }

// container is the container as init builds it up.
type container struct {
	plan     Plan
	sync     *syncpipe.Init
	lock     *os.File   // the container's lock, held until the parent has committed; not in an exec
	channel  *os.File   // the start channel, or nil if no start command follows
	pidfd    *os.File   // of the container's init, in an exec
	starting *os.File   // locked until the program is executed, or nil without startContainer hooks
	socket   *os.File   // the console socket, or nil
	prepared []*os.File // mounts that the parent has made
	parent   parent
	stdio    console.Stdio
	root     *rootfs.FS
	rootDir  *os.File       // "/" once the root has changed
	proc     *rootfs.Procfs // one of our own, if a later step needs it
	start    *syncpipe.Waiter
	calls    *calls.List // see list
	teller   *teller     // of spans, once this thread may not send any more
	found    *program.Found

	// elsewhere tells that this is a thread of the command's, which makes the root of a process
	// that it isn't, see [Builder].
	elsewhere bool

	confined bool // the seccomp filter is loaded
}

// parent is what steps ask of the command.
type parent interface {
	MountFD(index int) (*os.File, error)
	Hooks() error
}

// A step is one thing that init does. Its name is part of error reports and traces.
type step struct {
	name string
	run  func(*container) error
}

// run is the init process. It does not return.
func run() {
	c, err := receive()
	if errors.Is(err, errInternal) {
		_, _ = os.Stderr.WriteString(os.Args[0] + ": " + err.Error() + "\n") // a person typed "init"
	}
	if c == nil || errors.Is(err, syncpipe.ErrClosed) {
		os.Exit(1) // the parent is gone: there is nobody to tell
	}
	if err != nil {
		c.fail("plan", err)
	}
	log.SetHandler(forward{c.sync})
	trace.Join("init", c.plan.Trace)
	parts := createSteps[:]
	if c.plan.Exec != nil {
		parts = [][]step{execSteps[:]}
	}
	for _, steps := range parts {
		for i := range steps {
			if err := c.step(&steps[i]); err != nil {
				c.fail(steps[i].name, err)
			}
		}
	}
	end()
}

// end ends init. Where the seccomp filter doesn't allow even that, a fault does, whose signal has
// its default action by then.
func end() {
	os.Exit(1)
	var nowhere *int
	for {
		*nowhere = 1
	}
}

// step runs a step.
func (c *container) step(s *step) error {
	span := trace.Begin(s.name)
	err := s.run(c)
	span.End(err)
	return err
}

// errInternal is the error of an init that no create and no exec has started.
var errInternal = errors.New("init is internal: only the runtime itself starts it")

// receive gets the plan from the parent. Without a container there is no parent that an error could
// be reported to.
func receive() (*container, error) {
	if len(os.Args) != 3 && len(os.Args) != 4 {
		return nil, errInternal
	}
	var inherited []int
	for _, arg := range os.Args[2:] {
		fd, err := strconv.Atoi(arg)
		if err != nil {
			return nil, errInternal
		}
		syscall.CloseOnExec(fd)
		inherited = append(inherited, fd)
	}
	c := &container{sync: syncpipe.NewInit(uintptr(inherited[0]))}
	c.parent = c.sync
	if len(inherited) == 2 {
		c.lock = os.NewFile(uintptr(inherited[1]), "lock")
	}
	files, err := c.sync.Config(&c.plan)
	if err == nil {
		err = c.take(files)
	}
	return c, err
}

// take takes the fds that came with the plan.
func (c *container) take(files *syncpipe.Files) error {
	isExec := c.plan.Exec != nil
	for _, f := range [...]struct {
		wanted bool
		name   string
		to     **os.File
	}{
		{isExec, ContainerInit, &c.pidfd},
		{!isExec && !c.plan.Starts, StartChannel, &c.channel},
		{len(c.plan.Hooks.StartContainer) > 0, StartingLock, &c.starting},
		{c.plan.Terminal != nil, ConsoleSocket, &c.socket},
	} {
		if !f.wanted {
			continue
		}
		var err error
		if *f.to, err = files.Take(f.name); err != nil {
			return err
		}
	}
	for _, index := range c.plan.Root.Prepared {
		file, err := files.Take(PreparedMount(index))
		if err != nil {
			return err
		}
		c.prepared = append(c.prepared, file)
	}
	return files.Close()
}

// fail reports the error to whoever waits, and ends init: the parent until the container
// is ready, the start command after that.
func (c *container) fail(step string, err error) {
	c.tellSpans("")
	err = c.plan.Process.ExplainNofile(err)
	f := &syncpipe.Failure{Step: step, Text: err.Error()}
	if field, ok := errors.AsType[*specconv.FieldError](err); ok {
		f.Pointer, f.Text = field.Pointer, field.Err.Error()
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		f.Path = path.Path
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		f.Errno = errno
	}
	if c.start != nil {
		_ = c.start.Failed(f)
	} else {
		_ = c.sync.Failed(f)
	}
	end()
}
