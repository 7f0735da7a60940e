package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// scenario is one thing that an engine asks of a runtime.
type scenario struct {
	name           string
	what           string
	needsContainer bool // a running container, ID "long"
	run            func(*subject) (sample, error)
}

var scenarios = []scenario{
	{"version", "--version: what a start costs", false, (*subject).version},
	{"run", "run of a program that ends at once", false, (*subject).runShort},
	{"lifecycle", "create + start + delete, without the program's own time", false, (*subject).lifecycle},
	{"state", "state of a running container", true, (*subject).state},
	{"exec", "exec of a program that ends at once", true, (*subject).exec},
	{"kill-delete", "delete --force of a running container", false, (*subject).killDelete},
}

// sample is what one command, or a sum of them, took.
type sample struct {
	wall, cpu time.Duration
	faults    int64 // page faults, of the command and of the children that it waited for
}

func (s sample) plus(other sample) sample {
	return sample{s.wall + other.wall, s.cpu + other.cpu, s.faults + other.faults}
}

// subject is one runtime with its bundles.
type subject struct {
	path, label string
	root        string // its --root
	short, long string // bundles: a program that ends at once, one that stays
	pidFile     string
	isUp        bool
	others      int // containers that stay beside what is timed
}

func prepare(o options, dir string) ([]*subject, error) {
	// The containers' processes become children of the benchmark, as they are an engine's: so it
	// sees them end.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, os.NewSyscallError("prctl", err)
	}
	var subjects []*subject
	for i, path := range o.runtimes {
		home := filepath.Join(dir, strconv.Itoa(i))
		s := &subject{
			path: path, label: label(path, o.runtimes),
			root: home + "/root", short: home + "/short", long: home + "/long", pidFile: home + "/pid",
		}
		if err := makeBundle(s.short, o.config, "/bin/true"); err != nil {
			return nil, err
		}
		if err := makeBundle(s.long, o.config, "/bin/sleep", "3600"); err != nil {
			return nil, err
		}
		subjects = append(subjects, s)
	}
	return subjects, nil
}

// label is the runtime's name, or its whole path where two have the same name.
func label(path string, all []string) string {
	for _, other := range all {
		if other != path && filepath.Base(other) == filepath.Base(path) {
			return path
		}
	}
	return filepath.Base(path)
}

func (s *subject) id(name string) string {
	return fmt.Sprintf("bench-%d-%s-%s", os.Getpid(), filepath.Base(filepath.Dir(s.root)), name)
}

// call runs the runtime once. Its stderr goes to a file: a container that outlives the command
// keeps a pipe open.
func (s *subject) call(args ...string) (sample, error) {
	stderr, err := os.CreateTemp(filepath.Dir(s.root), "stderr-")
	if err != nil {
		return sample{}, err
	}
	defer os.Remove(stderr.Name())
	defer stderr.Close()
	cmd := exec.Command(s.path, append([]string{"--root", s.root}, args...)...)
	cmd.Stderr = stderr
	begun := time.Now()
	err = cmd.Run()
	took := sample{wall: time.Since(begun)}
	if err != nil {
		text, _ := os.ReadFile(stderr.Name())
		return sample{}, fmt.Errorf("%s %s: %w: %s", s.label, strings.Join(args, " "), err, lastLine(text))
	}
	took.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		took.faults = usage.Minflt + usage.Majflt
	}
	return took, nil
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

func (s *subject) version() (sample, error) { return s.call("--version") }

func (s *subject) runShort() (sample, error) { return s.call("run", "-b", s.short, s.id("short")) }

func (s *subject) state() (sample, error) { return s.call("state", s.id("long")) }

func (s *subject) exec() (sample, error) { return s.call("exec", s.id("long"), "/bin/true") }

// lifecycle leaves out the time between start and the end of the container's program.
func (s *subject) lifecycle() (sample, error) {
	id := s.id("short")
	created, err := s.call("create", "-b", s.short, "--pid-file", s.pidFile, id)
	if err != nil {
		return sample{}, err
	}
	started, err := s.call("start", id)
	if err != nil {
		return sample{}, err
	}
	if err := s.reap(s.pidFile); err != nil {
		return sample{}, err
	}
	deleted, err := s.call("delete", id)
	return created.plus(started).plus(deleted), err
}

func (s *subject) killDelete() (sample, error) {
	id := s.id("killed")
	if _, err := s.call("run", "-d", "-b", s.long, "--pid-file", s.pidFile, id); err != nil {
		return sample{}, err
	}
	took, err := s.call("delete", "--force", id)
	if err != nil {
		return sample{}, err
	}
	return took, s.reap(s.pidFile)
}

// reap waits for the container's process, whose pid the runtime wrote, and takes it off the process
// table.
func (s *subject) reap(pidFile string) error {
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		return err
	}
	var status unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &status, 0, nil); err != unix.EINTR {
			return os.NewSyscallError("wait4", err)
		}
	}
}

// up starts the container that stays.
func (s *subject) up() error {
	if s.isUp {
		return nil
	}
	_, err := s.call("run", "-d", "-b", s.long, "--pid-file", s.pidFile, s.id("long"))
	s.isUp = err == nil
	return err
}

// cleanUp deletes what a scenario left behind.
func (s *subject) cleanUp() {
	for _, name := range []string{"short", "long", "killed"} {
		if _, err := os.Stat(filepath.Join(s.root, s.id(name))); err == nil {
			_, _ = s.call("delete", "--force", s.id(name)) // nothing more can be done
		}
	}
	if s.isUp {
		_ = s.reap(s.pidFile)
		s.isUp = false
	}
}
