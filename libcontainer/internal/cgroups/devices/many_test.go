package devices

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/specconv"
)

// manyRules allows n devices of both kinds, with one of three sorts of access each.
func manyRules(n int) []specs.LinuxDeviceCgroup {
	rules := []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}
	for i := range n {
		rules = append(rules, specs.LinuxDeviceCgroup{
			Allow: true, Type: []string{"c", "b"}[i&1], Access: []string{"rwm", "r", "rw"}[i%3],
			Major: new(int64(300 + i/50000)), Minor: new(int64(i % 50000)),
		})
	}
	return rules
}

// needVerifier skips a test where nobody may load a device program.
func needVerifier(t *testing.T) {
	t.Helper()
	fd, err := load((&Policy{}).program())
	if err != nil {
		t.Skipf("load a device program: %v", err)
	}
	unix.Close(fd)
}

// TestManyRules: more code than a jump can pass over does what the rules say, and the kernel takes
// it.
func TestManyRules(t *testing.T) {
	needVerifier(t)
	for _, n := range []int{8200, 20000, 60000} {
		start := time.Now()
		p, err := NewPolicy(manyRules(n), nil)
		if err != nil {
			t.Fatal(err)
		}
		program := p.program()
		t.Logf("%d rules: %d instructions, %v", n, len(program)/8, time.Since(start))
		fd, err := load(program)
		if err != nil {
			t.Fatalf("%d rules: %v", n, err)
		}
		unix.Close(fd)
		for _, i := range []int{0, 1, 2, 3, 4, 5, n/2 - 1, n / 2, n/2 + 1, n - 3, n - 2, n - 1, n, n + 1} {
			for kindBits, k := range map[uint32]byte{1: 'b', 2: 'c'} {
				for a := mknod; a <= everything; a++ {
					e := exception{k, int64(300 + i/50000), int64(i % 50000), a}
					want := p.allowed(e)
					if got := run(t, program, kindBits, uint32(e.major), uint32(e.minor), a); got != want {
						t.Fatalf("%d rules: %v: %v, want %v", n, &e, got, want)
					}
				}
			}
		}
	}
}

// TestTooManyRules: what no program can hold is refused at its place.
func TestTooManyRules(t *testing.T) {
	needVerifier(t)
	p, err := NewPolicy(manyRules(300000), nil)
	if err != nil {
		t.Fatal(err)
	}
	err = p.SetV2(t.TempDir(), true)
	var fe *specconv.FieldError
	if !errors.As(err, &fe) || fe.Pointer != "/linux/resources/devices" || !errors.Is(err, ErrTooMany) ||
		!strings.Contains(err.Error(), "rules are more than the kernel's verifier") {
		t.Errorf("error %v", err)
	}
}

// TestManyExceptions: beyond a hundred exceptions, rules find each other through the index.
func TestManyExceptions(t *testing.T) {
	const n = 3 * many
	rules := manyRules(n)
	rules = append(rules, specs.LinuxDeviceCgroup{Allow: false, Type: "c", Major: new(int64(300)), Minor: new(int64(0)), Access: "rwm"}, // gone
		specs.LinuxDeviceCgroup{Allow: false, Type: "b", Major: new(int64(300)), Minor: new(int64(3)), Access: "w"}, // r is left
		specs.LinuxDeviceCgroup{Allow: true, Type: "b", Major: new(int64(300)), Minor: new(int64(1)), Access: "w"})  // r before
	p, err := NewPolicy(rules, nil)
	if err != nil {
		t.Fatal(err)
	}
	base, _ := NewPolicy(nil, nil)
	if got, want := len(p.exceptions), n-1+len(base.exceptions); got != want {
		t.Errorf("%d exceptions, want %d", got, want)
	}
	for _, c := range []struct {
		e    exception
		want bool
	}{
		{exception{'c', 300, 0, read}, false},
		{exception{'b', 300, 3, read}, true},
		{exception{'b', 300, 3, write}, false},
		{exception{'b', 300, 1, read | write}, true},
		{exception{'c', 300, n - 2, read}, true},
		{exception{'c', 300, n, read}, false},
	} {
		if got := p.allowed(c.e); got != c.want {
			t.Errorf("%v: %v, want %v", &c.e, got, c.want)
		}
	}
	hole := append(rules, specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: new(int64(9)), Access: "r"},
		specs.LinuxDeviceCgroup{Allow: false, Type: "c", Major: new(int64(9)), Minor: new(int64(9)), Access: "r"})
	if _, err := NewPolicy(hole, nil); err == nil || !strings.Contains(err.Error(), "the rule for c 9:9 r can't revoke a part of the earlier rule for c 9:* r") {
		t.Errorf("a hole: %v", err)
	}
}
