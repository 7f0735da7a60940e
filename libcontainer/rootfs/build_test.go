package rootfs

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
		for i := range p.Mounts {
			if err := f.mount(i, &p.Mounts[i]); err != nil {
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

func TestDefault(t *testing.T) {
	s := newStage(t)
	t.Log(s.wants("show"))
}

func TestTime(t *testing.T) {
	s := newStage(t)
	for range 10 {
		t.Log(s.wants("time"))
	}
}

var _ = strings.Contains
var _ = unix.EPERM
