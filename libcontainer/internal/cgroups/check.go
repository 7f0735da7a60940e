package cgroups

import (
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/internal/log"
	"oci-run/specconv"
)

// errV1Unified has runc's words.
var errV1Unified = errors.New("invalid configuration: cannot use unified on cgroup v1")

// checkResources tells whether the values of r make sense for hosts of a mode. r may be nil. Limits
// whose range only the kernel knows are left to it. The error is a *specconv.FieldError.
func checkResources(r *specs.LinuxResources, mode Mode) error {
	if r == nil {
		return nil
	}
	for _, check := range [...]func(*specs.LinuxResources, Mode) error{
		checkUnified, checkMemory, checkCPU, checkBlockIO, checkHugepages, checkNetwork, checkRdma,
	} {
		if err := check(r, mode); err != nil {
			return err
		}
	}
	return nil
}

// refuse is the error for a field that cgroup v2 doesn't have.
func refuse(field string) error {
	return specconv.Fieldf("/linux/resources/"+field, "cgroup v2 has no equivalent")
}

func checkUnified(r *specs.LinuxResources, mode Mode) error {
	if len(r.Unified) > 0 && mode != V2 {
		return specconv.Field("/linux/resources/unified", errV1Unified)
	}
	for key := range r.Unified {
		at := specconv.Pointer("linux", "resources", "unified", key)
		controller, name, ok := strings.Cut(key, ".")
		switch {
		case strings.Contains(key, "/") || strings.Contains(key, ".."):
			return specconv.Fieldf(at, "unified resource %q must be a file name (no slashes, no \"..\")", key)
		case !ok || controller == "" || name == "":
			return specconv.Fieldf(at, "unified resource %q must be in the form CONTROLLER.PARAMETER", key)
		case strings.ContainsAny(key, "\x00\n"):
			return specconv.Fieldf(at, "unified resource %q is not a file name", key)
		}
	}
	return nil
}

func checkMemory(r *specs.LinuxResources, mode Mode) error {
	m := r.Memory
	if m == nil {
		return nil
	}
	const at = "/linux/resources/memory/"
	for _, v := range [...]struct {
		name  string
		value *int64
	}{{"limit", m.Limit}, {"reservation", m.Reservation}, {"swap", m.Swap}} {
		if value(v.value) < -1 {
			return specconv.Fieldf(at+v.name, "%d is neither a number of bytes nor -1 (unlimited)", *v.value)
		}
	}
	limit, swap := value(m.Limit), value(m.Swap)
	switch {
	case limit > 0 && swap > 0 && swap < limit:
		return specconv.Fieldf(at+"swap", "memory+swap limit %d is lower than the memory limit %d", swap, limit)
	case value(m.Swappiness) > 100 && m.Swappiness != nil && int64(*m.Swappiness) != -1:
		return specconv.Fieldf(at+"swappiness", "%d is not in the range 0 to 100", *m.Swappiness)
	case m.UseHierarchy != nil && !*m.UseHierarchy:
		return specconv.Fieldf(at+"useHierarchy", "since Linux 5.11 there is only hierarchical memory accounting")
	}
	if m.Kernel != nil || m.KernelTCP != nil { // deprecated in the spec: it may be ignored
		log.Warn("linux.resources.memory.kernel and kernelTCP are deprecated and ignored")
	}
	if mode != V2 {
		return nil
	}
	switch {
	case value(m.DisableOOMKiller):
		return refuse("memory/disableOOMKiller")
	case m.Swappiness != nil && int64(*m.Swappiness) != -1:
		return refuse("memory/swappiness")
	}
	return nil
}

// checkSwap is for a new container on v2, which has a limit for swap alone: memory and swap less
// memory.
func checkSwap(r *specs.LinuxResources, mode Mode) error {
	if mode == V2 && r != nil && r.Memory != nil && value(r.Memory.Swap) > 0 && value(r.Memory.Limit) == 0 {
		return specconv.Fieldf("/linux/resources/memory/swap", "unable to set swap limit without memory limit")
	}
	return nil
}

func checkCPU(r *specs.LinuxResources, mode Mode) error {
	c := r.CPU
	if c == nil {
		return nil
	}
	const at = "/linux/resources/cpu/"
	switch {
	case value(c.Idle) != 0 && *c.Idle != 1:
		return specconv.Fieldf(at+"idle", "%d is neither 0 nor 1", *c.Idle)
	case mode == V2 && value(c.RealtimeRuntime) != 0:
		return refuse("cpu/realtimeRuntime")
	case mode == V2 && value(c.RealtimePeriod) != 0:
		return refuse("cpu/realtimePeriod")
	}
	if _, err := parseNumbers(c.Cpus, mostNumber); err != nil {
		return specconv.Field(at+"cpus", err)
	}
	if _, err := parseNumbers(c.Mems, mostNumber); err != nil {
		return specconv.Field(at+"mems", err)
	}
	return nil
}

func checkBlockIO(r *specs.LinuxResources, mode Mode) error {
	b := r.BlockIO
	if b == nil {
		return nil
	}
	const at = "/linux/resources/blockIO/"
	if err := checkWeight(at+"weight", b.Weight); err != nil {
		return err
	}
	if err := checkWeight(at+"leafWeight", b.LeafWeight); err != nil {
		return err
	}
	leaf := value(b.LeafWeight) != 0
	for i, d := range b.WeightDevice {
		here := fmt.Sprintf("%sweightDevice/%d", at, i)
		if d.Weight == nil && d.LeafWeight == nil {
			return specconv.Fieldf(here, "has neither weight nor leafWeight")
		}
		if err := checkWeight(here+"/weight", d.Weight); err != nil {
			return err
		}
		if err := checkWeight(here+"/leafWeight", d.LeafWeight); err != nil {
			return err
		}
		leaf = leaf || value(d.LeafWeight) != 0
	}
	if leaf && mode == V2 {
		return refuse("blockIO/leafWeight")
	}
	return nil
}

func checkWeight(at string, w *uint16) error {
	if v := value(w); v != 0 && (v < 10 || v > 1000) {
		return specconv.Fieldf(at, "weight %d is not in the range 10 to 1000", v)
	}
	return nil
}

// checkHugepages checks the names of page sizes, which become part of a file's name: the kernel's
// form is a number and KB, MB or GB (hugetlb_cgroup.c, mem_fmt).
func checkHugepages(r *specs.LinuxResources, _ Mode) error {
	for i, l := range r.HugepageLimits {
		digits := strings.TrimLeft(l.Pagesize, "0123456789")
		if digits == l.Pagesize || (digits != "KB" && digits != "MB" && digits != "GB") {
			return specconv.Fieldf(fmt.Sprintf("/linux/resources/hugepageLimits/%d/pageSize", i),
				"%q is not a page size like 2MB", l.Pagesize)
		}
	}
	return nil
}

func checkNetwork(r *specs.LinuxResources, mode Mode) error {
	n := r.Network
	if n == nil {
		return nil
	}
	if mode == V2 {
		if value(n.ClassID) != 0 {
			return refuse("network/classID")
		}
		if len(n.Priorities) > 0 {
			return refuse("network/priorities")
		}
	}
	for i, p := range n.Priorities {
		if !isWord(p.Name) {
			return specconv.Fieldf(fmt.Sprintf("/linux/resources/network/priorities/%d/name", i),
				"%q is not a name of a network interface", p.Name)
		}
	}
	return nil
}

func checkRdma(r *specs.LinuxResources, _ Mode) error {
	for device, l := range r.Rdma {
		at := specconv.Pointer("linux", "resources", "rdma", device)
		if !isWord(device) {
			return specconv.Fieldf(at, "%q is not a name of an RDMA device", device)
		}
		if l.HcaHandles == nil && l.HcaObjects == nil {
			return specconv.Fieldf(at, "has neither hcaHandles nor hcaObjects")
		}
	}
	return nil
}

// isWord tells whether s can stand as one word in a line for the kernel, and name a device.
func isWord(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsAny(s, "/ \t\n\r\x00")
}
