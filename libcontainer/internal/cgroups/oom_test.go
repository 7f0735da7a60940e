package cgroups

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// eater starts a shell that waits for a line and then becomes a program that eats memory.
func eater(t *testing.T) (pid int, eat func()) {
	t.Helper()
	cmd := exec.Command("sh", "-c", "read line; exec tail /dev/zero")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid, func() { _, _ = io.WriteString(stdin, "go\n") }
}

func TestOOM(t *testing.T) {
	if CurrentMode() == V2 {
		t.Skip("this host gives the memory controller to v1")
	}
	m := newCreation(t, &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: new(int64(8 << 20)), Swap: new(int64(8 << 20))}})
	pid, eat := eater(t)
	for _, err := range []error{m.Create(), m.Configure(), m.Join(pid), m.Limit()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w, err := m.WatchOOM()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if oom, err := w.Wait(time.Now().Add(20 * time.Millisecond)); oom || err != nil {
		t.Fatalf("before: %v, %v", oom, err)
	}
	if err := m.ExplainOOM(); err != nil {
		t.Errorf("before: %v", err)
	}
	eat()
	deadline := time.Now().Add(10 * time.Second)
	if oom, err := w.Wait(deadline); !oom || err != nil {
		t.Fatalf("oom: %v, %v", oom, err)
	}
	if _, err := w.Wait(deadline); !errors.Is(err, ErrGone) {
		t.Errorf("after the end of the process: %v", err)
	}
	if err := m.ExplainOOM(); err == nil || !strings.Contains(err.Error(), "the limit is 8 MiB, the peak use was 8 MiB") {
		t.Errorf("explanation: %v", err)
	}
	if n, err := m.OOMKills(); n != 1 || err != nil {
		t.Errorf("%d kills, %v", n, err)
	}
}

func TestStats(t *testing.T) {
	m := newCreation(t, nil)
	pid, _ := sleeper(t)
	for _, err := range []error{m.Create(), m.Join(pid)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := m.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if s.Pids.Current != 1 {
		t.Errorf("pids: %d", s.Pids.Current)
	}
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`{"cpu":{"usage":{`, `"throttling":{}`, `"hugetlb":{`, `"intel_rdt":{},"network_interfaces":null`, `"pids":{"current":1}`} {
		if !strings.Contains(string(raw), part) {
			t.Errorf("%s is not in %s", part, raw)
		}
	}
}
