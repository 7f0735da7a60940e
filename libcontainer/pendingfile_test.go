package libcontainer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// names lists a directory.
func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// Until the commit nothing has the name, after it the file is complete and alone.
func TestPIDFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pid")
	f, err := newPIDFile(path, 4711)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before the commit: %v, want %v", err, fs.ErrNotExist)
	}
	if err := f.commit(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "4711" {
		t.Errorf("got %q, %v; want the pid without a newline", text, err)
	}
	if list := names(t, dir); !slices.Equal(list, []string{"pid"}) {
		t.Errorf("the directory has %q", list)
	}
}

// A link of that name is replaced: what it leads to may be anybody's.
func TestPIDFileInPlaceOfALink(t *testing.T) {
	dir := t.TempDir()
	path, victim := filepath.Join(dir, "pid"), filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, path); err != nil {
		t.Fatal(err)
	}
	if err := writePIDFile(path, 1); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "mine" {
		t.Errorf("what the link led to is %q, %v", text, err)
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the link is now %v, %v; want a regular file", info, err)
	}
}

// Neither a discarded file nor one that can't get its name stays under the other one.
func TestPIDFileThatIsNot(t *testing.T) {
	dir := t.TempDir()
	f, err := newPIDFile(filepath.Join(dir, "pid"), 1)
	if err != nil {
		t.Fatal(err)
	}
	f.discard()
	taken := filepath.Join(dir, "taken")
	if err := os.Mkdir(taken, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writePIDFile(taken, 1); err == nil {
		t.Error("a directory was replaced by a pid file")
	}
	if list := names(t, dir); !slices.Equal(list, []string{"taken"}) {
		t.Errorf("the directory has %q", list)
	}
	missing := filepath.Join(dir, "missing", "pid")
	if err := writePIDFile(missing, 1); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("in a directory that does not exist: %v, want the file's own name", err)
	}
	var none *pendingFile
	none.discard()
	if err := none.commit(); err != nil {
		t.Errorf("a file that nobody wants: %v", err)
	}
}

// Two files at once, as of a create and what a killed one with this pid has left, have other names.
func TestPendingFilesHaveTheirOwnNames(t *testing.T) {
	dir := t.TempDir()
	a, err := newPendingFile(filepath.Join(dir, "a"), []byte("a"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newPendingFile(filepath.Join(dir, "b"), []byte("b"), 0o640)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.commit(), b.commit()); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"a": 0o600, "b": 0o640} {
		path := filepath.Join(dir, name)
		if text, err := os.ReadFile(path); err != nil || string(text) != name {
			t.Errorf("%s has %q, %v", name, text, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want mode %v", name, info, err, mode)
		}
	}
}

// What a checkpoint notes of standard input, output and error is what a restore reads.
func TestDescriptors(t *testing.T) {
	images := t.TempDir()
	if stdio, err := loadDescriptors(images); err != nil || stdio != nil {
		t.Errorf("without a file: %q, %v", stdio, err)
	}
	for _, want := range [][]string{{"", "pipe:[12]", ""}, {"", "", ""}} {
		f, err := newDescriptors(images, want)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.commit(); err != nil {
			t.Fatal(err)
		}
		if got, err := loadDescriptors(images); err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if err := os.WriteFile(filepath.Join(images, descriptorsFile), []byte(`{"a":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if stdio, err := loadDescriptors(images); err == nil {
		t.Errorf("a damaged file: %q", stdio)
	}
}
