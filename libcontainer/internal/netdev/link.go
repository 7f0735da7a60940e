package netdev

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// link is what there is to know of a network device.
type link struct {
	index uint32
	name  string
	up    bool
}

// links lists the devices of the socket's namespace.
func (s *socket) links() ([]link, error) {
	r := newRequest(unix.RTM_GETLINK, 0)
	r.link(0, 0, 0)
	list, err := s.dump(r)
	if err != nil {
		return nil, fmt.Errorf("list network devices: %w", err)
	}
	var found []link
	for _, body := range list {
		if len(body) < unix.SizeofIfInfomsg {
			return nil, errShort
		}
		found = append(found, link{
			index: binary.NativeEndian.Uint32(body[4:]),
			name:  text(attributes(body[unix.SizeofIfInfomsg:])[unix.IFLA_IFNAME]),
			up:    binary.NativeEndian.Uint32(body[8:])&unix.IFF_UP != 0,
		})
	}
	return found, nil
}

// link adds a struct ifinfomsg, rtnetlink(7): the device, and the flags to change.
func (r *request) link(index, flags, change uint32) {
	r.data = append(r.data, unix.AF_UNSPEC, 0, 0, 0) // family, padding, device type
	for _, n := range [...]uint32{index, flags, change} {
		r.data = binary.NativeEndian.AppendUint32(r.data, n)
	}
}

// setUp sets a device up.
func (s *socket) setUp(index uint32) error {
	r := newRequest(unix.RTM_NEWLINK, 0)
	r.link(index, unix.IFF_UP, unix.IFF_UP)
	return s.do(r)
}

// move puts a device into another namespace under a name and with an index that is free there
// (IFLA_NEW_IFINDEX, Linux 5.13). The kernel sets it down and takes its addresses. If only the
// renaming fails, the device has moved all the same.
func (s *socket) move(index uint32, to *os.File, name string, newIndex uint32) error {
	r := newRequest(unix.RTM_NEWLINK, 0)
	r.link(index, 0, 0)
	r.number(unix.IFLA_NET_NS_FD, uint32(to.Fd()))
	r.name(unix.IFLA_IFNAME, name)
	r.number(unix.IFLA_NEW_IFINDEX, newIndex)
	return s.do(r)
}

// address is an address of a device, in the kernel's own form.
type address struct {
	header [unix.SizeofIfAddrmsg]byte // family, prefix length, flags, scope, index
	flags  uint32
	attrs  map[uint16][]byte
}

// The attributes of an address that x/sys lacks, linux/if_addr.h.
const ifaProto = 0xb

// kept are the attributes that an address has anywhere. Its label begins with the device's name,
// and is kept with that.
var kept = [...]uint16{unix.IFA_ADDRESS, unix.IFA_LOCAL, unix.IFA_BROADCAST, unix.IFA_CACHEINFO, unix.IFA_RT_PRIORITY, ifaProto}

// settable are the flags of an address that its owner chooses. The others tell how it is.
const settable = unix.IFA_F_NODAD | unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR | unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN

// addresses lists those of a device, of all families.
func (s *socket) addresses(index uint32) ([]address, error) {
	r := newRequest(unix.RTM_GETADDR, 0)
	r.data = append(r.data, make([]byte, unix.SizeofIfAddrmsg)...)
	list, err := s.dump(r)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	var found []address
	for _, body := range list {
		if len(body) < unix.SizeofIfAddrmsg {
			return nil, errShort
		}
		if binary.NativeEndian.Uint32(body[4:]) != index {
			continue
		}
		a := address{header: [unix.SizeofIfAddrmsg]byte(body), attrs: attributes(body[unix.SizeofIfAddrmsg:])}
		a.flags = uint32(a.header[2])
		if long := a.attrs[unix.IFA_FLAGS]; len(long) == 4 {
			a.flags = binary.NativeEndian.Uint32(long)
		}
		found = append(found, a)
	}
	return found, nil
}

// moves tells whether the specification wants an address preserved: "all permanent IP addresses
// (IFA_F_PERMANENT flag) of any family with global scope (RT_SCOPE_UNIVERSE value)".
func (a *address) moves() bool {
	return a.flags&unix.IFA_F_PERMANENT != 0 && a.header[3] == unix.RT_SCOPE_UNIVERSE
}

// add gives a device an address. It has its label if the device has the name that it had.
func (s *socket) add(index uint32, a *address, sameName bool) error {
	r := newRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	header := a.header
	header[2] = 0 // the flags are all in IFA_FLAGS
	binary.NativeEndian.PutUint32(header[4:], index)
	r.data = append(r.data, header[:]...)
	r.number(unix.IFA_FLAGS, a.flags&settable)
	for _, kind := range kept {
		if value, found := a.attrs[kind]; found {
			r.attribute(kind, value)
		}
	}
	if label, found := a.attrs[unix.IFA_LABEL]; found && sameName {
		r.attribute(unix.IFA_LABEL, label)
	}
	return s.do(r)
}

// String is the address as people write it, "192.0.2.1/24".
func (a *address) String() string {
	value := a.attrs[unix.IFA_LOCAL]
	if value == nil {
		value = a.attrs[unix.IFA_ADDRESS]
	}
	return fmt.Sprintf("%s/%d", ipAddress(value), a.header[1])
}

// ipAddress writes an IP address, an IPv6 one in full. (Package net/netip would take 30 µs of each
// start.)
func ipAddress(b []byte) string {
	var text strings.Builder
	for i, c := range b {
		switch {
		case len(b) == 4 && i > 0:
			fmt.Fprintf(&text, ".%d", c)
		case len(b) == 4:
			fmt.Fprintf(&text, "%d", c)
		case i > 0 && i%2 == 0:
			fmt.Fprintf(&text, ":%02x", c)
		default:
			fmt.Fprintf(&text, "%02x", c)
		}
	}
	return text.String()
}
