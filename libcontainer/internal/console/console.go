// Package console is a container's terminal: in the init process it makes a pty out of
// the container's own devpts and puts the process on it; in the command it turns the
// user's terminal raw and carries bytes and window sizes between the two.
package console

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
	"oci-run/libcontainer/internal/fdsocket"
	"oci-run/specconv"
)

// Plan is what init needs to know to make the terminal.
type Plan struct {
	Rows, Columns uint16 // both 0: the size stays 0×0 until somebody sets it
	UID           uint32 // its owner, in the container's user namespace
	// PlainNewlines stops the pty from turning "\n" into "\r\n" (ONLCR). It is for the
	// foreground, where the user's own terminal does that. Who takes the terminal over a
	// console socket gets it as ptys are, and decides himself.
	PlainNewlines bool
}

// NewPlan returns nil if the process has no terminal. Then its console size means
// nothing (runtime-spec, config.md "consoleSize").
func NewPlan(p *specs.Process, foreground bool) (*Plan, error) {
	if !p.Terminal {
		return nil, nil
	}
	plan := &Plan{UID: p.User.UID, PlainNewlines: foreground}
	if p.ConsoleSize == nil {
		return plan, nil
	}
	sides := []struct {
		pointer string
		value   uint
		to      *uint16
	}{
		{"/process/consoleSize/height", p.ConsoleSize.Height, &plan.Rows},
		{"/process/consoleSize/width", p.ConsoleSize.Width, &plan.Columns},
	}
	for _, s := range sides {
		if s.value > math.MaxUint16 {
			return nil, specconv.Fieldf(s.pointer, "%d is more than %d", s.value, math.MaxUint16)
		}
		*s.to = uint16(s.value)
	}
	return plan, nil
}

// Console is a new pty. Its descriptors are close-on-exec.
type Console struct {
	Master *os.File // for whoever shows the terminal; named after the peer
	Peer   *os.File // for the process, and for the bind mount on /dev/console
}

// ptmx is the device number of each devpts' ptmx, and peers the first major number of
// the other ends: TTYAUX_MAJOR and UNIX98_PTY_SLAVE_MAJOR in linux/major.h. There are
// eight majors of 256 each.
const (
	ptmxMajor, ptmxMinor = 5, 2
	peerMajor            = 136
	peerMajors           = 8
)

// Open makes a pty in the devpts on /dev/pts below root, the container's root directory.
// A container's image or volumes may have put anything there, CVE-2025-52565: so nothing
// is opened but the ptmx of a true devpts, and the peer comes from the kernel, not from a
// name (TIOCGPTPEER, Linux 4.13).
func Open(root *os.File, p *Plan) (*Console, error) {
	master, err := openMaster(root)
	if err != nil {
		return nil, err
	}
	c := &Console{}
	if c.Peer, err = openPeer(master); err != nil {
		unix.Close(master)
		return nil, err
	}
	c.Master = os.NewFile(uintptr(master), c.Peer.Name())
	if err := c.setUp(p); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close closes both ends.
func (c *Console) Close() {
	c.Master.Close()
	c.Peer.Close()
}

func openMaster(root *os.File) (int, error) {
	dir, err := linux.Openat2(int(root.Fd()), "dev/pts", unix.O_PATH|unix.O_DIRECTORY, 0, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
	if err != nil {
		hint := ""
		if errors.Is(err, unix.ENOENT) {
			hint = " (a terminal needs a mount of type devpts there)"
		}
		return -1, fmt.Errorf("open \"/dev/pts\": %w%s", linux.NameCall("openat2", err), hint)
	}
	defer unix.Close(dir)
	if err := onDevpts(dir, "/dev/pts"); err != nil {
		return -1, err
	}
	// Names in a devpts are the kernel's. Only a mount could be in the way.
	const onlyThere = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS
	fd, err := linux.Openat2(dir, "ptmx", unix.O_RDWR|unix.O_NOCTTY, 0, onlyThere)
	if err != nil {
		return -1, fmt.Errorf("open \"/dev/pts/ptmx\": %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("stat \"/dev/pts/ptmx\": %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || uint64(st.Rdev) != unix.Mkdev(ptmxMajor, ptmxMinor) {
		unix.Close(fd)
		return -1, errors.New("open \"/dev/pts/ptmx\": it is not a ptmx device")
	}
	return fd, nil
}

func openPeer(master int) (*os.File, error) {
	number, err := unix.IoctlGetUint32(master, unix.TIOCGPTN)
	if err != nil {
		return nil, fmt.Errorf("ask for the number of a new pty (TIOCGPTN): %w", err)
	}
	name := "/dev/pts/" + strconv.FormatUint(uint64(number), 10)
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return nil, fmt.Errorf("unlock %q (TIOCSPTLCK): %w", name, err)
	}
	fd, err := linux.OpenPtyPeer(master, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open %q (TIOCGPTPEER): %w", name, err)
	}
	if err := checkPeer(fd, name, number); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func checkPeer(fd int, name string, number uint32) error {
	if err := onDevpts(fd, name); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("stat %q: %w", name, err)
	}
	major, minor := unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev))
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || major < peerMajor || major >= peerMajor+peerMajors || (major-peerMajor)<<8|minor != number {
		return fmt.Errorf("open %q: device %d:%d is not that pty", name, major, minor)
	}
	return nil
}

func onDevpts(fd int, name string) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return fmt.Errorf("statfs %q: %w", name, err)
	}
	if fs.Type != unix.DEVPTS_SUPER_MAGIC {
		return fmt.Errorf("open %q: it is not on a file system of type devpts", name)
	}
	return nil
}

// setUp gives a new pty its size, owner and newline handling. Its group and mode are
// those that the devpts mount asks for (gid=, mode=).
func (c *Console) setUp(p *Plan) error {
	fd, name := int(c.Peer.Fd()), c.Peer.Name()
	if p.Rows != 0 || p.Columns != 0 {
		size := &unix.Winsize{Row: p.Rows, Col: p.Columns}
		if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, size); err != nil {
			return fmt.Errorf("set the size of %q: %w", name, err)
		}
	}
	if p.PlainNewlines {
		if err := clearONLCR(fd); err != nil {
			return fmt.Errorf("set the modes of %q: %w", name, err)
		}
	}
	err := unix.Fchown(fd, int(p.UID), -1)
	switch err {
	// EPERM and EROFS: the devpts is not the container's own but one from outside of its
	// user namespace. EINVAL: the uid is not mapped there, which the change of user will
	// complain about. The terminal works for a process that has it open.
	case nil, unix.EPERM, unix.EINVAL, unix.EROFS:
		return nil
	}
	return fmt.Errorf("chown %q to uid %d: %w", name, p.UID, err)
}

func clearONLCR(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Oflag &^= unix.ONLCR
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// Send hands the master over and closes it.
func (c *Console) Send(socket *os.File) error {
	defer c.Master.Close()
	err := fdsocket.Send(socket, c.Peer.Name(), c.Master)
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		err = fmt.Errorf("%w (whoever listens there has closed the connection before it got the terminal)", err)
	}
	if err != nil {
		return fmt.Errorf("hand the terminal over the console socket: %w", err)
	}
	return nil
}

// ExplainHangup adds what an error of TIOCSCTTY means for a terminal that somebody else has.
func ExplainHangup(err error) error {
	if errors.Is(err, unix.EIO) {
		return fmt.Errorf("%w (it was hung up: whoever got it over the console socket has closed it)", err)
	}
	return err
}
