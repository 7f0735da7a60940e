package cgroups

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// atOnce is how many processes are held at a time: each takes a descriptor, of which the caller may
// have few.
const atOnce = 128

// signalAll sends a signal to what is in the cgroup now and below.
//
// A pid is not enough to go by: whoever had it when the cgroup was read may have ended since, and
// another process have it. So each is opened first and the cgroup read again. Who is open, still
// listed, and there to be signalled has had the number all the time, and so it was that process
// which was listed.
func (k *killer) signalAll(sig unix.Signal) error {
	pids, err := k.Pids()
	if err != nil {
		return err
	}
	for len(pids) > 0 {
		batch, err := holdProcesses(pids[:min(atOnce, len(pids))])
		if err != nil {
			return err
		}
		pids = pids[batch.seen:]
		err = k.signalHeld(batch, sig)
		batch.close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *killer) signalHeld(held *heldProcesses, sig unix.Signal) error {
	pids, err := k.Pids()
	if err != nil {
		return err
	}
	listed := make(map[int]bool, len(pids))
	for _, pid := range pids {
		listed[pid] = true
	}
	for _, p := range held.processes {
		if !listed[p.pid] {
			continue
		}
		if err := unix.PidfdSendSignal(p.fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("send %v to process %d: %w", sig, p.pid, linux.NameCall("pidfd_send_signal", err))
		}
	}
	return nil
}

// heldProcesses are open processes, by what a cgroup lists them as.
type heldProcesses struct {
	processes []heldProcess
	seen      int // how many of the pids were looked at
}

type heldProcess struct{ pid, fd int }

// holdProcesses opens processes: all of pids, or, if there are no more descriptors, the first of
// them.
func holdProcesses(pids []int) (*heldProcesses, error) {
	held := &heldProcesses{}
	for _, pid := range pids {
		fd, err := openProcess(pid)
		switch {
		case err == nil:
			held.processes = append(held.processes, heldProcess{pid, fd})
		case errors.Is(err, unix.ESRCH):
		case errors.Is(err, unix.EMFILE) && len(held.processes) > 0:
			return held, nil
		default:
			held.close()
			return nil, fmt.Errorf("pidfd_open %d: %w", pid, err)
		}
		held.seen++
	}
	return held, nil
}

func (h *heldProcesses) close() {
	for _, p := range h.processes {
		unix.Close(p.fd)
	}
}

// openProcess opens a pidfd of a process, or of that which a thread belongs to: a threaded cgroup
// lists threads. ESRCH says that there is none.
func openProcess(pid int) (int, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != unix.EINVAL && err != unix.ENOENT { //nolint:errorlint // a bare errno; a thread: EINVAL, and ENOENT since Linux 6.18
		return fd, err
	}
	leader, err := threadGroup(pid)
	if err != nil || leader == pid {
		return -1, unix.ESRCH
	}
	if fd, err = unix.PidfdOpen(leader, 0); err == unix.EINVAL || err == unix.ENOENT { //nolint:errorlint // a bare errno
		err = unix.ESRCH
	}
	if err != nil {
		return -1, err
	}
	// The thread that the cgroup lists next under this number has to be one of the process that was
	// opened.
	if again, err := threadGroup(pid); err != nil || again != leader {
		unix.Close(fd)
		return -1, unix.ESRCH
	}
	return fd, nil
}

// threadGroup gives the pid of the process that a thread belongs to, proc_pid_status(5).
func threadGroup(tid int) (int, error) {
	text, err := readFile("/proc/" + strconv.Itoa(tid) + "/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, "Tgid:"); found {
			return strconv.Atoi(strings.TrimSpace(value))
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no Tgid", tid)
}
