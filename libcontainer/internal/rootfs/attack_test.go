package rootfs

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// canary makes a directory beside the root and gives a check that nothing happened to it.
func canary(t *testing.T, s *stage) (dir string, check func()) {
	t.Helper()
	dir = filepath.Join(s.dir, "host")
	s.write(dir+"/ptmx", "precious")
	s.write(dir+"/null", "precious")
	s.mkdir(dir+"/pts", 0o755)
	return dir, func() {
		t.Helper()
		names := ""
		_ = filepath.WalkDir(dir, func(path string, _ os.DirEntry, _ error) error {
			names += " " + path[len(dir):]
			return nil
		})
		if names != "  /null /ptmx /pts" || read(dir+"/null") != "precious" || read(dir+"/ptmx") != "precious" {
			t.Errorf("the host's directory has changed:%s", names)
		}
	}
}

// CVE-2019-19921, CVE-2023-27561: /proc or /sys of the image is a symbolic link.
func TestProcAndSysMustBeDirectories(t *testing.T) {
	for _, name := range []string{"proc", "sys"} {
		for _, target := range []string{"/bad", "bad", "../../bad", "/nowhere", "/proc", "/"} {
			s := newStage(t)
			s.mkdir(s.in("bad"), 0o755)
			must(t, os.Symlink(target, s.in(name)))
			s.fails("probe", "must be mounted on ordinary directory")
		}
		s := newStage(t)
		s.write(s.in(name), "a file")
		s.fails("probe", "must be mounted on ordinary directory")
	}
}

// CVE-2019-16884: something else than procfs comes to be where labels are written.
func TestNothingInsideProc(t *testing.T) {
	s := newStage(t)
	must(t, os.Symlink("/proc/self/attr", s.in("link")))
	must(t, os.Symlink("/proc", s.in("linkproc")))
	all := s.spec.Mounts
	for _, d := range []string{"/link", "/linkproc", "/linkproc/self/attr", "/linkproc/sys/kernel"} {
		s.spec.Mounts = append(all[:len(all):len(all)], tmpfs(d))
		if out, err := s.play("probe"); err == nil {
			t.Errorf("%s: a tmpfs was mounted: %s", d, out)
		}
	}
	s.write(filepath.Join(s.dir, "cpuinfo"), "lxcfs")
	s.spec.Mounts = append(all[:len(all):len(all)], bindMount("cpuinfo", "/proc/cpuinfo", "bind", "ro"))
	s.probe("cat /proc/cpuinfo", "lxcfs")
	s.spec.Mounts = append(all[:len(all):len(all)], bindMount("cpuinfo", "/linkproc/cpuinfo", "bind", "ro"))
	s.fails("probe", "inside /proc")
}

// CVE-2026-41579: /dev of the image leads to the host.
func TestDevIsASymlink(t *testing.T) {
	for _, dev := range []bool{true, false} { // with and without a mount on /dev
		for i := range 3 {
			s := newStage(t)
			host, check := canary(t, s)
			must(t, os.Symlink([]string{host, "../host", "../../../../../../../.." + host}[i], s.in("dev")))
			if !dev {
				s.spec.Mounts = []specs.Mount{s.spec.Mounts[0]}
			}
			out, err := s.play("probe")
			t.Logf("dev mount %v: %v %s", dev, err, out)
			check()
		}
	}
	s := newStage(t)
	host, check := canary(t, s)
	s.mkdir(s.in("dev"), 0o755)
	for _, name := range []string{"pts", "shm", "mqueue"} {
		must(t, os.Symlink(host, s.in("dev", name)))
	}
	s.spec.Mounts = append(s.spec.Mounts[:1:1], s.spec.Mounts[2:5]...)
	_, _ = s.play("probe")
	check()
}

// Every place of the configuration that is a path in the root, with every kind of link in the image
// (CVE-2019-18837).
func TestSymlinkMatrix(t *testing.T) {
	s := newStage(t)
	host, check := canary(t, s)
	s.mkdir(s.in("etc"), 0o755)
	targets := []string{host, "../../host", "/../../../.." + host, "/proc/self/root" + host, "/proc/1/cwd", "/proc/self/fd/3"}
	for i, target := range targets {
		must(t, os.Symlink(target, s.in("etc", fmt.Sprint("l", i))))
	}
	all := s.spec.Mounts
	for i := range targets {
		for _, suffix := range []string{"", "/new", "/new/deeper", "/pts", "/../x"} {
			at := fmt.Sprint("/etc/l", i, suffix)
			s.spec.Mounts = append(all[:len(all):len(all)], tmpfs(at, "tmpcopyup"), bindMount(s.dir, at+"/again", "bind"))
			s.spec.Linux.Devices = []specs.LinuxDevice{{Path: at + "/null", Type: "c", Major: 1, Minor: 3}, {Path: at + "/fifo", Type: "p"}}
			s.spec.Linux.MaskedPaths = []string{at, at + "/null"}
			s.spec.Linux.ReadonlyPaths = []string{at}
			_, _ = s.play("probe")
			check()
		}
	}
}

// CVE-2021-30465, CVE-2024-45310: a volume is changed by another container while mounts are made in
// it.
func TestRacingVolume(t *testing.T) {
	s := newStage(t)
	host, check := canary(t, s)
	volume := filepath.Join(s.dir, "volume")
	s.mkdir(volume+"/a/b", 0o777)
	must(t, os.Symlink(host, volume+"/link"))
	must(t, os.Symlink("/", volume+"/slash"))
	done := make(chan bool)
	defer close(done)
	go func() {
		runtime.LockOSThread()
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			with := [...]string{"/link", "/slash"}[i%2]
			_ = unix.Renameat2(unix.AT_FDCWD, volume+"/a", unix.AT_FDCWD, volume+with, unix.RENAME_EXCHANGE)
			_ = unix.Renameat2(unix.AT_FDCWD, volume+"/a", unix.AT_FDCWD, volume+with, unix.RENAME_EXCHANGE)
		}
	}()
	s.mount(bindMount("volume", "/v", "bind"))
	for i := range 10 {
		s.mount(tmpfs(fmt.Sprintf("/v/a/new%d/x", i)))
		s.mount(bindMount("rootfs", fmt.Sprintf("/v/a/new%d/x/y", i), "bind"))
	}
	s.spec.Linux.Devices = []specs.LinuxDevice{{Path: "/v/a/null", Type: "c", Major: 1, Minor: 3}}
	n := 60
	if testing.Short() {
		n = 5
	}
	good := 0
	for range n {
		if _, err := s.play("probe"); err == nil {
			good++
		}
		check()
	}
	t.Logf("%d of %d containers were made", good, n)
}

// CVE-2025-31133: the container's /dev/null is something else.
func TestMaskDoesNotTrustDevNull(t *testing.T) {
	s := newStage(t)
	s.write(filepath.Join(s.dir, "dev/secret"), "x")
	must(t, os.Symlink("/proc/sys/kernel/core_pattern", filepath.Join(s.dir, "dev/null")))
	s.spec.Mounts[1] = bindMount("dev", "/dev", "bind")
	s.spec.Mounts = append(s.spec.Mounts[:2:2], s.spec.Mounts[5:]...)
	s.write(s.in("secret"), "secret")
	s.spec.Linux.MaskedPaths = append(s.spec.Linux.MaskedPaths, "/secret")
	s.probe(
		"cat /secret", "", "rdev /secret", "1:3", "cat /proc/keys", "", "rdev /proc/keys", "1:3", "write /secret", "ok",
		"chmod /secret", "read-only file system",
		"link /dev/null", "/proc/sys/kernel/core_pattern",
	)
	if got := read("/proc/sys/kernel/core_pattern"); got == "" {
		t.Error("core_pattern is empty")
	}
}
