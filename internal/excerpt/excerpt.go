// Package excerpt shortens what is said to people. A configuration may have a program of a
// megabyte, or a thousand groups, and an error that repeats it: nobody reads that, and logs and
// pipes have limits.
package excerpt

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxNote is more than the note about what was left out takes.
const maxNote = 40

// Of returns text if it has no more than limit bytes, and else its beginning and its end, where the
// subject and the cause stand, with a note of how much is missing between them; all that within
// limit.
func Of(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	half := max(limit-maxNote, 0) / 2
	head, tail := half, len(text)-half
	for head > 0 && head > half-utf8.UTFMax && !utf8.RuneStart(text[head]) {
		head--
	}
	for tail < len(text) && tail < len(text)-half+utf8.UTFMax && !utf8.RuneStart(text[tail]) {
		tail++
	}
	return text[:head] + fmt.Sprintf(" …(%d bytes)… ", tail-head) + text[tail:]
}

// Printable returns a line of text with every character that a terminal would act on, a line feed
// too, as an escape in the way of Go: names in a configuration are somebody else's.
func Printable(line string) string {
	if !strings.ContainsFunc(line, acted) {
		return line
	}
	var b strings.Builder
	for _, r := range line {
		if acted(r) {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// acted tells whether a character is not printed as it is.
func acted(r rune) bool { return !unicode.IsPrint(r) }
