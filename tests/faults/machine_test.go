package faults

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine is where a scenario is tried.
type machine struct {
	t             *testing.T
	configuration *configuration
	binary        string
	dir           string // of the bundle
	id            string
	names         map[int32]string
	reaper        *reaper
	root, proc    string // of a process that sees the mounts that the commands see
	consoles      consoles
	path          string            // PATH of the command that is tried
	sandbox       string            // see becomeLess
	whole         map[string]string // portrait of the container after the verb without a fault
}

// newMachine makes a bundle for a scenario.
func newMachine(t *testing.T, names map[int32]string, reaper *reaper, s *scenario, c *configuration) *machine {
	t.Helper()
	binary, err := filepath.Abs(cmp.Or(os.Getenv("OCI_RUN"), "../../bin/oci-run"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		t.Skipf("no binary to test (make build): %v", err)
	}
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // a user and a user namespace get there
		t.Fatal(err)
	}
	m := &machine{t: t, configuration: c, binary: binary, dir: dir, names: names, reaper: reaper, proc: "/proc/self"}
	m.id = fmt.Sprintf("faults-%d-%s", os.Getpid(), strings.ReplaceAll(s.String(), " ", ""))
	m.see(c.view)
	m.fill()
	if out, err := m.oci(m.spec()...); err != nil {
		t.Fatalf("spec: %v: %s", err, out)
	}
	if s.lacks != "" {
		m.path = m.dir
	}
	if err := m.configure(s); err != nil {
		t.Fatal(err)
	}
	m.listen()
	if c.made != nil {
		if err := c.made(m); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// spec is the command line that writes config.json.
func (m *machine) spec() []string {
	if m.configuration.user == 0 {
		return []string{"spec"}
	}
	if m.configuration.user == nobody {
		m.t.Skip("no user ocirun-test here, who is made for the sessions (tests/sessions)")
	}
	if err := os.Chown(m.dir, int(m.configuration.user), int(m.configuration.user)); err != nil {
		m.t.Fatal(err)
	}
	return []string{"spec", "--rootless"}
}

// fill makes the root file system.
func (m *machine) fill() {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		m.t.Skip("no busybox here (Debian: apt-get install busybox-static)")
	}
	for _, d := range []string{"bin", "dev", "proc", "sys"} {
		if err := os.MkdirAll(filepath.Join(m.dir, "rootfs", d), 0o755); err != nil {
			m.t.Fatal(err)
		}
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, applet := range []string{"echo", "sleep", "true"} {
		if err := os.WriteFile(filepath.Join(m.dir, "rootfs/bin", applet), program, 0o755); err != nil {
			m.t.Fatal(err)
		}
	}
}

// configure changes what spec has written.
func (m *machine) configure(s *scenario) error {
	path := filepath.Join(m.dir, "config.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	c := &document{dir: m.dir}
	if err := json.Unmarshal(raw, &c.all); err != nil {
		return err
	}
	c.process()["terminal"], c.process()["args"] = false, s.program
	if m.configuration.user == 0 {
		c.linux()["cgroupsPath"] = "/oci-run-tests-" + m.id
	}
	if m.configuration.change != nil {
		m.configuration.change(c)
	}
	if raw, err = json.Marshal(c.all); err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o644)
}

// see makes a mount namespace with a view of the cgroups: of all version 1 ones, or of those of
// version 2 alone.
func (m *machine) see(view string) {
	script, known := map[string]string{
		"": "",
		"v1": `dir=$(mktemp -d); mount -t tmpfs -o mode=755 cgroup "$dir"
			for h in /sys/fs/cgroup/*/; do
				[ "$(stat -fc %T "$h")" = cgroupfs ] || continue
				mkdir "$dir/${h#/sys/fs/cgroup/}"; mount --bind "$h" "$dir/${h#/sys/fs/cgroup/}"
			done
			mount --rbind "$dir" /sys/fs/cgroup; umount --lazy "$dir"; rmdir "$dir"`,
		"v2": `umount --recursive /sys/fs/cgroup || umount --lazy /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup`,
	}[view]
	if !known {
		m.t.Fatalf("no view %q", view)
	}
	if script == "" {
		return
	}
	if _, err := os.Stat("/sys/fs/cgroup/cpu"); err != nil && view == "v1" {
		m.t.Skip("no cgroup v1 here")
	}
	ready := filepath.Join(m.dir, "ready")
	keeper := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-euc", script+`; : >"$0"; exec sleep 100000`, ready)
	keeper.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.reaper.start(keeper); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = keeper.Process.Kill(); _ = m.reaper.wait(keeper) })
	m.proc = "/proc/" + strconv.Itoa(keeper.Process.Pid)
	m.root = m.proc + "/root"
	for deadline := time.Now().Add(hangs); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(ready); err == nil {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("no view %q of the cgroups", view)
		}
	}
}

// give gives a directory of the bundle, and what is in it, to a user.
func (m *machine) give(dir string, user int) error {
	return filepath.WalkDir(filepath.Join(m.dir, dir), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, user, user)
	})
}

// clear removes what is there, whatever it is.
func (m *machine) clear() {
	if out, err := m.oci("delete", "--force", m.id); err != nil {
		m.t.Fatalf("delete --force: %v: %s", err, out)
	}
}

// prepare brings the container to where the verb begins.
func (m *machine) prepare(s *scenario) {
	m.t.Helper()
	m.consoles.forget()
	for _, verb := range s.before {
		if out, err := m.verb(verb); err != nil {
			m.t.Fatalf("%s: %v: %s", verb, err, out)
		}
	}
}

// verb runs a verb without a fault.
func (m *machine) verb(verb string) ([]byte, error) {
	return m.oci(append(append([]string{verb}, m.options(verb)...), m.id)...)
}

// options are those that the configuration needs.
func (m *machine) options(verb string) []string {
	if verb == "create" || verb == "run" {
		return m.configuration.create
	}
	return nil
}

// line is the command line of a scenario.
func (m *machine) line(s *scenario) []string {
	return slices.Concat([]string{m.binary, "--root", filepath.Join(m.dir, "state"), s.verb}, m.options(s.verb), s.args, []string{m.id}, s.more)
}

// oci runs oci-run without a fault.
func (m *machine) oci(args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), hangs)
	defer cancel()
	cmd := m.command(ctx, false, append([]string{m.binary, "--root", filepath.Join(m.dir, "state")}, args...)...)
	out, errs := output(m.t), output(m.t)
	defer out.Close()
	defer errs.Close()
	cmd.Stdout, cmd.Stderr = out, errs
	err := m.reaper.start(cmd)
	if err == nil {
		err = m.reaper.wait(cmd)
	}
	if err != nil {
		return []byte(content(m.t, errs)), err
	}
	return []byte(content(m.t, out)), nil
}

// command is a command line, run as the configuration has it: by a user, with a view of the
// cgroups, under the filter.
func (m *machine) command(ctx context.Context, filtered bool, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%t", become, filtered), fmt.Sprintf("%s=%d", becomeUser, m.configuration.user))
	if filtered && m.path != "" {
		cmd.Env = append(cmd.Env, "PATH="+m.path)
	}
	if m.configuration.view != "" {
		cmd.Env = append(cmd.Env, becomeIn+"="+m.proc+"/ns/mnt")
	}
	if m.sandbox != "" {
		cmd.Env = append(cmd.Env, becomeLess+"="+m.sandbox)
	}
	if !filtered && m.sandbox == "" && m.configuration.user == 0 && m.configuration.view == "" {
		cmd.Path, cmd.Args, cmd.Env = args[0], args, os.Environ()
	}
	return cmd
}

// nobody stands for a user who does not exist.
const nobody = ^uint32(0)

// userID is that of the user of the sessions.
func userID() uint32 {
	text, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return nobody
	}
	for l := range strings.Lines(string(text)) {
		if f := strings.Split(l, ":"); f[0] == "ocirun-test" && len(f) > 2 {
			if id, err := strconv.ParseUint(f[2], 10, 32); err == nil {
				return uint32(id)
			}
		}
	}
	return nobody
}
