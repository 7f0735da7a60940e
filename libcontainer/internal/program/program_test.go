package program

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/internal/process"
)

// classes are the words by which engines sort errors into exit codes. A message may have those of
// one class only; that something is a directory is a cause for Docker alone, with the same exit
// code as a denied permission.
var classes = []string{
	"executable file not found", "no such file or directory", "permission denied", "operation not permitted",
	"not a directory",
}

// tree makes a directory that every user may enter and fills it with programs that can't be
// executed. $D is its name.
func tree(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "oci-run-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cat, err := os.ReadFile("/bin/cat")
	if err != nil {
		t.Fatal(err)
	}
	loader := []byte("/lib64/ld-linux-x86-64.so.2")
	if !bytes.Contains(cat, loader) {
		t.Logf("/bin/cat does not use %s", loader)
	}
	foreign := bytes.Clone(cat)
	binary.LittleEndian.PutUint16(foreign[18:], 183)
	if nativeMachine() == 183 {
		binary.LittleEndian.PutUint16(foreign[18:], 62)
	}
	for _, file := range []struct {
		name    string
		mode    os.FileMode
		content string
	}{
		{"ok", 0o755, "#!/bin/sh\necho fine\n"},
		{"no-x", 0o644, "#!/bin/sh\n"},
		{"others", 0o750, "#!/bin/sh\n"},
		{"no-interpreter", 0o755, "#!/mmnnttbb foo bar\nsh\n"},
		{"crlf", 0o755, "#!/bin/sh\r\necho\r\n"},
		{"bare", 0o755, "#!\n"},
		{"text", 0o755, "echo fine\n"},
		{"empty", 0o755, ""},
		{"denied-interpreter", 0o755, "#!" + dir + "/no-x\n"},
		{"second-script", 0o755, "#!" + dir + "/no-interpreter\n"},
		{"loop", 0o755, "#!" + dir + "/loop\n"},
		{"no-loader", 0o755, string(bytes.Replace(cat, loader, []byte("/lib64/no-linux-x86-64.so.2"), 1))},
		{"foreign", 0o755, string(foreign)},
		{"cut", 0o755, string(cat[:40])},
		{"private/ok", 0o755, "#!/bin/sh\n"},
	} {
		path := filepath.Join(dir, file.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(file.content), file.mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestExecErrors(t *testing.T) {
	dir := tree(t)
	for _, test := range []struct {
		name  string
		uid   uint32
		arg   string
		class string
		want  string
	}{
		{"found", 0, "$D/ok", "", "fine"},
		{"in PATH", 0, "ok", "", "fine"},
		{"relative", 0, "./ok", "", "fine"},
		{"not in PATH", 0, "nosuchcmd", classes[0], `exec: "nosuchcmd": executable file not found in $PATH` + "\n"},
		{"no name", 0, "", classes[0], `exec: "": executable file not found in $PATH (the name of the program is empty)` + "\n"},
		{"in PATH, no x bit", 0, "no-x", classes[0], `executable file not found in $PATH ($D/no-x: its mode 0644 has no execute bit)`},
		{"missing", 0, "/no/such", classes[1], `exec: "/no/such": stat /no/such: no such file or directory` + "\n"},
		{"no x bit", 0, "/etc/passwd", classes[2], `exec: "/etc/passwd": permission denied (its mode 0644 has no execute bit)`},
		{"of another owner", 1000, "$D/others", classes[2], `permission denied (its mode 0750 and owner 0:0 do not let uid 1000 execute it)`},
		{"below a private directory", 1000, "$D/private/ok", classes[2], `permission denied (directory "$D/private", mode 0700, owner 0:0, may not be searched by uid 1000)`},
		{"directory", 0, "/etc", classes[2], `exec: "/etc": permission denied (it is a directory)` + "\n"},
		{"below a file", 0, "/etc/passwd/x", classes[4], `exec: "/etc/passwd/x": stat /etc/passwd/x: not a directory ("/etc/passwd" is a file)`},
		{"device", 0, "/dev/null", classes[2], `permission denied (it is not a regular file)`},
		{"missing interpreter", 0, "$D/no-interpreter", classes[1], `exec $D/no-interpreter: no such file or directory (its #! interpreter "/mmnnttbb" is missing in the container)`},
		{"missing interpreter of the interpreter", 0, "$D/second-script", classes[1], `(its #! interpreter "$D/no-interpreter": its #! interpreter "/mmnnttbb" is missing`},
		{"Windows line end", 0, "$D/crlf", classes[1], `no such file or directory (its #! line ends in a carriage return, as on Windows, so that "/bin/sh\r" is sought)`},
		{"interpreter without x bit", 0, "$D/denied-interpreter", classes[2], `permission denied (its #! interpreter "$D/no-x": its mode 0644 has no execute bit)`},
		{"script of itself", 0, "$D/loop", "", `too many levels of symbolic links (its #! lines lead from script to script too often)`},
		{"no interpreter named", 0, "$D/bare", "", "exec format error (its #! line names no interpreter)"},
		{"text", 0, "$D/text", "", "exec format error (it is neither an ELF program nor a script that begins with #!)"},
		{"empty", 0, "$D/empty", "", "exec format error (the file is empty)"},
		{"missing loader", 0, "$D/no-loader", classes[1], `no such file or directory (its ELF interpreter "/lib64/no-linux-x86-64.so.2" is missing in the container)`},
		{"other machine", 0, "$D/foreign", "", "exec format error (it is a program for " + foreignName() + ", this machine is "},
		{"half a program", 0, "$D/cut", "", "exec format error (its ELF header is damaged: it is too short)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := strings.NewReplacer("$D", dir)
			p := &specs.Process{Args: []string{in.Replace(test.arg)}, Cwd: dir, Env: []string{"PATH=/usr/bin:" + dir}, User: specs.User{UID: test.uid, GID: test.uid}}
			got, want := runChild(t, p), in.Replace(test.want)
			if !strings.Contains(got, want) {
				t.Errorf("%s\nwant %s", got, want)
			}
			for _, class := range classes {
				if strings.Contains(got, class) != (class == test.class) {
					t.Errorf("%s: class %q", got, class)
				}
			}
		})
	}
}

func TestForesee(t *testing.T) {
	dir := tree(t)
	root := openDir(t, "/")
	p := &process.Plan{Cwd: dir}
	for _, name := range []string{
		"ok", "no-interpreter", "crlf", "bare", "text", "empty", "denied-interpreter", "no-loader", "foreign", "cut", "second-script", "/bin/cat", "/none", "/etc",
	} {
		errno, hint := foresee(p, root, name)
		if name == "ok" || name == "/bin/cat" || name == "/none" || name == "/etc" || name == "second-script" {
			if errno != 0 || hint != "" {
				t.Errorf("%s: %v, %s", name, errno, hint)
			}
			continue
		}
		if want := Hint(p, root, name, errno); hint != want || hint == "" {
			t.Errorf("%s: %v, %q, later %q", name, errno, hint, want)
		}
	}
}

func BenchmarkForesee(b *testing.B) {
	root := openDir(b, "/")
	p := &process.Plan{}
	for b.Loop() {
		foresee(p, root, "/bin/cat")
	}
}

func foreignName() string {
	if nativeMachine() == 183 {
		return machineName(62)
	}
	return machineName(183)
}

func TestNoexec(t *testing.T) {
	dir := tree(t)
	p := &specs.Process{Args: []string{dir + "/ok"}, Cwd: "/"}
	got := runChild(t, p, "/usr/bin/unshare", "--mount", "/bin/sh", "-c",
		`mount --bind `+dir+` `+dir+` && mount -o remount,bind,noexec `+dir+` && exec "$0"`)
	if want := "permission denied (it is on a file system that is mounted noexec)"; !strings.Contains(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestArgumentsTooLong(t *testing.T) {
	p := &process.Plan{Args: []string{strings.Repeat("x", 99)}, Env: []string{"A=1"}}
	if got := Hint(p, process.Root{}, "/x", 7); got != "arguments and environment together have 104 bytes" {
		t.Error(got)
	}
}

func TestLookupWithoutPath(t *testing.T) {
	p := &specs.Process{Args: []string{"echo", "fine"}, Cwd: "/"}
	if got := runChild(t, p); got != "fine\n" {
		t.Error(got)
	}
	// An empty element is the current directory, as execvp(3) has it.
	p = &specs.Process{Args: []string{"ok"}, Cwd: tree(t), Env: []string{"PATH=/nowhere::/bin"}}
	if got := runChild(t, p); got != "fine\n" {
		t.Error(got)
	}
}
