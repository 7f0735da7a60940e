package namespaces

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/thread"
	"oci-run/specconv"
)

func TestKinds(t *testing.T) {
	var names []string
	for _, k := range Kinds {
		names = append(names, string(k.Type))
		if !k.Supported() {
			t.Errorf("no %s in /proc/self/ns", k.Proc)
		}
		f, err := k.open("/proc/self/ns/" + k.Proc)
		if err != nil {
			t.Errorf("%s: %v", k.Type, err)
			continue
		}
		f.Close()
		if found, ok := Lookup(k.Type); !ok || found != k {
			t.Errorf("Lookup(%s): %v", k.Type, found)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, Names()); diff != "" {
		t.Errorf("Names (-Kinds +Names):\n%s", diff)
	}
	if last := Kinds[len(Kinds)-1].Type; last != specs.UserNamespace {
		t.Errorf("the last to join is %s", last)
	}
}

func TestVerifyRefuses(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	net, _ := Lookup(specs.NetworkNamespace)
	for _, c := range []struct{ path, want string }{
		{"/proc/self/ns/uts", `open "/proc/self/ns/uts": a namespace of type "uts", must be of type "network"`},
		{"/proc/self/ns/user", `open "/proc/self/ns/user": a namespace of type "user", must be of type "network"`},
		{dir + "/file", `open "DIR/file": not a namespace, must be one of type "network"`},
		{dir, `open "DIR": not a namespace, must be one of type "network"`},
		{fifo, `open "DIR/fifo": not a namespace, must be one of type "network"`},
		{"/dev/null", `open "/dev/null": not a namespace, must be one of type "network"`},
		{dir + "/none", `open DIR/none: no such file or directory`},
	} {
		_, err := net.open(c.path)
		if err == nil || strings.ReplaceAll(err.Error(), dir, "DIR") != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestOpen(t *testing.T) {
	list := []specs.LinuxNamespace{
		{Type: specs.UserNamespace, Path: "/proc/self/ns/user"},
		{Type: specs.PIDNamespace},
		{Type: specs.MountNamespace, Path: "/proc/self/ns/mnt"},
		{Type: specs.NetworkNamespace, Path: "/proc/self/ns/net"},
	}
	joined, err := Open(list)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, j := range joined {
		got = append(got, j.Kind.Proc)
	}
	Close(joined)
	if diff := cmp.Diff([]string{"net", "mnt", "user"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}

	list[2].Path = "/proc/self/ns/ipc"
	_, err = Open(list)
	var fe *specconv.FieldError
	if !errors.As(err, &fe) || fe.Pointer != "/linux/namespaces/2/path" {
		t.Errorf("got %v", err)
	}
}

func TestCheck(t *testing.T) {
	list := []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: "network"}, {Type: "net"}}
	if err := Check(list[:2]); err != nil {
		t.Error(err)
	}
	err := Check(list)
	if want := `/linux/namespaces/2/type: namespace type "net" is not known (did you mean "network"?)`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestCloneFlags(t *testing.T) {
	got := CloneFlags([]specs.LinuxNamespace{
		{Type: specs.PIDNamespace}, {Type: specs.NetworkNamespace, Path: "/x"}, {Type: specs.TimeNamespace},
	})
	if got != unix.CLONE_NEWPID|unix.CLONE_NEWTIME {
		t.Errorf("flags %#x", got)
	}
}

func TestIsOwn(t *testing.T) {
	net, _ := Lookup(specs.NetworkNamespace)
	if own, err := net.IsOwn("/proc/thread-self/ns/net"); err != nil || !own {
		t.Errorf("%v, %v", own, err)
	}
	if own, err := net.IsOwn("/proc/self/ns/uts"); err != nil || own {
		t.Errorf("%v, %v", own, err)
	}
	if _, err := net.IsOwn("/nosuch"); err == nil {
		t.Error("no error")
	}
}

// TestNewNetwork: the namespace is new, and no thread of ours is left in it.
func TestNewNetwork(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("creating a network namespace takes root; uid is", os.Geteuid())
	}
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	kind, _ := Lookup(specs.NetworkNamespace)
	seen := map[string]bool{own: true}
	for range 20 {
		by := thread.New()
		n := NewNetwork(by)
		by.End()
		defer n.Close() // not before the end: numbers of closed ones come again
		f, err := n.File()
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(int(f.Fd()), kind); err != nil {
			t.Error(err)
		}
		link, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(f.Fd())))
		if err != nil || seen[link] {
			t.Errorf("namespace %q is not new (%v)", link, err)
		}
		seen[link] = true
		if !n.Loopback() {
			t.Error("lo is not up")
		}
	}
	if link, err := os.Readlink("/proc/self/ns/net"); link != own {
		t.Errorf("the process is now in %q (%v)", link, err)
	}
	for deadline := time.Now().Add(30 * time.Second); strayed(t, own); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a thread is still in another network namespace")
		}
	}
}

// strayed tells whether a thread of this process is in another network namespace.
func strayed(t *testing.T, own string) bool {
	t.Helper()
	links, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil && at != own {
			return true
		}
	}
	return false
}
