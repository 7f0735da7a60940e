package rootfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func init() {
	// What a restore does before CRIU: the root at another place, with the places of its mounts.
	scenes["rebuild"] = func(a *act) error {
		p, err := NewPlan(a.spec, a.opts)
		if err != nil {
			return err
		}
		at := filepath.Join(a.dir, "at")
		before := read("/proc/self/mountinfo")
		err = Rebuild(p, at, func() error {
			for line := range strings.Lines(read("/proc/thread-self/mountinfo")) {
				if f := strings.Fields(line); strings.HasPrefix(f[4], at) {
					fmt.Println("mount", f[4][len(at):], strings.Join(f[6:7], ""))
				}
			}
			return filepath.WalkDir(at, func(name string, e os.DirEntry, err error) error {
				if err == nil && name != at {
					fmt.Println(e.Type().String()[:1], name[len(at):])
				}
				return err
			})
		})
		if after := read("/proc/self/mountinfo"); after != before {
			return fmt.Errorf("the caller's mounts have changed:\n%s", after)
		}
		return err
	}
}

// The places of all mounts are made, those in a bind mount in its source, and nothing stays mounted
// but the root. What is in a mount that comes with the dump, or is one of cgroups, is not made.
func TestRebuild(t *testing.T) {
	s := newStage(t)
	s.mkdir(filepath.Join(s.dir, "at"), 0o755)
	s.mkdir(filepath.Join(s.dir, "volume"), 0o755)
	s.write(filepath.Join(s.dir, "file"), "")
	s.mount(bindMount("volume", "/v/w", "bind"))
	s.mount(tmpfs("/v/w/inner"))
	s.mount(bindMount("file", "/v/w/file", "bind"))
	s.mount(bindMount("file", "/etc/file", "bind"))
	want := "mount  -\nd /dev\nd /etc\n- /etc/file\nd /proc\nd /sys\nd /v\nd /v/w\n"
	if got := s.wants("rebuild"); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	for _, name := range []string{"inner", "file"} {
		if _, err := os.Lstat(filepath.Join(s.dir, "volume", name)); err != nil {
			t.Error(err)
		}
	}
	s.mount(bindMount("missing", "/m", "bind"))
	s.fails("rebuild", `make mount point "/m": bind source "`+s.dir+`/missing": no such file or directory`)
}
