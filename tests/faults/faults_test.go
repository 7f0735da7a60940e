// Package faults fails each system call of a command once, and looks at what comes of it: success,
// or an error that says what was refused; no hang; state and list that answer; a delete --force
// after which nothing is left, and a name that can be used again.
//
// A seccomp filter has each call of the command, and of what it clones, wait for the test, which
// has one of them return an error. What executes another program, a hook or the container's, is
// left alone.
//
// By itself it fails the first call of each name, for containers without hooks.
// OCI_RUN_FAULTS=ends (make test-faults) fails the first and the last, with hooks too,
// OCI_RUN_FAULTS=all (make test-faults FAULTS=all) each one, also with EINTR.
// OCI_RUN_FAULTS_REPORT names a file for a table.
package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// scenario is a command that is tried with each fault.
type scenario struct {
	verb    string
	before  []string // verbs that come first, without a fault
	args    []string // of the verb, before the ID
	more    []string // behind it
	program []string
	want    string // the status after a success; "" for no container
	says    string // what a success prints
}

var scenarios = []scenario{
	{verb: "create", program: sleeps, want: "created"},
	{verb: "start", before: []string{"create"}, program: sleeps, want: "running"},
	{verb: "run", program: []string{"/bin/echo", "done"}, says: "done\n"},
	{verb: "exec", before: []string{"create", "start"}, more: []string{"/bin/echo", "done"}, program: sleeps, want: "running", says: "done\n"},
	{verb: "delete", before: []string{"create"}, program: sleeps},
}

var sleeps = []string{"/bin/sleep", "1000"}

// machine is where a scenario is tried.
type machine struct {
	t      *testing.T
	binary string
	dir    string // of the bundle
	id     string
	names  map[int32]string
	reaper *reaper
}

func TestFaults(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	names := callNames(t)
	reaper, err := startReaper()
	if err != nil {
		t.Fatal(err)
	}
	defer reaper.end()
	waived := waivers(t)
	r := &report{}
	for _, hooks := range []bool{false, true} {
		for i := range scenarios {
			s := &scenarios[i]
			name := s.verb + map[bool]string{false: ", plain", true: ", hooks"}[hooks]
			if hooks && depth() == core {
				continue
			}
			t.Run(name, func(t *testing.T) {
				m := newMachine(t, names, reaper, s, hooks)
				for _, f := range m.faults(s) {
					begin := time.Now()
					outcome, what := m.try(s, &f)
					if took := time.Since(begin); took > hangs/2 {
						t.Logf("%s, failed with %s: %s after %s: %s", f.call, unix.ErrnoName(f.errno), outcome, took, what)
					}
					reason := waived.reason(s.verb, &f, outcome)
					r.add(name, &f, outcome, what, reason)
					if outcome.isFault() && reason == "" {
						t.Errorf("%s fails with %s: %s: %s", f.call, unix.ErrnoName(f.errno), outcome, what)
					}
				}
			})
		}
	}
	if depth() != core && !t.Failed() {
		waived.check(t)
	}
	if path := os.Getenv("OCI_RUN_FAULTS_REPORT"); path != "" {
		if err := os.WriteFile(path, r.text(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// How many of a command's calls are failed.
const (
	core = ""     // the first of each name
	ends = "ends" // and the last
	all  = "all"
)

func depth() string { return os.Getenv("OCI_RUN_FAULTS") }

// faults are those to be tried, of the calls that a command without a fault makes.
func (m *machine) faults(s *scenario) (list []fault) {
	m.prepare(s)
	i := &injector{names: m.names, reaper: m.reaper}
	res := i.run(m.t, m.dir, m.line(s)...)
	if res.status != 0 {
		m.t.Fatalf("%s without a fault: %+v", s.verb, res)
	}
	m.clear()
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, c := range i.seen {
		last := i.counts[call{role: c.role, name: c.name}]
		if depth() != all && c.n != 1 && (depth() != ends || c.n != last) {
			continue
		}
		for _, errno := range errnosOf(c.name) {
			list = append(list, fault{c, errno})
		}
	}
	m.t.Logf("%d calls, %d faults", len(i.seen), len(list))
	return list
}

// errnosOf are the errors that a call is failed with.
func errnosOf(name string) []unix.Errno {
	if name == "wait4" { // which needs no memory
		return []unix.Errno{unix.ECHILD}
	}
	if depth() == all && slices.Contains(interruptible, name) {
		return []unix.Errno{unix.ENOMEM, unix.EINTR}
	}
	return []unix.Errno{unix.ENOMEM}
}

// interruptible are the calls that a signal may end.
var interruptible = []string{"openat", "openat2", "open", "read", "write", "flock", "wait4", "connect", "accept4", "ppoll", "poll", "sendmsg", "recvmsg"}

// outcome is what came of a fault.
type outcome string

const (
	succeeded outcome = "success"
	refused   outcome = "error"
	missed    outcome = "not made this time" // threads take turns in another order
	hung      outcome = "hang"
	mute      outcome = "no reason given"
	crashed   outcome = "crash"
	halfway   outcome = "success that is none"
	left      outcome = "something is left"
	unusable  outcome = "list or state fails"
	stuck     outcome = "can't be made again"
)

func (o outcome) isFault() bool { return o != succeeded && o != refused && o != missed }

// try runs the verb with a fault and looks at everything.
func (m *machine) try(s *scenario, f *fault) (outcome, string) {
	m.prepare(s)
	i := &injector{names: m.names, reaper: m.reaper, fault: f}
	res := i.run(m.t, m.dir, m.line(s)...)
	i.mu.Lock()
	injected := i.injected
	i.mu.Unlock()
	o, what := m.judge(s, res)
	for _, look := range []func() (outcome, string){m.looks, m.removed, m.again} {
		if next, why := look(); next != "" && !o.isFault() {
			o, what = next, why
		}
	}
	if !injected && !o.isFault() {
		o = missed
	}
	return o, strings.TrimSpace(what)
}

// judge looks at what the command itself did.
func (m *machine) judge(s *scenario, res result) (outcome, string) {
	switch {
	case res.hung:
		return hung, res.stderr
	case strings.Contains(res.stderr, "goroutine ") || strings.Contains(res.stderr, "fatal error:") || strings.HasPrefix(res.stderr, "runtime:"):
		return crashed, firstLines(res.stderr)
	case res.status != 0 && strings.TrimSpace(res.stderr) == "":
		return mute, fmt.Sprintf("exit status %d", res.status)
	case res.status != 0:
		return refused, message(res.stderr)
	}
	if status := m.status(); status != s.want || !strings.Contains(res.stdout, s.says) {
		return halfway, fmt.Sprintf("the status is %q, it printed %q", status, res.stdout)
	}
	return succeeded, ""
}

func firstLines(text string) string {
	lines := strings.SplitN(text, "\n", 4)
	return strings.Join(lines[:min(3, len(lines))], " | ")
}

// message is the text of a line of the log.
func message(line string) string {
	if _, text, found := strings.Cut(line, "level=error msg="); found {
		return strings.TrimSpace(text)
	}
	return line
}

// status is that of the container, "" if there is none.
func (m *machine) status() string {
	out, err := m.oci("state", m.id)
	var s struct{ Status string }
	if err != nil || json.Unmarshal(out, &s) != nil {
		return ""
	}
	return s.Status
}

// looks sees whether the other verbs still answer.
func (m *machine) looks() (outcome, string) {
	if out, err := m.oci("list"); err != nil {
		return unusable, fmt.Sprintf("list: %v: %s", err, out)
	}
	_, err := m.oci("state", m.id)
	if text := fmt.Sprint(err); err != nil && !strings.Contains(text, "exit status 1") {
		return unusable, "state: " + text
	}
	return "", ""
}

// removed deletes the container and sees whether that leaves anything.
func (m *machine) removed() (outcome, string) {
	if out, err := m.oci("delete", "--force", m.id); err != nil {
		return left, fmt.Sprintf("delete --force: %v: %s", err, out)
	}
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		what := m.leftovers()
		if what == "" {
			return "", ""
		}
		if time.Now().After(deadline) {
			return left, what
		}
	}
}

// again makes the container once more.
func (m *machine) again() (outcome, string) {
	if out, err := m.oci("create", m.id); err != nil {
		_, _ = m.oci("delete", "--force", m.id)
		return stuck, fmt.Sprintf("%v: %s", err, out)
	}
	return m.removed()
}

// leftovers names what there is of the container.
func (m *machine) leftovers() string {
	entries, _ := os.ReadDir(filepath.Join(m.dir, "state"))
	for _, e := range entries {
		return "the file " + e.Name()
	}
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		if found, _ := filepath.Glob(pattern + "oci-run-tests-" + m.id); len(found) > 0 {
			return "the cgroup " + found[0]
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	if bytes.Contains(mounts, []byte(m.dir)) {
		return "a mount below the bundle"
	}
	if alive := m.reaper.reap(); len(alive) > 0 {
		return fmt.Sprintf("the processes %d", alive)
	}
	return ""
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
	for _, verb := range s.before {
		if out, err := m.oci(verb, m.id); err != nil {
			m.t.Fatalf("%s: %v: %s", verb, err, out)
		}
	}
}

// line is the command line of a scenario.
func (m *machine) line(s *scenario) []string {
	line := append([]string{m.binary, "--root", filepath.Join(m.dir, "state"), s.verb}, s.args...)
	return append(append(line, m.id), s.more...)
}

// oci runs oci-run without a fault.
func (m *machine) oci(args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), hangs)
	defer cancel()
	cmd := exec.CommandContext(ctx, m.binary, append([]string{"--root", filepath.Join(m.dir, "state")}, args...)...)
	cmd.Dir = m.dir
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
