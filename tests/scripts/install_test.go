package scripts

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// copying are the programs that `make install` and `make uninstall` use.
var copying = []string{"dd", "chmod", "mv", "rm", "install"}

// installer makes a tree with the Makefile and files, and a make in it whose PATH has no go.
func installer(t *testing.T, files map[string]string) (dir string, run func(target string, args ...string) (string, error)) {
	t.Helper()
	needs(t, append(copying, "make", "bash", "cksum", "cut", "cat")...)
	dir = t.TempDir()
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "Makefile"), string(makefile), 0o644)
	write(t, filepath.Join(dir, "VERSION"), "1", 0o644)
	for _, shell := range []string{"oci-run.bash", "_oci-run", "oci-run.fish"} {
		write(t, filepath.Join(dir, "contrib/completions", shell), "for "+shell, 0o644)
	}
	for name, text := range files {
		write(t, filepath.Join(dir, name), text, 0o700)
	}
	programs := t.TempDir()
	for _, name := range append(copying, "cksum", "cut", "cat") {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(programs, name)); err != nil {
			t.Fatal(err)
		}
	}
	tool, err := exec.LookPath("make")
	if err != nil {
		t.Fatal(err)
	}
	return dir, func(target string, args ...string) (string, error) {
		cmd := exec.Command(tool, append([]string{"--no-print-directory", "-C", dir, target}, args...)...)
		cmd.Env = []string{"PATH=" + programs}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
}

// listing has each file below a directory, with its permissions and content.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var list strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(&list, "%s %o %s\n", strings.TrimPrefix(path, dir), info.Mode(), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list.String()
}

// TestInstallCopiesWhatIsBuilt: without Go, nothing is written to the tree, and `make uninstall`
// removes no more than was installed.
func TestInstallCopiesWhatIsBuilt(t *testing.T) {
	dir, run := installer(t, map[string]string{"bin/oci-run": "program", "bin/man/oci-run.8": "page", "bin/man/oci-run-run.8": "page of run"})
	before := listing(t, dir)
	for _, prefix := range []string{"/usr/local", "/opt/x"} {
		to := t.TempDir()
		for _, other := range []string{"/sbin/other", "/share/man/man8/oci.8"} {
			write(t, to+prefix+other, "another's", 0o644)
		}
		others := listing(t, to)
		if out, err := run("install", "DESTDIR="+to, "PREFIX="+prefix); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		want := strings.ReplaceAll(`PREFIX/sbin/oci-run 755 program
PREFIX/sbin/other 644 another's
PREFIX/share/bash-completion/completions/oci-run 644 for oci-run.bash
PREFIX/share/fish/vendor_completions.d/oci-run.fish 644 for oci-run.fish
PREFIX/share/man/man8/oci-run-run.8 644 page of run
PREFIX/share/man/man8/oci-run.8 644 page
PREFIX/share/man/man8/oci.8 644 another's
PREFIX/share/zsh/site-functions/_oci-run 644 for _oci-run
`, "PREFIX", prefix)
		if d := cmp.Diff(want, listing(t, to)); d != "" {
			t.Errorf("installed (-want +got):\n%s", d)
		}
		if out, err := run("uninstall", "DESTDIR="+to, "PREFIX="+prefix); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if d := cmp.Diff(others, listing(t, to)); d != "" {
			t.Errorf("after uninstall (-before +after):\n%s", d)
		}
	}
	if d := cmp.Diff(before, listing(t, dir)); d != "" {
		t.Errorf("the tree (-before +after):\n%s", d)
	}
}

// TestInstallSaysWhatToBuild: and installs no part of it.
func TestInstallSaysWhatToBuild(t *testing.T) {
	for missing, files := range map[string]map[string]string{
		"bin/oci-run":       {"bin/man/oci-run.8": "page"},
		"bin/man/oci-run.8": {"bin/oci-run": "program"},
	} {
		_, run := installer(t, files)
		to := t.TempDir()
		out, err := run("install", "DESTDIR="+to)
		want := "make: " + missing + " is not built yet; run 'make' first, as the user who owns the sources\n"
		if err == nil || !strings.HasPrefix(out, want) {
			t.Errorf("%v: %q, want %q", err, out, want)
		}
		if got := listing(t, to); got != "" {
			t.Errorf("installed all the same:\n%s", got)
		}
	}
}

// TestTargetsOfDocumentsExist: what the documents say can be made, can.
func TestTargetsOfDocumentsExist(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	called := 0
	for _, page := range []string{"README.md", "docs/getting-started.md"} {
		text, err := os.ReadFile("../../" + page)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile("(?m)(?:^\\$ (?:sudo )?|&& (?:sudo )?|`)make ([a-z-]+)").FindAllSubmatch(text, -1) {
			called++
			if !strings.Contains(string(makefile), "\n"+string(match[1])+":") {
				t.Errorf("%s: make %s: the Makefile has no such target", page, match[1])
			}
		}
	}
	if called < 5 {
		t.Errorf("the documents call make only %d times", called)
	}
}
