package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/hooks"
	"oci-run/internal/log"
	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/criu"
	"oci-run/libcontainer/internal/fdsocket"
	"oci-run/libcontainer/internal/initproc"
	"oci-run/libcontainer/internal/rootfs"
	"oci-run/libcontainer/internal/state"
	"oci-run/specconv"
)

// RestoreOptions is what `restore` asks for beyond the bundle.
type RestoreOptions struct {
	Create CreateOptions // of which those count that concern what is around the process
	CRIU   criu.Options
	Stdio  [3]*os.File // standard input, output and error of the container's processes
}

// restoration is a restore on its way. It makes what a create makes, but for the process.
type restoration struct {
	creation
	restore *RestoreOptions
	root    string // where CRIU finds the container's root
	pid     int
	pidfd   *os.File
}

// Restore makes a container from a bundle and the files that Checkpoint wrote. Its processes run.
// If it fails, nothing of the container is left.
func (f *Factory) Restore(id string, b *specconv.Bundle, o *RestoreOptions) (*Created, error) {
	if err := state.CheckFree(f.Root, id); err != nil {
		return nil, err
	}
	if err := o.CRIU.Check(); err != nil {
		return nil, err
	}
	if err := o.CRIU.CheckImages(); err != nil {
		return nil, err
	}
	p, err := f.newPlan(id, b, &o.Create)
	if err != nil {
		return nil, b.Locate(err)
	}
	defer p.close()
	if err := p.init.Root.Restorable(); err != nil {
		return nil, b.Locate(err)
	}
	r := &restoration{creation: creation{factory: f, bundle: b, options: &o.Create, plan: p}, restore: o}
	if r.dir, err = state.Reserve(f.Root, id); err != nil {
		return nil, err
	}
	defer r.dir.Close()
	if err := r.make(); err != nil {
		if undo := r.undo(); undo != nil {
			log.Warn(undo.Error())
		}
		return nil, b.Locate(err)
	}
	return &Created{Container: &Container{root: f.Root, record: r.record}, PID: r.pid, PidFD: r.pidfd}, nil
}

// make is the order of a restore.
func (r *restoration) make() error {
	for _, s := range [...]struct {
		name string
		run  func() error
	}{{"intent", r.recordIntent}, {"keep", r.keep}, {"cgroup", r.makeCgroup}, {"restore", r.run}, {"commit", r.commit}} {
		if err := trace.Do(s.name, s.run); err != nil {
			return err
		}
	}
	return nil
}

// run has CRIU restore the processes.
func (r *restoration) run() error {
	r.root = filepath.Join(r.dir.Path(), "criu-root")
	if err := os.Mkdir(r.root, 0o755); err != nil {
		return err
	}
	defer os.Remove(r.root)
	request, err := r.request()
	if err != nil {
		return err
	}
	return criu.Restore(&r.restore.CRIU, request)
}

func (r *restoration) request() (*criu.RestoreRequest, error) {
	plan := &r.plan.init.Root
	q := &criu.RestoreRequest{
		Root: r.root, Config: criuConfigOf(r.bundle.Spec.Annotations), Stdio: r.restore.Stdio,
		Enter:   func(start func() error) error { return rootfs.Rebuild(plan, r.root, start) },
		Started: r.confine, Namespaced: r.runtimeHooks, Restored: r.restored, Terminal: r.terminal,
	}
	for _, e := range plan.Externals() {
		q.External = append(q.External, criu.External{Key: e.Name, Value: e.Source})
	}
	null := rootfs.NullDevice()
	if mask := (criu.External{Key: null.Name, Value: null.Source}); !slices.Contains(q.External, mask) {
		q.External = append(q.External, mask)
	}
	for _, j := range r.plan.joined {
		if j.Kind.Type == specs.CgroupNamespace {
			return nil, specconv.Fieldf("/linux/namespaces", "a container can't be restored into a cgroup namespace that exists")
		}
		q.Namespaces = append(q.Namespaces, criu.Namespace{Kind: j.Kind.Proc, Path: j.File.Name(), File: j.File})
	}
	var err error
	q.Pipes, err = loadDescriptors(r.restore.CRIU.Images)
	return q, err
}

// confine puts CRIU into the container's cgroup and limits, in which the processes are then born.
func (r *restoration) confine(pid int) error {
	cgroup := r.plan.cgroup
	if err := cgroup.Join(pid); err != nil {
		return err
	}
	if err := cgroup.Configure(); err != nil {
		return err
	}
	if err := cgroup.Limit(); err != nil {
		return err
	}
	err := r.recordCgroup()
	if err == nil {
		err = r.plan.resctrl.Create(pid)
	}
	r.record.IntelRdt = r.plan.resctrl.Makes()
	return err
}

// runtimeHooks runs the hooks that set the network up.
func (r *restoration) runtimeHooks(pid int) error {
	h := r.bundle.Spec.Hooks
	if h == nil {
		return nil
	}
	s := hookState(r.record, specs.StateCreating, pid)
	if err := hooks.Run(hooks.Prestart, hooks.List(h, hooks.Prestart), s); err != nil {
		return initproc.HookField(err)
	}
	return initproc.HookField(hooks.Run(hooks.CreateRuntime, h.CreateRuntime, s))
}

// terminal hands on the master of the terminal.
func (r *restoration) terminal(master *os.File) error {
	if r.options.ConsoleSocket == nil {
		return errors.New("the restored process has a terminal, but /process/terminal is false")
	}
	return fdsocket.Send(r.options.ConsoleSocket, "/dev/ptmx", master)
}

// restored identifies the container's process, which is our child.
func (r *restoration) restored(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("pidfd_open %d: %w", pid, err)
	}
	r.pid, r.pidfd = pid, os.NewFile(uintptr(fd), "pidfd:"+strconv.Itoa(pid))
	if r.record.Init, err = state.Identify(pid); err != nil {
		return err
	}
	r.record.TimeNS, err = foreignTime(pid)
	if err != nil || len(r.plan.cgroup.Hierarchies()) > 0 {
		return err // who has to find the process finds it in its cgroup
	}
	return r.dir.Save(r.record)
}

// foreignTime tells whether a process is in another time namespace than we.
func foreignTime(pid int) (bool, error) {
	ours, err := os.Readlink("/proc/self/ns/time")
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	theirs, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/time")
	return theirs != ours, err
}

// commit makes the container stand on its own.
func (r *restoration) commit() error {
	if r.pidfd == nil {
		return errors.New("criu restored no process")
	}
	if r.options.PIDFile != "" {
		if err := writePIDFile(r.options.PIDFile, r.pid); err != nil {
			return err
		}
	}
	r.record.Phase, r.record.IntelRdt = state.Created, r.plan.resctrl.Leaves()
	r.record.Created = time.Now().UTC()
	if err := r.dir.Save(r.record); err != nil {
		return err
	}
	return r.dir.Settle()
}

// undo removes what a restore that failed has made.
func (r *restoration) undo() error {
	if r.pidfd != nil {
		if err := r.end(r.pid, r.pidfd); err != nil {
			return err
		}
		r.pidfd.Close()
	}
	return r.creation.undo()
}
