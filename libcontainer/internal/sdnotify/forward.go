package sdnotify

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/internal/log"
	"oci-run/libcontainer/internal/fdsocket"
)

// patience is how long the manager may take to acknowledge a message.
const patience = 30 * time.Second

// Forward waits until the container says that it is ready, tells the manager, whose
// socket is at the address host, and that mainPID is now the service's main process. It
// returns when the manager knows, or when the process of pidfd has ended.
//
// Only readiness comes through: a container must not tell the manager which process to
// watch, or to keep descriptors for it.
func (s *Socket) Forward(host string, mainPID int, pidfd *os.File) error {
	for {
		message, err := s.receive(pidfd)
		if message == nil || err != nil {
			return err
		}
		if ready := readyLine(message); ready != nil {
			return tell(host, ready, mainPID)
		}
	}
}

// readyLine finds the line of a message, sd_notify(3), that says READY=.
func readyLine(message []byte) []byte {
	for line := range bytes.SplitSeq(message, []byte{'\n'}) {
		if bytes.HasPrefix(line, []byte("READY=")) {
			return line
		}
	}
	return nil
}

func tell(host string, ready []byte, mainPID int) error {
	manager, err := dial(host)
	if err != nil {
		return err
	}
	defer manager.Close()
	// The pid comes first: with READY=1 the manager looks at the service's main process.
	text := "MAINPID=" + strconv.Itoa(mainPID) + "\n" + string(ready) + "\n"
	if err := send(manager, text, nil); err != nil {
		return err
	}
	return barrier(manager)
}

// dial connects to the manager's socket: a path, or with "@" an abstract name.
func dial(host string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	if err := fdsocket.Connect(fd, host); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("connect to %s %q: %w", Variable, host, err)
	}
	return os.NewFile(uintptr(fd), host), nil
}

func send(to *os.File, text string, rights []byte) error {
	for {
		err := unix.Sendmsg(int(to.Fd()), []byte(text), rights, nil, unix.MSG_NOSIGNAL)
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return fmt.Errorf("send to %s %q: %w", Variable, to.Name(), err)
		}
	}
}

// barrier waits until the manager has dealt with what was sent, sd_notify_barrier(3): the
// manager closes the descriptor that comes with the message. A sender that exits before
// can't be told which service it belongs to.
func barrier(manager *os.File) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	err = send(manager, "BARRIER=1", unix.UnixRights(int(w.Fd())))
	w.Close()
	if err != nil {
		return err
	}
	if err := r.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := r.Read(make([]byte, 1)); os.IsTimeout(err) {
		log.Warn("the service manager has not acknowledged READY=1 in " + patience.String())
	}
	return nil
}
