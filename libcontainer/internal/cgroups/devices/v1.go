package devices

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// SetV1 writes p to the devices.allow and devices.deny files of a v1 cgroup.
//
// The first write sets the default and clears what the cgroup inherited. So the cgroup has to be
// one in which no process depends on a device yet; a cgroup in use changes with [Policy.UpdateV1].
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

// UpdateV1 changes the rules of a cgroup in use to p, without a moment in which what stays allowed
// is forbidden. That takes a cgroup that forbids by default, now and then. Else it is SetV1: the
// kernel doesn't tell what an allowing cgroup forbids. After an error, the rules are those of
// before.
func (p *Policy) UpdateV1(dir string) error {
	now, err := ReadV1(dir)
	if err != nil {
		return err
	}
	if now.allow || p.allow {
		return p.SetV1(dir)
	}
	more, less := p.minus(&now), now.minus(p)
	if err = writeLines(dir+"/devices.allow", more...); err == nil {
		err = writeLines(dir+"/devices.deny", less...)
	}
	if err != nil {
		err = errors.Join(err, writeLines(dir+"/devices.allow", less...), writeLines(dir+"/devices.deny", more...))
	}
	return err
}

// ReadV1 gives the rules that are in force. Those of a cgroup that allows by default have no
// exceptions, see UpdateV1.
func ReadV1(dir string) (Policy, error) {
	text, err := os.ReadFile(dir + "/devices.list")
	if err != nil {
		return Policy{}, err
	}
	p, err := parseList(string(text))
	if err != nil {
		return Policy{}, fmt.Errorf("parse %q: %w", dir+"/devices.list", err)
	}
	return p, nil
}

// minus gives the lines for the access that p excepts and o doesn't.
func (p *Policy) minus(o *Policy) []string {
	var lines []string
	for _, e := range p.exceptions {
		if at := o.find(e.device()); at >= 0 {
			e.access &^= o.exceptions[at].access
		}
		if e.access != 0 {
			lines = append(lines, e.String())
		}
	}
	return lines
}

// parseList reads devices.list. "a" stands for a cgroup that allows by default.
func parseList(text string) (p Policy, err error) {
	for line := range strings.Lines(text) {
		fields := strings.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == ':' || c == '\n' })
		if len(fields) != 4 || len(fields[0]) != 1 {
			return p, fmt.Errorf("line %q is not TYPE MAJOR:MINOR ACCESS", line)
		}
		if fields[0] == "a" {
			return Policy{allow: true}, nil
		}
		e := exception{kind: fields[0][0]}
		if e.kind != 'b' && e.kind != 'c' {
			return p, fmt.Errorf("line %q is about no type of device", line)
		}
		if e.major, err = parseNumber(fields[1]); err != nil {
			return p, err
		}
		if e.minor, err = parseNumber(fields[2]); err != nil {
			return p, err
		}
		if e.access, err = parseAccess(fields[3]); err != nil {
			return p, err
		}
		if err := p.set(e, true); err != nil {
			return p, err
		}
	}
	return p, nil
}

func parseNumber(s string) (int64, error) {
	if s == "*" {
		return anyNumber, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return int64(n), err
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
