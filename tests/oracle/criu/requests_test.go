package criu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	theirs "github.com/checkpoint-restore/go-criu/v8/rpc"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/criu"
)

// exchange is a request of the runtime to a worker of this test's.
type exchange struct {
	dir  string
	r    *rand.Rand
	said []*theirs.CriuResp // notifications, and the answer
	kind theirs.CriuReqType
}

// newExchange has notifications, and an answer that CRIU may give at the end.
func newExchange(t *testing.T, r *rand.Rand, kind theirs.CriuReqType, scripts ...string) *exchange {
	t.Helper()
	e := &exchange{dir: t.TempDir(), r: r, kind: kind}
	notify, yes := theirs.CriuReqType_NOTIFY, true
	for _, script := range scripts {
		if pid := r.Int32(); r.IntN(3) > 0 {
			n := &theirs.CriuNotify{Script: &script, Pid: &pid}
			e.said = append(e.said, &theirs.CriuResp{Type: &notify, Success: &yes, Notify: n})
		}
	}
	success, errno := r.IntN(4) > 0, r.Int32N(200)
	e.said = append(e.said, &theirs.CriuResp{Type: &kind, Success: &success, CrErrno: &errno})
	var script []byte
	for _, a := range e.said {
		raw, err := a.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		script = append(binary.NativeEndian.AppendUint32(script, uint32(len(raw))), raw...)
	}
	if err := os.WriteFile(filepath.Join(e.dir, "answers"), script, 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(e.dir, "criu")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", e.dir+":"+os.Getenv("PATH"))
	t.Setenv("ORACLE_CRIU", e.dir)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // under the race detector each worker would wait for a second
	return e
}

// request is what the worker got, the first or after a notification.
func (e *exchange) request(t *testing.T, n int) *theirs.CriuReq {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(e.dir, fmt.Sprint("request", n)))
	if err != nil {
		t.Fatal(err)
	}
	req := &theirs.CriuReq{}
	if err := req.UnmarshalVT(raw); err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	return req
}

// check compares the request, the replies to notifications, and the error.
func (e *exchange) check(t *testing.T, o *criu.Options, want *theirs.CriuOpts, err error) {
	t.Helper()
	got := e.request(t, 0)
	want.ImagesDirFd, want.WorkDirFd = got.GetOpts().ImagesDirFd, got.GetOpts().WorkDirFd
	for name, dir := range map[string]string{"images": o.Images, "work": o.Work} {
		if path, _ := os.ReadFile(filepath.Join(e.dir, name)); string(path) != dir {
			t.Errorf("directory of %s: %q, want %q", name, path, dir)
		}
	}
	if full := (&theirs.CriuReq{Type: &e.kind, Opts: want}); !got.EqualVT(full) {
		t.Errorf("request (-want +got): %s", cmp.Diff(full.String(), got.String()))
	}
	notify, yes := theirs.CriuReqType_NOTIFY, true
	for i := range e.said[1:] {
		if reply := e.request(t, i+1); !reply.EqualVT(&theirs.CriuReq{Type: &notify, NotifySuccess: &yes}) {
			t.Errorf("reply to %s: %s", e.said[i], reply)
		}
	}
	last := e.said[len(e.said)-1]
	failure, failed := errors.AsType[*criu.Failure](err)
	if failed == last.GetSuccess() || err != nil && !failed {
		t.Errorf("error: %v, after %s", err, last)
	}
	if what := fmt.Sprintf("type %s errno %d", last.GetType(), last.GetCrErrno()); failed && failure.What != what {
		t.Errorf("failure: %q, want %q", failure.What, what)
	}
}

// flip gives both sides of a comparison the same flag.
func flip(r *rand.Rand) (bool, *bool) { v := r.IntN(2) == 0; return v, &v }

// perhaps gives both a text, or none.
func perhaps(r *rand.Rand, text string) (string, *string) {
	if r.IntN(2) == 0 {
		return "", nil
	}
	return text, &text
}

// options are random ones, and what theirs has to read of them in any request.
func options(r *rand.Rand, dir string) (*criu.Options, *theirs.CriuOpts) {
	o := &criu.Options{Images: dir, StatusFD: -1}
	want := &theirs.CriuOpts{
		LogLevel: new(int32(4)), Root: new("/r/oot"), ManageCgroups: new(true), NotifyScripts: new(true),
		OrphanPtsMaster: new(true), EmptyNs: new(uint32(unix.CLONE_NEWNET)),
	}
	o.ShellJob, want.ShellJob = flip(r)
	o.TCPEstablished, want.TcpEstablished = flip(r)
	o.ExtUnixSockets, want.ExtUnixSk = flip(r)
	o.FileLocks, want.FileLocks = flip(r)
	o.AutoDedup, want.AutoDedup = flip(r)
	o.LazyPages, want.LazyPages = flip(r)
	mode := []string{"DEFAULT", "IGNORE", "SOFT", "FULL", "STRICT"}[r.IntN(5)]
	want.ManageCgroupsMode = new(theirs.CriuCgMode(theirs.CriuCgMode_value[mode]))
	if mode != "DEFAULT" {
		o.ManageCgroups = strings.ToLower(mode)
	}
	if r.IntN(2) == 0 {
		o.Work = filepath.Join(dir, "work.d")
	}
	return o, want
}

// mounts are external ones.
func mounts(r *rand.Rand) (list []criu.External, want []*theirs.ExtMountMap) {
	for range r.IntN(4) {
		e := criu.External{Key: text(r), Value: text(r)}
		list = append(list, e)
		want = append(want, &theirs.ExtMountMap{Key: &e.Key, Val: &e.Value})
	}
	return list, want
}

func rounds() int {
	if testing.Short() {
		return 5
	}
	return 40
}

func TestDump(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for n := range rounds() {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			preDump, kind := r.IntN(3) == 0, theirs.CriuReqType_DUMP
			if preDump {
				kind = theirs.CriuReqType_PRE_DUMP
			}
			e := newExchange(t, r, kind, "pre-dump", "status-ready", "post-dump")
			o, want := options(r, e.dir)
			o.PreDump, want.LogFile = preDump, new("dump.log")
			o.LeaveRunning, want.LeaveRunning = flip(r)
			o.TCPSkipInFlight, want.TcpSkipInFlight = flip(r)
			o.LinkRemap, want.LinkRemap = flip(r)
			d := &criu.DumpRequest{PID: int(r.Int32()), Root: "/r/oot"}
			want.Pid = new(int32(d.PID))
			d.Config, want.ConfigFile = perhaps(r, "/etc/criu/x.conf")
			d.Freezer, want.FreezeCgroup = perhaps(r, "/sys/fs/cgroup/ä")
			d.External, want.ExtMnt = mounts(r)
			if o.Parent, want.ParentImg = perhaps(r, "../before"); o.Parent != "" {
				want.TrackMem = new(true)
			}
			if port := 1 + r.Int32N(65535); r.IntN(2) == 0 {
				o.PageServer = fmt.Sprintf("[2001:db8::1]:%d", port)
				want.Ps = &theirs.CriuPageServerInfo{Address: new("2001:db8::1"), Port: &port}
			}
			for kind, name := range map[string]string{"net": "extRootNetNS", "pid": "extRootPidNS"} {
				if r.IntN(2) == 0 && len(d.Namespaces) == 0 {
					ns := criu.Namespace{Kind: kind, Ino: uint64(r.Uint32())}
					d.Namespaces = append(d.Namespaces, ns)
					want.External = append(want.External, fmt.Sprintf("%s[%d]:%s", kind, ns.Ino, name))
				}
			}
			e.check(t, o, want, criu.Dump(o, d))
		})
	}
}

func TestRestore(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for n := range rounds() {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			e := newExchange(t, r, theirs.CriuReqType_RESTORE, "pre-restore", "setup-namespaces", "orphan-pts-master", "post-restore", "post-resume")
			o, want := options(r, e.dir)
			want.LogFile, want.RstSibling, want.EvasiveDevices = new("restore.log"), new(true), new(true)
			o.TCPClose, want.TcpClose = flip(r)
			o.LSMProfile, want.LsmProfile = perhaps(r, "apparmor:x")
			o.LSMMountContext, want.LsmMountContext = perhaps(r, "system_u:object_r:x")
			null, err := os.Open(os.DevNull)
			if err != nil {
				t.Fatal(err)
			}
			defer null.Close()
			heard := []string{}
			req := restoreRequest(null, &heard, want)
			req.Config, want.ConfigFile = perhaps(r, "/etc/criu/x.conf")
			req.External, want.ExtMnt = mounts(r)
			namespaces(r, req, null, want)
			e.check(t, o, want, criu.Restore(o, req))
			if d := cmp.Diff(e.announced(), heard); d != "" {
				t.Errorf("notifications (-theirs +ours):\n%s", d)
			}
		})
	}
}

// restoreRequest is one that notes what it hears of CRIU, and what CRIU is told of its cgroups.
func restoreRequest(null *os.File, heard *[]string, want *theirs.CriuOpts) *criu.RestoreRequest {
	note := func(what string) func(int) error {
		return func(pid int) error { *heard = append(*heard, fmt.Sprint(what, " ", pid)); return nil }
	}
	return &criu.RestoreRequest{
		Root: "/r/oot", Stdio: [3]*os.File{null, null, null},
		Enter: func(f func() error) error { return f() },
		Started: func(pid int) error {
			raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
			for line := range strings.Lines(string(raw)) {
				parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
				for controller := range strings.SplitSeq(parts[1], ",") {
					want.CgRoot = append(want.CgRoot, &theirs.CgroupRoot{Ctrl: &controller, Path: &parts[2]})
				}
			}
			return err
		},
		Namespaced: note("setup-namespaces"), Restored: note("post-restore"),
		Terminal: func(master *os.File) error {
			*heard = append(*heard, "orphan-pts-master")
			var st unix.Stat_t
			return unix.Fstat(int(master.Fd()), &st)
		},
	}
}

// namespaces gives a request pipes and namespaces, some by path, some by descriptor.
func namespaces(r *rand.Rand, req *criu.RestoreRequest, file *os.File, want *theirs.CriuOpts) {
	for i := range int32(3) {
		pipe, inherited := perhaps(r, fmt.Sprintf("pipe:[%d]", r.Uint32()))
		if req.Pipes = append(req.Pipes, pipe); inherited != nil {
			want.InheritFd = append(want.InheritFd, &theirs.InheritFd{Key: inherited, Fd: &i})
		}
	}
	fd := int32(4) // after standard input, output, error and the socket
	for _, ns := range []struct{ kind, handed string }{{"net", "extRootNetNS"}, {"ipc", ""}, {"pid", "extRootPidNS"}, {"uts", ""}} {
		if r.IntN(2) == 0 {
			continue
		}
		n := criu.Namespace{Kind: ns.kind, Path: "/proc/1/ns/" + ns.kind, File: file}
		if req.Namespaces = append(req.Namespaces, n); ns.handed == "" {
			want.JoinNs = append(want.JoinNs, &theirs.JoinNamespace{Ns: &n.Kind, NsFile: &n.Path})
			continue
		}
		want.InheritFd = append(want.InheritFd, &theirs.InheritFd{Key: &ns.handed, Fd: new(fd)})
		fd++
	}
}

// announced is what a restore is to hear of what was said.
func (e *exchange) announced() []string {
	list := []string{}
	for _, a := range e.said {
		switch n := a.GetNotify(); n.GetScript() {
		case "setup-namespaces", "post-restore":
			list = append(list, fmt.Sprint(n.GetScript(), " ", n.GetPid()))
		case "orphan-pts-master":
			list = append(list, n.GetScript())
		}
	}
	return list
}
