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

// describe prints what was measured on what.
func describe(o options, f facts) {
	var uts unix.Utsname
	_ = unix.Uname(&uts)
	fmt.Printf("kernel    %s %s\n", unix.ByteSliceToString(uts.Release[:]), unix.ByteSliceToString(uts.Machine[:]))
	fmt.Printf("cpu       %d × %s\n", f.cpus, f.model)
	view := o.view
	if view == "host" {
		view = f.view + ", as the host has it"
	} else {
		view += ", in a private mount namespace"
	}
	fmt.Printf("cgroups   %s\n", view)
	fmt.Printf("rounds    %d, interleaved, after %d that don't count\n", o.rounds, warmup)
	for _, path := range o.runtimes {
		out, _ := exec.Command(path, "--version").Output()
		lines := strings.SplitN(strings.TrimSpace(string(out)), "\n", 3)
		fmt.Printf("%-9s %s\n", filepath.Base(path), strings.Join(lines[:min(2, len(lines))], ", "))
	}
}

// Above these a figure says more about the machine's other work than about the runtimes.
const (
	quietLoad   = 0.25 // per CPU
	fewestCPUs  = 4
	quietSteal  = 0.01 // of the CPU time that was used
	quietSpread = 1.3  // p90 / median
)

// caveats prints what makes the figures unfit to be quoted as absolute times.
func caveats(o options, before facts, table results) {
	var found []string
	add := func(format string, a ...any) { found = append(found, fmt.Sprintf(format, a...)) }
	if before.load > quietLoad*float64(before.cpus) {
		add("the load average was %.2f at the start: others were using the %d CPUs", before.load, before.cpus)
	}
	if before.cpus < fewestCPUs {
		add("%d CPUs: the runtime, its init and everything else share them", before.cpus)
	}
	if before.hypervisor != "" {
		add("virtualised (%s): system calls, page faults and timer interrupts cost more, unevenly", before.hypervisor)
	}
	busy, stolen := ticks()
	if share := float64(stolen-before.stolen) / float64(max(busy-before.busy, 1)); share > quietSteal {
		add("the hypervisor gave %.0f %% of the CPU time to others meanwhile", share*100)
	}
	if before.governor != "" && before.governor != "performance" {
		add("the frequency governor is %q, not \"performance\"", before.governor)
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
