package console

import (
	"bytes"
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

// The key that ends a read. A terminal has Ctrl-D at first, and none after "stty eof undef"
// (_POSIX_VDISABLE, termios(3)).
const (
	usualEOF     = 4
	undefinedEOF = 0
)

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
			if err := r.typeEOF(key, raw); err != nil {
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
		if err != nil {
			return
		}
		key, raw, lacks = modes.Cc[unix.VEOF], modes.Lflag&unix.ICANON == 0, !readable(int(fd))
	})
	return key, raw, err == nil && lacks
}

// readable tells whether a read of a terminal would find something, an end of file too. The kernel
// first takes in what has been typed (n_tty_poll).
func readable(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return n != 0 || err != nil
}

// typeEOF types the key of a terminal that ends a read. One that has none would be read for ever: a
// raw one gets the usual key, another has a key while it is typed.
func (r *Relay) typeEOF(key byte, raw bool) error {
	if key == undefinedEOF && !raw {
		return r.lendEOF()
	}
	if key == undefinedEOF {
		key = usualEOF
	}
	_, err := r.master.Write([]byte{key})
	return err
}

// lendEOF types an end of file on a terminal with lines that has no key for it. The key is one that
// means nothing else there, a signal for instance. The modes are only put back where nobody has
// changed them meanwhile.
func (r *Relay) lendEOF() error {
	peer, err := r.peer.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = peer.Control(func(fd uintptr) {
		modes, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
		if failed = err; err != nil {
			return
		}
		own, key := *modes, byte(usualEOF)
		for bytes.IndexByte(modes.Cc[:], key) >= 0 {
			key++
		}
		modes.Cc[unix.VEOF] = key
		if failed = unix.IoctlSetTermios(int(fd), unix.TCSETS, modes); failed != nil {
			return
		}
		_, failed = r.master.Write([]byte{key})
		readable(int(fd)) // the key has its meaning when the kernel takes it in
		if now, err := unix.IoctlGetTermios(int(fd), unix.TCGETS); err == nil && *now == *modes {
			_ = unix.IoctlSetTermios(int(fd), unix.TCSETS, &own)
		}
	})
	if err != nil {
		return err
	}
	return failed
}
