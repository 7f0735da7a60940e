package process

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/internal/calls"
)

// tree makes a directory that every user may enter, and in it a file "ok" and a directory "private"
// for root alone.
func tree(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "oci-run-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/private", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/ok", nil, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCwd(t *testing.T) {
	dir := tree(t)
	p := shell("pwd")
	p.Cwd = dir + "/made/up"
	if got := runChild(t, &specs.Spec{Process: p}); got != p.Cwd+"\n" {
		t.Error(got)
	}
	if st, err := os.Stat(dir + "/made"); err != nil || st.Mode() != os.ModeDir|0o755 {
		t.Errorf("%v, %v", st, err)
	}
	if err := os.Symlink("made/other", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ cwd, want string }{
		{dir + "/ok", "not a directory"},
		{dir + "/link", "no such file or directory"},
		{dir + "/link/below", "no such file or directory"},
		{"/proc/self/fd/7", "chdir to cwd \"/proc/self/fd/7\": "},
		{"/proc/self/fd/0/../..", "/proc/"}, // cleaned: the link is not followed
	} {
		p.Cwd = test.cwd
		if got := runChild(t, &specs.Spec{Process: p}); !strings.Contains(got, test.want) {
			t.Errorf("cwd %s: %s, want %s", test.cwd, got, test.want)
		}
	}
}

// TestCwdOfTheUser: root without CAP_DAC_* is refused where the user is not, and the user where
// root is not.
func TestCwdOfTheUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("becoming another user takes root: euid is", os.Geteuid())
	}
	dir := tree(t)
	mine := dir + "/mine"
	if err := os.Mkdir(mine, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(mine, 1000, 1000); err != nil {
		t.Fatal(err)
	}
	p := shell("pwd")
	p.User = specs.User{UID: 1000, GID: 1000}
	p.Cwd = mine
	wrap := []string{"/usr/bin/setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"}
	if got := runChild(t, &specs.Spec{Process: p}, wrap...); got != mine+"\n" {
		t.Error(got)
	}
	p.User = specs.User{UID: 1001, GID: 1001}
	got := runChild(t, &specs.Spec{Process: p}, wrap...)
	want := `chdir to cwd "` + mine + `": permission denied (directory "` + mine + `", mode 0700, owner 1000:1000, may not be searched by uid 1001)`
	if !strings.Contains(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
	// Root enters what the user could not: a directory that the engine prepared.
	p.Cwd = dir + "/private"
	if got := runChild(t, &specs.Spec{Process: p}); got != p.Cwd+"\n" && !strings.Contains(got, "getcwd") {
		t.Error(got)
	}
}

// TestLeakedDirectory is CVE-2024-21626: the working directory is an fd of a directory outside of
// the root.
func TestLeakedDirectory(t *testing.T) {
	dir := tree(t)
	jail := dir + "/jail"
	if err := os.MkdirAll(jail+"/proc", 0o755); err != nil {
		t.Fatal(err)
	}
	p := &specs.Process{Args: []string{"/none"}, Cwd: "/proc/self/fd/7"}
	got := runChild(t, &specs.Spec{Process: p, Root: &specs.Root{Path: jail}},
		"/usr/bin/unshare", "--mount", "/bin/sh", "-c", `mount -t proc proc `+jail+`/proc && exec 7</ "$0"`)
	if !strings.Contains(got, "too many levels of symbolic links (it leads through a magic link") {
		t.Error(got)
	}
}

func TestVerifyCwd(t *testing.T) {
	dir := tree(t)
	// A deleted directory that the process is already in.
	plan := &Plan{Cwd: "/x"}
	verify := func() error {
		return calls.Here(func(l *calls.List) { plan.addVerifyCwd(l, l.Room(unix.PathMax)) })
	}
	old, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	gone := filepath.Join(dir, "gone")
	if err := os.Mkdir(gone, 0o755); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chdir(old) }()
	if err := os.Chdir(gone); err != nil {
		t.Fatal(err)
	}
	if err := verify(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	if err := verify(); err == nil || !strings.Contains(err.Error(), "getcwd: no such file or directory") {
		t.Error(err)
	}
}
