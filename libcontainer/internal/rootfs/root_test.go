package rootfs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestMaskAndReadonly(t *testing.T) {
	s := newStage(t)
	s.write(s.in("secret"), "secret")
	for _, d := range []string{"d1/x", "d2/x", "d3/x"} {
		s.write(s.in(d), "secret")
	}
	s.write(s.in("ro/file"), "fixed")
	must(t, os.Symlink("/d3", s.in("link")))
	s.spec.Linux.MaskedPaths = append(s.spec.Linux.MaskedPaths, "/secret", "/d1", "/d2", "/d1/", "//secret", "/d1/x", "/link", "/not/there")
	s.spec.Linux.ReadonlyPaths = append(s.spec.Linux.ReadonlyPaths, "/ro", "/ro/file", "/not/there")
	s.spec.Root.Readonly = true
	s.probe(
		"cat /secret", "", "count /secret", "1", "count /d1", "1", "ls /d1", "", "ls /d2", "", "ls /d3", "", "ls /link", "",
		"write /d1/x", "read-only file system", "write /ro/new", "read-only file system", "write /ro/file", "read-only file system",
		"write /new", "read-only file system", "write /dev/new", "ok", "write /proc/sys/kernel/core_pattern", "read-only file system",
		"mounts /proc/sys", "~ro", "rdev /proc/timer_list", "1:3",
	)
}

func TestManyMasksShareOneFilesystem(t *testing.T) {
	s := newStage(t)
	s.spec.Linux.MaskedPaths = nil
	for i := range 500 {
		s.mkdir(s.in("m", fmt.Sprint(i)), 0o755)
		s.spec.Linux.MaskedPaths = append(s.spec.Linux.MaskedPaths, fmt.Sprint("/m/", i))
	}
	devs := map[string]bool{}
	for line := range strings.Lines(s.wants("show")) {
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[4], "/m/") {
			devs[f[2]] = true
		}
	}
	if len(devs) != 1 {
		t.Errorf("the masks are on %d filesystems", len(devs))
	}
}

// hostMounts lists those of the host's mounts that a scene could change: its root, and what lies in
// the scene's directory. Elsewhere somebody else may mount something meanwhile.
func (s *stage) hostMounts() string {
	var text strings.Builder
	for line := range strings.Lines(read("/proc/self/mountinfo")) {
		if f := strings.Fields(line); f[4] == "/" || f[4] == s.dir || strings.HasPrefix(f[4], s.dir+"/") {
			text.WriteString(line)
		}
	}
	return text.String()
}

func TestRootPropagation(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "private": "", "rprivate": "", "shared": "~shared", "rshared": "~shared", "unbindable": "unbindable", "runbindable": "unbindable",
		"slave": "~master", "rslave": "~master",
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			// A shared mount of the host's, for the root to be on.
			must(t, unix.Mount(s.dir, s.dir, "", unix.MS_BIND, ""))
			t.Cleanup(func() { _ = unix.Unmount(s.dir, unix.MNT_DETACH) })
			must(t, unix.Mount("", s.dir, "", unix.MS_SHARED, ""))
			before := s.hostMounts()
			s.spec.Linux.RootfsPropagation = name
			s.mkdir(filepath.Join(s.dir, "volume"), 0o755)
			s.write(s.in("ro/x"), "")
			s.spec.Linux.ReadonlyPaths = append(s.spec.Linux.ReadonlyPaths, "/ro")
			s.mount(bindMount("volume", "/vp", "rbind", "rprivate"))
			s.mount(bindMount("volume", "/vs", "rbind", "rshared"))
			s.mount(bindMount("volume", "/vl", "rbind", "rslave"))
			s.mount(bindMount("volume", "/vu", "bind", "unbindable"))
			out := s.wants("show")
			for line := range strings.Lines(out) {
				f := strings.Fields(line)
				if len(f) < 7 || !strings.HasPrefix(f[4], "/") {
					continue
				}
				optional, _, _ := strings.Cut(strings.Join(f[6:], " "), "-")
				wants := map[string]string{"/": strings.TrimPrefix(want, "~"), "/vs": "shared", "/vp": "", "/vu": "unbindable", "/vl": "master"}
				if name == "rprivate" || name == "shared" { // the volume lies on the root's own mount, which was cut off
					wants["/vl"] = ""
				}
				if name == "rshared" || name == "runbindable" { // it is for all mounts
					wants = map[string]string{"/": wants["/"], "/vs": wants["/"], "/vp": wants["/"], "/vu": wants["/"]}
				}
				if w, ok := wants[f[4]]; ok && ((w == "") != (strings.TrimSpace(optional) == "") || !strings.Contains(optional, w)) {
					t.Errorf("%s is %q, want %q", f[4], optional, w)
				}
			}
			if after := s.hostMounts(); after != before {
				t.Errorf("the host's mounts have changed:\n%s\nwere:\n%s", after, before)
			}
		})
	}
	s := newStage(t)
	s.spec.Linux.RootfsPropagation = "sideways"
	s.fails("probe", "/linux/rootfsPropagation")
}

func TestDevices(t *testing.T) {
	s := newStage(t)
	mode, uid, gid := os.FileMode(0o620), uint32(12), uint32(34)
	s.spec.Linux.Devices = []specs.LinuxDevice{
		{Path: "/dev/tty", Type: "c", Major: 5, Minor: 0},
		{Path: "/dev/ptmx", Type: "c", Major: 5, Minor: 2},
		{Path: "/dev/mine", Type: "b", Major: 7, Minor: 300, FileMode: &mode, UID: &uid, GID: &gid},
		{Path: "/dev/deep/er/fifo", Type: "p", FileMode: &mode, UID: &uid},
		{Path: "/elsewhere/kmsg", Type: "u", Major: 1, Minor: 11},
		{Path: "/dev/mine", Type: "b", Major: 7, Minor: 300},
	}
	s.probe(
		"stat /dev/null", "20666 0:0", "rdev /dev/null", "1:3", "rdev /dev/zero", "1:5", "rdev /dev/full", "1:7",
		"rdev /dev/random", "1:8", "rdev /dev/urandom", "1:9", "rdev /dev/tty", "5:0", "stat /dev/tty", "20666 0:0",
		"link /dev/ptmx", "pts/ptmx", "rdev /dev/ptmx", "5:2", "link /dev/fd", "/proc/self/fd", "link /dev/stdin", "/proc/self/fd/0",
		"link /dev/stdout", "/proc/self/fd/1", "link /dev/stderr", "/proc/self/fd/2",
		"stat /dev/mine", "60620 12:34", "rdev /dev/mine", "7:300",
		"stat /dev/deep", "40755 0:0", "stat /dev/deep/er/fifo", "10620 12:0",
		"stat /elsewhere/kmsg", "20666 0:0", "rdev /elsewhere/kmsg", "1:11",
	)
	for _, bad := range []struct {
		d     specs.LinuxDevice
		words string
	}{
		{specs.LinuxDevice{Path: "/dev/zero", Type: "c", Major: 1, Minor: 3}, ""},
		{specs.LinuxDevice{Path: "/file", Type: "c", Major: 1, Minor: 3}, "/linux/devices/0"},
		{specs.LinuxDevice{Path: "/dir", Type: "c", Major: 1, Minor: 3}, "something else exists there"},
		{specs.LinuxDevice{Path: "/dev/pts", Type: "c", Major: 1, Minor: 3}, "something else exists there"},
		{specs.LinuxDevice{Path: "/elsewhere/kmsg", Type: "c", Major: 1, Minor: 3}, "another device exists there: 1:11, not 1:3"},
	} {
		s.write(s.in("file"), "")
		s.mkdir(s.in("dir"), 0o755)
		s.spec.Linux.Devices = []specs.LinuxDevice{bad.d}
		if bad.words != "" {
			s.fails("probe", bad.words)
		}
	}
}

func TestBoundDevIsNotTouched(t *testing.T) {
	s := newStage(t)
	s.write(filepath.Join(s.dir, "dev/only"), "")
	s.spec.Mounts = []specs.Mount{s.spec.Mounts[0], bindMount("dev", "/dev", "rbind")}
	s.spec.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/kmsg", Type: "c", Major: 1, Minor: 11}}
	s.probe("ls /dev", "only", "rdev /proc/keys", "1:3")
}

func TestReadonlyDev(t *testing.T) {
	s := newStage(t)
	s.spec.Mounts[1].Options = append(s.spec.Mounts[1].Options, "ro")
	s.probe("mounts /dev", "~ro", "rdev /dev/null", "1:3", "write /dev/x", "read-only file system", "write /dev/null", "ok", "write /dev/shm/x", "ok")
}

func TestUserNamespace(t *testing.T) {
	s := newStage(t)
	for _, name := range []string{"hidden-1", "hidden-2"} {
		s.write(filepath.Join(s.dir, name, "dir/file"), name)
		must(t, os.Chmod(filepath.Join(s.dir, name), 0o700))
	}
	s.mount(bindMount("hidden-1/dir", "/tmp/1", "bind"))
	s.mount(bindMount("hidden-2/dir", "/tmp/2", "bind", "ro"))
	s.spec.Root.Readonly = true
	s.userNS()
	s.spec.Mounts[2].Options = append(s.spec.Mounts[2].Options, "gid=70000") // not mapped
	s.probe(
		"super /dev/pts", "~mode=620,!gid=5,!gid=70000",
		"cat /tmp/1/file", "hidden-1", "cat /tmp/2/file", "hidden-2", "mounts /tmp/2", "~ro",
		"rdev /dev/null", "1:3", "rdev /dev/urandom", "1:9", "write /dev/null", "ok", "mounts /dev/null", "~nosuid,noexec",
		"cat /proc/keys", "", "ls /sys/firmware", "", "write /x", "read-only file system",
	)
}

func TestSysfsWithoutOwnNetwork(t *testing.T) {
	s := newStage(t)
	s.without = unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP
	s.spec.Mounts = s.spec.Mounts[:len(s.spec.Mounts)-1] // no cgroup mount
	s.spec.Linux.Namespaces = s.spec.Linux.Namespaces[:4]
	s.spec.Linux.Namespaces = append(s.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.MountNamespace})
	s.spec.Linux.MaskedPaths = nil
	s.userNS()
	for line := range strings.Lines(s.wants("show")) {
		if f := strings.Fields(line); len(f) > 5 && strings.HasPrefix(f[4], "/sys") && !strings.HasPrefix(f[5], "ro") {
			t.Errorf("%s is writable: %s", f[4], f[5])
		}
	}
}

func TestCgroupMounts(t *testing.T) {
	for _, own := range []bool{true, false} {
		for _, userns := range []bool{false, true} {
			s := newStage(t)
			if !own {
				s.without = unix.CLONE_NEWCGROUP
				s.spec.Linux.Namespaces = s.spec.Linux.Namespaces[:5]
			}
			if userns {
				s.userNS()
			}
			n := 0
			for line := range strings.Lines(s.wants("show")) {
				if f := strings.Fields(line); len(f) > 5 && strings.HasPrefix(f[4], "/sys/fs/cgroup") {
					n++
					if !strings.HasPrefix(f[5], "ro") {
						t.Errorf("cgroupns %v, userns %v: %s is writable: %s", own, userns, f[4], f[5])
					}
				}
			}
			if n == 0 {
				t.Errorf("cgroupns %v, userns %v: no cgroup is mounted", own, userns)
			}
		}
	}
}

func TestCombinedControllersHaveLinks(t *testing.T) {
	s := newStage(t)
	s.env = append(s.env, "OCI_RUN_ROOTFS_COMBINED=1")
	s.probe("link /sys/fs/cgroup/cpu", "cpu,cpuacct", "link /sys/fs/cgroup/cpuacct", "cpu,cpuacct", "ls /sys/fs/cgroup", "cpu cpu,cpuacct cpuacct")
}

func TestNoPivot(t *testing.T) {
	s := newStage(t)
	s.env = append(s.env, "OCI_RUN_ROOTFS_NOPIVOT=1")
	s.mkdir(s.in("mnt"), 0o755)
	s.probe("ls /", "dev mnt proc sys", "cat /proc/keys", "", "count /", "1")
	if out := s.wants("nopivot"); !strings.Contains(out, "operation not permitted") {
		t.Errorf("a new user namespace mounts a procfs without masks: %s", out)
	}
}

func TestHostMountNamespace(t *testing.T) {
	s := newStage(t)
	s.spec.Linux.Namespaces = s.spec.Linux.Namespaces[:4]
	s.spec.Linux.MaskedPaths, s.spec.Linux.ReadonlyPaths = nil, nil
	s.probe("ls /", "dev proc sys", "rdev /dev/null", "1:3")
}

func TestIDMappedMounts(t *testing.T) {
	ids := func(container, host, size uint32) []specs.LinuxIDMapping {
		return []specs.LinuxIDMapping{{ContainerID: container, HostID: host, Size: size}}
	}
	prepare := func(t *testing.T) *stage {
		s := newStage(t)
		s.write(filepath.Join(s.dir, "volume/foo"), "x")
		must(t, os.Chown(filepath.Join(s.dir, "volume/foo"), 100, 211))
		sub := filepath.Join(s.dir, "volume/sub")
		s.mkdir(sub, 0o755)
		s.write(filepath.Join(s.dir, "second/foo"), "x")
		must(t, os.Chown(filepath.Join(s.dir, "second/foo"), 101, 212))
		must(t, unix.Mount(filepath.Join(s.dir, "second"), sub, "", unix.MS_BIND, ""))
		t.Cleanup(func() { _ = unix.Unmount(sub, unix.MNT_DETACH) })
		return s
	}
	t.Run("alone", func(t *testing.T) {
		s := prepare(t)
		m := bindMount("volume", "/v", "rbind", "shared")
		m.UIDMappings, m.GIDMappings = ids(100, 100000, 100), ids(200, 200000, 100)
		s.mount(m)
		m.Destination, m.Options = "/r", []string{"rbind", "ridmap"}
		s.mount(m)
		s.probe("stat /v/foo", "100644 100000:200011", "stat /v/sub/foo", "100644 101:212", "optional /v", "~!", "stat /r/sub/foo", "100644 100001:200012")
	})
	t.Run("userns", func(t *testing.T) {
		s := prepare(t)
		s.userNS()
		s.mount(bindMount("volume", "/v", "rbind", "idmap"))
		s.mount(bindMount("volume", "/r", "rbind", "ridmap", "ro"))
		s.mount(bindMount("volume", "/plain", "rbind"))
		s.probe(
			"stat /v/foo", "100644 100:211", "stat /v/sub/foo", "100644 65534:65534",
			"stat /r/sub/foo", "100644 101:212", "mounts /r", "~ro", "stat /plain/foo", "100644 65534:65534",
		)
	})
}

func init() {
	scenes["mount in volume"] = func(a *act) error {
		if err := a.build(nil); err != nil {
			return err
		}
		return unix.Mount("inner", "/v/sub", "tmpfs", 0, "")
	}
	scenes["nopivot"] = func(a *act) error {
		if err := a.build(nil); err != nil {
			return err
		}
		// What `unshare -mrpf mount -t proc` does: the program itself again, in a new user
		// namespace.
		return errors.Join(inNewUserNS("/mnt"))
	}
}

// What the container mounts in a volume reaches the host only if the volume and the root say so.
func TestVolumePropagation(t *testing.T) {
	for _, c := range []struct {
		root, volume string
		reaches      bool
	}{
		{"rshared", "rshared", true}, {"shared", "rshared", true}, {"shared", "shared", true},
		{"", "rshared", false}, {"rslave", "rshared", false}, {"slave", "rshared", false}, {"rslave", "rslave", false}, {"", "", false},
		{"private", "rshared", false}, {"shared", "rprivate", false}, {"shared", "rslave", false},
	} {
		s := newStage(t)
		volume := filepath.Join(s.dir, "volume")
		s.mkdir(volume, 0o755)
		must(t, unix.Mount("volume", volume, "tmpfs", 0, ""))
		must(t, unix.Mount("", volume, "", unix.MS_SHARED, ""))
		t.Cleanup(func() { _ = unix.Unmount(volume, unix.MNT_DETACH) })
		s.mkdir(volume+"/sub", 0o755)
		s.spec.Linux.RootfsPropagation = c.root
		m := bindMount("volume", "/v", "rbind")
		if c.volume != "" {
			m.Options = append(m.Options, c.volume)
		}
		s.mount(m)
		s.wants("mount in volume")
		if reached := mountField(volume+"/sub", 4) != "not mounted"; reached != c.reaches {
			t.Errorf("root %q, volume %q: the mount reaches the host: %v", c.root, c.volume, reached)
		}
	}
}

// Entering another mount namespace must not change what the process is in: the thread that does it
// ends, and is never the first, which /proc/self is about.
func TestSourceFDLeavesTheProcessAlone(t *testing.T) {
	s := newStage(t)
	cmd := exec.Command("sleep", "20")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	mountNS, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", cmd.Process.Pid))
	must(t, err)
	defer mountNS.Close()
	s.mount(bindMount(s.dir, "/v", "bind"))
	p, err := NewPlan(s.spec, Options{})
	must(t, err)
	before, err := os.Readlink("/proc/self/ns/mnt")
	must(t, err)
	for range 20 {
		file, err := SourceFD(p, len(p.Mounts)-1, mountNS, nil)
		must(t, err)
		file.Close()
	}
	elsewhere := func() bool {
		tasks, _ := filepath.Glob("/proc/self/task/*/ns/mnt")
		return slices.ContainsFunc(tasks, func(task string) bool {
			now, err := os.Readlink(task)
			return err == nil && now != before
		})
	}
	for deadline := time.Now().Add(30 * time.Second); elsewhere(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a thread stays in the other namespace")
		}
	}
	if _, err := SourceFD(p, 0, mountNS, nil); err == nil {
		t.Error("a source for a procfs is prepared")
	}
}
