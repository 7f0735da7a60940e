package hooks

import (
	"os"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
)

// maxTail bounds what is kept of each stream of a hook: enough for its last words.
const maxTail = 4 << 10

// maxDrain bounds what is read at once, lest a hook that writes without end keeps us from its
// timeout.
const maxDrain = 1 << 20

// stream is the reading end of a hook's standard output or error.
type stream struct {
	fd   int // -1 when closed
	tail []byte
	cut  bool // something came before tail
}

// open makes the pipe, and gives its writing end.
func (s *stream) open() (int, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return -1, os.NewSyscallError("pipe2", err)
	}
	s.fd = fds[0]
	// Our end only: the flag belongs to the open file, and each end of a pipe is one.
	if err := unix.SetNonblock(s.fd, true); err != nil {
		unix.Close(fds[1])
		return -1, os.NewSyscallError("fcntl", err)
	}
	return fds[1], nil
}

func (s *stream) close() {
	if s.fd >= 0 {
		unix.Close(s.fd)
		s.fd = -1
	}
}

// drain reads what there is, given what poll(2) said. At the end of the stream it closes it, so
// that it is not polled again: poll ignores negative descriptors.
func (s *stream) drain(revents int16) {
	if revents == 0 || s.fd < 0 {
		return
	}
	var buf [4096]byte
	for total := 0; total < maxDrain; {
		n, err := unix.Read(s.fd, buf[:])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return
		case err != nil || n == 0:
			s.close()
			return
		}
		total += n
		s.keep(buf[:n])
	}
}

// keep appends to the tail and drops what is too old.
func (s *stream) keep(data []byte) {
	s.tail = append(s.tail, data...)
	if extra := len(s.tail) - maxTail; extra > 0 {
		s.tail = append(s.tail[:0], s.tail[extra:]...)
		s.cut = true
	}
}

// text gives the tail for a message. A hook may run inside the container, so what it says must not
// be able to talk to the terminal that the message is printed on.
func (s *stream) text() string {
	text := strings.ToValidUTF8(strings.TrimSpace(string(s.tail)), "")
	text = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
	if s.cut && text != "" {
		return "…" + text
	}
	return text
}
