package netdev

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// socket is an rtnetlink(7) socket. It stays in the network namespace that it was made in.
type socket struct {
	fd  int
	seq uint32
}

// open makes a socket in the caller's network namespace.
func open() (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("netlink socket: %w", err)
	}
	// With errors come the kernel's words for them, netlink(7).
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	return &socket{fd: fd}, nil
}

// openIn makes a socket in another network namespace than origin, the caller's.
func openIn(namespace, origin *os.File) (*socket, error) {
	runtime.LockOSThread()
	if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("enter network namespace %q: %w", namespace.Name(), err)
	}
	s, err := open()
	if errBack := unix.Setns(int(origin.Fd()), unix.CLONE_NEWNET); errBack != nil {
		// The thread stays locked: nobody else must run in that namespace.
		return s, fmt.Errorf("return to network namespace %q: %w", origin.Name(), errBack)
	}
	runtime.UnlockOSThread()
	return s, err
}

func (s *socket) close() { unix.Close(s.fd) }

// request is a message to the kernel: a header, a fixed struct, attributes.
type request struct{ data []byte }

func newRequest(kind, flags uint16) *request {
	r := &request{make([]byte, unix.SizeofNlMsghdr, 256)}
	binary.NativeEndian.PutUint16(r.data[4:], kind)
	binary.NativeEndian.PutUint16(r.data[6:], flags|unix.NLM_F_REQUEST)
	return r
}

// attribute adds one, aligned to four bytes as all are.
func (r *request) attribute(kind uint16, value []byte) {
	r.data = binary.NativeEndian.AppendUint16(r.data, uint16(unix.SizeofRtAttr+len(value)))
	r.data = binary.NativeEndian.AppendUint16(r.data, kind)
	r.data = append(r.data, value...)
	for len(r.data)%unix.RTA_ALIGNTO != 0 {
		r.data = append(r.data, 0)
	}
}

func (r *request) number(kind uint16, value uint32) {
	r.attribute(kind, binary.NativeEndian.AppendUint32(nil, value))
}

func (r *request) name(kind uint16, value string) { r.attribute(kind, append([]byte(value), 0)) }

// do sends a request and waits until the kernel has carried it out.
func (s *socket) do(r *request) error {
	_, err := s.exchange(r, unix.NLM_F_ACK)
	return err
}

// dumpTries bounds how often a list is asked for again that changed while it was read.
const dumpTries = 16

// errChanging is a dump that is not consistent, NLM_F_DUMP_INTR.
var errChanging = errors.New("netlink: the list changes faster than it can be read")

// dump sends a request for a list and returns its members, each without the netlink header.
func (s *socket) dump(r *request) ([][]byte, error) {
	for range dumpTries {
		list, err := s.exchange(r, unix.NLM_F_DUMP)
		if !errors.Is(err, errChanging) {
			return list, err
		}
	}
	return nil, errChanging
}

// exchange sends a request and reads the answers up to the last one.
func (s *socket) exchange(r *request, flags uint16) ([][]byte, error) {
	s.seq++
	binary.NativeEndian.PutUint32(r.data, uint32(len(r.data)))
	binary.NativeEndian.PutUint16(r.data[6:], binary.NativeEndian.Uint16(r.data[6:])|flags)
	binary.NativeEndian.PutUint32(r.data[8:], s.seq)
	if err := unix.Sendto(s.fd, r.data, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("netlink: send: %w", err)
	}
	var list [][]byte
	var changing error
	for {
		packet, err := s.receive()
		if err != nil {
			return nil, err
		}
		for len(packet) > 0 {
			var m message
			if m, packet, err = cut(packet); err != nil {
				return nil, err
			}
			if m.seq != s.seq {
				continue
			}
			if m.flags&unix.NLM_F_DUMP_INTR != 0 {
				changing = errChanging
			}
			switch m.kind {
			case unix.NLMSG_DONE:
				return list, changing
			case unix.NLMSG_ERROR:
				return list, m.err()
			default:
				list = append(list, m.body)
			}
		}
	}
}

// receive reads one packet, whatever its size.
func (s *socket) receive() ([]byte, error) {
	for {
		n, _, err := unix.Recvfrom(s.fd, nil, unix.MSG_PEEK|unix.MSG_TRUNC)
		if err == nil {
			packet := make([]byte, n)
			n, _, err = unix.Recvfrom(s.fd, packet, 0)
			if err == nil {
				return packet[:n], nil
			}
		}
		if err != unix.EINTR {
			return nil, fmt.Errorf("netlink: receive: %w", err)
		}
	}
}

// message is an answer of the kernel.
type message struct {
	kind, flags uint16
	seq         uint32
	body        []byte
}

var errShort = errors.New("netlink: a message is cut off")

// cut takes the first message of a packet.
func cut(packet []byte) (m message, rest []byte, err error) {
	if len(packet) < unix.SizeofNlMsghdr {
		return m, nil, errShort
	}
	size := int(binary.NativeEndian.Uint32(packet))
	if size < unix.SizeofNlMsghdr || size > len(packet) {
		return m, nil, errShort
	}
	m.kind = binary.NativeEndian.Uint16(packet[4:])
	m.flags = binary.NativeEndian.Uint16(packet[6:])
	m.seq = binary.NativeEndian.Uint32(packet[8:])
	m.body = packet[unix.SizeofNlMsghdr:size]
	return m, packet[min(align(size), len(packet)):], nil
}

// err is what an NLMSG_ERROR says: an errno, 0 for an acknowledgement, the request's header (and
// its rest, if it failed), and attributes.
func (m message) err() error {
	if len(m.body) < 4 {
		return errShort
	}
	code := int32(binary.NativeEndian.Uint32(m.body))
	if code == 0 {
		return nil
	}
	errno := unix.Errno(-code)
	if words := m.words(); words != "" {
		return fmt.Errorf("%w (%s)", errno, words)
	}
	return errno
}

// words is the kernel's explanation of an error, NLMSGERR_ATTR_MSG.
func (m message) words() string {
	if m.flags&unix.NLM_F_ACK_TLVS == 0 || len(m.body) < 4+unix.SizeofNlMsghdr {
		return ""
	}
	at := 4 + unix.SizeofNlMsghdr
	if m.flags&unix.NLM_F_CAPPED == 0 {
		at = 4 + align(int(binary.NativeEndian.Uint32(m.body[4:])))
	}
	if at > len(m.body) {
		return ""
	}
	return text(attributes(m.body[at:])[unix.NLMSGERR_ATTR_MSG])
}

// attributes reads a list of them. What is cut off is left out.
func attributes(b []byte) map[uint16][]byte {
	found := map[uint16][]byte{}
	for len(b) >= unix.SizeofRtAttr {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofRtAttr || size > len(b) {
			break
		}
		found[binary.NativeEndian.Uint16(b[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER)] = b[unix.SizeofRtAttr:size]
		b = b[min(align(size), len(b)):]
	}
	return found
}

// text is a string that ends with a zero byte.
func text(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}

func align(n int) int { return (n + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1) }
