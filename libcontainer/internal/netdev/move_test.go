package netdev

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/specconv"
)

// inNamespace runs a test on a thread with a network namespace of its own, which ends with it. The
// programs that it starts are in the namespace too.
func inNamespace(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root makes network namespaces here")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("no ip command (Debian: apt-get install iproute2)")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Errorf("unshare the network namespace: %v", err)
			return
		}
		test(t)
	}()
	<-done
}

// ip runs the command ip, with the words of a line.
func ip(t *testing.T, format string, args ...any) string {
	t.Helper()
	line := fmt.Sprintf(format, args...)
	out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput()
	if err != nil {
		t.Errorf("ip %s: %v: %s", line, err, out)
	}
	return string(out)
}

// namespace is another network namespace.
func namespace(t *testing.T) *os.File {
	t.Helper()
	made := make(chan *os.File)
	go func() {
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Errorf("unshare the network namespace: %v", err)
		}
		f, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			t.Error(err)
		}
		made <- f
	}()
	return <-made
}

// inside runs ip in a namespace.
func inside(t *testing.T, ns *os.File, line string) string {
	t.Helper()
	cmd := exec.Command("nsenter", append([]string{"--net=/dev/fd/3", "ip"}, strings.Fields(line)...)...)
	cmd.ExtraFiles = []*os.File{ns}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("ip %s: %v: %s", line, err, out)
	}
	return string(out)
}

// dup is a second file of a namespace: a Move owns the first.
func dup(t *testing.T, f *os.File) *os.File {
	t.Helper()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), f.Name())
}

// addresses are a device's, one a line, as ip shows them.
func addresses(shown string) []string {
	var list []string
	for line := range strings.Lines(shown) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[0], "inet") {
			list = append(list, f[1])
		}
	}
	return list
}

func TestMove(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		to := namespace(t)
		defer to.Close()
		ip(t, "link add a0 type veth peer name b0")
		ip(t, "link set a0 mtu 1789 address 02:00:5e:00:53:01 up")
		for _, line := range []string{
			"192.0.2.1/24 metric 77", "192.0.2.2/24", "198.51.100.1/32 scope link", "203.0.113.1/32 valid_lft 100 preferred_lft 50",
			"10.0.0.1 peer 10.0.0.2/32 noprefixroute", "2001:db8::1/64 nodad", "2001:db8::2/64 nodad preferred_lft 0",
		} {
			ip(t, "address add dev a0 %s", line)
		}
		m, err := Start([]Device{{"a0", "eth%d"}, {"b0", "peer"}}, dup(t, to))
		if err != nil {
			t.Fatal(err)
		}
		m.Keep()
		shown := inside(t, to, "address show dev eth0")
		want := []string{"10.0.0.1", "192.0.2.1/24", "192.0.2.2/24", "2001:db8::1/64", "2001:db8::2/64"}
		got := slices.DeleteFunc(addresses(shown), func(a string) bool { return strings.HasPrefix(a, "fe80:") })
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("addresses (-want +got):\n%s", diff)
		}
		for _, detail := range []string{"mtu 1789", "02:00:5e:00:53:01", "metric 77", "peer 10.0.0.2/32", "noprefixroute", "deprecated", ",UP"} {
			if !strings.Contains(shown, detail) {
				t.Errorf("%q is not in:\n%s", detail, shown)
			}
		}
		inside(t, to, "link show dev peer")
		if left := ip(t, "-brief link"); strings.Contains(left, "a0") || strings.Contains(left, "b0") {
			t.Errorf("left behind:\n%s", left)
		}
	})
}

func TestUndo(t *testing.T) {
	for name, last := range map[string]Device{
		"missing":   {"nothing", "nothing"},
		"conflict":  {"c0", "lo"},
		"template":  {"c0", "x%d%d"},
		"altname":   {"c0", "other"}, // taken in a way that shows only when the device has moved
		"immovable": {"lo", "lo7"},
	} {
		t.Run(name, func(t *testing.T) {
			inNamespace(t, func(t *testing.T) {
				to := namespace(t)
				defer to.Close()
				inside(t, to, "link add there type veth peer name here")
				inside(t, to, "link property add dev there altname other")
				ip(t, "link add a0 type veth peer name b0")
				ip(t, "link add c0 type veth peer name d0")
				ip(t, "link set a0 up")
				ip(t, "address add dev a0 192.0.2.1/24")
				ip(t, "address add dev a0 198.51.100.1/32 scope link")
				ip(t, "address add dev a0 203.0.113.1/32 valid_lft 100 preferred_lft 50")
				ip(t, "address add dev c0 2001:db8::1/64 nodad")
				before, beforeInside := ip(t, "-brief address"), inside(t, to, "-brief address")
				m, err := Start([]Device{{"a0", "eth0"}, last}, dup(t, to))
				if pointed(err) != last.pointer() {
					t.Errorf("Start: %v", err)
				}
				if err := m.Undo(); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(before, ip(t, "-brief address")); diff != "" {
					t.Errorf("devices (-before +after):\n%s", diff)
				}
				if diff := cmp.Diff(beforeInside, inside(t, to, "-brief address")); diff != "" {
					t.Errorf("devices inside (-before +after):\n%s", diff)
				}
			})
		})
	}
}

// pointed is the place in the config that an error names.
func pointed(err error) string {
	if f, ok := errors.AsType[*specconv.FieldError](err); ok {
		return f.Pointer
	}
	return ""
}

func TestSameNamespace(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		own, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		m, err := Start([]Device{{"lo", "lo"}}, own)
		if err == nil || !strings.Contains(err.Error(), "is the runtime's") {
			t.Errorf("Start: %v", err)
		}
		m.Keep()
	})
}

func TestIndexIsTaken(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		to := namespace(t)
		defer to.Close()
		ip(t, "link add a0 index 7 type veth peer name b0 index 8")
		inside(t, to, "link add x0 index 7 type veth peer name y0 index 9")
		m, err := Start([]Device{{"a0", "a0"}}, dup(t, to))
		if err != nil {
			t.Fatal(err)
		}
		if shown := inside(t, to, "link show a0"); !strings.HasPrefix(shown, "10:") {
			t.Errorf("a0 inside: %s", shown)
		}
		if err := m.Undo(); err != nil {
			t.Error(err)
		}
		if shown := ip(t, "link show a0"); !strings.HasPrefix(shown, "7:") {
			t.Errorf("a0 is back: %s", shown)
		}
	})
}

func TestPlan(t *testing.T) {
	if plan, err := NewPlan(nil); plan != nil || err != nil {
		t.Errorf("no devices: %v, %v", plan, err)
	}
	devices := map[string]specs.LinuxNetDevice{"eth1": {Name: "net%d"}, "eth0": {}}
	plan, err := NewPlan(devices)
	if os.Geteuid() != 0 {
		if pointed(err) != "/linux/netDevices" {
			t.Errorf("NewPlan as an ordinary user: %v", err)
		}
		return
	}
	if diff := cmp.Diff([]Device{{"eth0", "eth0"}, {"eth1", "net%d"}}, plan); diff != "" || err != nil {
		t.Error(diff, err)
	}
}
