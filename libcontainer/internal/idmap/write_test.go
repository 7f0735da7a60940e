package idmap

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"oci-run/tests/fdleak"
)

// sleeper starts a process in a new user namespace that has no mappings yet. It sees, if the test
// is not root, what an unprivileged runtime would.
func sleeper(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("/bin/sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

func TestWrite(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("effective uid is not 0")
	}
	pid := sleeper(t)
	uids := []Mapping{{ContainerID: 0, HostID: 100000, Size: 1000}, {ContainerID: 1000, HostID: 5, Size: 1}}
	gids := scattered(200, 200000)
	if _, _, err := Verify(pid, uids, gids); err == nil {
		t.Error("a namespace without mappings was verified")
	}
	if err := Write(pid, uids, gids); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Verify(pid, uids, gids); err != nil {
		t.Error(err)
	}
	if _, _, err := Verify(pid, uids[:1], gids); err == nil || !strings.Contains(err.Error(), `"0 100000 1000, 1000 5 1"`) {
		t.Errorf("other mappings: %v", err)
	}
	if err := Write(pid, uids, gids); err == nil {
		t.Error("a second write succeeded")
	}
}

func TestWriteTooMany(t *testing.T) {
	if err := Write(os.Getpid(), nil, scattered(5000, 0)); err == nil || !strings.Contains(err.Error(), "5000 id mappings") {
		t.Error(err)
	}
}

// TestHelper sees what an unprivileged caller asks of the helper.
func TestHelper(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho $0 $* > " + dir + "/args\n[ $1 != 2 ] || { echo uid range is not allowed; exit 1; }\n"
	if err := os.WriteFile(filepath.Join(dir, "newuidmap"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	f := mapFile{name: "uid_map", helper: "newuidmap", own: 1000}
	maps := []Mapping{{ContainerID: 0, HostID: 1000, Size: 1}, {ContainerID: 1, HostID: 100000, Size: 65536}}
	if f.mapsOwn(maps) || !f.mapsOwn(maps[:1]) {
		t.Error("mapsOwn")
	}
	if err := f.runHelper(7, maps); err != nil {
		t.Fatal(err)
	}
	args, err := os.ReadFile(filepath.Join(dir, "args"))
	if want := dir + "/newuidmap 7 0 1000 1 1 100000 65536\n"; string(args) != want || err != nil {
		t.Errorf("%q, want %q, %v", args, want, err)
	}
	if err := f.runHelper(2, maps); err == nil || !strings.Contains(err.Error(), "uid range is not allowed") {
		t.Errorf("failed helper: %v", err)
	}
	f.helper = "newgidmap"
	if err := f.runHelper(7, maps); err == nil || !strings.Contains(err.Error(), "newgidmap is not in") {
		t.Errorf("missing helper: %v", err)
	}
}

const unprivilegedEnv = "OCI_RUN_TEST_IDMAP"

func TestMain(m *testing.M) {
	if os.Getenv(unprivilegedEnv) == "" {
		fdleak.Main(m)
	}
	if err := writeOwn(); err != nil {
		os.Stdout.WriteString(err.Error())
		os.Exit(1)
	}
}

// writeOwn maps the caller's own ids without any privilege.
func writeOwn() error {
	cmd := exec.Command("/bin/sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	uids, gids := []Mapping{{HostID: 1234, Size: 1}}, []Mapping{{HostID: 5678, Size: 1}}
	if err := Write(cmd.Process.Pid, uids, gids); err != nil {
		return err
	}
	setgroups, err := os.ReadFile(procPath(cmd.Process.Pid, "setgroups"))
	if string(setgroups) != "deny\n" || err != nil {
		return errors.New("setgroups: " + string(setgroups))
	}
	_, _, err = Verify(cmd.Process.Pid, uids, gids)
	return err
}

func TestUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("effective uid is not 0")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{unprivilegedEnv + "=1"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1234, Gid: 5678}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
