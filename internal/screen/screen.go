// Package screen is how tables look on a terminal: they fit its width, their values are short, and
// nothing in them can move the cursor. What a program reads is not laid out here.
package screen

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Size is that of a terminal, in characters.
type Size struct{ Width, Height int }

// Of returns the size of the terminal that is written to. isTerminal is false if it is none. One
// that doesn't know its size counts as 80 by 24.
func Of(w io.Writer) (size Size, isTerminal bool) {
	file, ok := w.(*os.File)
	if !ok {
		return Size{}, false
	}
	ws, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return Size{}, false
	}
	size = Size{int(ws.Col), int(ws.Row)}
	if size.Width == 0 || size.Height == 0 {
		size = Size{80, 24}
	}
	return size, true
}

// Column is the head of a column.
type Column struct {
	Title string
	Right bool // numbers stand at the right
}

// Table is rows of as many cells as there are columns.
type Table struct {
	Columns []Column
	Rows    [][]string
}

// gap is what stands between two columns.
const gap = "   "

// leastLast is what the last column keeps of a terminal that is too narrow.
const leastLast = 10

// Lines lays the table out. The last column loses its beginning where a line would be longer than
// the width; 0 is no limit.
func (t *Table) Lines(width int) []string {
	widths := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		widths[i] = utf8.RuneCountInString(c.Title)
		for _, row := range t.Rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	last, room := len(widths)-1, width
	for _, w := range widths[:last] {
		room -= w + len(gap)
	}
	if width > 0 {
		widths[last] = min(widths[last], max(room, leastLast))
	}
	head := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		head[i] = c.Title
	}
	lines := make([]string, 0, len(t.Rows)+1)
	for _, row := range append([][]string{head}, t.Rows...) {
		lines = append(lines, t.line(row, widths))
	}
	return lines
}

func (t *Table) line(row []string, widths []int) string {
	var b strings.Builder
	for i, cell := range row {
		if i > 0 {
			b.WriteString(gap)
		}
		cell = keepEnd(cell, widths[i])
		blanks := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if t.Columns[i].Right {
			cell, blanks = blanks+cell, ""
		}
		b.WriteString(cell)
		if i < len(row)-1 {
			b.WriteString(blanks)
		}
	}
	return b.String()
}

// keepEnd cuts the beginning of what is too wide: paths differ at their ends.
func keepEnd(text string, width int) string {
	all := []rune(text)
	if len(all) <= width {
		return text
	}
	return "…" + string(all[len(all)-width+1:])
}

// Printable replaces what a terminal might obey, in text that somebody else has chosen.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// Brief is the beginning of a name that is too long to be read, such as an engine's 64 digits.
func Brief(name string) string {
	const longest, kept = 24, 12
	if len(name) <= longest {
		return name
	}
	return name[:kept] + "…"
}

// Age is a length of time in its largest unit.
func Age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d/day))
}

// Bytes is a number of bytes with three digits, in units of 1024.
func Bytes(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return strconv.FormatUint(n, 10) + "B"
	}
	value, unit := float64(n)/1024, 0
	for ; value >= 999.5 && unit < len(units)-1; unit++ {
		value /= 1024
	}
	decimals := 0
	if value < 9.95 {
		decimals = 1
	}
	return strconv.FormatFloat(value, 'f', decimals, 64) + units[unit:unit+1]
}
