package devices

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// SetV1 writes p to the devices.allow and devices.deny files of a v1 cgroup.
//
// The first write sets the default and clears what the cgroup inherited. So the cgroup has to be one in which no process depends on
// a device yet; a cgroup in use changes with [Policy.UpdateV1].
func (p *Policy) SetV1(dir string) error {
	first, rest := dir+"/devices.deny", dir+"/devices.allow"
	if p.allow {
		first, rest = rest, first
	}
	if err := writeLines(first, "a"); err != nil {
		return err
	}
	lines := make([]string, len(p.exceptions))
	for i := range p.exceptions {
		lines[i] = p.exceptions[i].String()
	}
	return writeLines(rest, lines...)
}

// writeLines writes each line with a write(2) of its own, which is how these files take rules.
func writeLines(file string, lines ...string) error {
	if len(lines) == 0 {
		return nil
	}
	fd, err := unix.Open(file, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %q: %w", file, err)
	}
	defer unix.Close(fd)
	for _, line := range lines {
		for {
			_, err := unix.Write(fd, []byte(line))
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				return fmt.Errorf("write %q to %q: %w", line, file, err)
			}
			break
		}
	}
	return nil
}
