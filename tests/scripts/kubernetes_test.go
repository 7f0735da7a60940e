package scripts

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// list is a YAML sequence on one line, such as "args: [a, b]", without quotes.
func list(t *testing.T, text, key string) []string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^ *`+key+`: \[([^\]]*)\]$`).FindAllStringSubmatch(text, -1)
	if len(found) != 1 {
		t.Fatalf("%d lines with %s: [...]", len(found), key)
	}
	return strings.Split(found[0][1], ", ")
}

// scalars are the values of a key.
func scalars(text, key string) (all []string) {
	for _, found := range regexp.MustCompile(`(?m)^[ -]*`+key+`: (.*)$`).FindAllStringSubmatch(text, -1) {
		all = append(all, found[1])
	}
	return all
}

// written are the files below a directory, by their paths there.
func written(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, strings.TrimPrefix(path, dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDaemonSets does what the DaemonSets' containers do, with another directory as the host's.
func TestDaemonSets(t *testing.T) {
	binary, err := filepath.Abs("../../bin/oci-run")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		t.Skipf("no binary to run (make build): %v", err)
	}
	version, err := os.ReadFile("../../VERSION")
	if err != nil {
		t.Fatal(err)
	}
	for engine, config := range map[string]string{"containerd": "/etc/containerd/config.toml", "crio": "/etc/crio/crio.conf.d/oci-run.conf"} {
		raw, err := os.ReadFile("../../contrib/kubernetes/daemonset-" + engine + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw)
		if images, want := scalars(text, "image"), "localhost/oci-run:"+strings.TrimSpace(string(version)); len(images) != 1 || images[0] != want {
			t.Errorf("%s: the image is %q, want %s, which is what `make image` writes", engine, images, want)
		}
		host := t.TempDir()
		args := list(t, text, "args")
		if args[0] != "configure" || args[1] != engine {
			t.Errorf("%s: %q", engine, args)
		}
		stay(t, binary, host, args)
		mounted(t, text, host)
		if made, err := os.ReadFile(host + config); err != nil || !strings.Contains(string(made), "/usr/local/sbin/oci-run") {
			t.Errorf("%s: %v\n%s", engine, err, made)
		}
		command := list(t, text, "command")
		if command[0] != "/oci-run" {
			t.Errorf("%s: preStop executes %q, which the image doesn't have", engine, command[0])
		}
		if out, err := exec.Command(binary, on(host, command[1:])...).CombinedOutput(); err != nil {
			t.Errorf("%s: preStop: %v\n%s", engine, err, out)
		}
		if left, err := os.ReadFile(host + config); err == nil && strings.Contains(string(left), "oci-run") {
			t.Errorf("%s: preStop leaves\n%s", engine, left)
		}
	}
}

// on is a command line with another directory in the place of /host.
func on(host string, args []string) []string {
	return strings.Split(strings.ReplaceAll(strings.Join(args, "\x00"), "\x00/host", "\x00"+host), "\x00")
}

// stay runs a command until it has done its work, and ends it as the kubelet does.
func stay(t *testing.T, binary, host string, args []string) {
	t.Helper()
	cmd := exec.Command(binary, on(host, args)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer timer.Stop()
	var said strings.Builder
	for buffer := make([]byte, 4096); !strings.Contains(said.String(), "To use it"); {
		n, err := out.Read(buffer)
		said.Write(buffer[:n])
		if err != nil {
			cmd.Wait()
			t.Fatalf("%v\n%s", err, said.String())
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended by SIGTERM: %v", err)
	}
}

// mounted holds each file that was written against the directories that the container has of the
// host: anything else would be lost with the container.
func mounted(t *testing.T, text, host string) {
	t.Helper()
	mounts, sources := scalars(text, "mountPath"), scalars(text, "path")
	if len(mounts) != 2 || len(sources) != 2 {
		t.Fatalf("mounts %q of %q", mounts, sources)
	}
	for i, mount := range mounts {
		if mount != "/host"+sources[i] {
			t.Errorf("%s is mounted on %s", sources[i], mount)
		}
	}
	for _, file := range written(t, host) {
		if !strings.HasPrefix(file, sources[0]+"/") && !strings.HasPrefix(file, sources[1]+"/") {
			t.Errorf("%s is in neither of %q", file, sources)
		}
	}
}
