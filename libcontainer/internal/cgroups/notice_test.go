package cgroups

import (
	"errors"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// unifiedDir makes a cgroup in the unified hierarchy, which every host has, with or without
// controllers.
func unifiedDir(t *testing.T) string {
	t.Helper()
	needRoot(t)
	mount := t.TempDir()
	if err := unix.Mount("cgroup2", mount, "cgroup2", 0, ""); err != nil {
		t.Skipf("mount cgroup2: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(mount, unix.MNT_DETACH) })
	dir, err := os.MkdirTemp(mount, "oci-run-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
			t.Error(err)
		}
	})
	return dir
}

// signals tells whether a poll of the notice returns at once.
func signals(t *testing.T, n *notice) bool {
	t.Helper()
	ready, err := unix.Poll([]unix.PollFd{n.pollFd()}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ready > 0
}

func TestNotice(t *testing.T) {
	dir := unifiedDir(t)
	n, err := openNotice(dir + "/cgroup.events")
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(n.fd)
	read := func() {
		t.Helper()
		if _, err := n.read(); err != nil {
			t.Fatal(err)
		}
	}
	if read(); signals(t, &n) {
		t.Error("a file that was read and has not changed since signals a change")
	}
	if err := writeFile(dir+"/cgroup.freeze", "1"); err != nil { // "frozen 1" in cgroup.events
		t.Fatal(err)
	}
	if _, err := readFile(n.path); err != nil {
		t.Fatal(err)
	}
	if !signals(t, &n) {
		t.Error("a read through another descriptor has cleared the signal")
	}
	if read(); signals(t, &n) {
		t.Error("a read through the descriptor itself has not cleared the signal")
	}
	none, err := openNotice(dir + "/no.such.file")
	if err != nil || none.open() || signals(t, &none) {
		t.Errorf("a file that does not exist: %+v, %v", none, err)
	}
}

// TestOOMWatchSleeps: where nothing happens, a watch costs nothing. The file that stands for
// memory.events is one that exists on hosts that give the memory controller to v1; it counts no
// kills.
func TestOOMWatchSleeps(t *testing.T) {
	dir := unifiedDir(t)
	busy, _ := sleeper(t)
	if err := joinDir(dir, strconv.Itoa(busy)); err != nil {
		t.Fatal(err)
	}
	w := &OOMWatch{m: &meter{&location{Record{Mode: V2}}}, event: -1}
	defer w.Close()
	for _, n := range []*notice{&w.memory, &w.events} {
		var err error
		if *n, err = openNotice(dir + "/cgroup.events"); err != nil {
			t.Fatal(err)
		}
	}
	const wait = 500 * time.Millisecond
	before := cpuTime(t)
	if oom, err := w.Wait(time.Now().Add(wait)); oom || err != nil {
		t.Errorf("oom: %v, %v", oom, err)
	}
	if used := cpuTime(t) - before; used > wait/5 {
		t.Errorf("%v of waiting took %v of CPU time", wait, used)
	}
	if err := unix.Kill(busy, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Wait(time.Now().Add(10 * time.Second)); !errors.Is(err, ErrGone) {
		t.Errorf("after the last process left: %v", err)
	}
}

// TestOOMWatchReadsWhatItPolls is the same for a container's own watch, with memory.events where
// there is one.
func TestOOMWatchReadsWhatItPolls(t *testing.T) {
	m := newCreation(t, nil)
	pid, _ := sleeper(t)
	for _, err := range []error{m.Create(), m.Join(pid)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w, err := m.WatchOOM()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	t.Logf("mode %s, memory.events %v, cgroup.events %v, eventfd %v", m.Mode(), w.memory.open(), w.events.open(), w.event >= 0)
	if _, err := w.look(); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*notice{&w.memory, &w.events} {
		if n.open() && signals(t, n) {
			t.Errorf("%s signals a change after it was looked at", n.path)
		}
	}
}

// cpuTime is what the process has used up to now.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
