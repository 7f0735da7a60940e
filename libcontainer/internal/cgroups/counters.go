package cgroups

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// counters reads files of one cgroup. A file that the kernel doesn't have leaves its counters at 0;
// any other error stays in err, the first of them.
type counters struct {
	dir string
	fd  int
	buf []byte
	err error
}

// openCounters opens a cgroup's directory. The buffer is for all that are read after each other.
func openCounters(dir string, buf []byte) (*counters, error) {
	fd, err := openFile(unix.AT_FDCWD, dir, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return &counters{dir: dir, fd: fd, buf: buf}, nil
}

func (c *counters) close() { unix.Close(c.fd) }

func (c *counters) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// text gives a file's content without the white space at its end; ok is false if there is none.
//
// A file of cgroups with counters is one record of a seq_file, of which a read gives as much as the
// buffer holds: a shorter one has seen its end.
func (c *counters) text(name string) (text string, ok bool) {
	fd, err := openFile(c.fd, name, unix.O_RDONLY)
	if err != nil {
		if !errors.Is(err, unix.ENOENT) {
			c.fail(&fileError{Op: "open", Path: c.dir + "/" + name, Err: errors.Unwrap(err)})
		}
		return "", false
	}
	defer unix.Close(fd)
	for n := 0; ; {
		k, err := unix.Read(fd, c.buf[n:])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EOPNOTSUPP: // pressure, on a kernel that wants psi=1
			return "", false
		case err != nil:
			c.fail(&fileError{Op: "read", Path: c.dir + "/" + name, Err: err})
			return "", false
		}
		if n += k; n < len(c.buf) {
			return strings.TrimRight(string(c.buf[:n]), " \n"), true
		}
		c.buf = append(c.buf, make([]byte, len(c.buf))...)
	}
}

// number reads a file with one number.
func (c *counters) number(name string) uint64 {
	text, ok := c.text(name)
	if !ok {
		return 0
	}
	return c.parse(name, text)
}

// parse reads a number. "max" is the greatest there is, and one below 0, as kernels count now and
// then, is 0.
func (c *counters) parse(name, text string) uint64 {
	if text == "max" {
		return math.MaxUint64
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil && !strings.HasPrefix(text, "-") {
		c.fail(c.malformed(name, text))
	}
	return n
}

func (c *counters) malformed(name, text string) error {
	return fmt.Errorf("read %q: unexpected content %q", c.dir+"/"+name, text)
}

// keyed gives each line of a file with a key and a number to set.
func (c *counters) keyed(name string, set func(key string, n uint64)) {
	text, _ := c.text(name)
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		set(key, c.parse(name, value))
	}
}

// memoryEvents reads those counters of memory.events or memory.oom_control that are not 0.
func (c *counters) memoryEvents(name string) map[string]uint64 {
	out := map[string]uint64{}
	c.keyed(name, func(key string, n uint64) {
		if n > 0 {
			out[key] = n
		}
	})
	return out
}

// rdma reads the files of the rdma controller, which both versions have.
func (c *counters) rdma(s *Stats) {
	current := c.rdmaEntries("rdma.current")
	if len(current) == 0 {
		return
	}
	if limit := c.rdmaEntries("rdma.max"); len(limit) == len(current) { // else a device came or went between the two
		s.Rdma = &RdmaStats{Current: current, Limit: limit}
	}
}

// rdmaEntries reads lines of the form "mlx4_0 hca_handle=2 hca_object=max".
func (c *counters) rdmaEntries(name string) []RdmaEntry {
	var out []RdmaEntry
	text, _ := c.text(name)
	for line := range strings.Lines(text) {
		var e RdmaEntry
		for i, word := range strings.Fields(line) {
			key, value, _ := strings.Cut(word, "=")
			switch {
			case i == 0:
				e.Device = word
			case key == "hca_handle":
				e.HcaHandles = uint32(min(c.parse(name, value), math.MaxUint32))
			case key == "hca_object":
				e.HcaObjects = uint32(min(c.parse(name, value), math.MaxUint32))
			}
		}
		out = append(out, e)
	}
	return out
}
