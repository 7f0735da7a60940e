package state

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// What can't be known is an error, and never means that a process or a directory is gone.

func TestAliveWithoutDescriptors(t *testing.T) {
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	alive, err := self.Alive()
	if rerr := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); rerr != nil {
		t.Fatal(rerr)
	}
	if !errors.Is(err, unix.EMFILE) {
		t.Errorf("alive: %v, %v; want %v", alive, err, unix.EMFILE)
	}
}

func TestAliveWithoutProc(t *testing.T) {
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread() // and the thread ends with the goroutine
		if err := coverProc(); errors.Is(err, unix.EPERM) {
			t.Log(err)
			return
		} else if err != nil {
			t.Error(err)
			return
		}
		if alive, err := self.Alive(); !errors.Is(err, unix.ENOENT) {
			t.Errorf("this process: %v, %v; want %v", alive, err, unix.ENOENT)
		}
		if alive, err := (Process{PID: 1 << 30}).Alive(); alive || err != nil {
			t.Errorf("no process: %v, %v", alive, err)
		}
	}()
	<-done
}

// coverProc hides /proc from the calling thread.
func coverProc() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return unix.Mount("tmpfs", "/proc", "tmpfs", 0, "")
}

func TestDirectoryThatCannotBeLookedAt(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	d := reserve(t, root, "one")
	if err := os.Rename(root, root+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := d.Record(); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("record: %+v, %v; want %v", r, err, unix.ENOTDIR)
	}
	if startable, err := d.Startable(); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("startable: %v, %v; want %v", startable, err, unix.ENOTDIR)
	}
}
