package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// bundle makes a container whose program sleeps. One bundle does for all: the runtime finds the
// cgroup by the container's name.
func (s *soak) bundle() error {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return fmt.Errorf("no busybox here (Debian: apt-get install busybox-static): %w", err)
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	for _, d := range []string{"bin", "dev", "proc", "sys"} {
		if err := os.MkdirAll(filepath.Join(s.dir, "rootfs", d), 0o755); err != nil {
			return err
		}
	}
	for _, applet := range []string{"sleep", "true"} {
		if err := os.WriteFile(filepath.Join(s.dir, "rootfs/bin", applet), program, 0o755); err != nil {
			return err
		}
	}
	if err := s.oci("spec", "--bundle", s.dir); err != nil {
		return err
	}
	path := filepath.Join(s.dir, "config.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var c map[string]any
	if err := json.Unmarshal(raw, &c); err != nil {
		return err
	}
	process := c["process"].(map[string]any)
	process["terminal"], process["args"] = false, []string{"/bin/sleep", "100000"}
	if raw, err = json.Marshal(c); err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o644)
}

// limit is how long a command may take.
const limit = 60 * time.Second

// oci runs the runtime, and notes how long it took.
func (s *soak) oci(args ...string) error {
	said, err := os.CreateTemp(s.dir, "said.")
	if err != nil {
		return err
	}
	defer os.Remove(said.Name())
	defer said.Close()
	line := append([]string{s.runtime, "--root", filepath.Join(s.dir, "state")}, args...)
	begin := time.Now()
	status, err := s.reaper.run(line, said)
	took := time.Since(begin)
	if err != nil {
		return err
	}
	s.times.add(args[0], took)
	if !status.Exited() || status.ExitStatus() != 0 {
		text, _ := os.ReadFile(said.Name())
		return fmt.Errorf("%s: wait status %#x after %s: %s", strings.Join(args, " "), status, took.Round(time.Millisecond), strings.TrimSpace(string(text)))
	}
	return nil
}

// reaper waits for commands, and reaps what they leave behind: it is what an engine's shim is.
type reaper struct {
	mu   sync.Mutex
	runs map[int]chan syscall.WaitStatus
}

func startReaper() (*reaper, error) {
	const subreaper = 36 // PR_SET_CHILD_SUBREAPER
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, subreaper, 1, 0); errno != 0 {
		return nil, os.NewSyscallError("prctl", errno)
	}
	r := &reaper{runs: map[int]chan syscall.WaitStatus{}}
	go func() {
		for {
			r.reap()
		}
	}()
	return r, nil
}

func (r *reaper) reap() {
	// Who ends before run has noted him must not be reaped: this only waits, the rest is done under
	// the lock.
	const all, exited, keep = 0, 4, 0x1000000 // P_ALL, WEXITED, WNOWAIT
	var info [128]byte                        // siginfo_t
	_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, all, 0, uintptr(unsafe.Pointer(&info)), exited|keep, 0, 0)
	if errno != 0 {
		time.Sleep(time.Millisecond) // there are no children just now
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
	if err == nil && r.runs[pid] != nil {
		r.runs[pid] <- status
		delete(r.runs, pid)
	}
}

// run runs a command to its end.
func (r *reaper) run(line []string, out *os.File) (syscall.WaitStatus, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	ended := make(chan syscall.WaitStatus, 1)
	r.mu.Lock()
	pid, err := syscall.ForkExec(line[0], line, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{null.Fd(), out.Fd(), out.Fd()}})
	if err == nil {
		r.runs[pid] = ended
	}
	r.mu.Unlock()
	if err != nil {
		return 0, &os.PathError{Op: "execute", Path: line[0], Err: err}
	}
	late := time.AfterFunc(limit, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	defer late.Stop()
	return <-ended, nil
}

// times are how long commands took, by verb.
type times struct {
	mu  sync.Mutex
	all map[string][]time.Duration
}

func (t *times) add(verb string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all[verb] = append(t.all[verb], took)
}

func (t *times) print() {
	fmt.Println("| command | times | median | 99 % | longest |\n|---|---|---|---|---|")
	for _, verb := range []string{"create", "start", "state", "update", "exec", "kill", "delete", "run"} {
		all := t.all[verb]
		if len(all) == 0 {
			continue
		}
		slices.Sort(all)
		fmt.Printf("| %s | %d | %s | %s | %s |\n", verb, len(all), round(all[len(all)/2]), round(all[len(all)*99/100]), round(all[len(all)-1]))
	}
	fmt.Println()
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
