package console

import (
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// host is the terminal that the user sits at. There may be none: then nothing is turned
// raw, and no size is followed.
type host struct {
	in    *os.File // stdin, if it is a terminal
	size  *os.File // the first of stdin, stdout, stderr that is a terminal
	saved *unix.Termios
}

func newHost(stdin, stdout, stderr *os.File) *host {
	h := &host{}
	for _, f := range []*os.File{stdin, stdout, stderr} {
		if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
			h.size = f
			break
		}
	}
	if h.size == stdin {
		h.in = stdin
	}
	return h
}

// makeRaw passes on each key as it is: the container's terminal does the echoing, the
// line editing and the ^C. Only output keeps its processing (OPOST), as the container's
// terminal leaves the "\r" before each "\n" to this one.
//
// A background job is stopped here by SIGTTOU until the user takes it to the foreground,
// as is usual for a program that wants the terminal.
func (h *host) makeRaw() error {
	if h.in == nil {
		return nil
	}
	fd := int(h.in.Fd())
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return fmt.Errorf("read the terminal's modes: %w", err)
	}
	if h.saved == nil {
		saved := *t
		h.saved = &saved
	}
	// cfmakeraw(3), without OPOST.
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB
	t.Cflag |= unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
		return fmt.Errorf("make the terminal raw: %w", err)
	}
	return nil
}

// restore undoes makeRaw. Errors are of no use to anybody: the terminal is gone then.
func (h *host) restore() {
	if h.saved == nil {
		return
	}
	// It must work in the background too, and not stop us on our way out.
	signal.Ignore(unix.SIGTTOU)
	_ = unix.IoctlSetTermios(int(h.in.Fd()), unix.TCSETS, h.saved)
	signal.Reset(unix.SIGTTOU)
	h.saved = nil
}

// copySize gives the pty the size of the user's terminal, if it has one.
func (h *host) copySize(master int) {
	if h.size == nil {
		return
	}
	size, err := unix.IoctlGetWinsize(int(h.size.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Row == 0 && size.Col == 0 {
		return
	}
	_ = unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, size)
}
