package hooks

import (
	"os"
	"runtime"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestNamespacesOfThread: init calls Run on its locked main thread, whose namespaces are the
// container's; the hook must be in these, whatever thread looks after it.
func TestNamespacesOfThread(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root")
	}
	s := state(t)
	host, err := os.Readlink("/proc/self/ns/uts")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and its namespaces with it.
		runtime.LockOSThread()
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWUTS | unix.CLONE_NEWNS); err != nil {
				return err
			}
			if err := unix.Sethostname([]byte("in-the-container")); err != nil {
				return err
			}
			if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
				return err
			}
			if err := unix.Mount("tmpfs", "/mnt", "tmpfs", 0, ""); err != nil {
				return err
			}
			if err := unix.Mkdir("/mnt/seen-by-the-hook", 0o755); err != nil {
				return err
			}
			return Run(CreateRuntime, []specs.Hook{sh("uname -n > name; readlink /proc/self/ns/uts > ns; ls /mnt > mnt")}, s)
		}()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := read(t, s.Bundle+"/name"); got != "in-the-container\n" {
		t.Errorf("the hook's host name: %q", got)
	}
	if got := read(t, s.Bundle+"/ns"); got == host+"\n" {
		t.Errorf("the hook's uts namespace is the host's: %q", got)
	}
	if got := read(t, s.Bundle+"/mnt"); got != "seen-by-the-hook\n" {
		t.Errorf("the hook's mounts: %q", got)
	}
}
