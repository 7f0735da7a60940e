// Package criu holds the messages of libcontainer/internal/criu against the generated code of
// go-criu, the library that other runtimes use: what one writes the other reads.
package criu

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"

	"oci-run/tests/fdleak"
)

// TestMain is a `criu swrk` where the runtime has started this program under that name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != "criu" {
		fdleak.Main(m)
		return
	}
	if err := swrk(os.Getenv("ORACLE_CRIU")); err != nil {
		fmt.Fprintln(os.Stderr, "criu swrk, as go-criu reads it:", err)
		os.Exit(1)
	}
}

// socket is the descriptor of a worker's socket, `criu swrk 3`.
const socket = 3

// swrk is a worker that reads a request with go-criu's code and writes the same code's answers. A
// question about a version or a feature it answers itself; to a dump or a restore it says what is
// in the directory, and records there what it got.
func swrk(dir string) error {
	raw, err := receive()
	if err != nil {
		return err
	}
	req := &rpc.CriuReq{}
	if err := req.UnmarshalVT(raw); err != nil {
		return fmt.Errorf("%q: %w", raw, err)
	}
	yes := true
	switch resp := (&rpc.CriuResp{Type: req.Type, Success: &yes}); req.GetType() {
	case rpc.CriuReqType_VERSION:
		major, minor := int32(4), int32(1)
		resp.Version = &rpc.CriuVersion{MajorNumber: &major, MinorNumber: &minor}
		return answer(resp)
	case rpc.CriuReqType_FEATURE_CHECK:
		resp.Features = req.GetFeatures() // all that was asked for
		return answer(resp)
	}
	if err := recordDirectories(dir, req.GetOpts()); err != nil {
		return err
	}
	script, err := os.ReadFile(filepath.Join(dir, "answers"))
	if err != nil {
		return err
	}
	return converse(dir, raw, script)
}

// recordDirectories resolves the descriptors that CRIU takes out of the process that asks.
func recordDirectories(dir string, opts *rpc.CriuOpts) error {
	for name, fd := range map[string]*int32{"images": opts.ImagesDirFd, "work": opts.WorkDirFd} {
		if fd == nil {
			continue
		}
		path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", os.Getppid(), *fd))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte(path), 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// converse says each answer of a script, a length and as many bytes, and records what comes before
// the next.
func converse(dir string, raw, script []byte) error {
	for n := 0; ; n++ {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("request", n)), raw, 0o600); err != nil {
			return err
		}
		size := binary.NativeEndian.Uint32(script)
		next := script[4 : 4+size]
		if script = script[4+size:]; len(script) == 0 {
			return unix.Sendmsg(socket, next, nil, nil, 0) // the last, to which nothing is said
		}
		var rights []byte
		notification := &rpc.CriuResp{}
		if err := notification.UnmarshalVT(next); err != nil {
			return err
		}
		if notification.GetNotify().GetScript() == "orphan-pts-master" {
			rights = unix.UnixRights(0)
		}
		if err := unix.Sendmsg(socket, next, rights, nil, 0); err != nil {
			return err
		}
		var err error
		if raw, err = receive(); err != nil {
			return err
		}
	}
}

func receive() ([]byte, error) {
	raw := make([]byte, 1<<20)
	n, err := unix.Read(socket, raw)
	return raw[:max(n, 0)], err
}

func answer(resp *rpc.CriuResp) error {
	raw, err := resp.MarshalVT()
	if err == nil {
		err = unix.Sendmsg(socket, raw, nil, nil, 0)
	}
	return err
}
