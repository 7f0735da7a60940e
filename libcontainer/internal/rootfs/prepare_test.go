package rootfs

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func init() {
	// A parent whose mounts are shared, and an init in a copy of its mount namespace.
	scenes["born"] = func(a *act) error {
		a.prepare = func(p *Plan) ([]*os.File, error) {
			if err := unix.Mount("volume", a.dir+"/rootfs/volume", "tmpfs", 0, ""); err != nil {
				return nil, err
			}
			if err := unix.Mount("", "/", "", unix.MS_SHARED|unix.MS_REC, ""); err != nil {
				return nil, err
			}
			var prepared []*os.File
			if os.Getenv("OCI_RUN_ROOTFS_PREPARE") != "" {
				unix.Umask(0o77)
				prepared = Prepare(p)
				unix.Umask(0o22)
				fmt.Fprintln(os.Stderr, "prepared:", p.Prepared)
			}
			return prepared, unix.Unshare(unix.CLONE_NEWNS)
		}
		if err := a.build(nil); err != nil {
			return err
		}
		fmt.Print(read("/proc/self/mountinfo"))
		for _, dir := range []string{"/dev", "/dev/shm", "/sys/fs/cgroup"} {
			entries, err := os.ReadDir(dir)
			if err != nil {
				return err
			}
			for _, e := range entries {
				i, _ := e.Info()
				l, _ := os.Readlink(dir + "/" + e.Name())
				fmt.Println(dir, i.Mode(), e.Name(), l)
			}
		}
		return nil
	}
}

// TestPrepare: it can't be seen who made a mount.
func TestPrepare(t *testing.T) {
	s := newStage(t)
	s.spec.Linux.Namespaces = slices.DeleteFunc(s.spec.Linux.Namespaces, func(ns specs.LinuxNamespace) bool {
		return ns.Type == specs.CgroupNamespace
	})
	s.without = unix.CLONE_NEWCGROUP
	s.mount(tmpfs("/covered", "mode=700"))
	s.mount(tmpfs("/covered", "mode=711"))
	s.mount(tmpfs("/modeless"))
	must(t, os.Mkdir(s.in("modeless"), 0o750))
	must(t, os.Mkdir(s.in("volume"), 0o755))
	for _, propagation := range []string{"", "slave", "rslave"} {
		s.spec.Linux.RootfsPropagation = propagation
		s.same()
	}
}

func (s *stage) same() {
	t := s.t
	t.Helper()
	env := s.env
	defer func() { s.env = env }()
	alone := sameMounts(s.wants("born"))
	s.env = append(env, "OCI_RUN_ROOTFS_PREPARE=1")
	out := s.wants("born")
	first, _, _ := strings.Cut(out, "\n")
	if want := "prepared: [-1 1 2 3 7 8]"; first != want && first != strings.Replace(want, "3", "3 6", 1) {
		t.Error(first)
	}
	if diff := cmp.Diff(alone, sameMounts(out)); diff != "" {
		t.Error(diff)
	}
}

// sameMounts takes out of a listing what differs from one container to the next: ids and numbers.
func sameMounts(out string) []string {
	numbers := regexp.MustCompile(`(?m)^\d+ \d+ \d+:\d+ |(master:|shared:|propagate_from:)\d+`)
	lines := strings.Split(numbers.ReplaceAllString(out, "$1"), "\n")
	return slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "prepared:") })
}
