package specconv

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// withUser gives s a user namespace in which the ids 0 to 999 are mapped.
func withUser(s *specs.Spec) {
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 1000}}
	s.Linux.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 1000}}
}

func without(s *specs.Spec, kind specs.LinuxNamespaceType) {
	var list []specs.LinuxNamespace
	for _, ns := range s.Linux.Namespaces {
		if ns.Type != kind {
			list = append(list, ns)
		}
	}
	s.Linux.Namespaces = list
}

func addNS(s *specs.Spec, kind specs.LinuxNamespaceType, path string) {
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: kind, Path: path})
}

// wrong is a configuration that Check has to refuse: what is changed in the default one, and the
// field it names.
type wrong struct {
	name    string
	edit    func(*specs.Spec)
	pointer string
	text    string
}

func testWrong(t *testing.T, cases []wrong) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := Default()
			c.edit(s)
			_, err := checkSpec(s)
			var fe *FieldError
			if !errors.As(err, &fe) {
				t.Fatalf("Check: %v, want an error at %s", err, c.pointer)
			}
			if fe.Pointer != c.pointer || !strings.Contains(fe.Err.Error(), c.text) {
				t.Errorf("Check: %v, want %s: …%s…", err, c.pointer, c.text)
			}
		})
	}
}

func TestCheckTop(t *testing.T) {
	testWrong(t, []wrong{
		{"no version", func(s *specs.Spec) { s.Version = "" }, "/ociVersion", "missing"},
		{"version 2", func(s *specs.Spec) { s.Version = "2.0.0" }, "/ociVersion", "1.x"},
		{"version 0", func(s *specs.Spec) { s.Version = "0.5.0-dev" }, "/ociVersion", "1.x"},
		{"version 10", func(s *specs.Spec) { s.Version = "10.0.0" }, "/ociVersion", "1.x"},
		{"version latest", func(s *specs.Spec) { s.Version = "latest" }, "/ociVersion", "not a version"},
		{"version 1.", func(s *specs.Spec) { s.Version = "1." }, "/ociVersion", "not a version"},
		{"no root", func(s *specs.Spec) { s.Root = nil }, "/root", "missing"},
		{"no root path", func(s *specs.Spec) { s.Root.Path = "" }, "/root/path", "missing"},
		{"NUL in root path", func(s *specs.Spec) { s.Root.Path = "a\x00b" }, "/root/path", "NUL"},
		{"NUL in cgroups path", func(s *specs.Spec) { s.Linux.CgroupsPath = "/a\x00/b" }, "/linux/cgroupsPath", "NUL"},
		{"vm", func(s *specs.Spec) { s.VM = &specs.VM{} }, "/vm", "virtual machines"},
		{"windows only", func(s *specs.Spec) { s.Windows, s.Linux = &specs.Windows{}, nil }, "/windows", "no linux"},
		{"hostname without uts", func(s *specs.Spec) { without(s, specs.UTSNamespace) }, "/hostname", "uts namespace"},
		{"domainname without uts", func(s *specs.Spec) {
			without(s, specs.UTSNamespace)
			s.Hostname, s.Domainname = "", "x"
		}, "/domainname", "uts namespace"},
		{"long hostname", func(s *specs.Spec) { s.Hostname = strings.Repeat("x", 65) }, "/hostname", "longer than 64"},
		{"empty annotation key", func(s *specs.Spec) { s.Annotations = map[string]string{"": "x"} }, "/annotations", "empty"},
	})
}

func TestCheckProcess(t *testing.T) {
	testWrong(t, []wrong{
		{"no args", func(s *specs.Spec) { s.Process.Args = nil }, "/process/args", "at least one"},
		{"NUL in args", func(s *specs.Spec) { s.Process.Args = []string{"sh", "a\x00"} }, "/process/args/1", "NUL"},
		{"no cwd", func(s *specs.Spec) { s.Process.Cwd = "" }, "/process/cwd", "missing"},
		{"too many groups", func(s *specs.Spec) { s.Process.User.AdditionalGids = make([]uint32, 65537) }, "/process/user/additionalGids", "65537 groups"},
		{"relative cwd", func(s *specs.Spec) { s.Process.Cwd = "tmp" }, "/process/cwd", `"tmp" is not an absolute path`},
		{"env without =", func(s *specs.Spec) { s.Process.Env = []string{"A=1", "B"} }, "/process/env/1", "no '='"},
		{"env without name", func(s *specs.Spec) { s.Process.Env = []string{"=1"} }, "/process/env/0", "no name"},
		{"NUL in env", func(s *specs.Spec) { s.Process.Env = []string{"A=\x00"} }, "/process/env/0", "NUL"},
		{"duplicate rlimit", func(s *specs.Spec) {
			s.Process.Rlimits = append(s.Process.Rlimits, s.Process.Rlimits[0])
		}, "/process/rlimits/1/type", "twice"},
		{"rlimit without type", func(s *specs.Spec) { s.Process.Rlimits[0].Type = "" }, "/process/rlimits/0/type", "missing"},
		{"soft above hard", func(s *specs.Spec) { s.Process.Rlimits[0].Soft = 2000 }, "/process/rlimits/0/soft", "above"},
		{"huge console", func(s *specs.Spec) {
			s.Process.ConsoleSize = &specs.Box{Height: 24, Width: 70000}
		}, "/process/consoleSize/width", "65535"},
	})
}

func TestCheckNamespaces(t *testing.T) {
	testWrong(t, []wrong{
		{"duplicate", func(s *specs.Spec) { addNS(s, specs.PIDNamespace, "/x") }, "/linux/namespaces/5/type", "twice"},
		{"no type", func(s *specs.Spec) { s.Linux.Namespaces[2].Type = "" }, "/linux/namespaces/2/type", "missing"},
		{"relative path", func(s *specs.Spec) { s.Linux.Namespaces[0].Path = "proc/1/ns/pid" }, "/linux/namespaces/0/path", "absolute"},
		{"maps without user", func(s *specs.Spec) {
			s.Linux.GIDMappings = []specs.LinuxIDMapping{{Size: 1}}
		}, "/linux/gidMappings", "need a user namespace"},
		{"user without maps", func(s *specs.Spec) { addNS(s, specs.UserNamespace, "") }, "/linux/uidMappings", "belong together"},
		{"uid map only", func(s *specs.Spec) { withUser(s); s.Linux.GIDMappings = nil }, "/linux/gidMappings", "belong together"},
		{"joined with one map", func(s *specs.Spec) {
			withUser(s)
			s.Linux.Namespaces[len(s.Linux.Namespaces)-1].Path = "/proc/1/ns/user"
			s.Linux.UIDMappings = nil
		}, "/linux/uidMappings", "belong together"},
		{"size 0", func(s *specs.Spec) { withUser(s); s.Linux.UIDMappings[0].Size = 0 }, "/linux/uidMappings/0", "size is 0"},
		{"wraps", func(s *specs.Spec) { withUser(s); s.Linux.UIDMappings[0].HostID = 0xffffff00 }, "/linux/uidMappings/0", "beyond"},
		{"overlap", func(s *specs.Spec) {
			withUser(s)
			s.Linux.GIDMappings = append(s.Linux.GIDMappings, specs.LinuxIDMapping{ContainerID: 999, HostID: 5, Size: 1})
		}, "/linux/gidMappings/1", "overlap"},
		{"too many", func(s *specs.Spec) {
			withUser(s)
			s.Linux.UIDMappings = make([]specs.LinuxIDMapping, 341)
		}, "/linux/uidMappings", "340"},
		{"uid not mapped", func(s *specs.Spec) { withUser(s); s.Process.User.UID = 1000 }, "/process/user/uid", "uid 1000"},
		{"gid not mapped", func(s *specs.Spec) { withUser(s); s.Process.User.GID = 0xffffffff }, "/process/user/gid", "gid 4294967295"},
		{"group not mapped", func(s *specs.Spec) {
			withUser(s)
			s.Process.User.AdditionalGids = []uint32{5, 5000}
		}, "/process/user/additionalGids/1", "gid 5000"},
	})
}

func TestCheckTime(t *testing.T) {
	offset := func(s *specs.Spec, clock string, o specs.LinuxTimeOffset) {
		s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{clock: o}
	}
	testWrong(t, []wrong{
		{"no namespace", func(s *specs.Spec) { offset(s, "boottime", specs.LinuxTimeOffset{}) }, "/linux/timeOffsets", "time namespace"},
		{"joined", func(s *specs.Spec) {
			addNS(s, specs.TimeNamespace, "/proc/1/ns/time")
			offset(s, "boottime", specs.LinuxTimeOffset{})
		}, "/linux/timeOffsets", "exists already"},
		{"clock", func(s *specs.Spec) {
			addNS(s, specs.TimeNamespace, "")
			offset(s, "realtime", specs.LinuxTimeOffset{})
		}, "/linux/timeOffsets/realtime", "monotonic or boottime"},
		{"nanoseconds", func(s *specs.Spec) {
			addNS(s, specs.TimeNamespace, "")
			offset(s, "monotonic", specs.LinuxTimeOffset{Secs: -5, Nanosecs: 1e9})
		}, "/linux/timeOffsets/monotonic/nanosecs", "999999999"},
	})
}

func TestCheckMounts(t *testing.T) {
	mount := func(m specs.Mount) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Mounts = []specs.Mount{m} }
	}
	maps := []specs.LinuxIDMapping{{Size: 1}}
	testWrong(t, []wrong{
		{"no destination", mount(specs.Mount{Source: "/a"}), "/mounts/0/destination", "missing"},
		{"NUL in destination", mount(specs.Mount{Destination: "/a\x00"}), "/mounts/0/destination", "NUL"},
		{"NUL in source", mount(specs.Mount{Destination: "/a", Source: "\x00"}), "/mounts/0/source", "NUL"},
		{"NUL in option", mount(specs.Mount{Destination: "/a", Options: []string{"ro", "x\x00"}}), "/mounts/0/options/1", "NUL"},
		{"one mapping", mount(specs.Mount{Destination: "/a", UIDMappings: maps}), "/mounts/0/gidMappings", "belong together"},
		{"idmap", mount(specs.Mount{Destination: "/a", Source: "/a", Options: []string{"bind", "idmap"}}), "/mounts/0/options/1", "user namespace"},
		{"masked path without mount namespace", func(s *specs.Spec) { without(s, specs.MountNamespace) }, "/linux/maskedPaths", "mount namespace"},
		{"relative masked path", func(s *specs.Spec) { s.Linux.MaskedPaths[3] = "proc/keys" }, "/linux/maskedPaths/3", "absolute"},
		{"relative read-only path", func(s *specs.Spec) { s.Linux.ReadonlyPaths[0] = "" }, "/linux/readonlyPaths/0", "absolute"},
	})
}

func TestCheckHooks(t *testing.T) {
	hook := func(h specs.Hook) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Hooks = &specs.Hooks{Poststop: []specs.Hook{{Path: "/bin/true"}, h}} }
	}
	testWrong(t, []wrong{
		{"no path", hook(specs.Hook{}), "/hooks/poststop/1/path", "missing"},
		{"relative path", hook(specs.Hook{Path: "true"}), "/hooks/poststop/1/path", "absolute"},
		{"timeout 0", hook(specs.Hook{Path: "/x", Timeout: new(0)}), "/hooks/poststop/1/timeout", "greater than 0"},
		{"timeout -1", hook(specs.Hook{Path: "/x", Timeout: new(-1)}), "/hooks/poststop/1/timeout", "greater than 0"},
		{"args", hook(specs.Hook{Path: "/x", Args: []string{"\x00"}}), "/hooks/poststop/1/args/0", "NUL"},
		{"env", hook(specs.Hook{Path: "/x", Env: []string{"A"}}), "/hooks/poststop/1/env/0", "no '='"},
	})
}

func TestCheckLinux(t *testing.T) {
	device := func(host, name string) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Linux.NetDevices = map[string]specs.LinuxNetDevice{host: {Name: name}} }
	}
	rdt := func(r specs.LinuxIntelRdt) func(*specs.Spec) { return func(s *specs.Spec) { s.Linux.IntelRdt = &r } }
	testWrong(t, []wrong{
		{"device without network", func(s *specs.Spec) {
			without(s, specs.NetworkNamespace)
			device("eth0", "")(s)
		}, "/linux/netDevices", "network namespace"},
		{"device name", device("eth/0", ""), "/linux/netDevices/eth~10", "not a name"},
		{"long device name", device("eth0", "abcdefghijklmnop"), "/linux/netDevices/eth0/name", "not a name"},
		{"device template", device("eth0", "a%s"), "/linux/netDevices/eth0/name", "not a name"},
		{"two templates", device("eth0", "a%d%d"), "/linux/netDevices/eth0/name", "not a name"},
		{"dots", device("..", ""), "/linux/netDevices/..", "not a name"},
		{"same target", func(s *specs.Spec) {
			s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth0": {}, "eth1": {Name: "eth0"}}
		}, "/linux/netDevices/eth1", "would both be"},
		{"personality", func(s *specs.Spec) { s.Linux.Personality = &specs.LinuxPersonality{Domain: "BSD"} }, "/linux/personality/domain", "LINUX32"},
		{"personality flag", func(s *specs.Spec) {
			s.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux, Flags: []specs.LinuxPersonalityFlag{"X"}}
		}, "/linux/personality/flags/0", "not known"},
		{"closID", rdt(specs.LinuxIntelRdt{ClosID: "a/b"}), "/linux/intelRdt/closID", "not a name"},
		{"closID ..", rdt(specs.LinuxIntelRdt{ClosID: ".."}), "/linux/intelRdt/closID", "not a name"},
		{"schemata", rdt(specs.LinuxIntelRdt{Schemata: []string{"L3:0=f", "a\nb"}}), "/linux/intelRdt/schemata/1", "one line"},
		{"L3", rdt(specs.LinuxIntelRdt{L3CacheSchema: "a\x00b"}), "/linux/intelRdt/l3CacheSchema", "NUL"},
		{"MB", rdt(specs.LinuxIntelRdt{MemBwSchema: "L3:0=f"}), "/linux/intelRdt/memBwSchema", "MB:"},
	})
}

// unplaced leaves an error without its place.
func unplaced(err error) error { return err }

func TestCheckAccepts(t *testing.T) {
	for _, c := range []struct {
		name     string
		edit     func(*specs.Spec)
		warnings []string
	}{
		{"default", func(*specs.Spec) {}, nil},
		{"old version", func(s *specs.Spec) { s.Version = "1.0.2-dev" }, nil},
		{"version to come", func(s *specs.Spec) { s.Version = "1.99.0" }, nil},
		{"rootless", func(s *specs.Spec) { Rootless(s, 1000, 1000) }, nil},
		{"no process", func(s *specs.Spec) { Rootless(s, 1000, 1000); s.Process = nil }, nil},
		{"no linux", func(s *specs.Spec) { s.Linux, s.Hostname = nil, "" }, nil},
		{"no mount namespace", func(s *specs.Spec) {
			without(s, specs.MountNamespace)
			s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = []string{}, []string{}
		}, nil},
		{"user namespace to join, no maps", func(s *specs.Spec) { addNS(s, specs.UserNamespace, "/proc/1/ns/user") }, nil},
		{"user namespace to join, with maps", func(s *specs.Spec) {
			withUser(s)
			s.Linux.Namespaces[len(s.Linux.Namespaces)-1].Path = "/proc/1/ns/user"
			s.Process.User.UID = 4000
		}, nil},
		{"time namespace without offsets", func(s *specs.Spec) { addNS(s, specs.TimeNamespace, "") }, nil},
		{"all ids", func(s *specs.Spec) {
			withUser(s)
			s.Linux.UIDMappings[0] = specs.LinuxIDMapping{Size: 0xffffffff}
		}, nil},
		{"console without terminal", func(s *specs.Spec) {
			s.Process.Terminal, s.Process.ConsoleSize = false, &specs.Box{Width: 1 << 20}
		}, nil},
		{"relative destination", func(s *specs.Spec) { s.Mounts[1].Destination = "dev" },
			[]string{`/mounts/1/destination: the relative path "dev" is deprecated, it means "/dev"`}},
		{"freebsd too", func(s *specs.Spec) { s.FreeBSD = &specs.FreeBSD{} },
			[]string{"/freebsd: ignored, this is a Linux container"}},
		{"idmap in a user namespace", func(s *specs.Spec) { withUser(s); s.Mounts[0].Options = []string{"ridmap"} }, nil},
		{"device template", func(s *specs.Spec) {
			s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth0": {Name: "n%d"}, "eth1": {Name: "n%d"}, "eth2": {}}
		}, nil},
		{"several resources", func(s *specs.Spec) { s.Linux.IntelRdt = &specs.LinuxIntelRdt{L3CacheSchema: "L3:0=f\nL2:0=f"} }, nil},
		{"default class", func(s *specs.Spec) { s.Linux.IntelRdt = &specs.LinuxIntelRdt{ClosID: "/"} }, nil},
		{"personality", func(s *specs.Spec) { s.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32} }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Default()
			c.edit(s)
			warnings, err := checkSpec(s)
			if err != nil {
				t.Fatalf("Check: %v", err)
			}
			if diff := cmp.Diff(c.warnings, texts(warnings, unplaced)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckExecProcess(t *testing.T) {
	err := CheckProcess(&specs.Process{Args: []string{"sh"}, Cwd: "x"})
	if err == nil || err.Error() != `/cwd: "x" is not an absolute path` {
		t.Errorf("CheckProcess: %v", err)
	}
}
