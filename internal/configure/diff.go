package configure

import (
	"fmt"
	"slices"
	"strings"
)

// around is how many lines that stay the same are shown around those that change.
const around = 3

// diff is what changes from one text to another, in the unified format of diff(1), which patch(1)
// reads.
func diff(name, before, after string) string {
	from, to := name, name
	if before == "" {
		from = "/dev/null"
	}
	if after == "" {
		to = "/dev/null"
	}
	text := "--- " + from + "\n+++ " + to + "\n"
	steps := edits(lines(before), lines(after))
	changes := func(line string) bool { return line[0] != ' ' }
	a, b := 0, 0 // how many lines of each are before the steps
	for {
		first := slices.IndexFunc(steps, changes)
		if first < 0 {
			return text
		}
		begin := max(first-around, 0)
		end := first + 1
		for next := 0; next >= 0 && next <= 2*around; { // a change that is near belongs to the same hunk
			end += next
			if next = slices.IndexFunc(steps[end:], changes); next >= 0 {
				next++
			}
		}
		end = min(end+around, len(steps))
		a, b = a+begin, b+begin
		body := steps[begin:end]
		gone, come := count(body, '-'), count(body, '+')
		text += fmt.Sprintf("@@ -%s +%s @@\n%s\n", extent(a, gone), extent(b, come), strings.Join(body, "\n"))
		a, b, steps = a+gone, b+come, steps[end:]
	}
}

// count is how many of the lines one of the texts has.
func count(steps []string, sign byte) (n int) {
	for _, line := range steps {
		if line[0] == sign || line[0] == ' ' {
			n++
		}
	}
	return n
}

// extent is where lines are, the first being 1; of none, the line before them.
func extent(before, count int) string {
	if count > 0 {
		before++
	}
	return fmt.Sprintf("%d,%d", before, count)
}

func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// edits is a way from one text to another: lines that stay (' '), go ('-') and come ('+'). At a
// difference, it goes on where the nearest line stands that both have.
func edits(a, b []string) (steps []string) {
	for len(a)+len(b) > 0 {
		gone, come := 1, 1
		switch {
		case len(a) == 0:
			gone = 0
		case len(b) == 0:
			come = 0
		default:
			gone, come = slices.Index(a, b[0]), slices.Index(b, a[0])
		}
		switch {
		case come == 0 && gone == 0:
			steps = append(steps, " "+a[0])
			a, b = a[1:], b[1:]
		case gone > 0 && (come < 0 || come >= gone) || come == 0:
			steps = append(steps, "-"+a[0])
			a = a[1:]
		case come > 0:
			steps = append(steps, "+"+b[0])
			b = b[1:]
		default: // neither is in the other text
			steps = append(steps, "-"+a[0], "+"+b[0])
			a, b = a[1:], b[1:]
		}
	}
	return steps
}
