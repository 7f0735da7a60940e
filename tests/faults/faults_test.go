// Package faults fails each system call of a command once, or kills or stops who makes it, and
// looks at what comes of it: success, or an error that says what was refused; no hang; state and
// list that answer; a delete --force after which nothing is left, and a name that can be used
// again.
//
// A seccomp filter has each call of the command, and of what it clones, wait for the test, which
// has one of them return an error. What executes another program is left alone, but for hooks,
// which are killed.
//
// By itself it fails the first call of each name, for a plain container. OCI_RUN_FAULTS=ends (make
// test-faults) fails the first of each name with each error that it can give, and the last, for
// containers of all kinds; OCI_RUN_FAULTS=all (make test-faults FAULTS=all) does that to each call.
// OCI_RUN_FAULTS_REPORT names files for tables, which get ".Faults" and ".Deaths".
package faults

import (
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestFaults(t *testing.T) {
	each(t, "Faults", func(m *machine, s *scenario, calls []call) (list []fault) {
		for _, c := range calls {
			if c.role == hook {
				continue
			}
			for _, errno := range errnosOf(c) {
				list = append(list, fault{call: c, errno: errno})
			}
		}
		return list
	})
}

func TestDeaths(t *testing.T) {
	each(t, "Deaths", func(m *machine, s *scenario, calls []call) (list []fault) {
		for _, c := range calls {
			list = append(list, fault{call: c, signal: unix.SIGKILL})
			if depth() == all || depth() == ends && c.n == 1 {
				list = append(list, fault{call: c, signal: unix.SIGSTOP})
			}
		}
		return list
	})
}

// each tries a choice of faults in each scenario and each configuration.
func each(t *testing.T, suite string, choose func(*machine, *scenario, []call) []fault) {
	names, reaper := equipped(t)
	waived := waivers(t)
	r := &report{}
	for i := range configurations {
		c := &configurations[i]
		for j := range scenarios {
			s := &scenarios[j]
			if !slices.Contains(s.where, c.name) || depth() == core && (c.name != "plain" || !slices.Contains(s.core, suite)) {
				continue
			}
			t.Run(c.name+"/"+s.String(), func(t *testing.T) {
				m := newMachine(t, names, reaper, s, c)
				for _, f := range choose(m, s, m.calls(s)) {
					r.tryOne(t, m, s, &f, waived)
				}
			})
			r.write(t, suite) // a run that is cut short has one as well
		}
	}
	if depth() != core && !t.Failed() {
		waived.check(t)
	}
}

// tryOne tries one fault, and says what is wrong about what comes of it.
func (r *report) tryOne(t *testing.T, m *machine, s *scenario, f *fault, waived waiverList) {
	begin := time.Now()
	outcome, what := m.try(s, f)
	took := time.Since(begin)
	if took > hangs/2 || os.Getenv("V") != "" {
		t.Logf("%s: %s after %s: %s", f, outcome, took.Round(time.Millisecond), what)
	}
	reason := waived.reason(s.String(), f, outcome)
	r.add(m.configuration.name+", "+s.String(), f, outcome, reason)
	if outcome.isFault() && reason == "" {
		t.Errorf("%s: %s: %s", f, outcome, what)
	}
}

// How many of a command's calls are failed.
const (
	core = ""     // the first of each name
	ends = "ends" // and the last
	all  = "all"
)

func depth() string { return os.Getenv("OCI_RUN_FAULTS") }

// calls are those that a command without a fault makes, of which the test is to fail some.
func (m *machine) calls(s *scenario) (list []call) {
	m.prepare(s)
	i := m.injector(nil)
	res := i.run(m, m.line(s)...)
	if (res.status != 0) != (s.lacks != "") {
		m.t.Fatalf("%s without a fault: %+v", s.verb, res)
	}
	m.settle(s.want)
	m.whole = m.portrait()
	m.clear()
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, c := range i.seen {
		last := i.counts[call{role: c.role, name: c.name}]
		if c.n == 1 || depth() == all || depth() == ends && c.n == last {
			list = append(list, c)
		}
	}
	m.t.Logf("%d calls, %d of them chosen", len(i.seen), len(list))
	return list
}
