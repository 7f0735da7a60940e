package console

import (
	"time"

	"golang.org/x/sys/unix"

	"oci-run/internal/log"
)

// How long an end of file that nobody has read yet is left alone, before it is looked at again.
const (
	soonest = 10 * time.Millisecond
	latest  = time.Second
)

// mostKeys is how many end-of-file keys a program that reads keys itself may take and read on. The
// last comes five seconds after the first.
const mostKeys = 10

// endOfInput tells whoever reads the container's terminal that the user's stdin has ended, until
// the relay ends itself. A terminal has no end of its own: each VEOF ends one read (termios(3)). So
// that every reader gets one, as from a file, a VEOF is typed as soon as nothing waits to be read;
// the first of them may complete a line that has no newline. A program that has the terminal raw
// gets the key, by which shells end that read keys themselves; script(1) does so too. Whoever takes
// that for another command, as line editors do in a line that isn't empty, would read on for ever:
// he is hung up, as by the end of any other terminal.
func (r *Relay) endOfInput() {
	wait := soonest
	for keys := 0; ; {
		key, raw, wanted := r.lacksEOF()
		if wanted && raw && keys == mostKeys {
			r.hangUp()
			return
		}
		if wanted {
			if _, err := r.master.Write([]byte{key}); err != nil {
				return
			}
			keys++
			if !raw { // where another reader may follow at once
				wait, keys = soonest, 0
			}
		}
		fds := []unix.PollFd{{Fd: int32(r.wake[0].Fd()), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, int(wait.Milliseconds())); n > 0 || err != nil && err != unix.EINTR {
			return
		}
		wait = min(2*wait, latest)
	}
}

// hangUp ends the terminal: its foreground processes get SIGHUP, and reads end (tty(4)).
func (r *Relay) hangUp() {
	log.Warn("stdin has ended, and the program reads the terminal on: it was hung up")
	r.master.Close()
	r.peer.Close()
}

// lacksEOF tells whether who reads the terminal would have to wait, and the key that ends that.
func (r *Relay) lacksEOF() (key byte, raw, lacks bool) {
	peer, err := r.peer.SyscallConn()
	if err != nil {
		return 0, false, false
	}
	err = peer.Control(func(fd uintptr) {
		modes, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
		if err != nil || modes.Cc[unix.VEOF] == 0 {
			return
		}
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		key, raw, lacks = modes.Cc[unix.VEOF], modes.Lflag&unix.ICANON == 0, err == nil && n == 0
	})
	return key, raw, err == nil && lacks
}
