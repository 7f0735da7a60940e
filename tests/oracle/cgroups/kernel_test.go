package cgroups

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"oci-run/libcontainer/internal/cgroups"
)

// pair is two cgroups of the same kind: one for the library, one for oci-run.
type pair struct{ theirs, ours cgroups.Record }

// newPair makes two cgroups in each of the machine's hierarchies.
func newPair(t *testing.T) (p pair, remove func()) {
	t.Helper()
	made := func(name string) (cgroups.Record, *cgroups.Manager) {
		spec := &specs.Spec{Linux: &specs.Linux{CgroupsPath: "/oci-run-oracle-" + name}}
		m, err := cgroups.New(spec, cgroups.Options{ID: "x"})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Create(); err != nil {
			t.Skipf("make cgroups: %v", err)
		}
		return m.Record(), m.Manager
	}
	var theirs, ours *cgroups.Manager
	p.theirs, theirs = made("theirs")
	p.ours, ours = made("ours")
	return p, func() {
		if err := errors.Join(theirs.Destroy(0), ours.Destroy(0)); err != nil {
			t.Error(err)
		}
	}
}

// TestSameFiles: after the same random changes, one after the other, real cgroups hold the same,
// and what the kernel refuses one of the two, it refuses the other. So what depends on what is in
// force is in the right order in both.
func TestSameFiles(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the effective user id is not 0")
	}
	quiet(t)
	p, remove := newPair(t)
	defer func() { remove() }()
	mode := p.ours.Mode
	accepted, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		r := resources(rt, mode)
		available(r, p.ours)
		terr, oerr := librarySet(p.theirs, r), ownSet(p.ours, r)
		if terr != nil || oerr != nil {
			refused++
			// The library leaves what it had changed before, so both begin anew.
			remove()
			p, remove = newPair(t)
		} else {
			accepted++
		}
		switch {
		case (terr == nil) != (oerr == nil):
			rt.Fatalf("library: %v; oci-run: %v", terr, oerr)
		case terr == nil:
			if d := cmp.Diff(contents(t, p.theirs), contents(t, p.ours)); d != "" {
				rt.Fatalf("(-library +oci-run)\n%s", d)
			}
		}
	})
	t.Logf("mode %s: %d changes accepted by both, %d refused by both", mode, accepted, refused)
}

// available takes out what the machine has no controller for, and what needs devices.
func available(r *specs.LinuxResources, record cgroups.Record) {
	has := func(controller string) bool {
		for i := range record.Hierarchies {
			h := &record.Hierarchies[i]
			if record.Mode == cgroups.V2 {
				text, _ := os.ReadFile(h.Dir() + "/cgroup.controllers")
				return strings.Contains(" "+strings.TrimSpace(string(text))+" ", " "+controller+" ")
			}
			if slices.Contains(h.Controllers, controller) {
				return true
			}
		}
		return false
	}
	r.Rdma, r.Network, r.Unified, r.BlockIO = nil, nil, nil, nil
	if !has("memory") {
		r.Memory = nil
	}
	if !has("cpu") && r.CPU != nil {
		r.CPU = &specs.LinuxCPU{Cpus: r.CPU.Cpus, Mems: r.CPU.Mems}
	}
	if r.CPU != nil { // of what the cgroup above has, what the one gets the other lacks
		r.CPU.RealtimePeriod, r.CPU.RealtimeRuntime = nil, nil
	}
	if !has("cpuset") && r.CPU != nil {
		r.CPU.Cpus, r.CPU.Mems = "", ""
	}
	if !has("pids") {
		r.Pids = nil
	}
	if !has("hugetlb") {
		r.HugepageLimits = nil
	}
}

// contents reads the files that limits are set by.
func contents(t *testing.T, record cgroups.Record) map[string]string {
	t.Helper()
	out := map[string]string{}
	names := files1
	if record.Mode == cgroups.V2 {
		names = files2
	}
	for i := range record.Hierarchies {
		for name := range names {
			text, err := os.ReadFile(filepath.Join(record.Hierarchies[i].Dir(), name))
			if err == nil {
				out[name] = string(text)
			} else if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EOPNOTSUPP) {
				t.Fatal(err)
			}
		}
	}
	delete(out, "memory.current")
	return out
}
