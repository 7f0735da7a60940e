package faults

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// reaper is what an engine's shim is: orphans of the commands become its children, and it reaps
// them. As long as one isn't reaped, the init of its pid namespace can't end.
type reaper struct {
	mu   sync.Mutex
	own  []int // commands, for which others wait
	stop chan struct{}
	done chan struct{}
}

func startReaper() (*reaper, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, os.NewSyscallError("prctl PR_SET_CHILD_SUBREAPER", err)
	}
	r := &reaper{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		for {
			select {
			case <-r.stop:
				return
			case <-time.After(5 * time.Millisecond):
				r.reap()
			}
		}
	}()
	return r, nil
}

func (r *reaper) end() {
	close(r.stop)
	<-r.done
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
}

// start starts a command that the caller waits for.
func (r *reaper) start(cmd *exec.Cmd) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := cmd.Start()
	if err == nil {
		r.own = append(r.own, cmd.Process.Pid)
	}
	return err
}

// wait waits for a command.
func (r *reaper) wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.own = slices.DeleteFunc(r.own, func(pid int) bool { return pid == cmd.Process.Pid })
	return err
}

// reap reaps what has ended, and names what lives on.
func (r *reaper) reap() (alive []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	threads, _ := os.ReadDir("/proc/self/task")
	for _, thread := range threads {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/self/task/%s/children", thread.Name()))
		for field := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(field)
			if err != nil || slices.Contains(r.own, pid) {
				continue
			}
			if ended, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); err == nil && ended == 0 {
				alive = append(alive, pid)
			}
		}
	}
	return alive
}

// equipped is what each suite begins with: the names of system calls, and who reaps what is left.
func equipped(t *testing.T) (names map[int32]string, r *reaper) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	names = callNames(t)
	r, err := startReaper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.end)
	return names, r
}
