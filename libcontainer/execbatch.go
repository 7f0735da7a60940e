package libcontainer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/internal/linux"
	"oci-run/internal/log"
	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/console"
	"oci-run/libcontainer/internal/fdsocket"
	"oci-run/libcontainer/internal/initproc"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/rootfs"
	"oci-run/libcontainer/internal/spawn"
)

// batchEntrance is the entrance by a batch of system calls, see [initproc.Batch].
type batchEntrance struct {
	channel *os.File // our end
	watch   *execWatch
	root    *os.File    // the container's, to explain errors
	list    *calls.List // to read reports by
	plan    *process.Plan
	helper  *spawn.Process
}

func (b *batchEntrance) enter(e *execution) (pid int, err error) {
	b.watch = e.watch
	span := trace.Begin("spawn")
	err = b.spawn(e)
	span.End(err)
	if err != nil {
		return 0, err
	}
	cloned := trace.Now()
	if pid, err = b.report(); errors.Is(err, io.EOF) {
		return 0, e.explainEnd()
	}
	trace.Record("helper", "list", b.helper.PID, cloned)
	if err != nil {
		return 0, err
	}
	return pid, b.confine(e, pid)
}

// confine is the execution's, for a process that is all but the program: what it was allowed as for
// CPUs may have been another cpuset's.
func (b *batchEntrance) confine(e *execution, pid int) error {
	if err := e.confine(pid); err != nil || !e.outside {
		return err
	}
	return calls.Here(func(l *calls.List) { e.plan.Process.AddExecAffinity(l, pid) })
}

// spawn starts the helper, which executes the batch, and hands over the terminal's master.
func (b *batchEntrance) spawn(e *execution) error {
	join, err := e.namespaces()
	if err != nil {
		return err
	}
	way, terminal, err := b.prepare(e)
	if err != nil {
		return err
	}
	defer closeAll(way.Channel, way.Proc, way.Peer)
	if terminal != nil {
		defer terminal.Master.Close() // unless it is handed over
	}
	exe, err := b.write(way, &e.plan)
	if err != nil {
		return err
	}
	defer exe.Close()
	request, err := e.request(exe, join)
	if err != nil {
		return err
	}
	request.Args = []string{"oci-run", "exec"}
	for _, f := range []*os.File{way.Channel, way.Init, way.Proc, way.Peer} {
		if f != nil {
			request.Pass = append(request.Pass, f)
		}
	}
	err = e.spawnInCgroup(request)
	if b.helper = e.helper; err != nil || terminal == nil {
		return err
	}
	return terminal.Send(e.options.ConsoleSocket)
}

// write works the batch out and returns it as an executable.
func (b *batchEntrance) write(way *initproc.Batch, plan *initproc.Plan) (*os.File, error) {
	list, warnings, err := way.List(plan)
	if err != nil {
		return nil, err
	}
	exe, err := list.Open()
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		log.Warn(w)
	}
	b.list, b.plan = list, &plan.Process
	return exe, nil
}

// prepare opens what the batch works with.
func (b *batchEntrance) prepare(e *execution) (way *initproc.Batch, terminal *console.Console, err error) {
	way = &initproc.Batch{Init: e.init}
	defer func() {
		if err != nil {
			closeAll(way.Channel, way.Proc, way.Peer)
		}
	}()
	if b.root, err = e.openRoot(); err != nil {
		return way, nil, err
	}
	way.Root = b.root
	if e.plan.Labelled() {
		proc, err := rootfs.HostProc()
		if err != nil {
			return way, nil, err
		}
		way.Proc = proc.Dir()
	}
	if b.channel, way.Channel, err = fdsocket.Pair(); err != nil || e.plan.Terminal == nil {
		return way, nil, err
	}
	if terminal, err = console.Open(b.root, e.plan.Terminal); err == nil {
		way.Peer = terminal.Peer
	}
	return way, terminal, err
}

// openRoot opens the root directory of the container's init process.
func (e *execution) openRoot() (*os.File, error) {
	root, err := files.Open("/proc/"+strconv.Itoa(e.container.record.Init.PID)+"/root", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.PidfdSendSignal(int(e.init.Fd()), 0, nil, 0); err != nil { // so it was init's, and not another's with its pid
		root.Close()
		return nil, fmt.Errorf("look for the container's init: %w", linux.NameCall("pidfd_send_signal", err))
	}
	return root, nil
}

// report reads what the helper or its child reports, or io.EOF.
func (b *batchEntrance) report() (pid int, err error) {
	if err := b.watch.await(b.channel); err != nil {
		return 0, err
	}
	value, err := b.list.Receive(b.channel)
	return int(value), b.plan.ExplainNofile(err)
}

func (b *batchEntrance) start(func(listener *os.File) error) error {
	defer trace.Begin("execve").End(nil)
	if err := initproc.LetGo(b.channel); err != nil {
		return err
	}
	// The execve closes the process's end, and the helper is gone.
	if _, err := b.report(); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (b *batchEntrance) leave() {
	closeAll(b.channel, b.root)
	endHelper(b.helper)
}
