package specconv

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// bundle makes a bundle with config as its config.json, and an empty rootfs.
func bundle(t *testing.T, config any) string {
	t.Helper()
	dir := t.TempDir()
	raw, isRaw := config.([]byte)
	if !isRaw {
		var err error
		if raw, err = json.MarshalIndent(config, "", "\t"); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, configName), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLoadCompletes(t *testing.T) {
	s := Default()
	s.Process.Terminal = false
	s.Process.ConsoleSize = &specs.Box{Height: 1, Width: 2}
	s.Mounts = []specs.Mount{
		{Destination: "data/../x", Type: "bind", Source: "volume", Options: []string{"ro", "rbind"}},
		{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs"},
		{Destination: "/abs", Source: "/a/../b", Options: []string{"bind"}},
	}
	dir := bundle(t, s)
	t.Chdir(filepath.Dir(dir))
	b, err := Load(filepath.Base(dir))
	if err != nil {
		t.Fatal(err)
	}
	if b.Dir != dir || b.Spec.Root.Path != dir+"/rootfs" || b.Spec.Process.ConsoleSize != nil || len(b.Warnings) != 1 {
		t.Errorf("bundle: %+v", b)
	}
	want := []specs.Mount{
		{Destination: "/x", Type: "bind", Source: dir + "/volume", Options: []string{"ro", "rbind"}},
		s.Mounts[1],
		s.Mounts[2],
	}
	if diff := cmp.Diff(want, b.Spec.Mounts); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
}

func TestLoadWithoutLinux(t *testing.T) {
	s := Default()
	s.Linux, s.Hostname = nil, ""
	b, err := Load(bundle(t, s))
	if err != nil || b.Spec.Linux == nil {
		t.Errorf("Load: %+v, %v", b, err)
	}
}

func TestLoadErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(t *testing.T, dir string)
		want string
	}{
		{"no config", func(t *testing.T, dir string) { remove(t, dir+"/config.json") }, `open BUNDLE/config.json: no such file or directory (the directory is not a bundle: oci-run spec makes it one)`},
		{"directory", func(t *testing.T, dir string) {
			remove(t, dir+"/config.json")
			mkdir(t, dir+"/config.json")
		}, `read "BUNDLE/config.json": not a regular file (it is a directory)`},
		{"fifo", func(t *testing.T, dir string) {
			remove(t, dir+"/config.json")
			if err := unix.Mkfifo(dir+"/config.json", 0o600); err != nil {
				t.Fatal(err)
			}
		}, `read "BUNDLE/config.json": not a regular file (it is a named pipe)`},
		{"no rootfs", func(t *testing.T, dir string) { remove(t, dir+"/rootfs") },
			`config.json:27:11: /root/path: stat BUNDLE/rootfs: no such file or directory`},
		{"rootfs is a file", func(t *testing.T, dir string) {
			remove(t, dir+"/rootfs")
			if err := os.WriteFile(dir+"/rootfs", nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, `config.json:27:11: /root/path: open BUNDLE/rootfs: not a directory`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Default()
			s.Process.Capabilities = nil
			dir := bundle(t, s)
			c.do(t, dir)
			_, err := Load(dir)
			if err == nil {
				t.Fatal("Load took it")
			}
			if got := strings.ReplaceAll(err.Error(), dir, "BUNDLE"); got != c.want {
				t.Errorf("Load:\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestLoadNoBundle(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file:            "not a directory (a bundle has its config.json in it, but " + strconv.Quote(file) + " is a file)",
		dir + "/nobody": "no such file or directory (there is no bundle at " + strconv.Quote(dir+"/nobody") + ")",
	} {
		if _, err := Load(path); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("Load(%q): %v, want %s", path, err, want)
		}
	}
}

func TestLoadSymlinkedRootfs(t *testing.T) {
	dir := bundle(t, Default())
	if err := os.Rename(dir+"/rootfs", dir+"/real"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", dir+"/rootfs"); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err != nil {
		t.Error(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestLoadEngines: what engines really write has to be accepted, without a warning. ENGINE_CONFIGS
// may name a directory with more.
func TestLoadEngines(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.json")
	if dir := os.Getenv("ENGINE_CONFIGS"); dir != "" {
		paths, err = filepath.Glob(filepath.Join(dir, "*.json"))
	}
	if err != nil || len(paths) == 0 {
		t.Fatalf("no configs: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for old, put := range map[string]string{"@NS:": "/ns/", "@BUNDLE@": "/bundle", "@HOOK@": "/hook"} {
				raw = bytes.ReplaceAll(raw, []byte(old), []byte(put))
			}
			b, err := Load(bundle(t, raw))
			if err != nil {
				t.Fatal(err)
			}
			if len(b.Warnings) > 0 {
				t.Errorf("warnings: %q", b.Warnings)
			}
		})
	}
}
