package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/internal/cli"
	"oci-run/internal/log"
	"oci-run/libcontainer"
	"oci-run/specconv"
)

// limitFlags are the flags of update that set a field of linux.resources.
var limitFlags = [...]struct {
	name, field, usage string
	set                func(r *specs.LinuxResources, value string) error
}{
	{"blkio-weight", "blockIO/weight", "`WEIGHT` of block I/O, 10 to 1000", func(r *specs.LinuxResources, v string) error {
		n, err := strconv.ParseUint(v, 10, 16)
		weight := uint16(n)
		r.BlockIO.Weight = &weight
		return notNumber(v, err)
	}},
	{"cpu-period", "cpu/period", "length of a CPU period in `µs`", func(r *specs.LinuxResources, v string) error { return parseUint(&r.CPU.Period, v) }},
	{"cpu-quota", "cpu/quota", "CPU time per period in `µs`, or -1", func(r *specs.LinuxResources, v string) error { return parseInt(&r.CPU.Quota, v) }},
	{"cpu-burst", "cpu/burst", "CPU time that may be saved up in `µs`", func(r *specs.LinuxResources, v string) error { return parseUint(&r.CPU.Burst, v) }},
	{"cpu-share", "cpu/shares", "`SHARES` of CPU time, in the units of cgroup v1", func(r *specs.LinuxResources, v string) error { return parseUint(&r.CPU.Shares, v) }},
	{"cpu-rt-period", "cpu/realtimePeriod", "length of a real-time period in `µs`", func(r *specs.LinuxResources, v string) error {
		return parseUint(&r.CPU.RealtimePeriod, v)
	}},
	{"cpu-rt-runtime", "cpu/realtimeRuntime", "real-time CPU time per period in `µs`", func(r *specs.LinuxResources, v string) error {
		return parseInt(&r.CPU.RealtimeRuntime, v)
	}},
	{"cpu-idle", "cpu/idle", "run only when no other cgroup wants to, if `0|1` is 1", func(r *specs.LinuxResources, v string) error { return parseInt(&r.CPU.Idle, v) }},
	{"cpuset-cpus", "cpu/cpus", "`LIST` of CPUs", func(r *specs.LinuxResources, v string) error { r.CPU.Cpus = v; return nil }},
	{"cpuset-mems", "cpu/mems", "`LIST` of memory nodes", func(r *specs.LinuxResources, v string) error { r.CPU.Mems = v; return nil }},
	{"memory", "memory/limit", "memory limit in `BYTES` (or 10M), or -1", func(r *specs.LinuxResources, v string) error { return parseBytes(&r.Memory.Limit, v) }},
	{"memory-reservation", "memory/reservation", "memory to be kept if possible in `BYTES`", func(r *specs.LinuxResources, v string) error {
		return parseBytes(&r.Memory.Reservation, v)
	}},
	{"memory-swap", "memory/swap", "limit of memory and swap together in `BYTES`, or -1", func(r *specs.LinuxResources, v string) error {
		return parseBytes(&r.Memory.Swap, v)
	}},
	{"kernel-memory", "memory/kernel", "obsolete and ignored", ignoredLimit},
	{"kernel-memory-tcp", "memory/kernelTCP", "obsolete and ignored", ignoredLimit},
	{"pids-limit", "pids/limit", "at most `N` processes and threads, or -1", func(r *specs.LinuxResources, v string) error { return parseInt(&r.Pids.Limit, v) }},
}

var updateCommand = cli.Command{
	Name:      "update",
	Usage:     "change the limits of a container",
	Arguments: "ID",
	Description: "Changes the limits of the container ID that are given, as flags or in a file, and nothing else. If one of them\n" +
		"can't be set, none is. With --resources, flags for single limits are ignored. A property that nothing knows is an error.",
	Options: [][]cli.Option{updateOptions},
	More:    limitOptions,
	Action:  update,
	Next:    livingIDs,
}

var updateOptions = []cli.Option{
	{Name: "resources", Alias: "r", Usage: "`FILE` with the JSON of linux.resources, or - for standard input"},
	{Name: "l3-cache-schema", Usage: "Intel RDT: `SCHEMA` of the L3 cache"},
	{Name: "mem-bw-schema", Usage: "Intel RDT: `SCHEMA` of the memory bandwidth"},
}

func limitOptions() []cli.Option {
	options := make([]cli.Option, len(limitFlags))
	for i := range limitFlags {
		f := &limitFlags[i]
		options[i] = cli.Option{Name: f.name, Usage: f.usage, Hidden: strings.HasPrefix(f.name, "kernel-")}
	}
	return options
}

func update(c *cli.Call) error {
	if _, err := onlyID(c); err != nil {
		return err
	}
	if err := anyChange(c); err != nil {
		return err
	}
	r, file, err := updateResources(c)
	if err != nil {
		return err
	}
	container, err := load(c)
	if err != nil {
		return err
	}
	err = container.Update(&libcontainer.Update{
		Resources: r, L3CacheSchema: c.String("l3-cache-schema"), MemBwSchema: c.String("mem-bw-schema"),
	})
	if file == nil {
		return blameOption(err)
	}
	return file.Locate(err)
}

// blameOption puts the option in the place of the field that it sets, in an error about one.
func blameOption(err error) error {
	field, ok := errors.AsType[*specconv.FieldError](err)
	if !ok || field.Error() != err.Error() {
		return err
	}
	for i := range limitFlags {
		if f := &limitFlags[i]; field.Pointer == "/linux/resources/"+f.field {
			return fmt.Errorf("--%s: %w", f.name, field.Err)
		}
	}
	return err
}

// anyChange tells whether an option says what is to change. Who has forgotten it, or put it behind
// a "--", would take a container for limited that isn't.
func anyChange(c *cli.Call) error {
	for i := range updateOptions {
		if c.IsSet(updateOptions[i].Name) {
			return nil
		}
	}
	for i := range limitFlags {
		if c.IsSet(limitFlags[i].name) {
			return nil
		}
	}
	return fmt.Errorf("%q needs an option that says what is to change (see: oci-run update --help)", c.Verb)
}

// updateResources makes one set of limits out of the flags or the file.
func updateResources(c *cli.Call) (r *specs.LinuxResources, file *specconv.Document, err error) {
	if path := c.String("resources"); path != "" {
		var stdin *os.File
		if path == "-" {
			stdin = os.Stdin
		}
		r = &specs.LinuxResources{}
		file, err = specconv.ReadStrictly(path, "/linux/resources", stdin, r)
		return r, file, err
	}
	r = &specs.LinuxResources{
		Memory: &specs.LinuxMemory{}, CPU: &specs.LinuxCPU{}, BlockIO: &specs.LinuxBlockIO{}, Pids: &specs.LinuxPids{},
	}
	for i := range limitFlags {
		f := &limitFlags[i]
		if value := c.String(f.name); value != "" {
			if err := f.set(r, value); err != nil {
				return nil, nil, fmt.Errorf("invalid value for %s: %w", f.name, err)
			}
		}
	}
	return r, nil, nil
}

func ignoredLimit(*specs.LinuxResources, string) error {
	log.Warn("limits of kernel memory are ignored: Linux has none since 5.4")
	return nil
}

func parseInt(to **int64, s string) error {
	n, err := strconv.ParseInt(s, 10, 64)
	*to = &n
	return notNumber(s, err)
}

func parseUint(to **uint64, s string) error {
	n, err := strconv.ParseUint(s, 10, 64)
	*to = &n
	return notNumber(s, err)
}

// notNumber is the error of a number that can't be read.
func notNumber(s string, err error) error {
	switch {
	case errors.Is(err, strconv.ErrRange):
		return fmt.Errorf("%q is out of range", s)
	case err != nil:
		return fmt.Errorf("%q is not a whole number", s)
	}
	return nil
}

// parseBytes reads a number of bytes, such as 52428800, 50M, 50m, 50MB, 50MiB, 1.5G, or -1 for no
// limit. Units are powers of 1024, as in runc.
func parseBytes(to **int64, s string) error {
	if s == "-1" {
		return parseInt(to, s)
	}
	number := strings.TrimRight(s, "bBiIkKmMgGtTpP ")
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || value < 0 || math.IsInf(value, 0) || math.IsNaN(value) {
		return fmt.Errorf("%q is not a number of bytes", s)
	}
	unit := strings.ToLower(strings.TrimSpace(s[len(number):]))
	power := 0
	if unit != "" && unit != "b" {
		power = strings.IndexByte("kmgtp", unit[0]) + 1
		if rest := unit[1:]; power == 0 || rest != "" && rest != "b" && rest != "ib" {
			return fmt.Errorf("%q is not a number of bytes: unit %q", s, unit)
		}
	}
	value *= math.Pow(1024, float64(power))
	if value >= math.MaxInt64 {
		return errors.New("more bytes than a limit can have")
	}
	n := int64(value)
	*to = &n
	return nil
}
