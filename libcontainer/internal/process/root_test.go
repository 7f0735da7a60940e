package process

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// opened makes a FIFO, and counts how often somebody opens it for reading, be it for a moment: that
// wakes who waits to write.
func opened(t *testing.T, path string) *atomic.Int32 {
	t.Helper()
	if err := unix.Mkfifo(path, 0o755); err != nil {
		t.Fatal(err)
	}
	var count atomic.Int32
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
			select {
			case <-over:
				unix.Close(fd)
				return
			default:
			}
			if err != nil && err != unix.EINTR {
				t.Error(err)
				return
			}
			if err == nil {
				var st unix.Stat_t
				if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO { // and not what was exchanged for it
					count.Add(1)
				}
				unix.Close(fd)
			}
		}
	}()
	t.Cleanup(func() {
		close(over)
		for {
			fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Error(err)
			}
			select {
			case <-done:
				unix.Close(fd)
				return
			case <-time.After(10 * time.Millisecond):
				unix.Close(fd)
			}
		}
	})
	return &count
}

// What isn't a regular file is not opened: a device may do something then.
func TestOnlyRegularFilesAreOpened(t *testing.T) {
	dir := t.TempDir()
	root := openDir(t, dir)
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	count := opened(t, filepath.Join(dir, "etc", "passwd"))
	time.Sleep(20 * time.Millisecond) // until somebody waits to write
	if got := home(root, 0); got != "/" {
		t.Errorf("home %q", got)
	}
	file, err := root.Open("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(file.FD)
	if file.Readable {
		t.Error("a FIFO is readable")
	}
	time.Sleep(50 * time.Millisecond)
	if n := count.Load(); n != 0 {
		t.Errorf("a FIFO was opened %d times", n)
	}
}

// Somebody exchanges the file for a FIFO all the time.
func TestFileUnderASwapper(t *testing.T) {
	dir := t.TempDir()
	root := openDir(t, dir)
	file, fifo := filepath.Join(dir, "program"), filepath.Join(dir, "other")
	if err := os.WriteFile(file, []byte("#!/none\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	count := opened(t, fifo)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				if i%2 == 1 { // the FIFO is under its name again
					_ = unix.Renameat2(unix.AT_FDCWD, file, unix.AT_FDCWD, fifo, unix.RENAME_EXCHANGE)
				}
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, file, unix.AT_FDCWD, fifo, unix.RENAME_EXCHANGE)
			}
		}
	}()
	read := 0
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		f, err := root.Open("/program")
		if err != nil {
			t.Error(err)
			break
		}
		if f.Readable {
			read++
		}
		unix.Close(f.FD)
	}
	close(stop)
	<-stopped
	if read == 0 {
		t.Error("the file was never read")
	}
	if n := count.Load(); n != 0 {
		t.Errorf("a FIFO was opened %d times", n)
	}
}

// A lookup over ".." must not fail because somebody on the machine renames files.
func TestLookupWhileOthersRename(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/b/c", "d"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a/b/c/../../../a/b/c/../../../d", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	root := openDir(t, dir)
	elsewhere := t.TempDir()
	stop, stopped := make(chan struct{}), make(chan struct{})
	for _, name := range []string{"x", "y"} {
		path := filepath.Join(elsewhere, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		go func() {
			defer func() { stopped <- struct{}{} }()
			for {
				select {
				case <-stop:
					return
				default:
					_ = os.Rename(path, path+"2")
					_ = os.Rename(path+"2", path)
				}
			}
		}()
	}
	for range 5000 {
		if _, err := root.Stat("/link"); err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	<-stopped
	<-stopped
}
