package faults

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// callNames reads the numbers of system calls out of the module that has them as constants.
func callNames(t *testing.T) map[int32]string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Skipf("no go command to find the numbers of system calls with: %v", err)
	}
	f, err := os.Open(filepath.Join(strings.TrimSpace(string(dir)), "unix", "zsysnum_linux_"+runtime.GOARCH+".go"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	names := map[int32]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 || !strings.HasPrefix(fields[0], "SYS_") {
			continue
		}
		if n, err := strconv.ParseInt(fields[2], 10, 32); err == nil {
			names[int32(n)] = strings.ToLower(strings.TrimPrefix(fields[0], "SYS_"))
		}
	}
	if len(names) < 300 {
		t.Fatalf("only %d system calls have a name", len(names))
	}
	return names
}
