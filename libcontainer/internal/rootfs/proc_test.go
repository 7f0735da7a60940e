package rootfs

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

func init() {
	scenes["proc"] = func(a *act) error {
		p, err := NewPlan(a.spec, a.opts)
		if err != nil {
			return err
		}
		f, err := Open(p, nil)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := f.Mounts(); err != nil {
			return err
		}
		few, err := f.OpenProc(false)
		if err != nil {
			return err
		}
		defer few.Close()
		whole, err := f.OpenProc(true)
		if err != nil {
			return err
		}
		defer whole.Close()
		if err := f.Pivot(); err != nil {
			return err
		}
		comm, err := few.Open("thread-self/comm", unix.O_RDONLY)
		if err != nil {
			return err
		}
		defer comm.Close()
		text := make([]byte, 20)
		n, err := comm.Read(text)
		fmt.Printf("%s%v\n", text[:n], err)
		_, err = few.Open("sys/kernel/hostname", unix.O_RDONLY)
		fmt.Println(err)
		hostname, err := whole.Open("sys/kernel/hostname", unix.O_WRONLY)
		if err == nil {
			_, err = hostname.WriteString("changed")
			hostname.Close()
		}
		fmt.Println(err)
		_, err = whole.Open("self/root/etc", unix.O_RDONLY)
		fmt.Println(err)
		_, err = whole.Open("../etc", unix.O_RDONLY)
		fmt.Println(err)
		name, _ := os.Hostname()
		fmt.Println(name)
		return nil
	}
	scenes["console"] = func(a *act) error {
		p, err := NewPlan(a.spec, a.opts)
		if err != nil {
			return err
		}
		f, err := Open(p, nil)
		if err != nil {
			return err
		}
		defer f.Close()
		for _, step := range []func() error{f.Mounts, f.Devices, f.Pivot} {
			if err := step(); err != nil {
				return err
			}
		}
		master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			return err
		}
		defer master.Close()
		if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		fd, err := linux.OpenPtyPeer(int(master.Fd()), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
		if err != nil {
			return err
		}
		pty := os.NewFile(uintptr(fd), "pty")
		defer pty.Close()
		fmt.Println(f.Console(master))
		if err := f.Console(pty); err != nil {
			return err
		}
		fmt.Println(commands["rdev"]("/dev/console"), f.Readonly())
		return nil
	}
	scenes["stdio"] = func(a *act) error {
		null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
		if err != nil {
			return err
		}
		if err := unix.Dup3(int(null.Fd()), 0, 0); err != nil {
			return err
		}
		if err := a.build(nil); err != nil {
			return err
		}
		var in, own unix.Stat_t
		if err := unix.Fstat(0, &in); err != nil {
			return err
		}
		if err := unix.Stat("/dev/null", &own); err != nil {
			return err
		}
		fmt.Println(in.Dev == own.Dev && in.Ino == own.Ino)
		return nil
	}
}

func TestPrivateProc(t *testing.T) {
	for _, userns := range []bool{false, true} {
		s := newStage(t)
		if userns {
			s.userNS()
		}
		out := strings.Split(s.wants("proc"), "\n")
		for i, want := range []string{
			"exe", "<nil>", "open /proc/sys/kernel/hostname: no such file or directory", "<nil>",
			"open /proc/self/root/etc: too many levels of symbolic links", "open /proc/../etc: invalid cross-device link", "changed",
		} {
			if userns && (i == 3 || i == 6) { // the file is the host's root's
				continue
			}
			if got := out[i]; got != want && i > 0 {
				t.Errorf("userns %v: line %d is %q, want %q", userns, i, got, want)
			}
		}
	}
}

func TestConsole(t *testing.T) {
	s := newStage(t)
	out := s.wants("console")
	if !strings.Contains(out, "it is not a pseudo-terminal") || !strings.HasSuffix(out, "136:0 <nil>\n") {
		t.Errorf("got %s", out)
	}
	s.spec.Mounts = append(s.spec.Mounts[:1], s.spec.Mounts[2:]...) // no tmpfs on /dev
	s.mkdir(s.in("dev"), 0o755)
	must(t, os.Symlink("/proc/sysrq-trigger", s.in("dev/console")))
	s.fails("console", "something else exists there")
}

func TestStdioNull(t *testing.T) {
	if out := newStage(t).wants("stdio"); out != "true\n" {
		t.Errorf("stdin is not the container's /dev/null: %s", out)
	}
}
