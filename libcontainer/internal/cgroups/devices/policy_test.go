package devices

import (
	"encoding/binary"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func policy(t *testing.T, text string) (Policy, error) {
	t.Helper()
	var rules []specs.LinuxDeviceCgroup
	if err := json.Unmarshal([]byte(text), &rules); err != nil {
		t.Fatal(err)
	}
	return NewPolicy(rules, nil)
}

const denyAll = `{"allow":false,"access":"rwm"}`

func TestPolicy(t *testing.T) {
	for _, c := range []struct{ rules, want string }{ // want: what differs from the default rules
		{`[]`, ""},
		{`[` + denyAll + `]`, ""},
		{`[` + denyAll + `,{"allow":true,"type":"c","major":10,"minor":229,"access":"rwm"}]`, "c 10:229 mrw"},
		{`[{"allow":true,"type":"b","major":8,"access":"r"},{"allow":true,"type":"b","major":8,"access":"w"}]`, "b 8:* rw"},
		{`[{"allow":true,"type":"b","major":8,"access":"rw"},{"allow":false,"type":"b","major":8,"access":"w"}]`, "b 8:* r"},
		{`[{"allow":true,"type":"a","major":7,"minor":1,"access":"ra"}]`, "b 7:1 r,c 7:1 r"},
	} {
		p, err := policy(t, c.rules)
		if err != nil {
			t.Errorf("%s: %v", c.rules, err)
			continue
		}
		base, _ := NewPolicy(nil, nil)
		known := map[string]bool{}
		for i := range base.exceptions {
			known[base.exceptions[i].String()] = true
		}
		var more []string
		for i := range p.exceptions {
			if s := p.exceptions[i].String(); !known[s] {
				more = append(more, s)
			}
		}
		if got := strings.Join(more, ","); got != c.want || p.allow {
			t.Errorf("%s: %s (default %v), want %s", c.rules, got, p.allow, c.want)
		}
	}
	all, err := policy(t, `[{"allow":true,"access":"rwm"}]`)
	if err != nil || !all.AllowsAll() {
		t.Errorf("allow all: %+v, %v", all, err)
	}
}

func TestPolicyRefuses(t *testing.T) {
	for _, c := range []struct{ rules, want string }{
		{`[{"allow":true,"type":"c"}]`, "/linux/resources/devices/0: device access field cannot be empty"},
		{`[{"allow":true,"type":"p","access":"r"}]`, "invalid cgroup device type"},
		{`[{"allow":true,"type":"c","access":"x"}]`, "cannot be empty"},
		{`[{"allow":true,"type":"c","major":-5,"access":"r"}]`, "out of range"},
		{`[{"allow":true,"type":"c","major":1,"access":"r"},{"allow":false,"type":"c","major":1,"minor":3,"access":"r"}]`, "/devices/1: the rule for c 1:3 r can't revoke a part"},
	} {
		if _, err := policy(t, c.rules); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.rules, err, c.want)
		}
	}
}

func TestOwnNodes(t *testing.T) {
	p, err := NewPolicy(nil, []specs.LinuxDevice{{Path: "/dev/null"}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.exceptions {
		if p.exceptions[i].String() == "c 1:3 mrw" {
			t.Error("a device at /dev/null in linux.devices leaves the default rule in force")
		}
	}
}

// run interprets a program for one access.
func run(t *testing.T, program []byte, kindBits, maj, min uint32, a access) bool {
	t.Helper()
	ctx := map[int16]uint32{0: uint32(a)<<16 | kindBits, 4: maj, 8: min}
	var reg [11]uint64
	for pc, steps := 0, 0; ; steps++ {
		if steps > 1e6 || 8*pc >= len(program) {
			t.Fatal("the program runs away")
		}
		in := program[8*pc : 8*pc+8]
		dst, src := in[1]&15, in[1]>>4
		off := int16(binary.NativeEndian.Uint16(in[2:]))
		imm := binary.NativeEndian.Uint32(in[4:])
		pc++
		switch in[0] {
		case loadWord:
			reg[dst] = uint64(ctx[off])
		case movImm:
			reg[dst] = uint64(int64(int32(imm)))
		case mov32:
			reg[dst] = uint64(uint32(reg[src]))
		case or32:
			reg[dst] = uint64(uint32(reg[dst] | reg[src]))
		case andImm32:
			reg[dst] = uint64(uint32(reg[dst]) & imm)
		case xorImm32:
			reg[dst] = uint64(uint32(reg[dst]) ^ imm)
		case lshImm32:
			reg[dst] = uint64(uint32(reg[dst]) << imm)
		case rshImm32:
			reg[dst] = uint64(uint32(reg[dst]) >> imm)
		case or64:
			reg[dst] |= reg[src]
		case subImm:
			reg[dst] -= uint64(imm)
		case xorImm:
			reg[dst] ^= uint64(imm)
		case rshImm:
			reg[dst] >>= imm
		case jumpEqual32:
			if uint32(reg[dst]) == imm {
				pc += int(off)
			}
		case jumpSet32:
			if uint32(reg[dst])&imm != 0 {
				pc += int(off)
			}
		case jump:
			pc += int(off)
		case exit:
			return reg[0] == 1
		default:
			t.Fatalf("opcode %#x", in[0])
		}
	}
}

func (e *exception) covers(o *exception) bool {
	return e.kind == o.kind && (e.major == anyNumber || e.major == o.major) && (e.minor == anyNumber || e.minor == o.minor)
}

// allowed is what the v1 controller would say.
func (p *Policy) allowed(e exception) bool {
	for i := range p.exceptions {
		x := &p.exceptions[i]
		if !x.covers(&e) {
			continue
		}
		if p.allow && x.access&e.access != 0 {
			return false
		}
		if !p.allow && e.access&^x.access == 0 {
			return true
		}
	}
	return p.allow
}

func TestProgram(t *testing.T) {
	for _, rules := range []string{
		`[]`,
		`[{"allow":true,"access":"rwm"}]`,
		`[{"allow":true,"access":"rwm"},{"allow":false,"type":"c","major":10,"minor":229,"access":"w"},{"allow":false,"type":"b","major":8,"access":"rw"}]`,
		`[` + denyAll + `,{"allow":true,"type":"b","major":8,"minor":1,"access":"r"},{"allow":true,"type":"c","major":4095,"minor":7,"access":"rwm"}]`,
	} {
		p, err := policy(t, rules)
		if err != nil {
			t.Fatal(err)
		}
		program := p.program()
		for kindBits, k := range map[uint32]byte{1: 'b', 2: 'c'} {
			for _, maj := range []int64{0, 1, 8, 10, 136, 4095} {
				for _, min := range []int64{0, 1, 3, 7, 200, 229, 1<<20 - 1} {
					for a := mknod; a <= everything; a++ {
						want := p.allowed(exception{k, maj, min, a})
						if got := run(t, program, kindBits, uint32(maj), uint32(min), a); got != want {
							t.Errorf("%s: %c %d:%d %v: %v, want %v", rules, k, maj, min, a, got, want)
						}
					}
				}
			}
		}
	}
}

func BenchmarkSetV2(b *testing.B) {
	dir := b.TempDir()
	if err := unix.Mount("cgroup2", dir, "cgroup2", 0, ""); err != nil {
		b.Skip(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	p, _ := NewPolicy(nil, nil)
	for b.Loop() {
		b.StopTimer()
		if err := unix.Mkdir(dir+"/oci-run-test-b", 0o755); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := p.SetV2(dir+"/oci-run-test-b", true); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		unix.Rmdir(dir + "/oci-run-test-b")
		b.StartTimer()
	}
}

// TestReplace puts one program after another on a cgroup and asks the kernel what counts.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("cgroup2", dir, "cgroup2", 0, ""); err != nil {
		t.Skipf("mount cgroup2: %v", err)
	}
	cgroup := dir + "/oci-run-test-devices"
	t.Cleanup(func() {
		if err := unix.Rmdir(cgroup); err != nil {
			t.Error(err)
		}
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err := unix.Mkdir(cgroup, 0o755); err != nil {
		t.Fatal(err)
	}
	kmsg := func() error { // c 1:11, which no default rule allows
		cmd := exec.Command("sh", "-c", "echo $$ >"+cgroup+"/cgroup.procs && exec head -c 0 /dev/kmsg")
		out, err := cmd.CombinedOutput()
		if err != nil && !strings.Contains(string(out), "not permitted") {
			t.Fatalf("%v: %s", err, out)
		}
		return err
	}
	for i, c := range []struct {
		rules   string
		allowed bool
	}{
		{`[]`, false},
		{`[{"allow":true,"type":"c","major":1,"minor":11,"access":"rw"}]`, true},
		{`[{"allow":true,"access":"rwm"}]`, true},
		{`[{"allow":true,"access":"rwm"},{"allow":false,"type":"c","major":1,"access":"r"}]`, false},
	} {
		p, err := policy(t, c.rules)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.SetV2(cgroup, i == 0); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Open(cgroup, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		progs, err := attached(fd)
		if err != nil || len(progs) != 1 {
			t.Errorf("%d programs, %v", len(progs), err)
		}
		for _, prog := range progs {
			unix.Close(prog)
		}
		unix.Close(fd)
		if err := kmsg(); (err == nil) != c.allowed {
			t.Errorf("%s: /dev/kmsg: %v", c.rules, err)
		}
	}
}

// FuzzParseList: exceptions that are read, written as the kernel lists them, are the same.
func FuzzParseList(f *testing.F) {
	f.Add("a *:* rwm\n")
	f.Add("c 1:3 rwm\nb *:* m\nc 136:* rw\n")
	f.Add("c 1:3 r\nc 1:3 w\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseList(text)
		if err != nil {
			return
		}
		var lines strings.Builder
		for i := range got.exceptions {
			lines.WriteString(got.exceptions[i].String() + "\n")
		}
		again, err := parseList(lines.String())
		if err != nil || len(again.exceptions) != len(got.exceptions) {
			t.Fatalf("%q is %v, written %q %v, %v", text, got, lines.String(), again, err)
		}
		for i := range got.exceptions {
			if got.exceptions[i] != again.exceptions[i] {
				t.Errorf("%q: %v is then %v", text, &got.exceptions[i], &again.exceptions[i])
			}
		}
	})
}
