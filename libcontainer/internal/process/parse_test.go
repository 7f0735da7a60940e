package process

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestCPUSetList(t *testing.T) {
	for in, want := range map[string]string{"": "", "0": "0", "0-3,5": "0-3,5", "63-64": "63-64", "5,4,9": "4-5,9", "1000": "1000"} {
		set, err := parseCPUSet(in)
		if err != nil || set.list() != want {
			t.Errorf("parseCPUSet(%q).list() = %q, %v; want %q", in, set.list(), err, want)
		}
	}
}

func TestParseCPUSet(t *testing.T) {
	for _, test := range []struct {
		in     string
		want   CPUSet
		format string
	}{
		{"", nil, "0x0"},
		{"0", CPUSet{1}, "0x1"},
		{"0-3,5", CPUSet{0x2f}, "0x2f"},
		{" 1 , ,2-2,", CPUSet{6}, "0x6"},
		{"63-64", CPUSet{1 << 63, 1}, "0x18000000000000000"},
		{"1024", CPUSet{16: 1}, "0x1" + strings.Repeat("0", 256)},
	} {
		got, err := parseCPUSet(test.in)
		if err != nil || !cmp.Equal(got, test.want) || got.String() != test.format || len(got.Bytes()) != 8*len(got) {
			t.Errorf("parseCPUSet(%q) = %#x, %v", test.in, []uint64(got), err)
		}
	}
	for _, in := range []string{",", " ", "-1", "1-", "a", "0-9876543210", "65536", "2-1", "0x1", "+1", "1 2", "1--2"} {
		if got, err := parseCPUSet(in); err == nil {
			t.Errorf("parseCPUSet(%q) = %s", in, got)
		}
	}
}

func FuzzParseCPUSet(f *testing.F) {
	f.Add("0-3,5,1024")
	f.Add("0-9876543210")
	f.Fuzz(func(t *testing.T, list string) {
		set, err := parseCPUSet(list)
		if err == nil && (len(set) > (maxCPU+1)/64 || (set.Count() == 0) != (list == "")) {
			t.Errorf("%q gives %d members in %d words", list, set.Count(), len(set))
		}
	})
}

const passwd = `root:x:0:0:root:/root:/bin/sh
short:x:5
nohome:x:6:6::
bad:x:abc:1::/bad:
crlf:x:7:7::/crlf
user:x:1000:1000:A User,,,:/home/user:/bin/bash
twice:x:1000:1000::/home/twice:
last:x:1001:1:a:/last`

func TestScanPasswd(t *testing.T) {
	long := strings.Repeat("x", 20000) + ":x:42:42::/no:/\n"
	for _, test := range []struct {
		text string
		uid  uint32
		want string
	}{
		{passwd, 0, "/root"},
		{passwd, 5, ""},
		{passwd, 6, ""},
		{passwd, 1000, "/home/user"},
		{passwd, 1001, "/last"},
		{passwd, 4294967295, ""},
		{strings.ReplaceAll(passwd, "\n", "\r\n"), 7, "/crlf"},
		{long + passwd, 1000, "/home/user"},
		{long + passwd, 42, ""},
		{strings.Repeat("a:x:1:1:::\n", 5000) + passwd, 1000, "/home/user"},
		{"a:x:9:9::/nul\x00byte:\n", 9, ""},
		{"", 0, ""},
	} {
		for _, chunk := range []int{1, 7, 100000} {
			rest := strings.NewReader(test.text)
			read := func(b []byte) (int, error) { return io.LimitReader(rest, int64(chunk)).Read(b) }
			if got := scanPasswd(read, test.uid); got != test.want {
				t.Errorf("uid %d in %.40q…, by %d bytes: %q, want %q", test.uid, test.text, chunk, got, test.want)
			}
		}
	}
}

func FuzzScanPasswd(f *testing.F) {
	f.Add([]byte(passwd), uint32(1000), 7)
	f.Fuzz(func(t *testing.T, text []byte, uid uint32, chunk int) {
		scan := func(chunk int) string {
			rest := bytes.NewReader(text)
			return scanPasswd(func(b []byte) (int, error) { return io.LimitReader(rest, int64(chunk)).Read(b) }, uid)
		}
		whole := scan(len(text) + 1)
		if parts := scan(max(chunk&0xfff, 1)); parts != whole {
			t.Errorf("%q in parts, %q as a whole", parts, whole)
		}
		if strings.ContainsAny(whole, "\x00\n:") {
			t.Errorf("home %q", whole)
		}
	})
}

func TestHome(t *testing.T) {
	dir := t.TempDir()
	root := openDir(t, dir)
	etc := filepath.Join(dir, "etc")
	if got := home(root, 1000); got != "/" {
		t.Errorf("no passwd: %q", got)
	}
	if err := os.Mkdir(etc, 0o755); err != nil {
		t.Fatal(err)
	}
	// A link to the host's file is one in the container's root; a pipe would block for ever.
	if err := os.Symlink("/etc/real", filepath.Join(etc, "passwd")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(etc, "real"), []byte(passwd), 0o644); err != nil {
		t.Fatal(err)
	}
	p := Plan{UID: 1000, NeedHome: true, Env: []string{"A=1"}}
	p.ResolveHome(root)
	if diff := cmp.Diff([]string{"A=1", "HOME=/home/user"}, p.Env); diff != "" || p.NeedHome {
		t.Error(diff)
	}
	if err := os.Remove(filepath.Join(etc, "passwd")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(etc, "passwd"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := home(root, 1000); got != "/" {
		t.Errorf("a pipe: %q", got)
	}
}

func openDir(t testing.TB, dir string) Root {
	t.Helper()
	f, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return Root{Dir: f}
}
