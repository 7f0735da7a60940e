package rootfs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/tests/fdleak"
)

// The kernel tests run init's side in a child process in fresh namespaces: this test binary again,
// which finds the name of a scene in its environment and plays it instead of testing.

const sceneVariable = "OCI_RUN_ROOTFS_SCENE"

// act is what a scene has: its bundle directory with rootfs in it, and the configuration from its
// test.
type act struct {
	dir  string
	spec *specs.Spec
	opts Options

	prepare func(*Plan) ([]*os.File, error) // what the parent does before
}

// scenes are played in the child, by name.
var scenes = map[string]func(a *act) error{}

func TestMain(m *testing.M) {
	name := os.Getenv(sceneVariable)
	if name == "" {
		fdleak.Main(m)
	}
	if err := play(name); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func play(name string) error {
	scene, found := scenes[name]
	if !found {
		return fmt.Errorf("no scene %q", name)
	}
	a := &act{dir: os.Getenv("OCI_RUN_ROOTFS_DIR"), spec: &specs.Spec{}}
	a.opts = Options{Bundle: a.dir, NoPivot: os.Getenv("OCI_RUN_ROOTFS_NOPIVOT") != ""}
	if err := json.Unmarshal([]byte(os.Getenv("OCI_RUN_ROOTFS_SPEC")), a.spec); err != nil {
		return err
	}
	return scene(a)
}

// stage is where a scene is played.
type stage struct {
	t       testing.TB
	dir     string
	spec    *specs.Spec
	flags   uintptr // beside a mount and a pid namespace
	without uintptr
	env     []string
}

func newStage(t testing.TB) *stage {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	dir, err := os.MkdirTemp("", "rootfs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Mkdir(filepath.Join(dir, "rootfs"), 0o755))
	return &stage{t: t, dir: dir, spec: defaultSpec(filepath.Join(dir, "rootfs"))}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// in gives a path in the root.
func (s *stage) in(elem ...string) string {
	return filepath.Join(append([]string{s.dir, "rootfs"}, elem...)...)
}

func (s *stage) mkdir(path string, mode os.FileMode) {
	s.t.Helper()
	must(s.t, os.MkdirAll(path, 0o755))
	must(s.t, os.Chmod(path, mode))
}

func (s *stage) write(path, text string) {
	s.t.Helper()
	must(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(s.t, os.WriteFile(path, []byte(text), 0o644))
}

func (s *stage) userNS() {
	s.flags |= unix.CLONE_NEWUSER
	s.spec.Linux.Namespaces = append(s.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	must(s.t, filepath.WalkDir(s.in(), func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, 100000, 100000)
	}))
}

// play runs a scene and gives what it wrote, and its error.
func (s *stage) play(scene string) (string, error) {
	s.t.Helper()
	// Pdeathsig is about the thread that forks, and the one that SourceFD runs on ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	data, err := json.Marshal(s.spec)
	must(s.t, err)
	cmd := exec.Command("/proc/self/exe")
	// GORACE, because a process with the race detector sleeps for a second at its end unless that
	// says otherwise.
	cmd.Env = append(s.env, "GORACE="+os.Getenv("GORACE"), sceneVariable+"="+scene, "OCI_RUN_ROOTFS_DIR="+s.dir, "OCI_RUN_ROOTFS_SPEC="+string(data))
	cmd.Dir = s.dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	flags := (uintptr(unix.CLONE_NEWNS|unix.CLONE_NEWPID|unix.CLONE_NEWNET|unix.CLONE_NEWIPC|unix.CLONE_NEWUTS|unix.CLONE_NEWCGROUP) | s.flags) &^ s.without
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	if flags&unix.CLONE_NEWUSER != 0 {
		ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 65536}}
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = ids, ids
		cmd.SysProcAttr.Credential = &syscall.Credential{}
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	must(s.t, err)
	theirs := os.NewFile(uintptr(pair[1]), "ask")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Env = append(cmd.Env, "OCI_RUN_ROOTFS_ASK=1")
	if err := cmd.Start(); err != nil {
		return "", err
	}
	theirs.Close()
	done := make(chan bool)
	go func() { s.answer(pair[0], cmd.Process.Pid); close(done) }()
	err = cmd.Wait()
	<-done
	unix.Close(pair[0])
	// What `go test -cover` adds.
	return strings.ReplaceAll(out.String(), "warning: GOCOVERDIR not set, no coverage data emitted\n", ""), err
}

// wants runs a scene that must succeed.
func (s *stage) wants(scene string) string {
	s.t.Helper()
	out, err := s.play(scene)
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", scene, err, out)
	}
	return out
}

// fails runs a scene that must fail with these words.
func (s *stage) fails(scene, words string) {
	s.t.Helper()
	out, err := s.play(scene)
	if err == nil || !strings.Contains(out, words) {
		s.t.Errorf("%s: got %v, output %q, want an error with %q", scene, err, out, words)
	}
}

func (s *stage) mount(m specs.Mount) { s.spec.Mounts = append(s.spec.Mounts, m) }

// defaultSpec is what `spec` writes, as far as it concerns this package.
func defaultSpec(root string) *specs.Spec {
	return &specs.Spec{
		Root: &specs.Root{Path: root},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
			{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
			{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
			{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
			{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"}},
		},
		Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace}, {Type: specs.NetworkNamespace}, {Type: specs.IPCNamespace},
				{Type: specs.UTSNamespace}, {Type: specs.MountNamespace}, {Type: specs.CgroupNamespace},
			},
			MaskedPaths: []string{
				"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
				"/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
			},
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}
}

// thisHost lists the cgroup hierarchies of the machine, for plans.
func thisHost() []Hierarchy {
	if os.Getenv("OCI_RUN_ROOTFS_COMBINED") != "" {
		// Nothing is mounted like that here: the mount fails and the copy of the host's takes its
		// place.
		return []Hierarchy{{Name: "cpu,cpuacct", Options: []string{"cpu", "cpuacct"}, Mount: "/sys/fs/cgroup/cpu", Path: "/sys/fs/cgroup/cpu"}}
	}
	if os.Getenv("OCI_RUN_ROOTFS_V2") != "" {
		return []Hierarchy{{V2: true, Mount: "/sys/fs/cgroup/unified", Path: "/sys/fs/cgroup/unified"}}
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		panic(err)
	}
	var list []Hierarchy
	for line := range strings.Lines(string(own)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if fields[1] == "" {
			list = append(list, Hierarchy{V2: true, Name: "unified", Mount: "/sys/fs/cgroup/unified", Path: "/sys/fs/cgroup/unified" + fields[2]})
			continue
		}
		name := strings.TrimPrefix(fields[1], "name=")
		list = append(list, Hierarchy{
			Name: name, Options: strings.Split(fields[1], ","),
			Mount: "/sys/fs/cgroup/" + name, Path: filepath.Join("/sys/fs/cgroup", name, fields[2]),
		})
	}
	if _, err := os.Stat("/sys/fs/cgroup/unified"); err != nil {
		for i := range list {
			if list[i].V2 {
				list[i].Mount, list[i].Path = "/sys/fs/cgroup", "/sys/fs/cgroup"
			}
		}
	}
	return list
}

// commands are what the scene "probe" asks the finished container, one a line; each gives a line.
var commands = map[string]func(path string) string{
	"stat": func(path string) string {
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%o %d:%d", st.Mode, st.Uid, st.Gid)
	},
	"rdev": func(path string) string {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%d:%d", unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev)))
	},
	"link": func(path string) string { l, _ := os.Readlink(path); return l },
	"cat":  func(path string) string { return strings.TrimSpace(read(path)) },
	"ls": func(path string) string {
		var names []string
		entries, err := os.ReadDir(path)
		if err != nil {
			return err.Error()
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return strings.Join(names, " ")
	},
	"write": func(path string) string {
		fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT, 0o600)
		if err != nil {
			return err.Error()
		}
		unix.Close(fd)
		return "ok"
	},
	"chmod": func(path string) string {
		if err := unix.Chmod(path, 0o600); err != nil {
			return err.Error()
		}
		return "ok"
	},
	"mountproc": func(path string) string {
		if err := unix.Mount("proc", path, "proc", 0, ""); err != nil {
			return err.Error()
		}
		return "ok"
	},
	"mounts":   func(path string) string { return mountField(path, 5) },
	"super":    func(path string) string { return mountField(path, -1) },
	"optional": func(path string) string { return mountField(path, 6) },
	"count": func(path string) string {
		n := 0
		for line := range strings.Lines(read("/proc/self/mountinfo")) {
			if strings.Fields(line)[4] == path {
				n++
			}
		}
		return strconv.Itoa(n)
	},
}

func read(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// mountField gives a field of the last line about a path in mountinfo, or of the superblock's
// options.
func mountField(path string, field int) string {
	found := "not mounted"
	for line := range strings.Lines(read("/proc/self/mountinfo")) {
		fields := strings.Fields(line)
		if fields[4] != path {
			continue
		}
		switch found = fields[len(fields)-1]; {
		case field == 6:
			before, _, _ := strings.Cut(line, " - ")
			found = strings.Join(strings.Fields(before)[6:], " ")
		case field >= 0:
			found = fields[field]
		}
	}
	return found
}

func init() {
	scenes["probe"] = func(a *act) error {
		if err := a.build(parentAsk()); err != nil {
			return err
		}
		for line := range strings.Lines(os.Getenv("OCI_RUN_ROOTFS_PROBES")) {
			name, path, _ := strings.Cut(strings.TrimSpace(line), " ")
			fmt.Println(commands[name](path))
		}
		return nil
	}
}

// probe builds the container and checks what each command gives: pairs of a command and what it
// must be. A wish that begins with "~" is the words that must be in it, separated by commas;
// "!word" must not be.
func (s *stage) probe(pairs ...string) {
	s.t.Helper()
	var list []string
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, pairs[i])
	}
	s.env = append(s.env, "OCI_RUN_ROOTFS_PROBES="+strings.Join(list, "\n"))
	got := strings.Split(s.wants("probe"), "\n")
	for i := 0; i < len(pairs); i += 2 {
		if !satisfies(got[i/2], pairs[i+1]) {
			s.t.Errorf("%s: got %q, want %q", pairs[i], got[i/2], pairs[i+1])
		}
	}
}

func satisfies(got, want string) bool {
	words, list := strings.CutPrefix(want, "~")
	if !list {
		return got == want
	}
	has := strings.Split(got, ",")
	for word := range strings.SplitSeq(words, ",") {
		if not, found := strings.CutPrefix(word, "!"); slices.Contains(has, strings.TrimPrefix(not, "!")) == found {
			return false
		}
	}
	return true
}

// askFD is where a scene reaches its test for sources.
const askFD = 3

func parentAsk() Ask {
	if os.Getenv("OCI_RUN_ROOTFS_ASK") == "" {
		return nil
	}
	return func(i int) (*os.File, error) {
		if _, err := unix.Write(askFD, []byte{byte(i)}); err != nil {
			return nil, err
		}
		text, rights := make([]byte, 512), make([]byte, unix.CmsgSpace(4))
		n, oobn, _, _, err := unix.Recvmsg(askFD, text, rights, unix.MSG_CMSG_CLOEXEC)
		if err != nil {
			return nil, err
		}
		messages, err := unix.ParseSocketControlMessage(rights[:oobn])
		if err != nil || len(messages) == 0 {
			return nil, fmt.Errorf("%s", text[:n])
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil {
			return nil, err
		}
		return os.NewFile(uintptr(fds[0]), "source"), nil
	}
}

// answer is the parent's side of parentAsk.
func (s *stage) answer(sock int, pid int) {
	p, err := NewPlan(s.spec, Options{Bundle: s.dir})
	if err != nil {
		return
	}
	index := make([]byte, 1)
	for {
		if n, err := unix.Read(sock, index); n != 1 || err != nil {
			return
		}
		file, err := s.prepare(p, int(index[0]), pid)
		if err != nil {
			_ = unix.Sendmsg(sock, []byte(err.Error()), nil, nil, 0)
			continue
		}
		_ = unix.Sendmsg(sock, []byte("ok"), unix.UnixRights(int(file.Fd())), nil, 0)
		file.Close()
	}
}

func (s *stage) prepare(p *Plan, i, pid int) (*os.File, error) {
	mountNS, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	if err != nil {
		return nil, err
	}
	defer mountNS.Close()
	var user *os.File
	if m := p.Mounts[i].IDMap; m != nil {
		path := fmt.Sprintf("/proc/%d/ns/user", pid)
		if len(m.UID) > 0 {
			path = fmt.Sprintf("/proc/%d/ns/user", s.mapper(m))
		}
		if user, err = os.Open(path); err != nil {
			return nil, err
		}
		defer user.Close()
	}
	return SourceFD(p, i, mountNS, user)
}

// mapper starts a process in a user namespace with some mappings and gives its pid.
func (s *stage) mapper(m *IDMap) int {
	cmd := exec.Command("sleep", "20")
	convert := func(list []specs.LinuxIDMapping) (ids []syscall.SysProcIDMap) {
		for _, e := range list {
			ids = append(ids, syscall.SysProcIDMap{ContainerID: int(e.ContainerID), HostID: int(e.HostID), Size: int(e.Size)})
		}
		return ids
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, UidMappings: convert(m.UID), GidMappings: convert(m.GID),
	}
	if err := cmd.Start(); err != nil {
		s.t.Error(err)
		return 0
	}
	s.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

// build does all that init does.
func (a *act) build(ask Ask) error {
	p, err := NewPlan(a.spec, a.opts)
	if err != nil {
		return err
	}
	p.Cgroups = thisHost()
	var prepared []*os.File
	if a.prepare != nil {
		if prepared, err = a.prepare(p); err != nil {
			return err
		}
	}
	f, err := Open(p, ask, prepared...)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, step := range []func() error{
		f.Mounts, f.Devices, func() error { return stdioNull(f) }, f.Pivot, f.Readonly, f.ProtectPaths,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// stdioNull does with what FS.StdioNull gives what init does.
func stdioNull(f *FS) error {
	null, fds, err := f.StdioNull()
	if err != nil || null == nil {
		return err
	}
	defer null.Close()
	for _, fd := range fds {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return err
		}
	}
	return nil
}

// inNewUserNS tries to mount a procfs in a new user, mount and pid namespace.
func inNewUserNS(at string) error {
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, unix.CLONE_NEWUSER|unix.CLONE_NEWNS|unix.CLONE_NEWPID|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	if pid == 0 {
		procName, atName := [5]byte{'p', 'r', 'o', 'c', 0}, [8]byte{}
		copy(atName[:], at)
		_, _, errno := syscall.RawSyscall6(unix.SYS_MOUNT, uintptr(unsafe.Pointer(&procName)), uintptr(unsafe.Pointer(&atName)), uintptr(unsafe.Pointer(&procName)), 0, 0, 0)
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, uintptr(errno), 0, 0)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(int(pid), &status, 0, nil); err != nil {
		return err
	}
	fmt.Println(syscall.Errno(status.ExitStatus()))
	return nil
}
