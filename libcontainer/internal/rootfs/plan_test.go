package rootfs

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/syncpipe/wire"
	"oci-run/specconv"
)

func TestPlanIsPlainData(t *testing.T) {
	spec := defaultSpec("/bundle/rootfs")
	m := bindMount("src", "/v", "rbind", "rro", "ridmap")
	m.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 1, HostID: 2, Size: 3}}
	m.GIDMappings = m.UIDMappings
	spec.Mounts = append(spec.Mounts, m)
	p, err := NewPlan(spec, Options{Bundle: "/bundle"})
	if err != nil {
		t.Fatal(err)
	}
	p.Cgroups = []Hierarchy{{V2: true, Name: "x", Options: []string{"a"}}}
	var back Plan
	if err := wire.Unmarshal(wire.Marshal(p), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*p, back); diff != "" {
		t.Error(diff)
	}
}

func TestPlanMounts(t *testing.T) {
	for _, c := range []struct {
		in   specs.Mount
		want Mount
	}{
		{
			specs.Mount{Destination: "/a/../b/", Type: "tmpfs", Source: "x", Options: []string{"ro", "nosuid", "size=1,mode=7", "huge"}},
			Mount{Kind: Tmpfs, Type: "tmpfs", Source: "x", Destination: "/b", Given: true, Attr: Flags{Set: unix.MS_RDONLY | unix.MS_NOSUID}, Params: []Param{
				{Key: "size", Value: "1", HasValue: true, Option: 2}, {Key: "mode", Value: "7", HasValue: true, Option: 2}, {Key: "huge", Option: 3},
			}},
		},
		{
			specs.Mount{Destination: "b", Type: "tmpfs", Source: "src", Options: []string{"rbind", "defaults", "slave", "rshared"}},
			Mount{Kind: Bind, Type: "bind", Source: "/bundle/src", Destination: "/b", Recursive: true, Propagation: []uint32{unix.MS_SLAVE, unix.MS_SHARED | unix.MS_REC}},
		},
		{
			specs.Mount{Destination: "/bundle/rootfs/b", Type: "bind", Source: "/src", Options: []string{"rw", "ro", "dev"}},
			Mount{Kind: Bind, Type: "bind", Source: "/src", Destination: "/b", Given: true, Attr: Flags{Set: unix.MS_RDONLY, Clear: unix.MS_NODEV}},
		},
		{
			specs.Mount{Destination: "/b", Type: "overlay", Source: "overlay", Options: []string{`lowerdir=/a\,b:/c,upperdir=/d`, "sync", "async", "dirsync"}},
			Mount{
				Type: "overlay", Source: "overlay", Destination: "/b", Given: true,
				Super: Flags{Set: unix.MS_DIRSYNC, Clear: unix.MS_SYNCHRONOUS},
				Params: []Param{
					{Key: "lowerdir", Value: `/a\,b:/c`, HasValue: true}, {Key: "upperdir", Value: "/d", HasValue: true},
				},
			},
		},
	} {
		spec := defaultSpec("/bundle/rootfs")
		spec.Mounts = []specs.Mount{c.in}
		p, err := NewPlan(spec, Options{Bundle: "/bundle"})
		if err != nil {
			t.Errorf("%v: %v", c.in, err)
			continue
		}
		if diff := cmp.Diff(c.want, p.Mounts[0]); diff != "" {
			t.Errorf("%v: %s", c.in, diff)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	minus, large := int64(-1), int64(1<<20)
	for name, c := range map[string]struct {
		change  func(s *specs.Spec)
		pointer string
	}{
		"no root":             {func(s *specs.Spec) { s.Root = nil }, "/root/path"},
		"mount on root":       {addMount(tmpfs("/x/..")), "/mounts/7/destination"},
		"no destination":      {addMount(tmpfs("")), "/mounts/7/destination"},
		"no type":             {addMount(specs.Mount{Destination: "/x"}), "/mounts/7/type"},
		"type none":           {addMount(specs.Mount{Destination: "/x", Type: "none", Source: "/x"}), "/mounts/7/type"},
		"bind without source": {addMount(bindMount("", "/x", "bind")), "/mounts/7/source"},
		"bind with data":      {addMount(bindMount("/a", "/x", "bind", "ro", "size=1")), "/mounts/7/options/2"},
		"zero byte":           {addMount(bindMount("/a\x00", "/x", "bind")), "/mounts/7"},
		"zero in option":      {addMount(tmpfs("/x", "ro", "size=\x00")), "/mounts/7/options/1"},
		"option without name": {addMount(tmpfs("/x", "=1")), "/mounts/7/options/0"},
		"tmpfs on proc":       {addMount(tmpfs("//proc/.")), "/mounts/7/destination"},
		"inside proc":         {addMount(bindMount("/a", "/proc/self/attr", "bind")), "/mounts/7/destination"},
		"net/dev":             {addMount(bindMount("/a", "/proc/net/dev", "bind")), "/mounts/7/destination"},
		"copyup of proc":      {addMount(specs.Mount{Destination: "/x", Type: "proc", Options: []string{"tmpcopyup"}}), "/mounts/7/options/0"},
		"tmpfs, src-nofollow": {addMount(tmpfs("/x", "ro", "src-nofollow")), "/mounts/7/options/1"},
		"copied and kept":     {addMount(bindMount("/a", "/x", "bind", "copy-symlink", "dest-nofollow")), "/mounts/7/options/1"},
		"idmap alone":         {addMount(bindMount("/a", "/x", "bind", "idmap")), "/mounts/7"},
		"uid map alone": {
			addMount(specs.Mount{Destination: "/x", Source: "/a", Options: []string{"bind"}, UIDMappings: []specs.LinuxIDMapping{{Size: 1}}}), "/mounts/7/gidMappings",
		},
		"idmapped, a long option": {
			addMount(specs.Mount{Destination: "/x", Type: "tmpfs", Options: []string{"mpol=" + strings.Repeat("x", 300)}, UIDMappings: []specs.LinuxIDMapping{{Size: 1}}, GIDMappings: []specs.LinuxIDMapping{{Size: 1}}}), "/mounts/7",
		},
		"device type":     {addDevice(specs.LinuxDevice{Path: "/dev/x", Type: "a"}), "/linux/devices/0/type"},
		"device path":     {addDevice(specs.LinuxDevice{Path: "dev/x", Type: "c"}), "/linux/devices/0/path"},
		"device major":    {addDevice(specs.LinuxDevice{Path: "/dev/x", Type: "c", Major: minus}), "/linux/devices/0/major"},
		"device minor":    {addDevice(specs.LinuxDevice{Path: "/dev/x", Type: "b", Minor: large}), "/linux/devices/0/minor"},
		"propagation":     {func(s *specs.Spec) { s.Linux.RootfsPropagation = "ro" }, "/linux/rootfsPropagation"},
		"mask the root":   {func(s *specs.Spec) { s.Linux.MaskedPaths = []string{"/a", "/a/.."} }, "/linux/maskedPaths/1"},
		"no mount ns":     {func(s *specs.Spec) { s.Linux.Namespaces = nil }, "/linux/maskedPaths"},
		"readonly, no ns": {func(s *specs.Spec) { s.Linux.Namespaces, s.Linux.MaskedPaths = nil, nil }, "/linux/readonlyPaths"},
	} {
		spec := defaultSpec("/bundle/rootfs")
		c.change(spec)
		_, err := NewPlan(spec, Options{Bundle: "/bundle"})
		if fe := (*specconv.FieldError)(nil); !errors.As(err, &fe) || fe.Pointer != c.pointer {
			t.Errorf("%s: got %v, want an error at %s", name, err, c.pointer)
		}
	}
	spec := defaultSpec("/r")
	spec.Linux.RootfsPropagation = "rprivate"
	if _, err := NewPlan(spec, Options{NoPivot: true}); err == nil {
		t.Error("a private root without pivot_root is accepted")
	}
}

func addMount(m specs.Mount) func(s *specs.Spec) {
	return func(s *specs.Spec) { s.Mounts = append(s.Mounts, m) }
}

func addDevice(d specs.LinuxDevice) func(s *specs.Spec) {
	return func(s *specs.Spec) { s.Linux.Devices = append(s.Linux.Devices, d) }
}

func TestOptionsAreSorted(t *testing.T) {
	names := MountOptionNames()
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("options are out of order: %v", names)
	}
	for _, must := range []string{
		"async", "atime", "bind", "defaults", "dev", "diratime", "dirsync", "exec", "iversion", "lazytime", "loud", "mand", "noatime",
		"nodev", "nodiratime", "noexec", "noiversion", "nolazytime", "nomand", "norelatime", "nostrictatime", "nosuid", "nosymfollow",
		"private", "ratime", "rbind", "rdev", "rdiratime", "relatime", "remount", "rexec", "rnoatime", "rnodev", "rnodiratime",
		"rnoexec", "rnorelatime", "rnostrictatime", "rnosuid", "rnosymfollow", "ro", "rprivate", "rrelatime", "rro", "rrw", "rshared",
		"rslave", "rstrictatime", "rsuid", "rsymfollow", "runbindable", "rw", "shared", "silent", "slave", "strictatime", "suid",
		"symfollow", "sync", "tmpcopyup", "unbindable", "idmap", "ridmap", "copy-symlink", "dest-nofollow", "src-nofollow",
	} {
		if !slices.Contains(names, must) {
			t.Errorf("%q is not known", must)
		}
	}
}

func FuzzMountOptions(f *testing.F) {
	for _, seed := range []string{"ro", "rbind,rro", "mode=755,size=1", `lowerdir=a\,b`, ",,=", "rnoatime,rstrictatime,ratime", "noatime,strictatime",
		`context="a,b",size=1`, `context="a b",ro`, `rootcontext="a`} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, overlay bool) {
		list := strings.Split(text, " ")
		p := parseOptions(list, overlay)
		for _, flags := range []Flags{p.attr, p.rec, p.super} {
			if flags.Set&flags.Clear != 0 {
				t.Errorf("%q: set and cleared: %#x", text, flags.Set&flags.Clear)
			}
		}
		for _, param := range p.params {
			if _, known := findOption(list[param.Option]); known || !param.HasValue && param.Value != "" || strings.Contains(param.Key, ",") && !overlay && !strings.Contains(text, `"`) {
				t.Errorf("%q: parameter %+v", text, param)
			}
		}
		if atime := attrBits(p.rec.Set) & unix.MOUNT_ATTR__ATIME; atime == unix.MOUNT_ATTR_NOATIME|unix.MOUNT_ATTR_STRICTATIME {
			t.Errorf("%q: two modes of access times", text)
		}
	})
}

func FuzzPlan(f *testing.F) {
	f.Add("/a", "tmpfs", "x", "ro", "/dev/x", "/proc/x")
	f.Fuzz(func(t *testing.T, destination, fstype, source, option, device, masked string) {
		spec := defaultSpec("/r")
		spec.Mounts = []specs.Mount{{Destination: destination, Type: fstype, Source: source, Options: []string{option}}}
		spec.Linux.Devices = []specs.LinuxDevice{{Path: device, Type: "c"}}
		spec.Linux.MaskedPaths = []string{masked}
		p, err := NewPlan(spec, Options{Bundle: "/"})
		if err != nil {
			if fe := (*specconv.FieldError)(nil); !errors.As(err, &fe) {
				t.Errorf("%v names no field", err)
			}
			return
		}
		for _, path := range append(p.MaskedPaths, p.Mounts[0].Destination, p.Devices[len(p.Devices)-1].Path) {
			if !strings.HasPrefix(path, "/") || path == "/" || strings.Contains(path+"/", "/../") || strings.Contains(path, "\x00") {
				t.Errorf("%q is not a path to work on", path)
			}
		}
	})
}

func TestCompleteMounts(t *testing.T) {
	const info = `22 27 0:21 / /proc rw,relatime - proc proc rw
23 27 0:22 / /sys rw,relatime shared:2 master:1 - sysfs sysfs rw
24 27 0:21 /sys /proc/sys ro - proc proc rw
25 27 0:21 / /r/proc rw - proc proc rw
26 27 0:21 / /r2/a\040b\134 rw - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
`
	want := []string{"/proc", "/sys", `/r2/a b\`}
	if diff := cmp.Diff(want, completeMounts([]byte(info), "/r")); diff != "" {
		t.Error(diff)
	}
}
