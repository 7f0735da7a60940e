package spawn

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const allNew = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

// program opens a program by name to be executed in place of oci-run.
func program(t testing.TB, name string) *os.File {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("creating namespaces takes root; uid is", os.Geteuid())
	}
}

// output starts the request with its standard output in a pipe, and returns what came.
func output(t testing.TB, r *Request) string {
	t.Helper()
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	stdout, err := syscall.Dup(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Dup3(int(pw.Fd()), 1, 0); err != nil {
		t.Fatal(err)
	}
	p, err := Start(r)
	if dup := syscall.Dup3(stdout, 1, 0); dup != nil {
		t.Fatal(dup)
	}
	syscall.Close(stdout)
	pw.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Failure(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	var text strings.Builder
	for {
		n, err := pr.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			break
		}
	}
	if how := p.Wait(); how != "exit status 0" {
		t.Errorf("process ended with %s", how)
	}
	p.Close()
	return strings.TrimSpace(text.String())
}

func TestNewNamespaces(t *testing.T) {
	needRoot(t)
	got := output(t, &Request{Exe: program(t, "sh"), Args: []string{"sh", "-c", "echo $$ $FOO"}, Env: []string{"FOO=bar"}, Inherit: 3, New: allNew})
	if got != "1 bar" {
		t.Errorf("got %q", got)
	}
}

func TestUserNamespace(t *testing.T) {
	needRoot(t)
	mapped := 0
	r := &Request{
		Exe: program(t, "sh"), Args: []string{"sh", "-c", "id -u; cat /proc/self/uid_map"}, Env: []string{"PATH=/usr/bin:/bin"},
		Inherit: 3, New: unix.CLONE_NEWUSER,
		WriteMaps: func(pid int) error {
			mapped = pid
			dir := "/proc/" + strings.TrimSpace(itoa(pid))
			if err := os.WriteFile(dir+"/uid_map", []byte("0 100000 10"), 0); err != nil {
				return err
			}
			return os.WriteFile(dir+"/gid_map", []byte("0 100000 10"), 0)
		},
	}
	got := strings.Fields(output(t, r))
	if mapped == 0 || strings.Join(got, " ") != "0 0 100000 10" {
		t.Errorf("mapped %d, got %q", mapped, got)
	}
}

func TestTimeNamespace(t *testing.T) {
	needRoot(t)
	if _, err := os.Stat("/proc/self/timens_offsets"); err != nil {
		t.Skip("this kernel has no time namespaces:", err)
	}
	got := output(t, &Request{
		Exe: program(t, "cat"), Args: []string{"cat", "/proc/self/timens_offsets"}, Inherit: 3,
		New: unix.CLONE_NEWTIME | allNew, TimeOffsets: "monotonic 100 0\nboottime 200 5\n",
	})
	if strings.Join(strings.Fields(got), " ") != "monotonic 100 0 boottime 200 5" {
		t.Errorf("got %q", got)
	}
}

func TestJoin(t *testing.T) {
	needRoot(t)
	target := exec.Command("sleep", "60")
	target.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  allNew | unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: 200000, Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: 200000, Size: 1}},
		Pdeathsig: syscall.SIGKILL,
	}
	if err := target.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = target.Process.Kill(); _ = target.Wait() }()
	r := &Request{Exe: program(t, "sh"), Args: []string{"sh", "-c", "id -u; for n in user pid ipc uts; do readlink /proc/self/ns/$n; done"}, Env: []string{"PATH=/usr/bin:/bin"}, Inherit: 3}
	want := []string{"0"}
	for _, ns := range []struct {
		name string
		flag uintptr
	}{{"user", unix.CLONE_NEWUSER}, {"pid", unix.CLONE_NEWPID}, {"ipc", unix.CLONE_NEWIPC}, {"uts", unix.CLONE_NEWUTS}} {
		path := "/proc/" + itoa(target.Process.Pid) + "/ns/" + ns.name
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		link, err := os.Readlink(path)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, link)
		r.Join = append(r.Join, Join{f, ns.flag, ns.name})
	}
	if got := strings.Fields(output(t, r)); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestErrors(t *testing.T) {
	needRoot(t)
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	p, err := Start(&Request{Exe: null, Args: []string{"x"}, Inherit: 3})
	if err == nil {
		err = p.Failure()
		p.Wait()
		p.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("executing /dev/null: %v", err)
	}
	p, err = Start(&Request{Exe: null, Args: []string{"x"}, Inherit: 3, Join: []Join{{null, unix.CLONE_NEWNET, "network"}}})
	if err == nil {
		err = p.Failure()
		p.Wait()
		p.Close()
	}
	if err == nil || !strings.Contains(err.Error(), `join network namespace "/dev/null"`) {
		t.Errorf("joining /dev/null: %v", err)
	}
}

func BenchmarkStart(b *testing.B) {
	needRoot(b)
	r := &Request{Exe: program(b, "busybox"), Args: []string{"true"}, Inherit: 3, New: allNew}
	for b.Loop() {
		p, err := Start(r)
		if err != nil {
			b.Fatal(err)
		}
		p.Wait()
		p.Close()
	}
}

func BenchmarkForkExec(b *testing.B) {
	needRoot(b)
	f := program(b, "busybox")
	for b.Loop() {
		pid, err := syscall.ForkExec(f.Name(), []string{"true"}, &syscall.ProcAttr{
			Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Cloneflags: allNew},
		})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
