package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/internal/cli"
	"oci-run/internal/log"
	"oci-run/internal/screen"
	"oci-run/libcontainer"
)

var topCommand = cli.Command{
	Name:      "top",
	Usage:     "show what containers use, again and again",
	Arguments: "[ID...]",
	Description: "Prints a table of what the containers ID, or all that have not stopped, use of the machine: the data of events.\n" +
		"CPU% is of one processor, MEMORY without the files that the kernel would drop first, READ/s and WRITE/s are of\n" +
		"block devices, and the last three columns tell in how much of the last ten seconds some process of the container\n" +
		"waited for a processor, for memory and for I/O (pressure; cgroup v2). A dash is what nobody counts.\n" +
		"On a terminal it ends with Ctrl-C, otherwise after one table, and when all containers ID have stopped.",
	Options: [][]cli.Option{{
		{Name: "interval", Kind: cli.Duration, Value: "2s", Usage: "print a table every `TIME`"},
		{Name: "count", Alias: "n", Kind: cli.Number, Value: "0", Usage: "end after `N` tables"},
		{Name: "sort", Value: "cpu", Values: []string{"cpu", "memory", "pids", "io", "id"}, Usage: "sort by `KEY`: cpu, memory, pids or io, the most first, or id"},
	}},
	Action: top,
	Next:   livingIDsEach,
}

// usage is what a container has used since it was looked at last.
type usage struct {
	id, status          string
	cpu                 float64 // of one processor
	memory, limit, pids uint64  // the limit is 0 if there is none
	pidsLimit           uint64
	read, written       float64     // bytes a second
	pressure            [3]*float64 // percent; nil if nobody counts
	counted             bool        // the container has a cgroup
}

// orders are what --sort takes: each tells whether a comes before b, by a negative number.
var orders = [...]struct {
	name    string
	compare func(a, b *usage) int
}{
	{"cpu", func(a, b *usage) int { return cmp.Compare(b.cpu, a.cpu) }},
	{"memory", func(a, b *usage) int { return cmp.Compare(b.memory, a.memory) }},
	{"pids", func(a, b *usage) int { return cmp.Compare(b.pids, a.pids) }},
	{"io", func(a, b *usage) int { return cmp.Compare(b.read+b.written, a.read+a.written) }},
	{"id", func(a, b *usage) int { return 0 }},
}

// topView is a top that runs.
type topView struct {
	factory  *libcontainer.Factory
	ids      []string // those that were asked for
	compare  func(a, b *usage) int
	interval time.Duration
	last     map[string]sample
}

// sample is what a container had used at a time.
type sample struct {
	at                 time.Time
	cpu, read, written uint64
}

func top(c *cli.Call) error {
	v := &topView{ids: c.Args, interval: c.Duration("interval"), last: map[string]sample{}}
	if v.interval <= 0 {
		return fmt.Errorf("--interval %v: must be longer than 0", v.interval)
	}
	for _, o := range orders {
		if o.name == c.String("sort") {
			v.compare = o.compare
		}
	}
	if v.compare == nil {
		return fmt.Errorf("--sort %q: must be cpu, memory, pids, io or id", c.String("sort"))
	}
	_, isTerminal := screen.Of(c.Out)
	left := c.Int("count")
	switch {
	case left < 0:
		return fmt.Errorf("--count %d: must not be negative", left)
	case left == 0 && isTerminal:
		left = math.MaxInt
	case left == 0:
		left = 1
	}
	var err error
	if v.factory, err = newFactory(c); err != nil {
		return err
	}
	return v.run(c.Out, left)
}

// run prints tables. The first comes soon, of a short time.
func (v *topView) run(out io.Writer, left int) error {
	const soon = 500 * time.Millisecond
	if _, err := v.look(); err != nil {
		return err
	}
	for wait := min(soon, v.interval); left > 0; left-- {
		time.Sleep(wait)
		wait = v.interval
		list, err := v.look()
		if err != nil {
			return err
		}
		if len(list) == 0 && len(v.ids) > 0 {
			return nil
		}
		if err := v.print(out, list); err != nil {
			return err
		}
	}
	return nil
}

// look measures the containers that have not stopped, in the order of their IDs. One that was asked
// for has to be there the first time.
func (v *topView) look() ([]*usage, error) {
	containers, err := v.containers()
	if err != nil {
		return nil, err
	}
	var list []*usage
	seen := map[string]sample{}
	for _, c := range containers {
		u, now, err := v.measure(c)
		switch {
		case err != nil && !errors.Is(err, libcontainer.ErrNotExist):
			log.Warn(err.Error())
		case u != nil:
			list = append(list, u)
			seen[u.id] = now
		}
	}
	v.last = seen
	return list, nil
}

func (v *topView) containers() ([]*libcontainer.Container, error) {
	if len(v.ids) == 0 {
		all, broken, err := v.factory.List()
		for _, err := range broken {
			log.Warn(err.Error())
		}
		return all, butNot(err, fs.ErrNotExist)
	}
	var found []*libcontainer.Container
	for _, id := range v.ids {
		c, err := v.factory.Load(id)
		if errors.Is(err, libcontainer.ErrNotExist) && len(v.last) > 0 {
			continue // it was deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, nil
}

// measure returns nil for a container that has stopped or is not complete yet.
func (v *topView) measure(c *libcontainer.Container) (*usage, sample, error) {
	state, err := c.State()
	if err != nil || state.Status == specs.StateStopped || state.Status == specs.StateCreating {
		return nil, sample{}, err
	}
	s, err := c.Stats()
	if err != nil {
		if state, again := c.State(); again == nil && state.Status == specs.StateStopped {
			return nil, sample{}, nil
		}
		return nil, sample{}, err
	}
	now := sample{at: time.Now(), cpu: s.CPU.Usage.Total}
	for _, e := range s.Blkio.IoServiceBytesRecursive {
		switch strings.ToLower(e.Op) {
		case "read":
			now.read += e.Value
		case "write":
			now.written += e.Value
		}
	}
	u := &usage{id: c.ID(), status: string(state.Status), pids: s.Pids.Current, pidsLimit: s.Pids.Limit, counted: s.Pids.Current+s.CPU.Usage.Total+s.Memory.Usage.Usage > 0}
	u.memory, u.limit = memoryOf(s)
	for i, psi := range [...]*libcontainer.PSI{s.CPU.PSI, s.Memory.PSI, s.Blkio.PSI} {
		if psi != nil {
			u.pressure[i] = &psi.Some.Avg10
		}
	}
	if before, known := v.last[u.id]; known {
		u.since(before, now)
	}
	return u, now, nil
}

// memoryOf is what is in use without the file cache that is dropped first, as other tools show it,
// and the limit.
func memoryOf(s *libcontainer.Stats) (used, limit uint64) {
	const none = 1 << 60 // v1's largest number of pages is no limit, and v2's word for none is read as the largest number
	used, limit = s.Memory.Usage.Usage, s.Memory.Usage.Limit
	for _, key := range [...]string{"total_inactive_file", "inactive_file"} {
		if cache, found := s.Memory.Raw[key]; found {
			used -= min(cache, used)
			break
		}
	}
	if limit >= none {
		limit = 0
	}
	return used, limit
}

// since works the rates out. A counter that has gone back is another container's of the same name.
func (u *usage) since(before, now sample) {
	seconds := now.at.Sub(before.at).Seconds()
	rate := func(before, now uint64) float64 {
		if now < before || seconds <= 0 {
			return 0
		}
		return float64(now-before) / seconds
	}
	u.cpu = rate(before.cpu, now.cpu) / 1e9 * 100
	u.read, u.written = rate(before.read, now.read), rate(before.written, now.written)
}

// print prints a table: on a terminal in the place of the one before.
func (v *topView) print(out io.Writer, list []*usage) error {
	slices.SortStableFunc(list, v.compare)
	size, isTerminal := screen.Of(out)
	t := screen.Table{Columns: []screen.Column{
		{Title: "ID"}, {Title: "STATUS"}, {Title: "CPU%", Right: true}, {Title: "MEMORY", Right: true}, {Title: "LIMIT", Right: true},
		{Title: "PIDS", Right: true}, {Title: "READ/s", Right: true}, {Title: "WRITE/s", Right: true},
		{Title: "CPU-PSI", Right: true}, {Title: "MEM-PSI", Right: true}, {Title: "IO-PSI", Right: true},
	}}
	for _, u := range list {
		t.Rows = append(t.Rows, u.cells(isTerminal))
	}
	var frame bytes.Buffer
	if !isTerminal {
		for _, line := range t.Lines(0) {
			fmt.Fprintln(&frame, line)
		}
		_, err := out.Write(frame.Bytes())
		return err
	}
	lines := t.Lines(size.Width)
	if room := max(size.Height-3, 2); len(lines) > room {
		lines = append(lines[:room], fmt.Sprintf("… and %d more", len(lines)-room))
	}
	// From the first place on, each line cleared behind its end, and all below the last one.
	const home, clearLine, clearBelow = "\x1b[H", "\x1b[K\n", "\x1b[J"
	fmt.Fprintf(&frame, "%s%s  containers: %d, every %v (Ctrl-C ends)%s", home, time.Now().Format(time.TimeOnly), len(list), v.interval, clearLine)
	for _, line := range lines {
		frame.WriteString(line + clearLine)
	}
	frame.WriteString(clearBelow)
	_, err := out.Write(frame.Bytes())
	return err
}

// cells are the row of a container; brief is for people.
func (u *usage) cells(brief bool) []string {
	id := u.id
	if brief {
		id = screen.Brief(id)
	}
	row := []string{id, u.status}
	if !u.counted {
		return append(row, "-", "-", "-", "-", "-", "-", "-", "-", "-")
	}
	limit, pids := "-", strconv.FormatUint(u.pids, 10)
	if u.limit != 0 {
		limit = screen.Bytes(u.limit)
	}
	if u.pidsLimit != 0 {
		pids += "/" + strconv.FormatUint(u.pidsLimit, 10)
	}
	row = append(row, strconv.FormatFloat(u.cpu, 'f', 1, 64), screen.Bytes(u.memory), limit, pids,
		screen.Bytes(uint64(u.read)), screen.Bytes(uint64(u.written)))
	for _, p := range u.pressure {
		if p == nil {
			row = append(row, "-")
		} else {
			row = append(row, strconv.FormatFloat(*p, 'f', 1, 64)+"%")
		}
	}
	return row
}
