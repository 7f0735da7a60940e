package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// facts about the machine, as far as they bear on a figure.
type facts struct {
	load         float64 // average of the last minute
	cpus         int
	model        string
	hypervisor   string // "" on bare metal
	governor     string // "" where the kernel doesn't steer the frequency
	busy, stolen uint64 // ticks of all CPUs so far; stolen: wanted by us, used by the hypervisor for others
	view         string // of the host's cgroups
}

func lookAround() facts {
	f := facts{cpus: runtime.NumCPU(), view: hostView()}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		first, _, _ := strings.Cut(string(text), " ")
		f.load, _ = strconv.ParseFloat(first, 64)
	}
	f.model = cpuinfo("model name")
	if strings.Contains(" "+cpuinfo("flags")+" ", " hypervisor ") {
		f.hypervisor = "product unknown"
		if text, err := os.ReadFile("/sys/class/dmi/id/product_name"); err == nil {
			f.hypervisor = strings.TrimSpace(string(text))
		}
	}
	if text, err := os.ReadFile("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"); err == nil {
		f.governor = strings.TrimSpace(string(text))
	}
	f.busy, f.stolen = ticks()
	return f
}

// cpuinfo is a field of the first processor in /proc/cpuinfo.
func cpuinfo(key string) string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// ticks reads the first line of /proc/stat: cpu user nice system idle iowait irq softirq steal …
// (proc_stat(5)).
func ticks() (busy, stolen uint64) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for i, field := range strings.Fields(line) {
		n, _ := strconv.ParseUint(field, 10, 64)
		switch i {
		case 1, 2, 3, 6, 7:
			busy += n
		case 8:
			busy += n
			stolen = n
		}
	}
	return busy, stolen
}

// fact is one of those that the report begins with.
type fact struct{ name, text string }

func (f fact) String() string { return fmt.Sprintf("%-9s %s", f.name, f.text) }

// describe tells what is measured on what.
func describe(o options, f facts) (all []fact) {
	add := func(name, format string, a ...any) { all = append(all, fact{name, fmt.Sprintf(format, a...)}) }
	var uts unix.Utsname
	_ = unix.Uname(&uts)
	add("kernel", "%s %s", unix.ByteSliceToString(uts.Release[:]), unix.ByteSliceToString(uts.Machine[:]))
	add("cpu", "%d × %s", f.cpus, f.model)
	machine := f.hypervisor
	if machine == "" {
		machine = "bare metal"
	}
	add("machine", "%s; load average %.2f", machine, f.load)
	view := o.view
	if view == "host" {
		view = f.view + ", as the host has it"
	} else {
		view += ", in a private mount namespace"
	}
	add("cgroups", "%s", view)
	if len(o.scale) > 0 {
		add("rounds", "%d of each verb at each number of containers, one runtime after the other", scaleRounds)
	} else {
		add("rounds", "%d, interleaved, after %d that don't count", o.rounds, warmup)
	}
	for _, path := range o.runtimes {
		out, _ := exec.Command(path, "--version").Output()
		lines := strings.SplitN(strings.TrimSpace(string(out)), "\n", 3)
		add(filepath.Base(path), "%s", strings.Join(lines[:min(2, len(lines))], ", "))
	}
	return all
}

// Above these a figure says more about the machine's other work than about the runtimes.
const (
	quietLoad   = 0.25 // per CPU
	fewestCPUs  = 4
	quietSteal  = 0.01 // of the CPU time that was used
	quietSpread = 1.3  // p90 / median
	mostSingle  = 0.5  // of a binary's pages
)

// caveats lists what makes the figures unfit to be quoted as absolute times.
func caveats(o options, before facts, table results) []string {
	found := before.caveats()
	add := func(format string, a ...any) { found = append(found, fmt.Sprintf(format, a...)) }
	busy, stolen := ticks()
	if share := float64(stolen-before.stolen) / float64(max(busy-before.busy, 1)); share > quietSteal {
		add("the hypervisor gave %.0f %% of the CPU time to others meanwhile", share*100)
	}
	if o.view != "host" {
		add("the cgroups are a private %s view of a %s host", o.view, before.view)
	}
	if !isStatic(busybox) {
		add("no static busybox: the container's program is a Go program, whose own start is in each figure")
	}
	if o.rounds < 30 {
		add("only %d rounds", o.rounds)
	}
	if uneven := uneven(table); uneven != "" {
		add("rounds that don't agree (p90 above %.1f × the median): %s", quietSpread, uneven)
	}
	for _, path := range o.runtimes {
		if share, err := singlePages(path); err == nil && share > mostSingle {
			add("%.0f %% of %s is in the page cache in single pages: each page fault of its code maps less", share*100, path)
		}
	}
	return found
}

// caveats are those of the machine as it was at the start.
func (f facts) caveats() (found []string) {
	add := func(format string, a ...any) { found = append(found, fmt.Sprintf(format, a...)) }
	if f.load > quietLoad*float64(f.cpus) {
		add("the load average was %.2f at the start: others were using the %d CPUs", f.load, f.cpus)
	}
	if f.cpus < fewestCPUs {
		add("%d CPUs: the runtime, its init and everything else share them", f.cpus)
	}
	if f.emulated() {
		add("the processor is emulated (%s): what costs a processor little may cost this one much", f.model)
	} else if f.hypervisor != "" {
		add("virtualised (%s): system calls, page faults and timer interrupts cost more, unevenly", f.hypervisor)
	}
	if f.governor != "" && f.governor != "performance" {
		add("the frequency governor is %q, not \"performance\"", f.governor)
	}
	return found
}

// emulated tells whether QEMU interprets each instruction: the models that it makes up for that
// have its name, and those of KVM are the host's unless somebody asks for such a one.
func (f facts) emulated() bool {
	return strings.Contains(f.model, "QEMU") || strings.Contains(f.model, "TCG")
}

// printCaveats prints them below the table.
func printCaveats(found []string) {
	if len(found) == 0 {
		fmt.Println("\nnothing seen that makes these figures unfit to quote")
		return
	}
	fmt.Println("\nunfit to quote as absolute times; the ratios stand as far as the rounds agree:")
	for _, reason := range found {
		fmt.Println("  -", reason)
	}
}

// uneven names the rows whose rounds don't agree.
func uneven(table results) string {
	var names []string
	for _, rows := range table {
		for _, r := range rows {
			if r.spread() > quietSpread {
				names = append(names, fmt.Sprintf("%s on %s %.1f", r.scenario, r.runtime, r.spread()))
			}
		}
	}
	return strings.Join(names, ", ")
}
