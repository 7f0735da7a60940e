package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

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
	i := m.injector(f)
	res := i.run(m, m.line(s)...)
	i.mu.Lock()
	injected := i.injected
	i.mu.Unlock()
	o, what := m.judge(s, f, res)
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
func (m *machine) judge(s *scenario, f *fault, res result) (outcome, string) {
	killed := f.signal == unix.SIGKILL
	switch {
	case res.hung:
		return hung, res.stderr
	case strings.Contains(res.stderr, "goroutine ") || strings.Contains(res.stderr, "fatal error:") || strings.HasPrefix(res.stderr, "runtime:"):
		return crashed, firstLines(res.stderr)
	case killed && f.role == command && res.status == -1:
		return refused, "killed"
	case killed && f.role == inits && res.status == 128+int(unix.SIGKILL):
		return refused, "the program was killed"
	case res.status != 0 && strings.TrimSpace(res.stderr) == "":
		return mute, fmt.Sprintf("exit status %d", res.status)
	case res.status != 0 && f.signal == unix.SIGSTOP && s.lacks == "":
		return halfway, "stopped for a while, it fails: " + message(res.stderr)
	case res.status != 0:
		return refused, message(res.stderr)
	case killed && f.role == inits: // after what the command answers for
		return succeeded, ""
	}
	if !m.settle(s.want) || !strings.Contains(res.stdout, s.says) || s.lacks != "" {
		return halfway, fmt.Sprintf("the status is %q, it printed %q", m.status(), res.stdout)
	}
	if differs := difference(m.whole, m.portrait()); differs != "" {
		return halfway, differs + "; " + message(res.stderr)
	}
	return succeeded, ""
}

// settle waits until the container has a status: what was killed takes a moment to end.
func (m *machine) settle(status string) bool {
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if m.status() == status {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
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
	if out, err := m.verb("create"); err != nil {
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
		if found, _ := filepath.Glob(m.root + pattern + "oci-run-tests-" + m.id); len(found) > 0 {
			return "the cgroup " + found[0]
		}
	}
	mounts, _ := os.ReadFile(m.proc + "/mountinfo")
	if bytes.Contains(mounts, []byte(m.dir)) {
		return "a mount below the bundle"
	}
	if alive := m.reaper.reap(); len(alive) > 0 {
		return fmt.Sprintf("the processes %d", alive)
	}
	return ""
}
