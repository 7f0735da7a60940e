// Package netdev holds the moves of libcontainer/internal/netdev against the same ones made with
// vishvananda/netlink, the library that other runtimes use: both move alike devices between network
// namespaces, and the kernel has to tell the same of them afterwards.
package netdev

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/netdev"
	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) { fdleak.Main(m) }

// namespace is a network namespace, and the library's socket in it.
type namespace struct {
	file   *os.File
	handle *netlink.Handle
}

// newNamespace makes one, in which f runs before its thread ends.
func newNamespace(t *testing.T, f func(ns *namespace)) *namespace {
	t.Helper()
	made := make(chan *namespace)
	go func() {
		defer close(made)
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Errorf("unshare the network namespace: %v", err)
			return
		}
		file, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { file.Close() })
		handle, err := netlink.NewHandleAt(netns.NsHandle(file.Fd()), unix.NETLINK_ROUTE)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(handle.Close)
		ns := &namespace{file, handle}
		f(ns)
		made <- ns
	}()
	ns := <-made
	if ns == nil {
		t.FailNow()
	}
	return ns
}

// device is a random device that can be made several times.
type device struct {
	veth      *netlink.Veth
	alias     string
	up        bool
	addresses []*netlink.Addr
	target    string
	taken     bool // its index, in the target
}

func randomDevice(r *rand.Rand) *device {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.Index, attrs.MTU, attrs.TxQLen = "a0", 10+r.IntN(90), 1280+r.IntN(500), 1+r.IntN(2000)
	attrs.HardwareAddr = net.HardwareAddr{2, 0, 0x5e, 0, byte(r.Uint32()), byte(r.Uint32())}
	d := &device{veth: &netlink.Veth{LinkAttrs: attrs, PeerName: "b0"}, up: r.IntN(3) > 0, taken: r.IntN(4) == 0}
	d.alias = []string{"", "an alias"}[r.IntN(2)]
	d.target = []string{"a0", "eth0", "eth%d", "with.dot"}[r.IntN(4)]
	scope := r.IntN(5)
	for i := range r.IntN(9) {
		a := randomIPv4(r, byte(i), scope)
		if r.IntN(2) == 0 {
			a = randomIPv6(r, byte(i))
		}
		if r.IntN(4) == 0 {
			a.ValidLft = 1000 + r.IntN(1000)
			a.PreferedLft = r.IntN(1000)
		}
		d.addresses = append(d.addresses, a)
	}
	return d
}

// randomIPv4 gives addresses of one network one scope, which the kernel wants.
func randomIPv4(r *rand.Rand, last byte, scope int) *netlink.Addr {
	bits := []int{8, 24, 30, 31, 32}[r.IntN(5)]
	a := &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(10, byte(r.IntN(3)), 0, last+1), Mask: net.CIDRMask(bits, 32)}}
	a.Scope = []int{unix.RT_SCOPE_UNIVERSE, unix.RT_SCOPE_UNIVERSE, unix.RT_SCOPE_LINK, unix.RT_SCOPE_SITE, unix.RT_SCOPE_HOST}[(bits+scope)%5]
	switch r.IntN(4) {
	case 0:
		a.Broadcast = net.IPv4zero // none
	case 1:
		a.Broadcast = net.IPv4(10, 9, 9, 9).To4()
	}
	if r.IntN(4) == 0 {
		a.Peer = &net.IPNet{IP: net.IPv4(192, 0, 2, last+1), Mask: net.CIDRMask(bits, 32)}
	}
	if r.IntN(3) == 0 {
		a.Label = fmt.Sprintf("a0:%d", last)
	}
	if r.IntN(3) == 0 {
		a.Flags = unix.IFA_F_NOPREFIXROUTE
	}
	return a
}

func randomIPv6(r *rand.Rand, last byte) *netlink.Addr {
	bits := []int{48, 64, 127, 128}[r.IntN(4)]
	a := &netlink.Addr{IPNet: &net.IPNet{IP: net.IP{0x20, 1, 0xd, 0xb8, 5: byte(r.IntN(3)), 15: last + 1}, Mask: net.CIDRMask(bits, 128)}}
	a.Flags = unix.IFA_F_NODAD
	for _, flag := range []int{unix.IFA_F_HOMEADDRESS, unix.IFA_F_NOPREFIXROUTE} {
		if r.IntN(3) == 0 {
			a.Flags |= flag
		}
	}
	if r.IntN(4) == 0 {
		a.Peer = &net.IPNet{IP: net.IP{0x20, 1, 0xd, 0xb8, 5: 9, 15: last + 1}, Mask: net.CIDRMask(bits, 128)}
	}
	return a
}

// make makes the device in a namespace, and what may be in its way in the target.
func (d *device) make(t *testing.T, from, to *namespace) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%+v: %v", d, err)
		}
	}
	must(from.handle.LinkAdd(d.veth))
	if d.alias != "" {
		must(from.handle.LinkSetAlias(d.veth, d.alias))
	}
	if d.up {
		must(from.handle.LinkSetUp(d.veth))
	}
	for _, a := range d.addresses {
		copied := *a // the library fills in the broadcast address
		must(from.handle.AddrAdd(d.veth, &copied))
	}
	if d.taken {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.Index = "there", d.veth.Index
		must(to.handle.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "here"}))
	}
}

// settable are the flags of an address that its owner chooses.
const settable = unix.IFA_F_NODAD | unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR | unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN

// move is the move with the library, step by step as config-linux.md has it.
func (d *device) move(from, to *namespace) error {
	link, err := from.handle.LinkByName("a0")
	if err != nil {
		return err
	}
	list, err := from.handle.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	if err := from.handle.LinkSetNsFd(link, int(to.file.Fd())); err != nil {
		return err
	}
	if link, err = to.handle.LinkByName("a0"); err != nil {
		return err
	}
	if d.target != "a0" {
		if err := to.handle.LinkSetName(link, d.target); err != nil {
			return err
		}
	}
	for _, a := range list {
		if a.Flags&unix.IFA_F_PERMANENT == 0 || a.Scope != unix.RT_SCOPE_UNIVERSE {
			continue
		}
		if a.Flags &= settable; a.Broadcast == nil {
			a.Broadcast = net.IPv4zero // not one of the library's own
		}
		if d.target != "a0" {
			a.Label = "" // it begins with the name
		}
		if err := to.handle.AddrAdd(link, &a); err != nil {
			return err
		}
	}
	return to.handle.LinkSetUp(link)
}

// shown is what the kernel tells of a device.
type shown struct {
	Name, Alias, Address, Flags, Kind string
	Index, MTU, TxQLen                int
	Addresses                         []string
}

// show reads that with the library. The addresses that the kernel makes itself are left out, and
// the flags that change with time.
func (ns *namespace) show(t *testing.T, name string) shown {
	t.Helper()
	link, err := ns.handle.LinkByName(name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	a := link.Attrs()
	s := shown{Name: a.Name, Alias: a.Alias, Address: a.HardwareAddr.String(), Index: a.Index, MTU: a.MTU, TxQLen: a.TxQLen, Kind: link.Type()}
	s.Flags = (a.Flags &^ net.FlagRunning).String()
	list, err := ns.handle.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if a.IP.IsLinkLocalUnicast() {
			continue
		}
		lifetime := fmt.Sprint(a.ValidLft, " ", a.PreferedLft)
		if a.Flags&unix.IFA_F_PERMANENT == 0 {
			lifetime = "runs out"
		}
		s.Addresses = append(s.Addresses, fmt.Sprintf("%s peer %v broadcast %s label %q flags %#x scope %d lifetime %s",
			a.IPNet, a.Peer, a.Broadcast, a.Label, a.Flags&^unix.IFA_F_TENTATIVE, a.Scope, lifetime))
	}
	return s
}

// dup is a second file of a namespace: a Move owns the first.
func (ns *namespace) dup(t *testing.T) *os.File {
	t.Helper()
	fd, err := unix.FcntlInt(ns.file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), ns.file.Name())
}

// inPairs runs a test with two pairs of namespaces, each with the same device in its first one:
// one pair for each side. The test runs where the first pair's first is the thread's.
func inPairs(t *testing.T, r *rand.Rand, test func(d *device, ours, theirs [2]*namespace)) {
	t.Helper()
	nothing := func(*namespace) {}
	d := randomDevice(r)
	to, theirs := newNamespace(t, nothing), [2]*namespace{newNamespace(t, nothing), newNamespace(t, nothing)}
	newNamespace(t, func(from *namespace) {
		d.make(t, from, to)
		d.make(t, theirs[0], theirs[1])
		test(d, [2]*namespace{from, to}, theirs)
	})
}

func rounds(t *testing.T) int {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root makes network namespaces here: euid is", os.Geteuid())
	}
	if testing.Short() {
		return 5
	}
	return 60
}

func TestMove(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range rounds(t) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			inPairs(t, r, func(d *device, ours, theirs [2]*namespace) {
				if err := d.move(theirs[0], theirs[1]); err != nil {
					t.Errorf("the library: %v", err)
				}
				m, err := netdev.Start([]netdev.Device{{Name: "a0", Target: d.target}}, ours[1].dup(t))
				if err != nil {
					t.Errorf("Start: %v", err)
				}
				m.Keep()
				name := strings.Replace(d.target, "%d", "0", 1)
				want, got := theirs[1].show(t, name), ours[1].show(t, name)
				if d.taken {
					want.Index, got.Index = 0, 0 // any that is free
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%+v (-library +ours):\n%s", d, diff)
				}
			})
		})
	}
}

// What an undone move leaves is what the library saw before.
func TestUndo(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for n := range rounds(t) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			inPairs(t, r, func(d *device, ours, _ [2]*namespace) {
				before := ours[0].show(t, "a0")
				m, err := netdev.Start([]netdev.Device{{Name: "a0", Target: d.target}}, ours[1].dup(t))
				if err != nil {
					t.Errorf("Start: %v", err)
				}
				if err := m.Undo(); err != nil {
					t.Errorf("Undo: %v", err)
				}
				after := ours[0].show(t, "a0")
				slices.Sort(before.Addresses)
				slices.Sort(after.Addresses)
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("%+v (-before +after):\n%s", d, diff)
				}
			})
		})
	}
}
