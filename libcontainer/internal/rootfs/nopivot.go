package rootfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// move is [root.pivot] for a system whose own root can't be pivoted: the container's root, whose
// path on the host is rootPath, moves over it. What lies below stays in the mount namespace, out of
// reach but for one thing: a complete procfs or sysfs anywhere in a mount namespace lets a user
// namespace in the container mount another, without what is masked (mount_namespaces(7)). So these
// go first.
func (r *root) move(rootPath string) error {
	if err := removeComplete(rootPath); err != nil {
		return fmt.Errorf("hide the host's proc and sysfs: %w", err)
	}
	old, err := linux.Openat2(unix.AT_FDCWD, "/", unix.O_PATH|unix.O_DIRECTORY, 0, 0)
	if err != nil {
		return fmt.Errorf("open %q: %w", "/", err)
	}
	defer unix.Close(old)
	if err := linux.MoveMount(r.fd, old); err != nil {
		return fmt.Errorf("move the root to %q: %w", "/", err)
	}
	return r.chroot()
}

// removeComplete unmounts each complete proc and sysfs outside the container's root, or if it is
// locked covers it. This is the only place that reads the list of mounts; nothing can change it
// meanwhile, for it is cut off from the host's first.
func removeComplete(rootPath string) error {
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("change the propagation of %q: %w", "/", err)
	}
	list, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	places := completeMounts(list, rootPath)
	slices.Reverse(places) // a later mount may hide an earlier one
	for _, p := range places {
		err := unix.Unmount(p, unix.MNT_DETACH)
		if err == unix.EINVAL || err == unix.EPERM {
			err = unix.Mount("tmpfs", p, "tmpfs", unix.MS_RDONLY, "")
		}
		if err != nil && !errors.Is(err, unix.ENOENT) { // gone with what it was mounted on
			return fmt.Errorf("unmount %q: %w", p, err)
		}
	}
	return nil
}

// completeMounts lists the mount points of complete proc and sysfs filesystems outside the
// container's root, from the text of proc_pid_mountinfo(5): "36 35 98:0 /root /mountpoint options -
// type source superoptions".
func completeMounts(mountinfo []byte, root string) []string {
	var places []string
	for line := range bytes.Lines(mountinfo) {
		before, after, _ := strings.Cut(string(line), " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if len(fields) < 5 || len(kind) == 0 || fields[3] != "/" || kind[0] != "proc" && kind[0] != "sysfs" {
			continue
		}
		if p := unescape(fields[4]); p != root && !strings.HasPrefix(p, root+"/") {
			places = append(places, p)
		}
	}
	return places
}

// unescape turns the kernel's octal escapes of space, tab, newline and backslash back.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
