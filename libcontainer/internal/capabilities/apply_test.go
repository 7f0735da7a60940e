package capabilities

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
	"oci-run/tests/fdleak"
)

// child is what a re-exec'd test binary applies before it becomes /bin/cat /proc/self/status.
type child struct {
	Plan         Plan
	UID          uint32
	KeepSysAdmin bool
	NoNewPrivs   bool
	Filter       bool // load a seccomp filter, which allows everything, before execve
}

const childEnv = "OCI_RUN_TEST_CAPABILITIES"

func TestMain(m *testing.M) {
	raw := os.Getenv(childEnv)
	if raw == "" {
		fdleak.Main(m)
	}
	var c child
	err := json.Unmarshal([]byte(raw), &c)
	if err == nil {
		err = c.run()
	}
	fmt.Println("error:", err)
	os.Exit(1)
}

func (c *child) run() error {
	if c.NoNewPrivs {
		if err := prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
			return err
		}
	}
	l, id := calls.NewHere(-1), uintptr(c.UID)
	c.Plan.AddBeforeUser(l, c.UID)
	l.Do(unix.SYS_SETRESUID, id, id, id)
	warnings, err := c.Plan.AddAfterUser(l, c.KeepSysAdmin)
	if err != nil || len(warnings) > 0 {
		return fmt.Errorf("%q: %w", warnings, err)
	}
	if err := l.Run(); err != nil {
		return err
	}
	effective, _, err := get()
	if err != nil {
		return err
	}
	if c.KeepSysAdmin != (effective&sysAdmin != 0) && c.Plan.Effective&sysAdmin == 0 {
		return fmt.Errorf("CAP_SYS_ADMIN before execve: effective %#x", effective)
	}
	if c.Filter {
		if err := loadFilter(); err != nil {
			return fmt.Errorf("load filter: %w", err)
		}
	}
	return syscall.Exec("/bin/cat", []string{"cat", "/proc/self/status"}, nil)
}

func prctl(option int, a, b uintptr) error {
	if _, _, errno := unix.RawSyscall6(unix.SYS_PRCTL, uintptr(option), a, b, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

func loadFilter() error {
	allow := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
	program := unix.SockFprog{Len: 1, Filter: &allow}
	if err := prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program))); err != nil {
		return err
	}
	return nil
}

// status runs the child and returns its five sets after execve.
func status(t *testing.T, c child) (sets [5]uint64) {
	t.Helper()
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{childEnv + "=" + string(raw)}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for i, name := range []string{"CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb"} {
		_, rest, ok := strings.Cut(string(out), name+":\t")
		if _, err := fmt.Sscanf(rest, "%x", &sets[i]); !ok || err != nil {
			t.Fatalf("no %s in %s", name, out)
		}
	}
	return sets
}

func TestSetsAfterExecve(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("effective uid is not 0")
	}
	const kill, bind, chown = 1 << unix.CAP_KILL, 1 << unix.CAP_NET_BIND_SERVICE, 1 << unix.CAP_CHOWN
	three := uint64(kill | bind | chown)
	same := Plan{Bounding: three, Effective: three, Permitted: three}
	ambient := Plan{Bounding: three, Effective: three, Permitted: three, Inheritable: bind | kill, Ambient: bind | kill}
	admin := Plan{Bounding: sysAdmin | kill, Effective: sysAdmin | kill, Permitted: sysAdmin | kill}
	for _, test := range []struct {
		name string
		child
		want [5]uint64 // bounding, effective, permitted, inheritable, ambient
	}{
		{"root", child{Plan: same}, [5]uint64{three, three, three}},
		{"root, filter loaded last", child{Plan: same, KeepSysAdmin: true}, [5]uint64{three, three, three}},
		{"root, no_new_privs", child{Plan: same, NoNewPrivs: true}, [5]uint64{three, three, three}},
		{
			"root, no_new_privs, bounding beyond permitted",
			child{Plan: Plan{Bounding: three, Permitted: kill, Effective: kill}, NoNewPrivs: true},
			[5]uint64{three, kill, kill},
		},
		{"root, CAP_SYS_ADMIN", child{Plan: admin, KeepSysAdmin: true}, [5]uint64{sysAdmin | kill, sysAdmin | kill, sysAdmin | kill}},
		{"root, nothing", child{}, [5]uint64{}},
		{"root, nothing, filter loaded last", child{KeepSysAdmin: true}, [5]uint64{}},
		{"user", child{Plan: same, UID: 1000}, [5]uint64{three}},
		{"user, filter loaded last", child{Plan: same, UID: 1000, KeepSysAdmin: true}, [5]uint64{three}},
		{"user, filter", child{Plan: same, UID: 1000, KeepSysAdmin: true, Filter: true}, [5]uint64{three}},
		{"user, filter, nothing else", child{UID: 1000, KeepSysAdmin: true, Filter: true}, [5]uint64{}},
		{"root, filter", child{Plan: same, KeepSysAdmin: true, Filter: true}, [5]uint64{three, three, three}},
		{"user, CAP_SYS_ADMIN", child{Plan: admin, UID: 1000, KeepSysAdmin: true}, [5]uint64{sysAdmin | kill}},
		{"user, ambient", child{Plan: ambient, UID: 1000}, [5]uint64{three, bind | kill, bind | kill, bind | kill, bind | kill}},
		{
			"user, ambient, filter loaded last",
			child{Plan: ambient, UID: 1000, KeepSysAdmin: true}, [5]uint64{three, bind | kill, bind | kill, bind | kill, bind | kill},
		},
		{
			"user, ambient, no_new_privs",
			child{Plan: ambient, UID: 1000, NoNewPrivs: true}, [5]uint64{three, bind | kill, bind | kill, bind | kill, bind | kill},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, status(t, test.child)); diff != "" {
				t.Errorf("bounding, effective, permitted, inheritable, ambient: %s", diff)
			}
		})
	}
}

// TestFilterNeedsSysAdmin shows what keepSysAdmin is for.
func TestFilterNeedsSysAdmin(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("effective uid is not 0")
	}
	if set, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil || set != 0 {
		t.Skipf("the caller has set no_new_privs (%d, %v): then a filter needs no capability", set, err)
	}
	raw, err := json.Marshal(child{UID: 1000, Filter: true})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{childEnv + "=" + string(raw)}
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "load filter: permission denied") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestAbsent: a config without process.capabilities asks for none.
func TestAbsent(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("effective uid is not 0")
	}
	plan, _ := NewPlan(nil, all, "")
	for _, uid := range []uint32{0, 1000} {
		for _, keep := range []bool{false, true} {
			if got := status(t, child{Plan: *plan, UID: uid, KeepSysAdmin: keep}); got != [5]uint64{} {
				t.Errorf("user %d, keep %v: %#x", uid, keep, got)
			}
		}
	}
}

func TestAvailable(t *testing.T) {
	own, err := Permitted(false)
	if err != nil {
		t.Fatal(err)
	}
	full, err := Permitted(true)
	if err != nil || full != all || own&^full != 0 {
		t.Errorf("own %#x, in a user namespace %#x, %v", own, full, err)
	}
}
