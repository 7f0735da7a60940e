// Package spawn starts the init process: this same binary, re-executed from a sealed fd
// in the container's namespaces and cgroup. Only libcontainer calls it.
//
// What must happen before the re-exec happens in the cloned, single-threaded child
// (child.go): a user or time namespace can only be joined by a process with one thread,
// and a Go program never is one.
package spawn

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/calls"
)

// Join is an existing namespace to enter, or several at once: those of a process (pidfd, Linux
// 5.8).
type Join struct {
	File *os.File // a namespace's, or a pidfd
	Flag uintptr  // its CLONE_NEW* flag, or those of the namespaces to enter
	Name string   // its type, for errors
}

// Request says what to start and where.
type Request struct {
	Exe  *os.File // the binary, see package selfexe
	Args []string // argv
	Env  []string // the whole environment

	// Inherit is how many fds the new process gets as they are: 0, 1, 2 and those that
	// the caller wants preserved. Everything above is closed on exec, but for Pass.
	Inherit int
	Pass    []*os.File // at the same numbers

	New    uintptr  // CLONE_NEW* flags of the namespaces to create, without the cgroup namespace
	Join   []Join   // namespaces to join
	Cgroup *os.File // cgroup v2 directory to be born in (CLONE_INTO_CGROUP, Linux 5.7), or nil
	// Tasks are the files named tasks of cgroup v1 directories, or cgroup.procs of v2's, that the
	// child moves itself to.
	Tasks []*os.File

	// WriteMaps writes the id mappings of a new user namespace for the given process. It
	// is called once, if New has CLONE_NEWUSER.
	WriteMaps func(pid int) error
	// UID and GID are who init is in a user namespace that does not map 0.
	UID, GID uint32
	// TimeOffsets is what a new time namespace's timens_offsets file gets, or empty.
	TimeOffsets string
	// Copied gives the child a copy of our memory, that we need not wait for it: it may be frozen
	// before it executes the binary.
	Copied bool
	// Affinity is the CPU mask that the process has from its first instruction on, or nil.
	Affinity []byte
	// Nofile is the RLIMIT_NOFILE that init shall start with. The zero value leaves ours.
	Nofile unix.Rlimit
}

// Process is a started init process. It is a child of this one.
type Process struct {
	PID   int
	PidFD *os.File
	stage *os.File
	list  *calls.List // to read its reports by
}

// Start clones the child and sees it through to its last step before the exec. An error
// of the exec itself is told by Failure.
func Start(r *Request) (*Process, error) {
	stage, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	ours := os.NewFile(uintptr(stage[0]), "stage")
	var c *child
	err = trace.Do("prepare the clone", func() (err error) { c, err = prepare(r, stage); return err })
	if err != nil {
		ours.Close()
		unix.Close(stage[1])
		return nil, err
	}
	span := r.beginClone()
	pid, errno := c.clone()
	span.SetNumber("pid", pid)
	span.End(nil)
	runtime.KeepAlive(r)
	unix.Close(stage[1])
	if errno != 0 {
		ours.Close()
		if r.Cgroup != nil && noClone3(errno) {
			return startOutside(r)
		}
		if errno == unix.EACCES && r.Cgroup != nil {
			return nil, fmt.Errorf("unable to apply cgroup configuration: clone3 into cgroup %q: %w "+
				"(this requires the right to write to cgroup.procs of the nearest cgroup above both this one and the caller's)", r.Cgroup.Name(), errno)
		}
		return nil, refused(errno, c.first.flags)
	}
	p := &Process{PID: pid, stage: ours, list: c.list}
	if err := trace.Do("follow the clone", func() error { return p.follow(r, c) }); err != nil {
		p.abandon()
		return nil, err
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		p.abandon()
		return nil, fmt.Errorf("open a pidfd of %d: %w", p.PID, linux.NameCall("pidfd_open", err))
	}
	p.PidFD = os.NewFile(uintptr(fd), "pidfd:"+strconv.Itoa(p.PID))
	return p, nil
}

// startOutside starts a child outside of its v2 cgroup, which it enters before all else, as it does
// those of v1: only clone3 makes one that is born there.
func startOutside(r *Request) (*Process, error) {
	name := r.Cgroup.Name() + "/cgroup.procs"
	fd, err := unix.Openat(int(r.Cgroup.Fd()), "cgroup.procs", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	procs := os.NewFile(uintptr(fd), name)
	defer procs.Close()
	inside := *r
	inside.Cgroup, inside.Tasks = nil, append(slices.Clone(r.Tasks), procs)
	return Start(&inside)
}

// follow answers the child until it has nothing left to do but exec.
func (p *Process) follow(r *Request, c *child) error {
	if c.ask {
		if _, err := p.next(); err != nil {
			return err
		}
		if err := r.WriteMaps(p.PID); err != nil {
			return err
		}
		if _, err := p.stage.Write([]byte{1}); err != nil {
			return fmt.Errorf("answer the cloned child: %w", err)
		}
	}
	if !c.twice {
		return nil
	}
	// The child's child is the container's process, by CLONE_PARENT our child as well.
	value, err := p.next()
	if err != nil {
		return err
	}
	first := p.PID
	p.PID = int(value)
	var status unix.WaitStatus
	for {
		if _, err := unix.Wait4(first, &status, 0, nil); err != unix.EINTR {
			return nil
		}
	}
}

// next reads one report of the child: the value that it tells, or the error that ended it.
func (p *Process) next() (value uint32, err error) {
	value, err = p.list.Receive(p.stage)
	if errors.Is(err, io.EOF) {
		err = errors.New("the cloned child ended early")
	}
	return value, err
}

// Failure waits until the process has executed the binary, and returns nil, or has
// reported why it could not.
func (p *Process) Failure() error {
	_, err := p.list.Receive(p.stage)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Wait waits for the end of the process, reaps it and says how it ended: "exit status 1",
// "SIGKILL". It is empty if somebody else has reaped it.
func (p *Process) Wait() string {
	var status unix.WaitStatus
	for {
		pid, err := unix.Wait4(p.PID, &status, 0, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid != p.PID {
			return ""
		}
		break
	}
	if status.Signaled() {
		return unix.SignalName(status.Signal())
	}
	return "exit status " + strconv.Itoa(status.ExitStatus())
}

// Release releases what is held of the process but PidFD, which is somebody else's now.
func (p *Process) Release() { p.stage.Close() }

// Close releases what is held of the process; it runs on.
func (p *Process) Close() {
	p.Release()
	if p.PidFD != nil {
		p.PidFD.Close()
	}
}

// abandon kills and reaps a child that can't be used.
func (p *Process) abandon() {
	p.stage.Close()
	if p.PID > 0 {
		_ = unix.Kill(p.PID, unix.SIGKILL)
		p.Wait()
	}
}
