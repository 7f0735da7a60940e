package rootfs

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func init() {
	scenes["show"] = func(a *act) error {
		if err := a.build(nil); err != nil {
			return err
		}
		info, err := os.ReadFile("/proc/self/mountinfo")
		fmt.Printf("%s", info)
		entries, _ := os.ReadDir("/dev")
		for _, e := range entries {
			i, _ := e.Info()
			l, _ := os.Readlink("/dev/" + e.Name())
			fmt.Println(i.Mode(), e.Name(), l)
		}
		return err
	}
	scenes["time"] = func(a *act) error {
		p, err := NewPlan(a.spec, a.opts)
		if err != nil {
			return err
		}
		p.Cgroups = thisHost()
		start := time.Now()
		last := start
		lap := func(what string) {
			now := time.Now()
			fmt.Printf("%s %v  ", what, now.Sub(last).Round(time.Microsecond))
			last = now
		}
		f, err := Open(p, nil)
		if err != nil {
			return err
		}
		lap("open")
		mr := f.mounter()
		for i := range p.Mounts {
			if err := mr.mount(i, &p.Mounts[i]); err != nil {
				return err
			}
			lap(p.Mounts[i].Destination)
		}
		if err := f.Devices(); err != nil {
			return err
		}
		lap("devices")
		if err := f.Pivot(); err != nil {
			return err
		}
		lap("pivot")
		if err := f.Readonly(); err != nil {
			return err
		}
		lap("ro")
		if err := f.ProtectPaths(); err != nil {
			return err
		}
		lap("protect")
		fmt.Printf("TOTAL %v\n", last.Sub(start))
		return nil
	}
}

// BenchmarkDefault tells what each step costs, in microseconds: the least and the median of its
// runs.
func BenchmarkDefault(b *testing.B) {
	s := newStage(b)
	s.env = append(s.env, "OCI_RUN_ROOTFS_V2=1")
	runs := map[string][]float64{}
	for b.Loop() {
		fields := strings.Fields(s.wants("time"))
		for i := 0; i+1 < len(fields); i += 2 {
			d, err := time.ParseDuration(fields[i+1])
			must(b, err)
			runs[fields[i]] = append(runs[fields[i]], float64(d.Microseconds()))
		}
	}
	for step, times := range runs {
		slices.Sort(times)
		b.ReportMetric(times[0], step+"-min")
		b.ReportMetric(times[len(times)/2], step+"-median")
	}
}

// BenchmarkMasks is for a machine with 500 CPUs in Kubernetes.
func BenchmarkMasks(b *testing.B) {
	s := newStage(b)
	s.spec.Linux.MaskedPaths = nil
	for i := range 500 {
		s.mkdir(s.in("m", fmt.Sprint(i)), 0o755)
		s.spec.Linux.MaskedPaths = append(s.spec.Linux.MaskedPaths, fmt.Sprint("/m/", i))
	}
	least := time.Hour
	for b.Loop() {
		_, after, _ := strings.Cut(s.wants("time"), "protect ")
		d, err := time.ParseDuration(strings.Fields(after)[0])
		must(b, err)
		least = min(least, d)
	}
	b.ReportMetric(float64(least.Microseconds()), "protect-min")
}
