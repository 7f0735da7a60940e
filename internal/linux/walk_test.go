package linux

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var rules = []uint64{
	unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_SYMLINKS,
	unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_MAGICLINKS,
	unix.RESOLVE_BENEATH,
	unix.RESOLVE_NO_MAGICLINKS,
	0,
}

var openFlags = []uint64{
	unix.O_PATH, unix.O_PATH | unix.O_NOFOLLOW, unix.O_PATH | unix.O_DIRECTORY, unix.O_PATH | unix.O_NOFOLLOW | unix.O_DIRECTORY,
	unix.O_RDONLY, unix.O_RDONLY | unix.O_DIRECTORY, unix.O_RDONLY | unix.O_NOFOLLOW,
}

// compare compares the walk with the kernel's own openat2.
func compare(t *testing.T, dir int, path string) {
	t.Helper()
	for _, resolve := range rules {
		for _, flags := range openFlags {
			fd, err := Openat2(dir, path, flags, 0, resolve)
			want := seen(fd, err)
			fd, err = walkat(dir, path, flags, 0, resolve)
			if got := seen(fd, err); got != want {
				t.Errorf("%q with flags %#x under rules %#x: %s, the kernel has %s", path, flags, resolve, got, want)
			}
		}
	}
}

func seen(fd int, err error) string {
	if err != nil {
		return err.Error()
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d:%d, mode %o", st.Dev, st.Ino, st.Mode)
}

// TestWalk: a path leads to the same place, or to the same error, as with openat2.
func TestWalk(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(list []string) string { return list[random.IntN(len(list))] }
	names := []string{"a", "b", "c", "file", "loop", "link", "up", "abs", "missing"}
	steps := append([]string{"..", ".", "..", "a", "b", "", "proc"}, names...)
	path := func() string {
		var p []string
		for range 1 + random.IntN(5) {
			p = append(p, pick(steps))
		}
		return pick([]string{"", "", "/"}) + strings.Join(p, "/") + pick([]string{"", "", "/"})
	}
	for range 10 {
		root := t.TempDir()
		for range 25 {
			at := filepath.Join(root, pick(names), pick(names))
			switch random.IntN(5) {
			case 0, 1:
				_ = os.MkdirAll(at, 0o755)
			case 2:
				_ = os.WriteFile(at, nil, 0o644)
			default:
				_ = os.MkdirAll(filepath.Dir(at), 0o755)
				_ = os.Symlink(path(), at)
			}
		}
		_ = os.Symlink("loop", root+"/loop")
		dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		for range 60 {
			if p := path(); p != "" {
				compare(t, dir, p)
			}
		}
		unix.Close(dir)
	}
}

// TestWalkInProcfs: magic links are not followed, and those that are none are.
func TestWalkInProcfs(t *testing.T) {
	for _, root := range []string{"/", "/proc"} {
		dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{
			"self/status", "thread-self/attr", "self/root", "self/root/etc", "self/fd/0", "self/ns/mnt", "self/exe", "mounts", "net/dev", "sys/kernel",
			"self/cwd/..", "1/root",
		} {
			if root == "/" {
				p = "proc/" + p
			}
			for _, resolve := range rules[:5] { // without rules it is openat(2)
				if resolve == unix.RESOLVE_BENEATH {
					continue // which follows magic links that don't leave, as if there were any
				}
				how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: resolve}
				fd, err := unix.Openat2(dir, p, &how)
				want := err == nil
				if want {
					unix.Close(fd)
				}
				fd, err = walkat(dir, p, unix.O_PATH, 0, resolve)
				if err == nil {
					unix.Close(fd)
				}
				if want != (err == nil) {
					t.Errorf("%q in %q under rules %#x: %v, the kernel finds it: %t", p, root, resolve, err, want)
				}
			}
		}
		unix.Close(dir)
	}
}

// TestWalkIsHeld: somebody exchanges directories for links to the outside, and moves them, while
// they are walked.
func TestWalkIsHeld(t *testing.T) {
	root := t.TempDir()
	for _, d := range []string{"in/a/b/c", "in/other", "out/b/c"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(root+"/out/b/c/secret", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root+"/out", root+"/in/evil"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../out", root+"/in/worse"); err != nil {
		t.Fatal(err)
	}
	dir, err := unix.Open(root+"/in", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dir)
	stop := make(chan bool)
	swapped := make(chan int)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				swapped <- n
				return
			default:
			}
			for _, other := range []string{"evil", "worse", "other"} {
				_ = unix.Renameat2(dir, "a", dir, other, unix.RENAME_EXCHANGE)
				_ = unix.Renameat2(dir, "a", dir, other, unix.RENAME_EXCHANGE)
			}
		}
	}()
	found := 0
	for begin := time.Now(); time.Since(begin) < time.Second/2; {
		for _, p := range []string{"a/b/c/secret", "a/b/c/../../../out/b/c/secret", "a/../out/b/c/secret", "a/b/../../../../out/b/c/secret"} {
			if fd, err := walkat(dir, p, unix.O_PATH, 0, rules[0]); err == nil {
				unix.Close(fd)
				t.Fatalf("%q leads out of the root", p)
			}
		}
		if fd, err := walkat(dir, "a/b/c", unix.O_PATH, 0, rules[0]); err == nil {
			unix.Close(fd)
			found++
		}
	}
	close(stop)
	if n := <-swapped; n == 0 || found == 0 {
		t.Errorf("no race: %d exchanges, found %d times", n, found)
	}
}

// TestWalkCreates: a file is made where openat2 would make it.
func TestWalkCreates(t *testing.T) {
	dir, err := unix.Open(t.TempDir(), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dir)
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW
	fd, err := walkat(dir, "new", flags, 0o600, unix.RESOLVE_BENEATH)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	if _, err := walkat(dir, "new", flags, 0o600, unix.RESOLVE_BENEATH); err != unix.EEXIST { //nolint:errorlint // a bare errno
		t.Errorf("once more: %v", err)
	}
}

func TestUnlinked(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(root+"/a/b", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/a/./b/..", root+"/link"); err != nil {
		t.Fatal(err)
	}
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dir)
	for path, want := range map[string][]string{"/link/b": {"a", "b"}, "/": nil, "/../../a": {"a"}} {
		if names, err := Unlinked(dir, path); err != nil || !slices.Equal(names, want) {
			t.Errorf("%q: %q, %v", path, names, err)
		}
	}
	if _, err := Unlinked(dir, "/none"); err != unix.ENOENT { //nolint:errorlint // a bare errno
		t.Error(err)
	}
}

// TestStatxWithout: what stands in for statx says the same.
func TestStatxWithout(t *testing.T) {
	defer ForgetProc()
	for _, p := range []string{"/", "/proc", "/dev", "/sys"} {
		fd, err := unix.Open(p, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		const mask = unix.STATX_TYPE | unix.STATX_MODE | unix.STATX_INO | unix.STATX_MNT_ID
		var want, got unix.Statx_t
		if err := Statx(fd, "", unix.AT_EMPTY_PATH, mask, &want); err != nil {
			t.Fatal(err)
		}
		if err := statWithout(fd, "", unix.AT_EMPTY_PATH, mask, &got); err != nil {
			t.Fatal(err)
		}
		if got.Mnt_id != want.Mnt_id || got.Ino != want.Ino || got.Mode != want.Mode || got.Dev_major != want.Dev_major || got.Dev_minor != want.Dev_minor {
			t.Errorf("%s: %+v, not %+v", p, got, want)
		}
		unix.Close(fd)
	}
}

func TestDescriptors(t *testing.T) {
	fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 900)
	if err != nil {
		t.Skipf("no descriptor from 900 on can be had here (RLIMIT_NOFILE): %v", err)
	}
	defer unix.Close(fd)
	list := Descriptors(3)
	if !slices.Contains(list, fd) || slices.Contains(list, 2) || !slices.Contains(list, 3) {
		t.Errorf("with %d open: %v", fd, list)
	}
}
