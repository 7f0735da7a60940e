// Package devices decides which device nodes a cgroup's processes may use: the rules of
// linux.resources.devices as the kernel's v1 controller understands them, its v1 files, and the
// same as an eBPF program for v2.
package devices

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/internal/log"
	"oci-run/specconv"
)

// anyNumber is a major or minor number that stands for all.
const anyNumber = -1

// access is a set of the three things one can do with a device. The bits are BPF_DEVCG_ACC_* of
// linux/bpf.h.
type access uint8

const (
	mknod access = 1 << iota
	read
	write
	everything = mknod | read | write
)

// exception is a device, or a range of them, for which the opposite of the default holds.
type exception struct {
	kind         byte // 'b' or 'c'
	major, minor int64
	access       access
}

// Policy is the outcome of a list of rules: a default and its exceptions. The zero Policy forbids
// everything.
type Policy struct {
	allow      bool // the default
	exceptions []exception
	index      map[device]int // where a device's exception is, once there are many
}

// device is what an exception is for.
type device struct {
	kind         byte
	major, minor int64
}

// many is from where on looking through the exceptions takes longer than a map: a configuration may
// have thousands of rules.
const many = 100

// defaultRules are allowed to every container after what its configuration says, those with a path
// unless linux.devices has a device of its own there. The first two only let nodes be made; net/tun
// is for VPNs. The list is runc's.
var defaultRules = [...]struct {
	path string
	exception
}{
	{"", exception{'c', anyNumber, anyNumber, mknod}},
	{"", exception{'b', anyNumber, anyNumber, mknod}},
	{"/dev/null", exception{'c', 1, 3, everything}},
	{"/dev/random", exception{'c', 1, 8, everything}},
	{"/dev/full", exception{'c', 1, 7, everything}},
	{"/dev/tty", exception{'c', 5, 0, everything}},
	{"/dev/zero", exception{'c', 1, 5, everything}},
	{"/dev/urandom", exception{'c', 1, 9, everything}},
	{"", exception{'c', 136, anyNumber, everything}}, // /dev/pts/N
	{"", exception{'c', 5, 2, everything}},           // /dev/ptmx
	{"", exception{'c', 10, 200, everything}},        // /dev/net/tun
}

// NewPolicy applies the rules in their order, to a cgroup that forbids everything, and then the
// defaults that every container has. nodes is linux.devices. The error is a *specconv.FieldError.
func NewPolicy(rules []specs.LinuxDeviceCgroup, nodes []specs.LinuxDevice) (Policy, error) {
	p := Policy{exceptions: make([]exception, 0, len(rules)+len(defaultRules))}
	for i := range rules {
		if err := p.addRule(&rules[i]); err != nil {
			return Policy{}, specconv.Field("/linux/resources/devices/"+strconv.Itoa(i), err)
		}
	}
	for _, d := range &defaultRules {
		if d.path != "" && slices.ContainsFunc(nodes, func(n specs.LinuxDevice) bool { return n.Path == d.path }) {
			continue
		}
		// It can only fail where a range of devices is forbidden explicitly, which counts more.
		_ = p.set(d.exception, true)
	}
	p.exceptions = slices.DeleteFunc(p.exceptions, func(e exception) bool { return e.access == 0 })
	p.index = nil
	sort.SliceStable(p.exceptions, func(i, j int) bool {
		a, b := p.exceptions[i], p.exceptions[j]
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.major, b.major), cmp.Compare(a.minor, b.minor)) < 0
	})
	return p, nil
}

// addRule applies one rule of the configuration. A rule for all devices with full access sets the
// default and forgets what was before it. One for type "a" with numbers or less access means block
// and character devices; the kernel, which would take it for all devices, never sees it.
func (p *Policy) addRule(r *specs.LinuxDeviceCgroup) error {
	e := exception{major: anyNumber, minor: anyNumber}
	var err error
	if e.access, err = parseAccess(r.Access); err != nil {
		return err
	}
	if r.Major != nil {
		e.major = *r.Major
	}
	if r.Minor != nil {
		e.minor = *r.Minor
	}
	if e.major < anyNumber || e.minor < anyNumber || e.major > maxNumber || e.minor > maxNumber {
		return fmt.Errorf("device number %d:%d is out of range", e.major, e.minor)
	}
	switch r.Type {
	case "b", "c":
		e.kind = r.Type[0]
		return p.set(e, r.Allow)
	case "", "a":
	default:
		return fmt.Errorf("invalid cgroup device type %q", r.Type)
	}
	if e.major == anyNumber && e.minor == anyNumber && e.access == everything {
		*p = Policy{allow: r.Allow, exceptions: p.exceptions[:0]}
		return nil
	}
	block, char := e, e
	block.kind, char.kind = 'b', 'c'
	if err := p.set(block, r.Allow); err != nil {
		return err
	}
	return p.set(char, r.Allow)
}

const maxNumber = 1<<32 - 1

func parseAccess(s string) (a access, err error) {
	for _, c := range s {
		switch c {
		case 'r':
			a |= read
		case 'w':
			a |= write
		case 'm':
			a |= mknod
		default:
			log.Warn("device access \"" + s + "\" has letters other than r, w and m, which mean nothing")
		}
	}
	if a == 0 {
		return 0, errors.New("device access field cannot be empty")
	}
	return a, nil
}

func (a access) String() string {
	var b []byte
	for i, c := range [...]byte{'m', 'r', 'w'} {
		if a&(1<<i) != 0 {
			b = append(b, c)
		}
	}
	return string(b)
}

// find gives the index of a device's exception, or -1.
func (p *Policy) find(d device) int {
	if len(p.exceptions) < many {
		return slices.IndexFunc(p.exceptions, func(e exception) bool { return e.device() == d })
	}
	if p.index == nil {
		p.index = make(map[device]int, 2*many)
		for i := range p.exceptions {
			p.index[p.exceptions[i].device()] = i
		}
	}
	if at, ok := p.index[d]; ok {
		return at
	}
	return -1
}

// set allows or forbids e.access to a device. What agrees with the default takes away from the
// exceptions.
func (p *Policy) set(e exception, allow bool) error {
	at := p.find(e.device())
	switch {
	case allow == p.allow:
		return p.withdraw(e, at)
	case at >= 0:
		p.exceptions[at].access |= e.access
	default:
		if p.exceptions = append(p.exceptions, e); p.index != nil {
			p.index[e.device()] = len(p.exceptions) - 1
		}
	}
	return nil
}

// withdraw takes access out of the exception at index at, if there is one. Where a wider exception
// goes on to hold for a part of it, that is impossible: v1 ignores such a rule silently, so it has
// to be an error.
func (p *Policy) withdraw(e exception, at int) error {
	for _, wider := range [...]device{{e.kind, anyNumber, e.minor}, {e.kind, e.major, anyNumber}, {e.kind, anyNumber, anyNumber}} {
		if i := p.find(wider); i >= 0 && i != at && p.exceptions[i].access&e.access != 0 {
			return fmt.Errorf("the rule for %v can't revoke a part of the earlier rule for %v", &e, &p.exceptions[i])
		}
	}
	if at >= 0 { // one without any access left goes when all rules have been applied
		p.exceptions[at].access &^= e.access
	}
	return nil
}

func (e *exception) device() device { return device{e.kind, e.major, e.minor} }

// String gives the form of the v1 files: "c 1:* rwm".
func (e *exception) String() string {
	number := func(n int64) string {
		if n == anyNumber {
			return "*"
		}
		return strconv.FormatInt(n, 10)
	}
	return string(e.kind) + " " + number(e.major) + ":" + number(e.minor) + " " + e.access.String()
}

// AllowsAll tells whether p forbids nothing.
func (p *Policy) AllowsAll() bool { return p.allow && len(p.exceptions) == 0 }

// AllowsByDefault tells whether p forbids only what it mentions.
func (p *Policy) AllowsByDefault() bool { return p.allow }

// SystemdRules gives the exceptions of a forbidding policy as systemd's DeviceAllow wants them
// (systemd.resource-control(5)): a node in /dev/char or /dev/block, or a group "char-MAJOR" or
// "char-*", and the access. What has no such form, a minor number of every major, is left out.
func (p *Policy) SystemdRules() [][2]string {
	var out [][2]string
	for i := range p.exceptions {
		e := &p.exceptions[i]
		kind := "char"
		if e.kind == 'b' {
			kind = "block"
		}
		var spec string
		switch {
		case e.major == anyNumber && e.minor == anyNumber:
			spec = kind + "-*"
		case e.major == anyNumber:
			continue
		case e.minor == anyNumber:
			spec = kind + "-" + strconv.FormatInt(e.major, 10)
		default:
			spec = fmt.Sprintf("/dev/%s/%d:%d", kind, e.major, e.minor)
		}
		out = append(out, [2]string{spec, e.access.String()})
	}
	return out
}
