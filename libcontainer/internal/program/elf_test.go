package program

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestShebang(t *testing.T) {
	for in, want := range map[string]string{
		"#!/bin/sh\n":                    "/bin/sh",
		"#! \t/bin/sh -e\n":              "/bin/sh",
		"#!/bin/sh\r\n":                  "/bin/sh\r",
		"#!/bin/sh":                      "/bin/sh",
		"#!\n/bin/sh":                    "",
		"#!" + strings.Repeat("a", 1000): strings.Repeat("a", maxShebang-2),
	} {
		if got, ok := shebang([]byte(in)); got != want || !ok {
			t.Errorf("shebang(%.40q) = %q, %v", in, got, ok)
		}
	}
	if _, ok := shebang([]byte("# !/bin/sh")); ok {
		t.Error("that is no #! line")
	}
}

func FuzzProgram(f *testing.F) {
	self, err := os.ReadFile("/bin/cat")
	if err == nil {
		f.Add(self[:min(len(self), 4096)])
	}
	f.Add([]byte("#!/bin/sh\n"))
	f.Fuzz(func(t *testing.T, head []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "program"), head, 0o755); err != nil {
			t.Fatal(err)
		}
		found, err := openFile(openDir(t, dir), "/program")
		if err != nil {
			t.Fatal(err)
		}
		defer found.close()
		found.interpreter()
		for _, errno := range []unix.Errno{unix.ENOEXEC, unix.ENOENT, unix.EACCES} {
			found.malformed(errno)
		}
	})
}
