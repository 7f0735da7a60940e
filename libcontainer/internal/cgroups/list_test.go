package cgroups

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/cgroups/systemd"
)

func TestParseNumbers(t *testing.T) {
	for list, want := range map[string][]byte{
		"": nil, "0": {1}, "0-2,9": {7, 2}, " 1\t3,\n": {10}, "N": {0, 2}, "all": {255, 3}, "ALL": {255, 3}, "8-N": {0, 3},
		"0-7:1/2": {0x55}, "0-7:2/4": {0x33}, "all:1/8": {1, 1}, "3-3:0/4": nil,
	} {
		got, err := parseNumbers(list, 9)
		if d := cmp.Diff(numbers(want), got); d != "" || err != nil {
			t.Errorf("%q: %v, %s", list, err, d)
		}
	}
	for list, want := range map[string]string{
		"a": "is not a number", "1-": "is not a number", "-1": "is not a number", "1-2-3": "is not a number", "0-3:2": "is not a number",
		"+1": "is not a number", "0x1": "is not a number", "n": "is not a number", "2-1": "ends before it begins", "65536": "too large",
		"99999999999999999999": "too large", "0-3:1/0": "has a pattern", "0-3:3/2": "has a pattern",
	} {
		if _, err := parseNumbers(list, 9); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", list, err, want)
		}
	}
}

// Whatever spelling of a list the check lets pass, systemd is told the numbers that it means.
func TestListsForSystemd(t *testing.T) {
	possible := filepath.Join(t.TempDir(), "possible")
	if err := os.WriteFile(possible, []byte("0-8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for list, want := range map[string][]byte{
		"1,3": {10}, "all": {255, 1}, "N": {0, 1}, "0-N:1/2": {0x55, 1}, "0-7:2/4": {0x33}, " 1\t3,\n": {10}, "9": {0, 2},
	} {
		if _, err := parseNumbers(list, mostNumber); err != nil {
			t.Errorf("the check refuses %q: %v", list, err)
		}
		got, err := expand(list, possible)
		if d := cmp.Diff(numbers(want), got); d != "" || err != nil {
			t.Errorf("%q: %v, %s", list, err, d)
		}
	}
	if got, err := expand("all", possible+".none"); err != nil || !got.has(0) || got.last() != 0 {
		t.Errorf("all nodes of a kernel without NUMA: %v, %v", got, err)
	}
	if got, err := expand(",", possible); err == nil {
		t.Errorf("an empty list: %v", got)
	}
	const list = "0-7:1/2"
	l := newLimits(&specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: list, Mems: list}, Unified: map[string]string{"cpuset.cpus": list, "cpuset.mems": list}})
	got, err := managerOf(Record{Mode: V2}).properties(l)
	cpus, nodes := systemd.Property{Name: "AllowedCPUs", Value: []byte{0x55}}, systemd.Property{Name: "AllowedMemoryNodes", Value: []byte{0x55}}
	if d := cmp.Diff([]systemd.Property{cpus, nodes, cpus, nodes}, got); d != "" || err != nil {
		t.Errorf("%v, %s", err, d)
	}
}

// TestListsAsTheKernel writes lists to a cpuset and compares what the kernel makes of them.
func TestListsAsTheKernel(t *testing.T) {
	needRoot(t)
	mount := t.TempDir()
	if err := unix.Mount("cgroup", mount, "cgroup", 0, "cpuset"); err != nil {
		t.Skipf("mount a cpuset hierarchy: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(mount, unix.MNT_DETACH) })
	dir, err := os.MkdirTemp(mount, "oci-run-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Rmdir(dir) })
	text, err := readFile(possibleCPUs)
	if err != nil {
		t.Fatal(err)
	}
	all, err := parseNumbers(text, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{
		"0", "0-0", "0,0", " 0", "0 ", "0,", ",0", "N", "all", "0-N", "N-0", "0-N:1/2", "all:1/1", "0-0:0/1", "0-0:1/0", "0-0:2/1", "0:1/1",
		"1-0", "0-", "-0", "0--1", "+0", "0x0", "a", "all0", "0all", "0 - 1", "00", "0-0:1", "0-0:1/", "0-0:/1", "n", "ALL",
	} {
		kernel := writeFile(dir+"/cpuset.cpus", list)
		bits, own := parseNumbers(list, all.last())
		if (kernel == nil) != (own == nil) && !errors.Is(kernel, unix.EACCES) {
			t.Errorf("%q: the kernel: %v; here: %v", list, kernel, own)
			continue
		}
		if kernel != nil {
			continue
		}
		shown, err := readFile(dir + "/cpuset.cpus")
		if err != nil {
			t.Fatal(err)
		}
		want, err := parseNumbers(shown, 0)
		if d := cmp.Diff(want, bits); d != "" || err != nil {
			t.Errorf("%q: the kernel has %q: %v, %s", list, shown, err, d)
		}
	}
}

// FuzzParseNumbers: what a list means, written as numbers, means the same.
func FuzzParseNumbers(f *testing.F) {
	for _, seed := range []string{"0-3,7", "all", "N", "0-31:2/8", "1 2\t3", "9-3", "0-7:3/2", "65535", "65536"} {
		f.Add(seed, 63)
	}
	f.Fuzz(func(t *testing.T, list string, last int) {
		if last < 0 || last > mostNumber {
			return
		}
		got, err := parseNumbers(list, last)
		if err != nil {
			return
		}
		var words []string
		for i, b := range got {
			for bit := range 8 {
				if b&(1<<bit) != 0 {
					words = append(words, strconv.Itoa(i*8+bit))
				}
			}
		}
		again, err := parseNumbers(strings.Join(words, ","), last)
		if err != nil || !bytes.Equal(got, again) || len(got) > 0 && got[len(got)-1] == 0 {
			t.Errorf("%q is %v, written as numbers %v, %v", list, got, again, err)
		}
	})
}
