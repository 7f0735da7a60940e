package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"oci-run/internal/oncejson"
	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) { fdleak.Main(m) }

func TestCheckID(t *testing.T) {
	for _, id := range []string{"a", "web.1", "A-b_c+d", strings.Repeat("x", 255), "...", "0"} {
		if err := checkID(id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, id := range []string{"", ".", "..", "a/b", "/", "-x", "a b", "ü", "a\x00", "a\n", strings.Repeat("x", 256)} {
		if checkID(id) == nil {
			t.Errorf("%q was accepted", id)
		}
	}
}

// reserve makes a container's directory, released at the end of the test.
func reserve(t *testing.T, root, id string) *Dir {
	t.Helper()
	d, err := Reserve(root, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestRecord(t *testing.T) {
	root := filepath.Join(t.TempDir(), "not", "yet")
	d := reserve(t, root, "one")
	empty, err := d.Record()
	if err != nil || empty.Phase != Creating || empty.ID != "one" {
		t.Fatalf("before the first record: %+v, %v", empty, err)
	}
	want := &Record{
		ID: "one", Phase: Creating, OCIVersion: "1.3.0", Bundle: "/b", Rootfs: "/b/r", Created: time.Now().UTC(),
		Creator: Process{1, 2}, Cgroup: oncejson.Raw(`{"driver":"cgroupfs"}`), Annotations: map[string]string{"a": "b"},
	}
	for _, phase := range []Phase{Creating, Created} {
		want.Phase = phase
		want.Init = Process{PID: 3, StartTime: 4}
		if err := d.Save(want); err != nil {
			t.Fatal(err)
		}
		got, err := d.Record()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Record{})); diff != "" {
			t.Errorf("phase %s: %s", phase, diff)
		}
		if final := phase == Created; d.Current(got) != final || d.Current(want) != final {
			t.Errorf("phase %s: current: %v, %v", phase, d.Current(got), d.Current(want))
		}
	}
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	again := reserve(t, root, "one")
	if again.Current(want) {
		t.Error("the record of a container with the same ID before is current")
	}
	other := &Record{ID: "one", Phase: Created}
	if err := again.Save(other); err != nil {
		t.Fatal(err)
	}
	if again.Current(want) || !again.Current(other) {
		t.Error("the records of two containers with the same ID are taken for one another")
	}
	if info, err := os.Stat(again.Path()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v", info, err)
	}
}

func TestReserveTwice(t *testing.T) {
	root := t.TempDir()
	reserve(t, root, "one")
	if _, err := Reserve(root, "one"); !errors.Is(err, ErrExist) {
		t.Errorf("reserved twice: %v", err)
	}
}

func TestMissing(t *testing.T) {
	root := t.TempDir()
	for name, open := range map[string]func(root, id string) (*Dir, error){"Open": Open, "Lock": Lock, "TryLock": TryLock} {
		if _, err := open(root, "nobody"); !errors.Is(err, ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLock(t *testing.T) {
	root := t.TempDir()
	d := reserve(t, root, "one")
	if _, err := TryLock(root, "one"); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("locked twice: %v", err)
	}
	waited := make(chan error)
	go func() {
		second, err := Lock(root, "one")
		if err == nil {
			second.Close()
		}
		waited <- err
	}()
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	d.Close()
	if err := <-waited; !errors.Is(err, ErrNotExist) {
		t.Errorf("the lock of a directory that was removed meanwhile: %v", err)
	}
}

// More names than one getdents(2) returns, and a directory among them.
func TestRemoveMuch(t *testing.T) {
	d := reserve(t, t.TempDir(), "one")
	for i := range 300 {
		if err := os.WriteFile(filepath.Join(d.Path(), fmt.Sprintf("file-with-a-name-%d", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(d.Path(), "directory", "in", "it"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
}

// Whoever wins the lock of a new directory before its creator deletes it; the creator
// then gets a clear error, never somebody else's directory.
func TestReserveAgainstRemove(t *testing.T) {
	root := t.TempDir()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				d, err := Reserve(root, "one")
				if err != nil {
					if !errors.Is(err, ErrExist) && !errors.Is(err, ErrNotExist) {
						t.Error(err)
					}
					continue
				}
				if err := d.Remove(); err != nil {
					t.Error(err)
				}
				d.Close()
			}
		})
		wg.Go(func() {
			for range 200 {
				if d, err := TryLock(root, "one"); err == nil {
					if err := d.Remove(); err != nil {
						t.Error(err)
					}
					d.Close()
				}
			}
		})
	}
	wg.Wait()
}

func TestList(t *testing.T) {
	root := t.TempDir()
	for _, id := range []string{"b", "a"} {
		reserve(t, root, id)
	}
	for _, stray := range []string{"file", "-dir"} {
		if err := os.WriteFile(filepath.Join(root, stray), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ids, err := List(root)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, ids); diff != "" {
		t.Error(diff)
	}
}

func TestStartChannel(t *testing.T) {
	// The path of the directory alone is longer than a socket address.
	d := reserve(t, filepath.Join(t.TempDir(), strings.Repeat("long/", 40)), "one")
	if startable(t, d) {
		t.Error("startable before there is a channel")
	}
	listener, err := d.ListenStart()
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if !startable(t, d) {
		t.Error("not startable")
	}
	conn, err := d.DialStart()
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := d.CloseStart(); err != nil {
		t.Fatal(err)
	}
	if startable(t, d) {
		t.Error("startable after the channel was closed")
	}
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
}

func startable(t *testing.T, d *Dir) bool {
	t.Helper()
	startable, err := d.Startable()
	if err != nil {
		t.Error(err)
	}
	return startable
}

func TestAlive(t *testing.T) {
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	if !alive(t, self) {
		t.Error("this process is not alive")
	}
	if alive(t, Process{self.PID, self.StartTime + 1}) {
		t.Error("an earlier process with this pid is alive")
	}
	if alive(t, Process{}) {
		t.Error("no process is alive")
	}
	child := exec.Command("true")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := Identify(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); alive(t, p); { // until it is a zombie
		if time.Now().After(deadline) {
			t.Fatal("a zombie is alive")
		}
		time.Sleep(time.Millisecond)
	}
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
	if alive(t, p) {
		t.Error("a reaped process is alive")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"id":"a","phase":"created","init":{"pid":1,"start_time":2}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := decode(raw)
		if err == nil && (r.Version < oldest || r.Version > Version) {
			t.Errorf("version %d was accepted", r.Version)
		}
	})
}

func TestVersions(t *testing.T) {
	for text, want := range map[string]string{
		`{"version": 0}`: "version 0 is below 1, the first that",
		`{}`:             "version 0 is below 1, the first that",
		fmt.Sprintf(`{"version": %d}`, Version+1):                      fmt.Sprintf("version %d is above %d, the last that", Version+1, Version),
		fmt.Sprintf(`{"init": "other", "version": %d}`, Version+1):     fmt.Sprintf("version %d is above %d, the last that", Version+1, Version),
		fmt.Sprintf(`{"init": "damaged", "version": %d}`, Version):     "a state.Process",
		fmt.Sprintf(`{"version": %d, "later": {"added": 1}}`, Version): "",
		fmt.Sprintf(`{"version": %d}`, oldest):                         "",
	} {
		_, err := decode([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
