package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

const (
	cgroupRoot = "/sys/fs/cgroup"
	// viewEntered, in the environment, says that this process is already in the view that it names;
	// viewOfHost says what the host's own is.
	viewEntered = "OCI_RUN_BENCH_VIEW"
	viewOfHost  = "OCI_RUN_BENCH_HOST"
)

// hostView tells how the host's /sys/fs/cgroup looks: "v1", "v2" or "hybrid".
func hostView() string {
	if view := os.Getenv(viewOfHost); view != "" {
		return view
	}
	var fs unix.Statfs_t
	if unix.Statfs(cgroupRoot, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
		return "v2"
	}
	if unix.Statfs(cgroupRoot+"/unified", &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
		return "hybrid"
	}
	return "v1"
}

// defaultView is v1 on a hybrid host where crun is to be timed, because crun refuses such a host;
// else the host's.
func defaultView(runtimes []string) string {
	isCrun := func(name string) bool { return filepath.Base(name) == "crun" }
	if entered := os.Getenv(viewEntered); entered != "" {
		return entered
	}
	if hostView() == "hybrid" && slices.ContainsFunc(runtimes, isCrun) {
		return "v1"
	}
	return "host"
}

// enterView gives this process its own /sys/fs/cgroup in a private mount namespace, which dies with
// it, and executes itself again there: a mount namespace belongs to a thread, and every thread of
// the benchmark has to be in it.
func enterView(view string) error {
	build := map[string]func() error{"host": nil, "v1": buildV1, "v2": buildV2}
	make, known := build[view]
	if !known {
		return fmt.Errorf("no view %q; there are host, v1, v2", view)
	}
	if os.Getenv(viewEntered) == view || make == nil {
		return nil
	}
	host := hostView()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return os.NewSyscallError("make / private", err)
	}
	if err := make(); err != nil {
		return fmt.Errorf("a %s view of %s: %w", view, cgroupRoot, err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return unix.Exec(self, os.Args, append(os.Environ(), viewEntered+"="+view, viewOfHost+"="+host))
}

// buildV1 shows only the v1 hierarchies that the host has.
func buildV1() error {
	stage, err := os.MkdirTemp("", "oci-run-bench-view-")
	if err != nil {
		return err
	}
	defer os.Remove(stage)
	if err := unix.Mount("cgroup", stage, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	defer unix.Unmount(stage, unix.MNT_DETACH)
	entries, err := os.ReadDir(cgroupRoot)
	if err != nil {
		return err
	}
	hierarchies := 0
	for _, entry := range entries {
		from, to := filepath.Join(cgroupRoot, entry.Name()), filepath.Join(stage, entry.Name())
		if entry.Type()&os.ModeSymlink != 0 { // cpu,cpuacct has a second name
			target, err := os.Readlink(from)
			if err != nil {
				return err
			}
			if err := os.Symlink(target, to); err != nil {
				return err
			}
			continue
		}
		var fs unix.Statfs_t
		if unix.Statfs(from, &fs) != nil || fs.Type != unix.CGROUP_SUPER_MAGIC {
			continue
		}
		if err := os.Mkdir(to, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
			return err
		}
		hierarchies++
	}
	if hierarchies == 0 {
		return errors.New("the host has no v1 hierarchy")
	}
	return unix.Mount(stage, cgroupRoot, "", unix.MS_BIND|unix.MS_REC, "")
}

// buildV2 shows only the unified hierarchy.
func buildV2() error {
	if err := unix.Unmount(cgroupRoot, unix.MNT_DETACH); err != nil {
		return err
	}
	return unix.Mount("cgroup2", cgroupRoot, "cgroup2", 0, "")
}
