package lsm

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
)

func TestNewPlan(t *testing.T) {
	selinux, apparmor := SELinuxEnabled(), AppArmorEnabled()
	t.Logf("SELinux %v, AppArmor %v", selinux, apparmor)
	for _, test := range []struct {
		name       string
		in         specs.Process
		mountLabel string
		wantErr    string
	}{
		{name: "nothing"},
		{name: "unconfined", in: specs.Process{ApparmorProfile: "unconfined"}},
		{name: "two profiles", in: specs.Process{ApparmorProfile: "a\nexec b"}, wantErr: "/process/apparmorProfile: "},
		{name: "NUL", in: specs.Process{SelinuxLabel: "a\x00"}, wantErr: "/process/selinuxLabel: "},
		{name: "label", in: specs.Process{SelinuxLabel: "u:r:t:s0"}, wantErr: unless(selinux, "SELinux is not enabled")},
		{name: "mount label", mountLabel: "u:r:t:s0", wantErr: unless(selinux, "/linux/mountLabel: SELinux label")},
		{name: "profile", in: specs.Process{ApparmorProfile: "x"}, wantErr: unless(apparmor, "AppArmor is not enabled")},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := NewPlan(&test.in, test.mountLabel, "/process")
			if (err == nil) != (test.wantErr == "") || err != nil && !strings.Contains(err.Error(), test.wantErr) {
				t.Errorf("%v, want %q", err, test.wantErr)
			}
		})
	}
}

func unless(enabled bool, text string) string {
	if enabled {
		return ""
	}
	return text
}

// tree opens a directory that looks like procfs, with empty files.
func tree(t *testing.T, files ...string) (dir string, fd int) {
	t.Helper()
	dir = t.TempDir()
	for _, file := range files {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return dir, fd
}

func content(t *testing.T, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// run makes the calls that add adds, on this thread.
func run(add func(l *calls.List)) error {
	l := calls.NewHere(-1)
	add(l)
	return l.Run()
}

func (p *Plan) label(proc int) error { return run(func(l *calls.List) { p.Add(l, proc) }) }

func TestProfileExec(t *testing.T) {
	p := Plan{AppArmor: "docker-default"}
	dir, fd := tree(t, "thread-self/attr/exec", "thread-self/attr/apparmor/exec")
	if err := p.label(fd); err != nil {
		t.Fatal(err)
	}
	if got := content(t, dir, "thread-self/attr/apparmor/exec"); got != "exec docker-default" {
		t.Errorf("wrote %q", got)
	}
	if got := content(t, dir, "thread-self/attr/exec"); got != "" {
		t.Errorf("wrote %q to SELinux's file", got)
	}
	_, fd = tree(t, "thread-self/attr/exec")
	if err := p.label(fd); err == nil || !strings.Contains(err.Error(), "open `/proc/thread-self/attr/apparmor/exec`: no such file") {
		t.Error(err)
	}
}

func TestLabels(t *testing.T) {
	p := Plan{SELinux: "u:r:t:s0"}
	dir, fd := tree(t, "thread-self/attr/exec", "thread-self/attr/keycreate")
	path := filepath.Join(dir, "thread-self/attr/keycreate")
	during := filepath.Join(t.TempDir(), "during")
	err := run(func(l *calls.List) {
		here := unix.AT_FDCWD
		// The tree's files are not attributes: what is written stays, and is looked at under
		// another name.
		p.AddKeys(l, fd, func() { l.Do(unix.SYS_RENAMEAT, uintptr(here), l.Text(path), uintptr(here), l.Text(during)) })
	})
	if err == nil || !strings.Contains(err.Error(), "open `/proc/thread-self/attr/keycreate`: no such file") {
		t.Errorf("the label of keys is not taken back: %v", err)
	}
	if got := content(t, during); got != p.SELinux {
		t.Errorf("keycreate %q", got)
	}
	if err := p.label(fd); err != nil {
		t.Fatal(err)
	}
	if got := content(t, dir, "thread-self/attr/exec"); got != p.SELinux {
		t.Errorf("exec %q", got)
	}
}

// TestRealProcfs shows that the lookup works in procfs, where thread-self is a symbolic link; the
// kernel of a host without an LSM refuses the value.
func TestRealProcfs(t *testing.T) {
	done := make(chan bool)
	go func() {
		defer close(done)
		// For good: a list that fails leaves open what it has opened, as its process is about to
		// end.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_FILES); err != nil {
			t.Error(err)
			return
		}
		refuseLabels(t)
	}()
	<-done
}

func refuseLabels(t *testing.T) {
	fd, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Error(err)
		return
	}
	defer unix.Close(fd)
	label, profile, empty := Plan{SELinux: "no such label"}, Plan{AppArmor: "no such profile"}, Plan{}
	if err := label.label(fd); err == nil || !strings.Contains(err.Error(), "to `/proc/thread-self/attr/exec`: ") {
		t.Error(err)
	}
	if err := profile.label(fd); err == nil || !strings.Contains(err.Error(), "exec`: ") {
		t.Error(err)
	}
	done := false
	if err := run(func(l *calls.List) { empty.Add(l, -1); empty.AddKeys(l, -1, func() { done = true }) }); err != nil || !done {
		t.Error("an empty plan did something:", err)
	}
}
