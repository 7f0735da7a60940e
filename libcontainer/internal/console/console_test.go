package console

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/fdsocket"
	"oci-run/specconv"
	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) {
	if os.Getenv("CONSOLE_TEST_ATTACH") != "" {
		attached()
		return
	}
	if task := os.Getenv("CONSOLE_TEST_SESSION"); task != "" {
		session(task)
		return
	}
	fdleak.Main(m)
}

func TestNewPlan(t *testing.T) {
	tests := []struct {
		name       string
		process    specs.Process
		foreground bool
		want       *Plan
		pointer    string
	}{
		{name: "no terminal", process: specs.Process{ConsoleSize: &specs.Box{Height: 1 << 20}}},
		{name: "no size", process: specs.Process{Terminal: true, User: specs.User{UID: 7}}, want: &Plan{UID: 7}},
		{name: "foreground", process: specs.Process{Terminal: true}, foreground: true, want: &Plan{PlainNewlines: true}},
		{
			name:    "size",
			process: specs.Process{Terminal: true, ConsoleSize: &specs.Box{Height: 24, Width: 65535}},
			want:    &Plan{Rows: 24, Columns: 65535},
		},
		{name: "too high", process: specs.Process{Terminal: true, ConsoleSize: &specs.Box{Height: 65536}}, pointer: "/process/consoleSize/height"},
		{name: "too wide", process: specs.Process{Terminal: true, ConsoleSize: &specs.Box{Width: 1 << 40}}, pointer: "/process/consoleSize/width"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := NewPlan(&tt.process, tt.foreground)
			if fe := (*specconv.FieldError)(nil); tt.pointer != "" {
				if !errors.As(err, &fe) || fe.Pointer != tt.pointer {
					t.Errorf("got %v, want an error about %s", err, tt.pointer)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// inRoot runs f on a thread with a mount namespace of its own, whose root directory for
// containers is given to prepare and f. The thread ends with it.
func inRoot(t *testing.T, f func(root string)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting a devpts needs root: euid is", os.Geteuid())
	}
	root := t.TempDir()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer close(done)
		if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
			done <- err
			return
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			done <- err
			return
		}
		if err := unix.Mount("tmpfs", root, "tmpfs", 0, ""); err != nil {
			done <- err
			return
		}
		f(root)
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func mountDevpts(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Error(err)
	}
	if err := unix.Mount("devpts", dir, "devpts", 0, "newinstance,ptmxmode=0666,mode=0620,gid=5"); err != nil {
		t.Error(err)
	}
}

func openRoot(t *testing.T, root string) *os.File {
	f, err := os.OpenFile(root, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Error(err)
	}
	return f
}

func TestOpen(t *testing.T) {
	inRoot(t, func(root string) {
		mountDevpts(t, root+"/dev/pts")
		dir := openRoot(t, root)
		defer dir.Close()
		for number, p := range []Plan{{Rows: 10, Columns: 110, UID: 1000, PlainNewlines: true}, {}} {
			c, err := Open(dir, &p)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if want := fmt.Sprintf("/dev/pts/%d", number); c.Peer.Name() != want {
				t.Errorf("name %q, want %q", c.Peer.Name(), want)
			}
			checkConsole(t, c, &p)
		}
	})
}

func checkConsole(t *testing.T, c *Console, p *Plan) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(int(c.Peer.Fd()), &st); err != nil {
		t.Error(err)
	}
	if st.Uid != p.UID || st.Gid != 5 || st.Mode&0o7777 != 0o620 {
		t.Errorf("owner %d:%d mode %#o", st.Uid, st.Gid, st.Mode&0o7777)
	}
	size, err := unix.IoctlGetWinsize(int(c.Master.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Row != p.Rows || size.Col != p.Columns {
		t.Errorf("size %+v, %v", size, err)
	}
	want := "line\r\n"
	if p.PlainNewlines {
		want = "line\n"
	}
	if _, err := c.Peer.WriteString("line\n"); err != nil {
		t.Error(err)
	}
	b := make([]byte, len(want)) // which may come in parts
	n, err := io.ReadFull(c.Master, b)
	if err != nil || string(b[:n]) != want {
		t.Errorf("read %q, %v; want %q", b[:n], err, want)
	}
	for _, f := range []*os.File{c.Master, c.Peer} {
		if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%q: descriptor flags %#x, %v", f.Name(), flags, err)
		}
	}
}

// What an image or a volume may have put in the place of a devpts (CVE-2025-52565).
func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name  string
		plant func(t *testing.T, root string) error
		want  string
	}{
		{"no /dev/pts", func(*testing.T, string) error { return nil }, "no such file or directory"},
		{"plain directory", func(_ *testing.T, root string) error {
			if err := os.MkdirAll(root+"/dev/pts", 0o755); err != nil {
				return err
			}
			return unix.Mknod(root+"/dev/pts/ptmx", unix.S_IFCHR|0o666, int(unix.Mkdev(5, 2)))
		}, "not on a file system of type devpts"},
		{"symlink to the host's", func(_ *testing.T, root string) error {
			if err := os.MkdirAll(root+"/dev", 0o755); err != nil {
				return err
			}
			return os.Symlink("/dev/pts", root+"/dev/pts")
		}, "too many levels of symbolic links"},
		{"symlink to a magic link", func(_ *testing.T, root string) error {
			for _, dir := range []string{"/dev", "/proc"} {
				if err := os.MkdirAll(root+dir, 0o755); err != nil {
					return err
				}
			}
			if err := unix.Mount("proc", root+"/proc", "proc", 0, ""); err != nil {
				return err
			}
			return os.Symlink("/proc/self/root/dev/pts", root+"/dev/pts")
		}, "too many levels of symbolic links"},
		{"file mounted on ptmx", func(t *testing.T, root string) error {
			mountDevpts(t, root+"/dev/pts")
			file := filepath.Join(root, "file")
			if err := os.WriteFile(file, nil, 0o666); err != nil {
				return err
			}
			return unix.Mount(file, root+"/dev/pts/ptmx", "", unix.MS_BIND, "")
		}, "invalid cross-device link"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inRoot(t, func(root string) {
				if err := tt.plant(t, root); err != nil {
					t.Error(err)
				}
				dir := openRoot(t, root)
				defer dir.Close()
				c, err := Open(dir, &Plan{})
				if err == nil {
					c.Close()
					t.Error("no error")
					return
				}
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%v, want %q", err, tt.want)
				}
			})
		})
	}
}

// The other half of TestAttach: it gets a socket as descriptor 3 and runs in a session of
// its own.
func attached() {
	fatal := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	root, err := os.Open("/")
	if err != nil {
		fatal(err)
	}
	c, err := Open(root, &Plan{PlainNewlines: true})
	if err != nil {
		fatal(err)
	}
	if err := c.Send(os.NewFile(3, "socket")); err != nil {
		fatal(err)
	}
	stdio := OnTerminal(c.Peer)
	err = calls.Here(func(l *calls.List) {
		stdio.AddControl(stdio.Here(l))
		stdio.Add(stdio.Here(l))
	})
	stdio.Close()
	if err != nil {
		fatal(err)
	}
	// /dev/tty is the controlling terminal, if there is one.
	tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if err != nil {
		fatal(err)
	}
	fmt.Fprintln(tty, "tty")
	fmt.Fprintln(os.Stdout, "stdout")
	fmt.Fprintln(os.Stderr, "stderr")
	var line string
	fmt.Scanln(&line)
	fmt.Println("got", line)
}

func TestAttach(t *testing.T) {
	ours, theirs, err := fdsocket.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "CONSOLE_TEST_ATTACH=1")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	master, err := fdsocket.Receive(ours)
	if err != nil {
		_ = cmd.Wait()
		t.Fatal(err)
	}
	defer master.Close()
	if !strings.HasPrefix(master.Name(), "/dev/pts/") {
		t.Errorf("name %q", master.Name())
	}
	if _, err := master.WriteString("hello\n"); err != nil {
		t.Error(err)
	}
	out, err := io.ReadAll(master)
	if !errors.Is(err, unix.EIO) {
		t.Errorf("read: %v, want EIO once the process is gone", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	// The terminal's echo of what we typed may come anywhere.
	got := strings.Replace(string(out), "hello\n", "", 1)
	if want := "tty\nstdout\nstderr\ngot hello\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
