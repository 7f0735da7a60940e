package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"oci-run/internal/log"
	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/initproc"
	"oci-run/libcontainer/internal/selfexe"
	"oci-run/libcontainer/internal/spawn"
	"oci-run/libcontainer/internal/syncpipe"
)

// initEntrance is the entrance by another start of oci-run, which applies a plan as that of
// a create does. It can enter every container.
type initEntrance struct {
	execution *execution
	helper    *spawn.Process
	sync      *syncpipe.Parent
}

func (i *initEntrance) enter(e *execution) (pid int, err error) {
	i.execution = e
	if err := i.spawn(); err != nil {
		return 0, err
	}
	if err := e.confine(i.helper.PID); err != nil {
		return 0, err
	}
	if err := i.allowNproc(); err != nil {
		return 0, err
	}
	files := []syncpipe.File{{Name: initproc.ContainerInit, File: e.init}}
	if socket := e.options.ConsoleSocket; socket != nil {
		files = append(files, syncpipe.File{Name: initproc.ConsoleSocket, File: socket})
	}
	e.plan.Trace = trace.ForChild()
	err = i.sync.Config(&e.plan, files...)
	if err == nil {
		err = i.sync.Serve(i)
	}
	if errors.Is(err, syncpipe.ErrClosed) {
		return 0, e.explainEnd()
	}
	if err != nil {
		return 0, syncpipe.Located(err)
	}
	return i.sync.Waiting()
}

// allowNproc raises the hard RLIMIT_NPROC as far as the process will need it.
func (i *initEntrance) allowNproc() error {
	n := i.execution.plan.Exec.Nproc
	if n == nil {
		return nil
	}
	var old unix.Rlimit
	if err := unix.Prlimit(i.helper.PID, unix.RLIMIT_NPROC, nil, &old); err != nil || n.Max <= old.Max {
		return nil // setting it will tell
	}
	if err := unix.Prlimit(i.helper.PID, unix.RLIMIT_NPROC, &unix.Rlimit{Cur: old.Cur, Max: n.Max}, nil); err != nil {
		return fmt.Errorf("raise RLIMIT_NPROC to %d: %w", n.Max, err)
	}
	return nil
}

// seal is how the binary is sealed that joins: as for create, where the container's
// processes can see it because they are in the host's pid namespace.
func (i *initEntrance) seal(join []spawn.Join) string {
	joinsUser := slices.ContainsFunc(join, func(j spawn.Join) bool { return j.Flag&unix.CLONE_NEWUSER != 0 })
	if joinsUser && !i.execution.plan.Exec.PID {
		return selfexe.Memfd
	}
	return i.execution.options.Seal
}

func (i *initEntrance) spawn() error {
	e := i.execution
	join, err := e.namespaces()
	if err != nil {
		return err
	}
	exe, err := selfexe.Open(i.seal(join))
	if err != nil {
		return err
	}
	defer letGo(exe)
	parent, child, err := syncpipe.Pair()
	if err != nil {
		return err
	}
	defer child.Close()
	i.sync = parent
	if e.watch != nil {
		parent.Watch = e.watch.look
	}
	request, err := e.request(exe, join)
	if err != nil {
		return err
	}
	e.plan.Process.CallerNofile = request.Nofile
	request.Args, request.Env, request.Pass = initproc.Args(child), initproc.Env(), []*os.File{child}
	err = e.spawnInCgroup(request)
	if i.helper = e.helper; err == nil {
		trace.Cloned(e.helper.PID)
		parent.From("init", e.helper.PID)
	}
	return err
}

func (i *initEntrance) start(agent func(listener *os.File) error) error {
	return syncpipe.Located(i.sync.Start(agent))
}

func (i *initEntrance) leave() {
	if i.sync != nil {
		i.sync.Close()
	}
	endHelper(i.helper)
}

// MountFD implements syncpipe.Handler. An exec mounts nothing.
func (i *initEntrance) MountFD(int) (*os.File, error) {
	return nil, errors.New("an exec has no mounts")
}

// Hooks implements syncpipe.Handler. An exec has no hooks.
func (i *initEntrance) Hooks() error { return errors.New("an exec has no hooks") }

// Limits implements syncpipe.Handler.
func (i *initEntrance) Limits() error { return limit(&i.execution.plan.Process, i.helper.PID) }

// Log implements syncpipe.Handler.
func (i *initEntrance) Log(level int, text string) {
	log.Log(log.Level(level), text)
}
