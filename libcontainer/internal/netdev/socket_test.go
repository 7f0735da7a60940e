package netdev

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// FuzzPacket reads whatever may come from a netlink socket.
func FuzzPacket(f *testing.F) {
	r := newRequest(unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS|unix.NLM_F_CAPPED)
	r.data = binary.NativeEndian.AppendUint32(r.data, ^uint32(unix.EEXIST)+1)
	r.data = append(r.data, make([]byte, unix.SizeofNlMsghdr)...)
	r.name(unix.NLMSGERR_ATTR_MSG, "taken")
	binary.NativeEndian.PutUint32(r.data, uint32(len(r.data)))
	f.Add(r.data)
	f.Add(make([]byte, 16))
	f.Fuzz(func(_ *testing.T, packet []byte) {
		for len(packet) > 0 {
			m, rest, err := cut(packet)
			if err != nil {
				return
			}
			if len(rest) >= len(packet) {
				panic("no progress")
			}
			_ = m.err()
			_ = attributes(m.body)
			packet = rest
		}
	})
}

func TestAttributes(t *testing.T) {
	r := &request{}
	r.name(1, "ab")
	r.number(2|unix.NLA_F_NESTED, 7)
	r.attribute(3, nil)
	want := map[uint16][]byte{1: []byte("ab\x00"), 2: binary.NativeEndian.AppendUint32(nil, 7), 3: {}}
	if diff := cmp.Diff(want, attributes(r.data)); diff != "" {
		t.Error(diff)
	}
	if got := attributes(r.data[:10]); len(got) != 1 {
		t.Errorf("cut off: %v", got)
	}
}

func TestKernelsWords(t *testing.T) {
	r := newRequest(unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS)
	r.data = binary.NativeEndian.AppendUint32(r.data, ^uint32(unix.EEXIST)+1)
	inner := newRequest(unix.RTM_NEWLINK, 0)
	inner.link(1, 0, 0)
	binary.NativeEndian.PutUint32(inner.data, uint32(len(inner.data)))
	r.data = append(r.data, inner.data...)
	r.name(unix.NLMSGERR_ATTR_MSG, "taken")
	binary.NativeEndian.PutUint32(r.data, uint32(len(r.data)))
	m, rest, err := cut(r.data)
	if err != nil || len(rest) != 0 {
		t.Fatal(err, rest)
	}
	if got := m.err(); got == nil || got.Error() != "file exists (taken)" {
		t.Errorf("err: %v", got)
	}
}

func TestAddressText(t *testing.T) {
	v6 := address{attrs: map[uint16][]byte{unix.IFA_ADDRESS: {0x20, 1, 0xd, 0xb8, 14: 0, 15: 5}}}
	v6.header[1] = 64
	v4 := address{attrs: map[uint16][]byte{unix.IFA_ADDRESS: {10, 0, 0, 2}, unix.IFA_LOCAL: {10, 0, 0, 1}}}
	v4.header[1] = 32
	got := []string{v6.String(), v4.String()}
	if diff := cmp.Diff([]string{"2001:0db8:0000:0000:0000:0000:0000:0005/64", "10.0.0.1/32"}, got); diff != "" {
		t.Error(diff)
	}
}
