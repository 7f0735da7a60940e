package sysctl

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/specconv"
)

func spec(key, value string, kinds ...specs.LinuxNamespaceType) *specs.Spec {
	s := &specs.Spec{Linux: &specs.Linux{Sysctl: map[string]string{key: value}}}
	for _, k := range kinds {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: k})
	}
	return s
}

var all = []specs.LinuxNamespaceType{
	specs.IPCNamespace, specs.UTSNamespace, specs.NetworkNamespace, specs.UserNamespace, specs.PIDNamespace,
	specs.MountNamespace, specs.CgroupNamespace, specs.TimeNamespace,
}

func TestCheckAccepts(t *testing.T) {
	for key, kind := range map[string]specs.LinuxNamespaceType{
		"net.ipv4.ip_forward":              specs.NetworkNamespace,
		"net/ipv4/ip_forward":              specs.NetworkNamespace,
		"net.ipv4.conf.eno2/100.rp_filter": specs.NetworkNamespace,
		"net/ipv4/conf/eno2.100/rp_filter": specs.NetworkNamespace,
		"kernel.msgmax":                    specs.IPCNamespace,
		"kernel/shm_rmid_forced":           specs.IPCNamespace,
		"kernel.sem":                       specs.IPCNamespace,
		"fs.mqueue.msg_max":                specs.IPCNamespace,
		"kernel.domainname":                specs.UTSNamespace,
		"user.max_user_namespaces":         specs.UserNamespace,
	} {
		if err := Check(spec(key, "1", kind)); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		others := slices.DeleteFunc(slices.Clone(all), func(k specs.LinuxNamespaceType) bool { return k == kind })
		err := Check(spec(key, "1", others...))
		if err == nil || !strings.Contains(err.Error(), "needs a namespace of type "+string(kind)) {
			t.Errorf("%s without its namespace: %v", key, err)
		}
	}
}

// TestCheckRefuses has what would reach beyond the container's namespaces, among them
// CVE-2022-0811's value.
func TestCheckRefuses(t *testing.T) {
	for _, c := range []struct{ key, value, want string }{
		{"kernel.core_pattern", "|/evil", "not namespaced"},
		{"vm.overcommit_memory", "1", "not namespaced"},
		{"kernel.shm_rmid_forced+kernel.core_pattern", "1", "not namespaced"},
		{"kernel.semx", "1", "not namespaced"},
		{"net", "1", "not namespaced"},
		{"network.x", "1", "not namespaced"},
		{"fs.mqueue", "1", "not namespaced"},
		{"Net.ipv4.ip_forward", "1", "not namespaced"},
		{"net/../kernel/core_pattern", "x", "not the name"},
		{"net.//.kernel.core_pattern", "x", "not the name"},
		{"net/./ipv4/ip_forward", "1", "not the name"},
		{"net..ipv4", "1", "not the name"},
		{".net.ipv4", "1", "not the name"},
		{"/net/ipv4/ip_forward", "1", "not the name"},
		{"/proc/sys/net/ipv4/ip_forward", "1", "not the name"},
		{"net.ipv4.", "1", "not the name"},
		{"net.", "1", "not the name"},
		{"", "1", "not the name"},
		{"net.a\x00b", "1", "not the name"},
		{"net.ipv4.ip_forward", "1\n", "newline"},
		{"net.ipv4.ip_forward", "1\x002", "NUL"},
		{"net.ipv4.ip_forward", strings.Repeat("1", 4096), "longer"},
	} {
		err := Check(spec(c.key, c.value, all...))
		var fe *specconv.FieldError
		if !errors.As(err, &fe) || fe.Pointer != specconv.Pointer("linux", "sysctl", c.key) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q=%.20q: %v, want %s", c.key, c.value, err, c.want)
		}
	}
}

func TestCheckJoined(t *testing.T) {
	s := spec("net.ipv4.ip_forward", "1")
	s.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.NetworkNamespace, Path: "/proc/thread-self/ns/net"}}
	if err := Check(s); err == nil || !strings.Contains(err.Error(), "is the host's") {
		t.Errorf("the host's network by path: %v", err)
	}
	s.Linux.Namespaces[0].Path = "/nosuch"
	if err := Check(s); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("no network: %v", err)
	}
	// Any other file will do here: whether it is a network namespace is found out when it is
	// opened.
	s.Linux.Namespaces[0].Path = "/proc/self/ns/uts"
	if err := Check(s); err != nil {
		t.Errorf("another network: %v", err)
	}
}

func TestCheckHostNames(t *testing.T) {
	for _, key := range []string{"kernel.hostname", "kernel/hostname"} {
		for _, name := range []string{"", "a", "b"} {
			s := spec(key, "a", specs.UTSNamespace)
			s.Hostname = name
			if err := Check(s); err == nil || !strings.Contains(err.Error(), "is set by the field /hostname only") {
				t.Errorf("%s with hostname %q: %v", key, name, err)
			}
		}
	}
	for name, want := range map[string]string{"": "", "a": "", "b": `is "a", but /domainname is "b"`} {
		s := spec("kernel.domainname", "a", specs.UTSNamespace)
		s.Domainname = name
		if err := Check(s); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("domainname %q: %v", name, err)
		}
	}
}

// procfs makes a procfs of its own, mounted nowhere.
func procfs(t *testing.T, option string) *os.File {
	t.Helper()
	fs, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		t.Skipf("fsopen proc: %v", err)
	}
	defer unix.Close(fs)
	if option != "" {
		if err := unix.FsconfigSetString(fs, "subset", option); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "proc")
	t.Cleanup(func() { f.Close() })
	return f
}

// inNamespaces runs f on a thread with namespaces of its own, which end with it.
func inNamespaces(t *testing.T, flags int, f func() error) error {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := unix.Unshare(flags); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

func TestApply(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root")
	}
	proc := procfs(t, "")
	want := map[string]string{
		"net.ipv4.ip_forward":                 "1",
		"net/ipv4/ip_unprivileged_port_start": "7",
		"net.ipv4.ip_local_reserved_ports":    "",
		"kernel.msgmax":                       "4242",
		"kernel.domainname":                   "example.test",
	}
	got := map[string]string{}
	err := inNamespaces(t, unix.CLONE_NEWNET|unix.CLONE_NEWIPC|unix.CLONE_NEWUTS, func() error {
		if err := Apply(proc, map[string]string{"net.ipv4.ip_local_reserved_ports": "5000"}); err != nil {
			return err
		}
		if err := Apply(proc, want); err != nil {
			return err
		}
		for key := range want {
			path, _ := pathOf(key)
			raw, err := os.ReadFile("/proc/sys/" + path)
			if err != nil {
				return err
			}
			got[key] = strings.TrimSuffix(string(raw), "\n")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for key := range want {
		if got[key] != want[key] {
			t.Errorf("%s is %q, want %q", key, got[key], want[key])
		}
	}
	if raw, err := os.ReadFile("/proc/sys/kernel/msgmax"); err != nil || string(raw) == "4242\n" {
		t.Errorf("the host's msgmax: %q, %v", raw, err)
	}
}

func TestApplyErrors(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root")
	}
	proc := procfs(t, "")
	for _, c := range []struct{ key, value, want string }{
		{"net.ipv4.ip_forward", "much", `set sysctl "net.ipv4.ip_forward" to "much": invalid argument`},
		{"net.nosuch", "1", `set sysctl "net.nosuch" to "1": no such file or directory`},
		{"net/../../1/oom_score_adj", "1", `set sysctl "net/../../1/oom_score_adj" to "1": "net/../../1/oom_score_adj" is not the name of a parameter`},
	} {
		err := inNamespaces(t, unix.CLONE_NEWNET, func() error { return Apply(proc, map[string]string{c.key: c.value}) })
		if err == nil || errors.Unwrap(err).Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func FuzzPathOf(f *testing.F) {
	f.Add("net.ipv4.conf.eno2/100.rp_filter")
	f.Add("net/../x")
	f.Fuzz(func(t *testing.T, key string) {
		path, err := pathOf(key)
		if err != nil {
			return
		}
		for name := range strings.SplitSeq(path, "/") {
			if name == "" || name == "." || name == ".." || strings.IndexByte(name, 0) >= 0 {
				t.Fatalf("%q became %q", key, path)
			}
		}
		if len(path) != len(key) {
			t.Fatalf("%q became %q", key, path)
		}
	})
}
