package rootfs

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func splitCommas(s string) []string { return strings.Split(s, ",") }

// What a bind mount's flags become: has on the host, wishes in the configuration, and what is
// wanted without and with a user namespace ("" for an error). This is runc's mounts_sshfs.bats.
var attrCases = []struct{ has, wishes, alone, inUserNS string }{
	{"ro,noexec,nosymfollow,nodiratime", "bind", "~ro,noexec,nodiratime,nosymfollow", "~ro,noexec,nodiratime,nosymfollow"},
	{"ro,noexec,nosymfollow,nodiratime", "bind,dev", "~rw,!noexec,!nosymfollow,nodiratime", "~ro,noexec,nodiratime,!nosymfollow"},
	{"ro", "bind,nosuid,nodev,rprivate", "~rw,nosuid,nodev", "~ro,nosuid,nodev"},
	{"ro", "bind,rw,nosuid,nodev,rprivate", "~rw,nosuid,nodev", ""},
	{"nosuid,nodev,noexec,noatime", "bind,dev,suid,exec,atime", "~rw,!nosuid,!nodev,!noexec,noatime", ""},
	{"rw,nodev,nosuid,noexec,noatime", "bind,ro", "~ro,!nosuid,!nodev,!noexec,noatime", "~ro,nosuid,nodev,noexec"},
	{"rw,nodev,nosymfollow", "bind,ro,symfollow", "~ro,!nodev,!nosymfollow", "~ro,nodev,!nosymfollow"},
	{"rw,nodev,nosymfollow", "bind,rw", "~rw,!nodev,!nosymfollow", "~rw,nodev,!nosymfollow"},
	{"nodev,nosuid,noatime", "bind,ro,exec", "~ro,!nosuid,!nodev,noatime", "~ro,!noexec,nosuid,nodev,noatime"},
	{"noatime", "bind", "~noatime,!relatime", "~noatime"},
	{"noatime", "bind,norelatime", "~noatime,!relatime", "~noatime"},
	{"noatime", "bind,atime", "~noatime,!relatime", "~noatime"},
	{"noatime", "bind,relatime", "~!noatime,relatime", ""},
	{"noatime", "bind,nodiratime", "~!noatime,nodiratime,relatime", ""},
	{"nodiratime", "bind,strictatime", "~!noatime,!relatime,!nodiratime", ""},
	{"noatime", "bind,nodiratime,strictatime", "~!noatime,nodiratime,!relatime", ""},
	{"noatime", "bind,nodiratime,norelatime", "~!noatime,nodiratime,relatime", ""},
	{"strictatime", "bind", "~!noatime,!relatime,!nodiratime", "~!noatime,!relatime,!nodiratime"},
	{"noatime,nodiratime", "bind,norelatime", "~noatime,nodiratime", "~noatime,nodiratime"},
	{"relatime", "bind,strictatime", "~!relatime", ""},
	{"relatime", "bind,noatime", "~noatime", ""},
	{"relatime", "bind,nodiratime", "~nodiratime", ""},
	{"strictatime", "bind,relatime", "~relatime", ""},
	{"strictatime", "bind,noatime", "~noatime", ""},
	{"strictatime", "bind,nodiratime", "~nodiratime", ""},
	{"strictatime", "bind,nostrictatime", "~!relatime,!noatime", "~!relatime,!noatime"},
	{"nodiratime", "bind,diratime", "~nodiratime", "~nodiratime"},
	{"relatime", "bind,norelatime", "~relatime", "~relatime"},
	{"noatime,nodiratime", "bind,atime", "~noatime,nodiratime", "~noatime,nodiratime"},
}

func hostVolume(t *testing.T, s *stage, has string) string {
	t.Helper()
	volume := filepath.Join(s.dir, "volume")
	s.mkdir(volume, 0o755)
	must(t, unix.Mount("none", volume, "tmpfs", unix.MS_STRICTATIME, ""))
	t.Cleanup(func() { _ = unix.Unmount(volume, unix.MNT_DETACH) })
	flags := parseOptions(splitCommas(has), false).attr.Set
	if flags&accessTimes == 0 {
		flags |= unix.MS_RELATIME
	}
	must(t, unix.Mount("", volume, "", unix.MS_BIND|unix.MS_REMOUNT|uintptr(flags), ""))
	return volume
}

func TestBindAttributes(t *testing.T) {
	for _, c := range attrCases {
		t.Run(c.has+" "+c.wishes, func(t *testing.T) {
			s := newStage(t)
			s.mount(bindMount(hostVolume(t, s, c.has), "/mnt", splitCommas(c.wishes)...))
			s.probe("mounts /mnt", c.alone)
		})
		t.Run("userns "+c.has+" "+c.wishes, func(t *testing.T) {
			s := newStage(t)
			s.mount(bindMount(hostVolume(t, s, c.has), "/mnt", splitCommas(c.wishes)...))
			s.userNS()
			if c.inUserNS == "" {
				s.fails("probe", "operation not permitted")
				return
			}
			s.probe("mounts /mnt", c.inUserNS)
		})
	}
}
