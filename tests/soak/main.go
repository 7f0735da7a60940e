// Command soak leads containers through their lives, thousands of them, some at a time, and sees
// whether anything fails or is left over.
//
//	soak [-n CYCLES] [-jobs JOBS] [-execs EXECS] RUNTIME
//
// Each cycle is a create, start, update (every fifth), state, kill and delete of its own container.
// Beside them runs a container that gets the execs, one after the other, and an update after every
// tenth. At the end stand the times of each command, and what there was before and after:
// processes, cgroups, mounts, files, descriptors, and the kernel's own objects of each kind of
// namespace.
// The exit status is 1 if a command failed or something is left.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	cycles := flag.Int("n", 100, "lives to lead")
	jobs := flag.Int("jobs", 4, "how many at a time")
	execs := flag.Int("execs", -1, "execs beside them (default: two for five lives)")
	flag.Parse()
	if flag.NArg() != 1 || *cycles < 1 || *jobs < 1 {
		fmt.Fprintln(os.Stderr, "usage: soak [-n CYCLES] [-jobs JOBS] [-execs EXECS] RUNTIME")
		os.Exit(2)
	}
	if *execs < 0 {
		*execs = *cycles * 2 / 5
	}
	if err := run(flag.Arg(0), *cycles, *jobs, *execs); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// run soaks, and returns what is wrong.
func run(runtime string, cycles, jobs, execs int) error {
	s, err := newSoak(runtime)
	if err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	if err := s.life("warm"); err != nil { // what is made once is no leak: the state's root, pools of the kernel
		return err
	}
	before := s.count()
	begin := time.Now()
	err = s.all(cycles, jobs, execs)
	took := time.Since(begin)
	after := s.settle(before)
	fmt.Printf("%d cycles, %d at a time, %d execs beside them, in %s\n\n", cycles, jobs, execs, took.Round(time.Second))
	s.times.print()
	left := compare(before, after, cycles)
	return errors.Join(err, left)
}

// soak is a bundle, and what has been seen.
type soak struct {
	runtime string
	dir     string
	mark    string // in the names of all cgroups
	reaper  *reaper
	times   times
	failed  atomic.Int32
}

// tooMany is after how many failures a soak ends: more say nothing new.
const tooMany = 20

func newSoak(runtime string) (*soak, error) {
	path, err := filepath.Abs(runtime)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "soak.")
	if err != nil {
		return nil, err
	}
	s := &soak{runtime: path, dir: dir, mark: filepath.Base(dir), times: times{all: map[string][]time.Duration{}}}
	s.reaper, err = startReaper()
	if err == nil {
		err = s.bundle()
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

// all leads the lives, jobs at a time, and makes the execs beside them.
func (s *soak) all(cycles, jobs, execs int) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	var mu sync.Mutex
	var all []error
	do := func(f func() error) {
		if err := f(); err != nil {
			mu.Lock()
			defer mu.Unlock()
			s.failed.Add(1)
			all = append(all, err)
		}
	}
	wait.Go(func() { do(func() error { return s.beside(execs) }) })
	for range jobs {
		wait.Go(func() {
			for n := next.Add(1); n <= int64(cycles) && s.failed.Load() < tooMany; n = next.Add(1) {
				do(func() error { return s.life(fmt.Sprint(n)) })
			}
		})
	}
	wait.Wait()
	return errors.Join(all...)
}

// life leads one container through its life.
func (s *soak) life(n string) error {
	id := s.mark + "-" + n
	verbs := [][]string{{"create", "--bundle", s.dir, id}, {"start", id}, {"state", id}, {"kill", id, "KILL"}, {"delete", id}}
	if n[len(n)-1]%5 == 0 {
		verbs = append(verbs[:3:3], append([][]string{{"update", "--pids-limit", "50", id}}, verbs[3:]...)...)
	}
	for _, v := range verbs {
		if err := s.oci(v...); err != nil {
			_ = s.oci("delete", "--force", id)
			return err
		}
	}
	return nil
}

// beside makes the execs in a container of their own.
func (s *soak) beside(execs int) error {
	id := s.mark + "-beside"
	if execs == 0 {
		return nil
	}
	if err := s.oci("run", "--detach", "--bundle", s.dir, id); err != nil {
		return err
	}
	defer func() { _ = s.oci("delete", "--force", id) }()
	for n := range execs {
		if err := s.oci("exec", id, "/bin/true"); err != nil {
			return fmt.Errorf("exec %d: %w", n, err)
		}
		if n%10 == 0 {
			if err := s.oci("update", "--pids-limit", fmt.Sprint(50+n%7), id); err != nil {
				return fmt.Errorf("after exec %d: %w", n, err)
			}
		}
		if s.failed.Load() >= tooMany {
			return nil
		}
	}
	return nil
}
