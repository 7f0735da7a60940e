package schema

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestEverything runs a container whose config.json has each field that is supported and that works
// on any machine. It lacks linux.intelRdt (special processors), linux.mountLabel,
// process.selinuxLabel and apparmorProfile (special kernels) and what is only for cgroup v1 or v2.
func TestEverything(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, program := range []string{"ip", "unshare"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s here", program)
		}
	}
	raw, err := os.ReadFile("testdata/everything.json")
	if err != nil {
		t.Fatal(err)
	}
	follows(t, "config-schema.json", raw)
	dir, id := bundle(t, func(s *specs.Spec, _ string) {
		path := s.Linux.CgroupsPath
		*s = specs.Spec{}
		if err := json.Unmarshal(raw, s); err != nil {
			t.Fatal(err)
		}
		s.Linux.CgroupsPath = path
	})
	fillEverything(t, dir)
	// The network device is made in a namespace that oci-run has for itself.
	cmd := exec.Command("unshare", "--net", "sh", "-c", `ip link add everything0 type veth peer name everything1 && exec "$@"`, "sh",
		binary(t), "--root", filepath.Join(dir, "state"), "run", "--bundle", dir, id)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("oci-run: %v: %s%s", err, out, stderr.String())
	}
	if diff := cmp.Diff(read(t, "testdata/report.want"), string(out)); diff != "" {
		t.Errorf("the container's report (-want +got):\n%s%s", diff, stderr.String())
	}
	if got := read(t, filepath.Join(dir, "hooks")); got != "prestart\ncreateRuntime\ncreateContainer\npoststart\npoststop\n" {
		t.Errorf("hooks: %q", got)
	}
}

// fillEverything makes the files that the container looks at, owned by its root.
func fillEverything(t *testing.T, dir string) {
	t.Helper()
	for _, d := range []string{"volume", "rootfs/copied", "rootfs/volume", "rootfs/mapped", "rootfs/work/dir"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"volume/file": "", "rootfs/copied/file": "copied\n", "rootfs/report": read(t, "testdata/report"), "hooks": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for applet := range strings.FieldsSeq("cat cut grep hostname id ls mkdir sort touch tr true wc") {
		if err := os.Symlink("busybox", filepath.Join(dir, "rootfs/bin", applet)); err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
	}
	err := filepath.WalkDir(filepath.Join(dir, "rootfs"), func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, unix.Lchown(path, 100000, 100000))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "hooks"), 0o666); err != nil { // some of them run as the container's root
		t.Fatal(err)
	}
	for path := dir; path != "/" && path != os.TempDir(); path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o755); err != nil { // the container's root must get there
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
