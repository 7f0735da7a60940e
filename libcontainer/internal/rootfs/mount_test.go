package rootfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func tmpfs(destination string, options ...string) specs.Mount {
	return specs.Mount{Destination: destination, Type: "tmpfs", Source: "tmpfs", Options: options}
}

func bindMount(source, destination string, options ...string) specs.Mount {
	return specs.Mount{Destination: destination, Type: "bind", Source: source, Options: options}
}

func TestTmpfs(t *testing.T) {
	s := newStage(t)
	s.mkdir(s.in("inherit"), 0o710)
	s.mkdir(s.in("sticky"), os.ModeSticky|0o777)
	s.mkdir(s.in("explicit"), 0o710)
	s.mkdir(s.in("setgid"), os.ModeSetuid|os.ModeSetgid|os.ModeSticky|0o755)
	s.mkdir(s.in("real/conf"), 0o755)
	must(t, os.Symlink("/real/conf", s.in("conf")))
	for _, d := range []string{"/inherit", "/sticky", "/made/of/nothing", "/conf/stack"} {
		s.mount(tmpfs(d, "nodev", "nosuid"))
	}
	s.mount(tmpfs("/explicit", "mode=1500"))
	s.mount(tmpfs("/setgid/a/b/c", "ro", "nodev"))
	s.mount(tmpfs("/ro", "ro", "nodev", "nosuid", "mode=755"))
	s.mount(tmpfs("/ro/below"))
	s.probe(
		"stat /inherit", "40710 0:0",
		"super /inherit", "~mode=710",
		"stat /sticky", "41777 0:0",
		"stat /explicit", "41500 0:0",
		"stat /made/of/nothing", "41777 0:0",
		"super /made/of/nothing", "rw",
		"mounts /real/conf/stack", "rw,nosuid,nodev,relatime",
		"mounts /ro", "ro,nosuid,nodev,relatime",
		"write /ro/x", "read-only file system",
		"write /ro/below/x", "ok",
		"mounts /setgid/a/b/c", "~ro",
	)
	for path, mode := range map[string]uint32{
		"setgid": 0o47755, "setgid/a": 0o42755, "setgid/a/b": 0o42755, "setgid/a/b/c": 0o42755,
		"made": 0o40755, "made/of/nothing": 0o40755, "explicit": 0o40710,
	} {
		var st unix.Stat_t
		must(t, unix.Stat(s.in(path), &st))
		if st.Mode != mode {
			t.Errorf("%s has mode %o, want %o", path, st.Mode, mode)
		}
	}
}

func TestCopyUp(t *testing.T) {
	s := newStage(t)
	s.mkdir(s.in("d/sub"), 0o777)
	s.mkdir(s.in("d"), 0o751)
	s.write(s.in("d/sub/file"), "text")
	must(t, os.Chmod(s.in("d/sub/file"), os.ModeSetuid|0o666))
	must(t, os.Lchown(s.in("d/sub"), 12, 34))
	must(t, os.Symlink("/nowhere", s.in("d/link")))
	must(t, unix.Mkfifo(s.in("d/fifo"), 0o622))
	must(t, unix.Chmod(s.in("d/fifo"), 0o622))
	s.mount(tmpfs("/d", "tmpcopyup", "ro"))
	s.probe(
		"ls /d", "fifo link sub",
		"stat /d", "40751 0:0",
		"stat /d/sub", "40777 12:34",
		"stat /d/sub/file", "104666 0:0",
		"cat /d/sub/file", "text",
		"link /d/link", "/nowhere",
		"stat /d/fifo", "10622 0:0",
		"write /d/x", "read-only file system",
		"super /d", "~mode=751",
	)
}

func TestBind(t *testing.T) {
	s := newStage(t)
	s.write(filepath.Join(s.dir, "volume/file"), "volume")
	s.write(filepath.Join(s.dir, "single"), "single")
	s.write(s.in("file-in-the-way"), "")
	s.mount(bindMount("volume", "/made/dir", "bind"))
	s.mount(bindMount("single", "/made/file", "rbind", "ro"))
	s.mount(specs.Mount{Destination: "relative/dest", Type: "none", Source: s.dir + "/volume", Options: []string{"rbind"}})
	s.mount(specs.Mount{Destination: s.in("prefixed"), Type: "bind", Source: s.dir + "/volume"})
	s.mount(specs.Mount{Destination: "/prefixed", Type: "bind", Options: []string{"remount", "bind", "ro"}})
	s.probe(
		"cat /made/dir/file", "volume",
		"cat /made/file", "single",
		"mounts /made/file", "ro,relatime",
		"cat /relative/dest/file", "volume",
		"cat /prefixed/file", "volume",
		"write /prefixed/file", "read-only file system",
		"count /prefixed", "1",
	)
	if got := read(s.in("made/file")); got != "" {
		t.Errorf("the mount point has content: %q", got)
	}
	all := s.spec.Mounts
	for _, bad := range []struct {
		m     specs.Mount
		words string
	}{
		{bindMount("missing", "/x", "bind"), `/mounts/12: mount "` + s.dir + `/missing" on "/x": bind source "` + s.dir + `/missing": no such file or directory`},
		{bindMount("single", "/made/dir", "bind"), "not a directory"},
		{bindMount("volume", "/file-in-the-way", "bind"), "not a directory"},
		{bindMount("volume", "/file-in-the-way/below", "bind"), "not a directory"},
		{tmpfs("/file-in-the-way"), "not a directory"},
		{tmpfs("/x", "nonsense=1"), "Unknown parameter 'nonsense'"},
		{tmpfs("/x", "size=lots"), "size=lots"},
		{bindMount("volume", "/proc", "bind"), "not of type proc"},
		{specs.Mount{Destination: "/x", Type: "nosuchfs"}, `mount "nosuchfs" on "/x": no such device`},
	} {
		s.spec.Mounts = append(all[:len(all):len(all)], bad.m)
		s.fails("probe", bad.words)
	}
}

// What runc's mounts.bats calls mount order: sources that are the container's own mounts.
func TestBindOfBind(t *testing.T) {
	s := newStage(t)
	for _, d := range []string{"a/x", "b/y", "c/z"} {
		s.write(filepath.Join(s.dir, "src", d, "file"), d)
	}
	must(t, os.Symlink("a", filepath.Join(s.dir, "src/sym-a")))
	s.mkdir(s.in("mnt"), 0o755)
	s.mkdir(s.in("final"), 0o755)
	root := s.in()
	s.mount(bindMount("src/a", "/mnt", "bind", "rprivate"))
	s.mount(bindMount("src/b", "/mnt/x", "bind", "rprivate"))
	s.mount(bindMount("src/c", "/mnt/x/y", "bind", "rprivate"))
	s.mount(bindMount("src/sym-a", "/mnt/x/y/z", "bind", "rprivate"))
	s.mount(bindMount(root+"/mnt/x", root+"/mnt/x/y/z/x", "rbind", "rprivate"))
	s.mount(bindMount(root+"/mnt/x/y", root+"/mnt/x/y/z", "rbind", "rprivate"))
	s.mount(bindMount(root+"/mnt", root+"/final", "rbind", "rprivate"))
	s.probe("cat /final/x/y/z/z/x/y/z/x/file", "a/x")
}

func TestDanglingTargets(t *testing.T) {
	s := newStage(t)
	s.write(filepath.Join(s.dir, "file"), "hosts")
	s.write(filepath.Join(s.dir, "dir/file"), "dir")
	s.mkdir(s.in("etc"), 0o755)
	s.mkdir(s.in("tmp"), 0o755)
	for link, target := range map[string]string{
		"jump": "/tmp/foo/bar", "etc/hosts": "/jump/baz/hosts", "etc/up": "../../../../tmp/./up/../over", "etc/deep": "/etc/up/x/../y",
	} {
		must(t, os.Symlink(target, s.in(link)))
	}
	s.mount(bindMount("file", "/etc/hosts", "bind"))
	s.mount(bindMount("dir", "/etc/deep", "bind"))
	s.probe(
		"cat /tmp/foo/bar/baz/hosts", "hosts",
		"count /tmp/foo/bar/baz/hosts", "1",
		"cat /tmp/over/y/file", "dir",
		"count /tmp/over/y", "1",
	)
	must(t, os.Symlink("loop2", s.in("loop1")))
	must(t, os.Symlink("loop1", s.in("loop2")))
	s.mount(tmpfs("/loop1/x"))
	s.fails("probe", "too many levels of symbolic links")
}

func TestRecursiveAttributes(t *testing.T) {
	cases := []struct{ options, top, below string }{
		{"ro", "~ro", "~rw"},
		{"rro", "~ro", "~ro"},
		{"ro,rro", "~ro", "~ro"},
		{"ratime", "rw,relatime", "rw,relatime"},
		{"rnoatime", "rw,noatime", "rw,noatime"},
		{"rstrictatime", "rw", "rw"},
		{"rnostrictatime", "rw,relatime", "rw,relatime"},
		{"rrelatime", "rw,relatime", "rw,relatime"},
		{"rnorelatime", "rw,relatime", "rw,relatime"},
		{"rnoatime,rstrictatime", "rw", "rw"},
		{"rnosuid,rnodev,rnoexec,rnosymfollow,rnodiratime", "~nosuid,nodev,noexec,nosymfollow,nodiratime", "~nosuid,nodev,noexec,nosymfollow,nodiratime"},
		{"ro,noexec,rrw", "~rw,noexec", "~rw,!noexec"},
	}
	s := newStage(t)
	volume := filepath.Join(s.dir, "volume")
	s.mkdir(volume, 0o755)
	must(t, unix.Mount("none", volume, "tmpfs", 0, ""))
	t.Cleanup(func() { _ = unix.Unmount(volume, unix.MNT_DETACH) })
	s.mkdir(volume+"/sub", 0o755)
	must(t, unix.Mount("none", volume+"/sub", "tmpfs", 0, ""))
	var pairs []string
	for i, c := range cases {
		at := fmt.Sprintf("/mnt%d", i)
		s.mount(specs.Mount{Destination: at, Source: volume, Options: append([]string{"rbind"}, splitCommas(c.options)...)})
		pairs = append(pairs, "mounts "+at, c.top, "mounts "+at+"/sub", c.below)
	}
	s.probe(pairs...)
}

// What fsconfig(2) doesn't take goes through mount(2), with the same result.
func TestLegacyMount(t *testing.T) {
	s := newStage(t)
	s.mkdir(s.in("d"), 0o710)
	s.write(s.in("d/file"), "text")
	long := tmpfs("/d", "ro", "nosuid", "noatime", "tmpcopyup", "rshared")
	long.Source = strings.Repeat("long", 70)
	s.mount(long)
	s.mount(tmpfs("/iversion", "iversion", "noexec"))
	var layers []string
	for i := range 40 {
		layer := filepath.Join(s.dir, "layers", fmt.Sprint(i))
		s.write(filepath.Join(layer, fmt.Sprint(i)), "layer")
		layers = append(layers, layer)
	}
	s.mkdir(filepath.Join(s.dir, "upper"), 0o755)
	s.mkdir(filepath.Join(s.dir, "work"), 0o755)
	s.mount(specs.Mount{Destination: "/o", Type: "overlay", Source: "overlay", Options: []string{
		"lowerdir=" + strings.Join(layers, ":"), "upperdir=" + s.dir + "/upper", "workdir=" + s.dir + "/work", "nodev",
	}})
	s.probe(
		"mounts /d", "ro,nosuid,noatime", "stat /d", "40710 0:0", "cat /d/file", "text", "optional /d", "~!",
		"mounts /iversion", "~noexec", "cat /o/0", "layer", "cat /o/39", "layer", "write /o/new", "ok", "mounts /o", "rw,nodev,relatime",
	)
}

func TestRemount(t *testing.T) {
	s := newStage(t)
	s.mount(tmpfs("/t", "size=1m"))
	s.mount(tmpfs("/t", "remount", "size=2m", "ro", "noexec"))
	s.mount(specs.Mount{Destination: "/dev", Options: []string{"remount", "noexec"}})
	s.probe("mounts /t", "ro,noexec,relatime", "super /t", "~size=2048k", "count /t", "1", "mounts /dev", "~noexec,rw")
	s.mount(tmpfs("/not/there", "remount", "ro"))
	s.fails("probe", `/mounts/10: mount "tmpfs" on "/not/there": no such file or directory`)
}

func TestRootErrors(t *testing.T) {
	s := newStage(t)
	s.write(filepath.Join(s.dir, "file"), "")
	s.spec.Root.Path = filepath.Join(s.dir, "file")
	s.fails("probe", `file": not a directory`)
	s.spec.Root.Path = filepath.Join(s.dir, "missing")
	s.fails("probe", `missing": no such file or directory`)
}

// A container in a container whose root is unbindable.
func TestUnbindableHost(t *testing.T) {
	s := newStage(t)
	must(t, unix.Mount(s.dir, s.dir, "", unix.MS_BIND, ""))
	t.Cleanup(func() { _ = unix.Unmount(s.dir, unix.MNT_DETACH) })
	must(t, unix.Mount("", s.dir, "", unix.MS_UNBINDABLE, ""))
	s.probe("ls /", "dev proc sys")
}
