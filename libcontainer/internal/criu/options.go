package criu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/criu/rpc"
)

// Options are what the flags of checkpoint and restore say.
type Options struct {
	Images string // directory of the images
	Work   string // directory of logs and the like; "" is Images
	Parent string // directory of the images of an earlier pre-dump, relative to Images; or ""

	LeaveRunning    bool
	PreDump         bool
	TCPEstablished  bool
	TCPSkipInFlight bool
	TCPClose        bool
	LinkRemap       bool
	ExtUnixSockets  bool
	ShellJob        bool
	FileLocks       bool
	AutoDedup       bool
	LazyPages       bool

	StatusFD      int    // gets a zero byte when lazy pages are served; -1 for none
	PageServer    string // ADDRESS:PORT, or ""
	ManageCgroups string // a name of cgroupModes, or ""
	EmptyNS       []string

	LSMProfile      string
	LSMMountContext string
}

// cgroupModes are the values of --manage-cgroups-mode, and their numbers in the protocol.
var cgroupModes = [...]struct {
	name string
	mode uint64
}{
	{"", 6}, // whatever is CRIU's default
	{"soft", 3},
	{"full", 4},
	{"strict", 5},
	{"ignore", 0},
}

// Check refuses what makes no sense, without looking at anything but the descriptor and the
// parent's directory.
func (o *Options) Check() error {
	if _, err := o.cgroupMode(); err != nil {
		return err
	}
	for _, ns := range o.EmptyNS {
		if ns != "network" {
			return fmt.Errorf("--empty-ns %q: only network is supported", ns)
		}
	}
	if _, err := o.pageServer(); err != nil {
		return err
	}
	if err := o.checkStatusFD(); err != nil {
		return err
	}
	return o.checkParent()
}

func (o *Options) cgroupMode() (uint64, error) {
	for _, m := range cgroupModes {
		if m.name == o.ManageCgroups {
			return m.mode, nil
		}
	}
	return 0, fmt.Errorf("--manage-cgroups-mode %q: must be soft, full, strict or ignore", o.ManageCgroups)
}

// pageServer encodes the address; nil if there is none.
func (o *Options) pageServer() (rpc.Message, error) {
	if o.PageServer == "" {
		return nil, nil
	}
	colon := strings.LastIndexByte(o.PageServer, ':')
	if colon < 0 {
		return nil, fmt.Errorf("--page-server %q: must be ADDRESS:PORT", o.PageServer)
	}
	address := strings.TrimSuffix(strings.TrimPrefix(o.PageServer[:colon], "["), "]")
	port, err := strconv.ParseUint(o.PageServer[colon+1:], 10, 16)
	if err != nil || port == 0 || address == "" {
		return nil, fmt.Errorf("--page-server %q: must be ADDRESS:PORT", o.PageServer)
	}
	var server rpc.Message
	server.Text(1, address)
	server.Number(2, port)
	return server, nil
}

func (o *Options) checkStatusFD() error {
	if o.StatusFD < 0 {
		return nil
	}
	if !o.LazyPages {
		return errors.New("--status-fd requires --lazy-pages")
	}
	flags, err := unix.FcntlInt(uintptr(o.StatusFD), unix.F_GETFL, 0)
	if err != nil {
		return fmt.Errorf("--status-fd %d: %w", o.StatusFD, err)
	}
	if flags&unix.O_ACCMODE == unix.O_RDONLY {
		return fmt.Errorf("--status-fd %d: it is not open for writing", o.StatusFD)
	}
	return nil
}

// checkParent: CRIU keeps the path in a symbolic link beside the images, and only warns if it leads
// nowhere.
func (o *Options) checkParent() error {
	if o.Parent == "" {
		return nil
	}
	if filepath.IsAbs(o.Parent) {
		return fmt.Errorf("--parent-path %q: must be relative to --image-path", o.Parent)
	}
	return directory("--parent-path", o.Parent, filepath.Join(o.Images, o.Parent))
}

// CheckImages tells whether there is a directory to restore from.
func (o *Options) CheckImages() error { return directory("--image-path", o.Images, o.Images) }

// directory tells whether there is one at a path, which option gave as value.
func directory(option, value, path string) error {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		err = unix.ENOTDIR
	}
	if err != nil {
		return fmt.Errorf("%s %q: %w", option, value, err)
	}
	return nil
}

// directories are the open directories of a request. CRIU takes them over by their numbers.
type directories struct{ images, work *os.File }

func (d *directories) close() {
	if d != nil {
		d.images.Close() // of nil: an error, no panic
		d.work.Close()
	}
}

// open opens the directories and names them in a request.
func (o *Options) open(opts *rpc.Message) (*directories, error) {
	d := &directories{}
	var err error
	if d.images, err = os.Open(o.Images); err != nil {
		return nil, err
	}
	opts.Number(rpc.OptImagesDirFD, uint64(d.images.Fd()))
	if o.Work == "" {
		return d, nil
	}
	if err = os.MkdirAll(o.Work, 0o700); err == nil {
		d.work, err = os.Open(o.Work)
	}
	if err != nil {
		d.close()
		return nil, err
	}
	opts.Number(rpc.OptWorkDirFD, uint64(d.work.Fd()))
	return d, nil
}

// logFile is the path of a log.
func (o *Options) logFile(name string) string {
	dir := o.Work
	if dir == "" {
		dir = o.Images
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return filepath.Join(dir, name)
}

// logLevel is what CRIU calls debug: its log is all that there is to go by.
const logLevel = 4

// common is what both requests say. An empty config is none.
func (o *Options) common(log, root, config string) *rpc.Message {
	mode, _ := o.cgroupMode() // checked before
	opts := &rpc.Message{}
	opts.Number(rpc.OptLogLevel, logLevel)
	opts.Text(rpc.OptLogFile, log)
	opts.Text(rpc.OptRoot, root)
	opts.Given(rpc.OptConfigFile, config)
	opts.Flag(rpc.OptManageCgroups, true)
	opts.Number(rpc.OptCgroupsMode, mode)
	opts.Flag(rpc.OptNotifyScripts, true)
	opts.Flag(rpc.OptOrphanPtsMaster, true)
	opts.Flag(rpc.OptShellJob, o.ShellJob)
	opts.Flag(rpc.OptTCPEstablished, o.TCPEstablished)
	opts.Flag(rpc.OptExtUnixSk, o.ExtUnixSockets)
	opts.Flag(rpc.OptFileLocks, o.FileLocks)
	opts.Flag(rpc.OptAutoDedup, o.AutoDedup)
	opts.Flag(rpc.OptLazyPages, o.LazyPages)
	// Addresses and routes are the engine's to make again: the runtime doesn't know where the
	// container will be.
	opts.Number(rpc.OptEmptyNS, unix.CLONE_NEWNET)
	return opts
}
