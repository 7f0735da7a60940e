package selfexe

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// ways are the candidates that docs/design/security.md compares. The overlay is not used.
var ways = []struct {
	name string
	open func() (*os.File, error)
}{
	{"mount", readOnlyMount},
	{"memfd", sealed},
	{"overlay", detachedOverlay},
}

// detachedOverlay shows the binary through an overlay filesystem without an upper directory that
// nobody else can see.
func detachedOverlay() (*os.File, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ctx, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer unix.Close(ctx)
	// A single lower directory would need an upper one.
	if err := unix.FsconfigSetString(ctx, "lowerdir", filepath.Dir(self)+":/etc"); err != nil {
		return nil, err
	}
	if err := unix.FsconfigCreate(ctx); err != nil {
		return nil, err
	}
	mount, err := unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return nil, err
	}
	defer unix.Close(mount)
	fd, err := unix.Openat(mount, filepath.Base(self), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "overlay"), nil
}

// openBy opens the binary in one of the ways, or skips.
func openBy(t testing.TB, open func() (*os.File, error)) *os.File {
	t.Helper()
	f, err := open()
	if errors.Is(err, unix.EPERM) && os.Geteuid() != 0 || errors.Is(err, unix.ENODEV) {
		t.Skipf("this way takes root, and a filesystem that can be cloned: euid is %d: %v", os.Geteuid(), err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestCannotBeWritten(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			path := "/proc/self/fd/" + strconv.Itoa(int(openBy(t, way.open).Fd()))
			for _, flags := range []int{unix.O_WRONLY, unix.O_RDWR, unix.O_WRONLY | unix.O_TRUNC} {
				fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
				if err != nil {
					continue // EROFS, or ETXTBSY as long as this test runs
				}
				if _, err := unix.Write(fd, []byte("owned")); err == nil {
					t.Errorf("open with flags %#x: the binary was written to", flags)
				}
				unix.Close(fd)
			}
			if err := unix.Chmod(path, 0o777); way.name == "mount" && !errors.Is(err, unix.EROFS) {
				t.Errorf("chmod: %v", err)
			}
		})
	}
}

func TestMemfdIsTheSame(t *testing.T) {
	want, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	// By its descriptor: its mode, 0111, lets nobody open it again who has no privilege.
	got, err := io.ReadAll(io.NewSectionReader(openBy(t, sealed), 0, 1<<30))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the copy differs")
	}
}

func TestCheck(t *testing.T) {
	for seal, good := range map[string]bool{"": true, "mount": true, "memfd": true, "overlay": false, "MEMFD": false} {
		if err := Check(seal); (err == nil) != good {
			t.Errorf("%q: %v", seal, err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			openBy(b, way.open)
			for b.Loop() {
				f, err := way.open()
				if err != nil {
					b.Fatal(err)
				}
				f.Close()
			}
		})
	}
}
