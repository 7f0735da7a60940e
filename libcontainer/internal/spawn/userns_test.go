package spawn

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// writeMaps gives a new user namespace one mapping.
func writeMaps(mapping string) func(pid int) error {
	return func(pid int) error {
		dir := "/proc/" + itoa(pid)
		return errors.Join(os.WriteFile(dir+"/uid_map", []byte(mapping), 0), os.WriteFile(dir+"/gid_map", []byte(mapping), 0))
	}
}

func TestUserNamespaceWithoutProcess(t *testing.T) {
	needRoot(t)
	ns, err := UserNamespace(writeMaps("0 100000 10"))
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	seen := 0
	err = InUserNamespace(ns, func(pid int) error {
		seen = pid
		text, err := os.ReadFile("/proc/" + itoa(pid) + "/uid_map")
		if strings.Join(strings.Fields(string(text)), " ") != "0 100000 10" {
			t.Errorf("uid_map: %q", text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(seen, 0); err == nil {
		t.Errorf("process %d is still there", seen)
	}
	failed := errors.New("failed")
	if err := InUserNamespace(ns, func(int) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("an error of look became %v", err)
	}
	if _, err := UserNamespace(func(int) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("an error of writeMaps became %v", err)
	}
}

func TestOwnUserNamespace(t *testing.T) {
	ns, err := os.Open("/proc/self/ns/user")
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	if err := InUserNamespace(ns, func(int) error { return nil }); err != nil {
		t.Error(err)
	}
}

// TestUserNamespaceWithoutRoot: there init is somebody else, with all capabilities.
func TestUserNamespaceWithoutRoot(t *testing.T) {
	needRoot(t)
	r := &Request{
		Exe: program(t, "sh"), Args: []string{"sh", "-c", "id -u; id -g; sed -n 's/CapEff:.//p' /proc/self/status"}, Env: []string{"PATH=/usr/bin:/bin"},
		Inherit: 3, New: unix.CLONE_NEWUSER, WriteMaps: writeMaps("1000 100000 10"), UID: 1001, GID: 1002,
	}
	got := strings.Fields(output(t, r))
	if len(got) != 3 || got[0] != "1001" || got[1] != "1002" || strings.Trim(got[2], "0") == "" {
		t.Errorf("got %q", got)
	}
}
