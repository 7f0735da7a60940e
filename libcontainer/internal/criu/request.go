package criu

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/criu/rpc"
)

// The names of the logs. Engines look for them.
const (
	dumpLog    = "dump.log"
	restoreLog = "restore.log"
)

// External is a mount that CRIU is not to look into: it is somebody else's, and only its name is
// written down.
type External struct {
	Key   string // dump: where it is mounted; restore: its name
	Value string // dump: its name; restore: what is to be mounted
}

// Namespace is one of the container's that is somebody else's.
type Namespace struct {
	Kind string   // its name in /proc/PID/ns
	Path string   // restore: where it is joined
	File *os.File // restore: the same, open, for those that CRIU takes by descriptor
	Ino  uint64   // dump
}

// Handed tells if CRIU is handed this kind of namespace as a descriptor. The others it joins by
// path.
func Handed(kind string) bool { return handed(kind) != "" }

// handed is the name of a namespace in the images, which runc and crun use as well.
func handed(kind string) string {
	switch kind {
	case "net":
		return "extRootNetNS"
	case "pid":
		return "extRootPidNS"
	}
	return ""
}

// DumpRequest is what has to be known about a container that is to be dumped.
type DumpRequest struct {
	PID        int
	Root       string // of the container, as the host sees it
	Config     string // configuration file that prevails over all else, or ""
	Freezer    string // the container's cgroup that can be frozen, or ""
	External   []External
	Namespaces []Namespace // those that are [Handed]
}

// Dump writes the processes of a container to files. They end, unless the options want otherwise.
func Dump(o *Options, d *DumpRequest) error {
	if err := checkVersion(); err != nil {
		return err
	}
	if err := o.checkFeatures(); err != nil {
		return err
	}
	opts := o.common(dumpLog, d.Root, d.Config)
	opts.Number(rpc.OptPID, uint64(d.PID))
	opts.Flag(rpc.OptLeaveRunning, o.LeaveRunning)
	opts.Flag(rpc.OptTCPSkipInFlight, o.TCPSkipInFlight)
	opts.Flag(rpc.OptLinkRemap, o.LinkRemap)
	opts.Given(rpc.OptFreezeCgroup, d.Freezer)
	if o.Parent != "" {
		opts.Text(rpc.OptParentImg, o.Parent)
		opts.Flag(rpc.OptTrackMem, true)
	}
	server, err := o.pageServer()
	if err != nil {
		return err
	}
	if server != nil {
		opts.Part(rpc.OptPageServer, server)
	}
	for _, ns := range d.Namespaces {
		opts.Text(rpc.OptExternal, fmt.Sprintf("%s[%d]:%s", ns.Kind, ns.Ino, handed(ns.Kind)))
	}
	external(opts, d.External)
	dirs, err := o.open(opts)
	if err != nil {
		return err
	}
	defer dirs.close()
	kind := uint64(rpc.ReqDump)
	if o.PreDump {
		kind = rpc.ReqPreDump
	}
	w, err := start([3]*os.File{})
	if err != nil {
		return err
	}
	answer := &answerer{statusFD: o.StatusFD}
	defer answer.closeStatus()
	return w.serve(kind, opts, answer, o.logFile(dumpLog))
}

func (o *Options) checkFeatures() error {
	if o.PreDump {
		err := checkFeature("pre-dump", rpc.FeatureMemTrack, func(r *rpc.Response) bool { return r.MemTrack })
		if err != nil {
			return err
		}
	}
	if o.LazyPages {
		return checkFeature("lazy-pages", rpc.FeatureLazyPages, func(r *rpc.Response) bool { return r.LazyPages })
	}
	return nil
}

// RestoreRequest is what has to be known about a container that is to be restored.
type RestoreRequest struct {
	Root       string // a mount point, where Enter leads, of the container's root
	Config     string // configuration file that prevails over all else, or ""
	External   []External
	Namespaces []Namespace
	Stdio      [3]*os.File // of the container's processes
	Pipes      []string    // what was standard input, output and error: "pipe:[INODE]", or "" for what is none

	// Enter runs a function in the mount namespace where CRIU is to be.
	Enter func(func() error) error
	// Started is told CRIU's pid, before it begins: the container's processes will be born into its
	// cgroups.
	Started func(pid int) error
	// Namespaced is told the pid of the container's process when its namespaces exist.
	Namespaced func(pid int) error
	// Restored is told the pid of the container's process, a child of ours, before it runs on.
	Restored func(pid int) error
	// Terminal gets the master of the container's terminal.
	Terminal func(master *os.File) error
}

// Restore makes processes from the files that Dump wrote.
func Restore(o *Options, r *RestoreRequest) error {
	if err := checkVersion(); err != nil {
		return err
	}
	opts := o.common(restoreLog, r.Root, r.Config)
	opts.Flag(rpc.OptEvasiveDevices, true)
	opts.Flag(rpc.OptRstSibling, true) // our child, not CRIU's
	opts.Flag(rpc.OptTCPClose, o.TCPClose)
	opts.Given(rpc.OptLSMProfile, o.LSMProfile)
	opts.Given(rpc.OptLSMMountContext, o.LSMMountContext)
	external(opts, r.External)
	for i, pipe := range r.Pipes {
		if i < len(r.Stdio) && strings.HasPrefix(pipe, "pipe:") {
			opts.Inherited(pipe, i)
		}
	}
	files := r.namespaces(opts)
	dirs, w := &directories{}, &worker{}
	err := r.Enter(func() (err error) {
		// CRIU mounts something in its working directory, which has to be in the same mount
		// namespace as CRIU.
		if dirs, err = o.open(opts); err == nil {
			w, err = start(r.Stdio, files...)
		}
		return err
	})
	defer dirs.close()
	if err != nil {
		return err
	}
	if err = r.Started(w.cmd.Process.Pid); err == nil {
		err = cgroupRoots(opts, w.cmd.Process.Pid)
	}
	if err != nil {
		return errors.Join(err, w.giveUp())
	}
	return w.serve(rpc.ReqRestore, opts, &answerer{restore: r, statusFD: -1}, o.logFile(restoreLog))
}

// namespaces names the namespaces in a request and gives the files that CRIU is to have.
func (r *RestoreRequest) namespaces(opts *rpc.Message) (files []*os.File) {
	for _, ns := range r.Namespaces {
		key := handed(ns.Kind)
		if key == "" {
			opts.Pair(rpc.OptJoinNS, ns.Kind, ns.Path)
			continue
		}
		opts.Inherited(key, firstExtra+len(files))
		files = append(files, ns.File)
	}
	return files
}

func external(opts *rpc.Message, list []External) {
	for _, e := range list {
		opts.Pair(rpc.OptExtMnt, e.Key, e.Value)
	}
}

// cgroupRoots tells CRIU that what it finds in the images as the container's cgroups is now where
// it is itself.
func cgroupRoots(opts *rpc.Message, pid int) error {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(raw)) { // ID:CONTROLLERS:/PATH, cgroups(7)
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			opts.Pair(rpc.OptCgRoot, controller, parts[2])
		}
	}
	return nil
}

// giveUp ends a CRIU that has nothing to do.
func (w *worker) giveUp() error {
	err := w.end()
	if _, exited := errors.AsType[*exec.ExitError](err); exited {
		return nil
	}
	return err
}

// answerer answers what CRIU asks while it works.
type answerer struct {
	restore  *RestoreRequest // nil in a dump
	statusFD int
}

// closeStatus lets whoever waits at the status descriptor know that nothing more will come.
func (a *answerer) closeStatus() {
	if a.statusFD >= 0 {
		unix.Close(a.statusFD)
		a.statusFD = -1
	}
}

func (a *answerer) notify(r *rpc.Response, file *os.File) error {
	if r.Script == "status-ready" && a.statusFD >= 0 {
		_, err := unix.Write(a.statusFD, []byte{0})
		a.closeStatus()
		return err
	}
	if a.restore == nil {
		return nil
	}
	switch r.Script {
	case "setup-namespaces":
		return a.restore.Namespaced(r.PID)
	case "post-restore":
		return a.restore.Restored(r.PID)
	case "orphan-pts-master":
		if file == nil {
			return errors.New("criu sent no terminal")
		}
		return a.restore.Terminal(file)
	}
	return nil
}
