package seccomp

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/syncpipe/wire"
	"oci-run/tests/fdleak"
)

// childVariable names the function of children that this test binary is to run, started again,
// instead of its tests.
const childVariable = "SECCOMP_TEST_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childVariable); name != "" {
		children[name]()
	}
	fdleak.Main(m)
}

// children put a filter on themselves. They end with exit, a raw system call.
var children = map[string]func(){
	"answers": answersChild,
	"exit":    exitChild,
	"execve":  execveChild,
	"thread":  threadChild,
	"notify":  notifyChild,
	"loop":    loopChild,
	"cold":    coldChild,
	"cached":  cachedChild,
}

// child runs one of children, and gives what it wrote and how it ended.
func child(t *testing.T, name, profile string) (output string, state *os.ProcessState) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childVariable+"="+name, "PROFILE="+profile)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	timer := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState
}

// childProgram compiles the child's profile, sends it through the codec as the runtime does, and
// makes the thread one that a filter can be put on.
func childProgram() loadable {
	s, filter := &specs.LinuxSeccomp{}, &Filter{}
	try(json.Unmarshal([]byte(os.Getenv("PROFILE")), s))
	compiled, _, err := Compile(s)
	try(err)
	try(wire.Unmarshal(wire.Marshal(compiled), filter))
	runtime.LockOSThread()
	try(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	blockSignals()
	return newLoadable(filter)
}

// loadable is a list that loads a filter.
type loadable struct {
	list     *calls.List
	listener *[8]byte
}

func newLoadable(f *Filter) loadable {
	p := loadable{list: calls.NewHere(-1)}
	load := f.Load(p.list)
	load.Result, p.listener = p.list.Word()
	p.list.Add(load)
	return p
}

// load returns the listener, if there is one. That nothing of Go's comes before the caller's next
// call is the test of package initproc, which has that in the list.
func (p loadable) load() (listener int, err error) {
	err = p.list.Run()
	return int(binary.NativeEndian.Uint32(p.listener[:])), err
}

// blockSignals keeps the Go scheduler's signals away: to return from one is a system call.
func blockSignals() {
	all := unix.Sigset_t{}
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	try(unix.PthreadSigmask(unix.SIG_SETMASK, &all, nil))
}

func try(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(99)
	}
}

func exit(code int) {
	unix.RawSyscall(unix.SYS_EXIT_GROUP, uintptr(code), 0, 0)
}

// answersChild makes a few calls and writes their errnos.
func answersChild() {
	p := childProgram()
	_, err := p.load()
	try(err)
	var results [6]unix.Errno
	for i, call := range [6][3]uintptr{
		{unix.SYS_GETPPID}, {unix.SYS_UMASK, 0o22}, {unix.SYS_PERSONALITY, 0xffffffff}, {unix.SYS_PERSONALITY, 8},
		{unix.SYS_SYNCFS, 0}, {2000},
	} {
		_, _, results[i] = unix.RawSyscall(call[0], call[1], call[2], 0)
	}
	for _, errno := range results {
		fmt.Printf("%d ", errno)
	}
	exit(0)
}

func TestKernelAnswers(t *testing.T) {
	out, state := child(t, "answers", `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["getppid", "not_a_call"], "action": "SCMP_ACT_ERRNO"},
		{"names": ["umask"], "action": "SCMP_ACT_ERRNO", "errnoRet": 6},
		{"names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7,
		 "args": [{"index": 0, "value": 4294967295, "op": "SCMP_CMP_NE"}]}]}`)
	want := fmt.Sprintf("1 6 0 7 %d %d ", 0, unix.ENOSYS)
	if out != want {
		t.Errorf("the kernel answers %q, not %q (%v)", out, want, state)
	}
}

// Docker's profile on this very program: a Go program runs under it, and calls newer than all that
// it names do not exist.
func TestKernelTakesDockerProfile(t *testing.T) {
	profile, err := os.ReadFile("testdata/docker.json")
	if err != nil {
		t.Fatal(err)
	}
	out, state := child(t, "answers", string(profile))
	if want := fmt.Sprintf("0 0 0 0 0 %d ", unix.ENOSYS); out != want {
		t.Errorf("the kernel answers %q, not %q (%v)", out, want, state)
	}
}

// exitChild leaves as soon as it is filtered.
func exitChild() {
	p := childProgram()
	p.load()
	exit(42)
}

// From the filter to the next system call, nothing makes another one: a profile that kills for all
// but one works.
func TestNothingRunsBetween(t *testing.T) {
	for range 20 {
		out, state := child(t, "exit", `{"defaultAction": "SCMP_ACT_KILL_PROCESS", "syscalls": [{"names": ["exit_group"], "action": "SCMP_ACT_ALLOW"}]}`)
		if state.ExitCode() != 42 {
			t.Fatalf("%v %s", state, out)
		}
	}
}

func TestKernelKills(t *testing.T) {
	for _, action := range []string{"SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"} {
		_, state := child(t, "exit", `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["exit_group"], "action": "`+action+`"}]}`)
		if status := state.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != unix.SIGSYS {
			t.Errorf("%s: %v", action, state)
		}
	}
}

// execveChild becomes another program under its filter.
func execveChild() {
	p := childProgram()
	path, _ := unix.BytePtrFromString("/proc/self/exe")
	argv := []*byte{path, nil}
	env, _ := unix.BytePtrFromString(childVariable + "=exit")
	profile, _ := unix.BytePtrFromString(`PROFILE={"defaultAction": "SCMP_ACT_ALLOW"}`)
	envv := []*byte{env, profile, nil}
	if _, err := p.load(); err != nil {
		exit(98)
	}
	unix.RawSyscall(unix.SYS_EXECVE, pointer(path), pointer(&argv[0]), pointer(&envv[0]))
	exit(97)
}

func TestExecveUnderStrictDefault(t *testing.T) {
	profile, err := os.ReadFile("testdata/docker.json")
	if err != nil {
		t.Fatal(err)
	}
	s := &specs.LinuxSeccomp{}
	if err := json.Unmarshal(profile, s); err != nil {
		t.Fatal(err)
	}
	s.DefaultErrnoRet = nil
	for _, action := range []specs.LinuxSeccompAction{specs.ActKillProcess, specs.ActKill, specs.ActTrap, specs.ActErrno} {
		s.DefaultAction = action
		profile, _ := json.Marshal(s)
		if out, state := child(t, "execve", string(profile)); state.ExitCode() != 42 {
			t.Errorf("%s: %v %s", action, state, out)
		}
	}
}

// threadChild has one thread killed and sees it disappear.
func threadChild() {
	runtime.LockOSThread() // the main thread, of which something would be left
	tid := make(chan int)
	go func() {
		p := childProgram()
		tid <- unix.Gettid()
		p.load()
		unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
		exit(1)
	}()
	task := "/proc/self/task/" + strconv.Itoa(<-tid)
	for range 1000 {
		if _, err := os.Stat(task); err != nil {
			fmt.Print("one thread is gone")
			exit(0)
		}
		time.Sleep(5 * time.Millisecond)
	}
	exit(2)
}

func TestKernelKillsThread(t *testing.T) {
	for _, action := range []string{"SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD"} {
		out, state := child(t, "thread", `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["getppid"], "action": "`+action+`"}]}`)
		if out != "one thread is gone" {
			t.Errorf("%s: %v %q", action, state, out)
		}
	}
}

func TestFlagsReachTheKernel(t *testing.T) {
	// The flags are accepted together, and a filter with them works.
	out, state := child(t, "exit", `{"defaultAction": "SCMP_ACT_ALLOW", "flags":
		["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"]}`)
	if state.ExitCode() != 42 {
		t.Errorf("%v %s", state, out)
	}
	if diff := cmp.Diff(KnownFlags(), SupportedFlags()); diff != "" {
		t.Errorf("this kernel lacks flags (-known +supported):\n%s", diff)
	}
}

// notifyChild hands its listener to the agent of the test while it is filtered, then asks for what
// the agent answers.
func notifyChild() {
	path := os.Getenv("AGENT")
	p := childProgram()
	tid := unix.Gettid()
	listener := make(chan int)
	answered := make(chan string)
	go func() { // another thread is not filtered
		state := &specs.ContainerProcessState{Version: "1.3.0", Pid: tid, Metadata: "bar", State: specs.State{ID: "test"}}
		state.State.Annotations = map[string]string{"long": strings.Repeat("x", 1<<20)}
		fd := <-listener
		try(SendListener(path, fd, state))
		unix.Close(fd)
		fmt.Println(<-answered)
		exit(0)
	}()
	fd, err := p.load()
	try(err)
	listener <- fd
	// Not RawSyscall: the scheduler has to know that the thread waits.
	_, _, errno := unix.Syscall(unix.SYS_GETPPID, 0, 0, 0)
	_, _, after := unix.Syscall(unix.SYS_UMASK, 0o22, 0, 0)
	answered <- fmt.Sprintf("getppid %d umask %d", errno, after)
	select {}
}

// The agent gets the state and the listener, answers one call, and dies: the next call fails
// instead of waiting for ever.
func TestNotify(t *testing.T) {
	dir := t.TempDir() + "/" + strings.Repeat("long", 30)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	agent := listen(t, dir+"/agent")
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childVariable+"=notify", "AGENT="+dir+"/agent", `PROFILE={"defaultAction": "SCMP_ACT_ALLOW",
		"listenerPath": "/agent", "listenerMetadata": "bar", "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
		"syscalls": [{"names": ["getppid", "umask"], "action": "SCMP_ACT_NOTIFY"}]}`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	state, listener := receiveListener(t, agent)
	if state.Metadata != "bar" || state.State.ID != "test" || len(state.State.Annotations["long"]) != 1<<20 {
		t.Errorf("the agent is told %q %q", state.Metadata, state.State.ID)
	}
	if diff := cmp.Diff([]string{"seccompFd"}, state.Fds); diff != "" {
		t.Error(diff)
	}
	var n notification
	ioctl(t, listener, unix.SECCOMP_IOCTL_NOTIF_RECV, pointer(&n))
	if int(n.data[0]) != unix.SYS_GETPPID {
		t.Errorf("the agent is asked for call %d", n.data[0])
	}
	answer := response{id: n.id, errno: -int32(unix.ENOMEDIUM)}
	ioctl(t, listener, unix.SECCOMP_IOCTL_NOTIF_SEND, pointer(&answer))
	unix.Close(listener)
	line, _ := bufio.NewReader(out).ReadString('\n')
	if want := fmt.Sprintf("getppid %d umask %d\n", unix.ENOMEDIUM, unix.ENOSYS); line != want {
		t.Errorf("the child sees %q, not %q", line, want)
	}
}

// notification and response are struct seccomp_notif and seccomp_notif_resp.
type notification struct {
	id   uint64
	_    uint32 // pid
	_    uint32 // flags
	data [16]uint32
}

type response struct {
	id    uint64
	_     int64 // val
	errno int32
	_     uint32 // flags
}

func ioctl(t *testing.T, fd int, request, argument uintptr) {
	t.Helper()
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, argument); errno != 0 {
		t.Fatal(errno)
	}
}

// listen makes an agent's socket at a path that may be longer than an address.
func listen(t *testing.T, path string) (socket int) {
	t.Helper()
	dir, err := os.Open(path[:strings.LastIndexByte(path, '/')])
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	socket, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(socket) })
	address := fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), path[strings.LastIndexByte(path, '/')+1:])
	if err := unix.Bind(socket, &unix.SockaddrUnix{Name: address}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(socket, 1); err != nil {
		t.Fatal(err)
	}
	patience := unix.Timeval{Sec: 30}
	if err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience); err != nil {
		t.Fatal(err)
	}
	return socket
}

func receiveListener(t *testing.T, agent int) (*specs.ContainerProcessState, int) {
	t.Helper()
	connection, _, err := unix.Accept4(agent, unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(connection)
	buffer, control := make([]byte, 4<<20), make([]byte, unix.CmsgSpace(4))
	n, controlled, _, _, err := unix.Recvmsg(connection, buffer, control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:controlled])
	if err != nil || len(messages) != 1 {
		t.Fatal(len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		t.Fatal(err)
	}
	for { // until the runtime closes the connection
		more, err := unix.Read(connection, buffer[n:])
		if err != nil {
			t.Fatal(err)
		}
		if more == 0 {
			break
		}
		n += more
	}
	state := &specs.ContainerProcessState{}
	if err := json.Unmarshal(buffer[:n], state); err != nil {
		t.Fatal(err)
	}
	return state, fds[0]
}

func TestNoAgent(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir + "/none", "@oci-run-test-none", dir + "/" + strings.Repeat("x", 200)} {
		err := SendListener(path, 0, &specs.ContainerProcessState{})
		if err == nil || !strings.Contains(err.Error(), "failed to connect with seccomp agent") {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// loopChild times a call under a filter.
func loopChild() {
	code, err := hex.DecodeString(os.Getenv("PROGRAM"))
	try(err)
	call := map[string][2]uintptr{
		"getppid": {unix.SYS_GETPPID}, "personality": {unix.SYS_PERSONALITY, 0xffffffff}, "sethostname": {unix.SYS_SETHOSTNAME},
	}[os.Getenv("CALL")]
	runtime.LockOSThread()
	if len(code) > 0 {
		try(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		_, err := newLoadable(&Filter{Instructions: code, Flags: unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW}).load()
		try(err)
	}
	// The best of many short runs: others use the machine too.
	const calls = 5_000
	best := time.Duration(1 << 62)
	for range 400 {
		start := time.Now()
		for range calls {
			unix.RawSyscall(call[0], call[1], 0, 0)
		}
		best = min(best, time.Since(start))
	}
	fmt.Println(float64(best) / calls)
	os.Exit(0)
}
