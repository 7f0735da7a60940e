// Package criu has CRIU (criu.org) write the processes of a container to files and make them again.
// CRIU is a program of its own: it is started as a worker (`criu swrk`) that gets one request over
// a socket, and asks back over the same socket while it works. The messages are its RPC protocol's.
//
// [Dump] and [Restore] get from package libcontainer what CRIU can't know about a container: which
// of its mounts, namespaces and pipes are somebody else's.
package criu

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/log"
	"oci-run/internal/thread"
	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/criu/rpc"
)

// program is CRIU's name.
const program = "criu"

// defaultPath is where it is looked for too: some engines clear the environment.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// oldest is the version of CRIU that knows all that is asked of it: external pid namespaces (3.15),
// a freezer of cgroup v2 (3.14) and other LSM profiles (3.16). An older one silently ignores what
// it doesn't know.
const oldest = 31600

// largest is the longest answer that CRIU gives.
const largest = 40 << 10

// firstExtra is the first descriptor after standard input, output, error and the socket.
const firstExtra = 4

// worker is a running `criu swrk`.
type worker struct {
	cmd    *exec.Cmd
	socket *os.File
}

// find looks CRIU up.
func find() (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	for dir := range strings.SplitSeq(defaultPath, ":") {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path, nil
		}
	}
	return "", err
}

// environment is ours, with a PATH: CRIU runs other programs (tar, ip, iptables).
func environment() []string {
	env := os.Environ()
	if os.Getenv("PATH") == "" {
		env = append(env, "PATH="+defaultPath)
	}
	return env
}

// start starts a worker. It has stdio (nil: /dev/null) and, from firstExtra on, extra.
func start(stdio [3]*os.File, extra ...*os.File) (*worker, error) {
	path, err := find()
	if err != nil {
		return nil, err
	}
	// Message boundaries are the protocol's only framing.
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	w := &worker{socket: os.NewFile(uintptr(fds[0]), program)}
	theirs := os.NewFile(uintptr(fds[1]), program)
	defer theirs.Close() // or there is no end of file if it dies
	w.cmd = exec.Command(path, "swrk", "3")
	w.cmd.Env = environment()
	w.cmd.ExtraFiles = append([]*os.File{theirs}, extra...)
	for i, to := range []*os.File{stdio[0], stdio[1], stdio[2]} {
		if to == nil {
			continue // a nil *os.File is not a nil interface
		}
		switch i {
		case 0:
			w.cmd.Stdin = to
		case 1:
			w.cmd.Stdout = to
		default:
			w.cmd.Stderr = to
		}
	}
	if err := thread.CallersSlack(w.cmd.Start); err != nil {
		w.socket.Close()
		return nil, err
	}
	return w, nil
}

// end lets CRIU go and waits for it.
func (w *worker) end() error {
	w.socket.Close()
	return w.cmd.Wait()
}

// errEnded says that CRIU ended, or closed the socket, without an answer.
var errEnded = errors.New("it ended without an answer")

func (w *worker) send(request rpc.Message) error {
	err := retry(func() error { return unix.Sendmsg(int(w.socket.Fd()), request, nil, nil, unix.MSG_NOSIGNAL) })
	if err != nil {
		return fmt.Errorf("send a request to criu: %w", err)
	}
	return nil
}

// receive waits for an answer and the descriptor that may come with it.
func (w *worker) receive() (*rpc.Response, *os.File, error) {
	data, rights := make([]byte, largest), make([]byte, unix.CmsgSpace(4))
	var n, nr, flags int
	err := retry(func() (err error) {
		n, nr, flags, _, err = unix.Recvmsg(int(w.socket.Fd()), data, rights, unix.MSG_CMSG_CLOEXEC)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("receive criu's answer: %w", err)
	}
	file, err := passed(rights[:nr])
	switch {
	case err != nil:
		return nil, nil, err
	case n == 0:
		return nil, nil, errEnded
	case flags&unix.MSG_TRUNC != 0:
		err = fmt.Errorf("receive criu's answer: it is longer than %d bytes", largest)
	}
	var resp *rpc.Response
	if err == nil {
		resp, err = rpc.Decode(data[:n])
	}
	if err != nil {
		file.Close() // of nil: an error, no panic
		return nil, nil, err
	}
	return resp, file, nil
}

// passed takes the descriptor out of a control message; nil if there is none.
func passed(rights []byte) (*os.File, error) {
	if len(rights) == 0 {
		return nil, nil // no descriptor is not an error
	}
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil, fmt.Errorf("receive a descriptor of criu: %w", err)
	}
	for i := range messages {
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil && len(fds) == 1 {
			return os.NewFile(uintptr(fds[0]), "criu"), nil
		}
	}
	return nil, nil // as above
}

func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR { //nolint:errorlint // a bare errno
			return err
		}
	}
}

// ask has a worker of its own answer a request that changes nothing.
func ask(request rpc.Message) (*rpc.Response, error) {
	w, err := start([3]*os.File{})
	if err != nil {
		return nil, err
	}
	defer w.end() // it has answered
	if err := w.send(request); err != nil {
		return nil, err
	}
	resp, file, err := w.receive()
	if err != nil {
		return nil, err
	}
	file.Close() // of nil: an error, no panic
	if !resp.Success {
		return nil, fmt.Errorf("criu failed: type %s errno %d", rpc.TypeName(resp.Kind), resp.Errno)
	}
	return resp, nil
}

// checkVersion refuses a CRIU that is too old.
func checkVersion() error {
	v, err := version()
	switch {
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("checkpoint and restore need CRIU: %w", err)
	case err != nil:
		return fmt.Errorf("ask criu for its version: %w", err)
	}
	log.Debug(fmt.Sprintf("criu: version %d", v))
	if v < oldest {
		return fmt.Errorf("criu has version %s: version %s or later is needed", versionText(v), versionText(oldest))
	}
	return nil
}

// version asks CRIU for its version: 31701 is 3.17.1.
func version() (int, error) {
	var request rpc.Message
	request.Number(rpc.ReqType, rpc.ReqVersion)
	var resp *rpc.Response
	err := trace.Do("ask criu for its version", func() (err error) { resp, err = ask(request); return err })
	if err != nil {
		return 0, err
	}
	return resp.Version(), nil
}

func versionText(v int) string { return fmt.Sprintf("%d.%d", v/10000, v%10000/100) }

// Describe tells for a report which CRIU there is: its version, or why it can't be used.
func Describe() string {
	if err := checkVersion(); err != nil {
		return err.Error()
	}
	v, err := version()
	if err != nil {
		return err.Error()
	}
	return versionText(v)
}

// checkFeature refuses an option that this CRIU on this kernel has no feature for.
func checkFeature(option string, feature int, has func(*rpc.Response) bool) error {
	var request, features rpc.Message
	features.Flag(feature, true)
	request.Number(rpc.ReqType, rpc.ReqFeatureCheck)
	request.Part(rpc.ReqFeatures, features)
	resp, err := ask(request)
	if err != nil {
		return fmt.Errorf("ask criu for its features: %w", err)
	}
	if !has(resp) {
		return fmt.Errorf("--%s: not supported by this criu or this kernel", option)
	}
	return nil
}
