// Package spelling finds the name that was meant by one that doesn't exist. It is for errors only:
// nothing of it is prepared.
package spelling

import (
	"cmp"
	"fmt"
	"strings"
)

// Hint is ` (did you mean "NAME"?)` with the name that is nearest to an unknown one, or nothing if
// none is near.
func Hint(unknown string, names []string) string {
	if name := Nearest(unknown, names); name != "" {
		return fmt.Sprintf(" (did you mean %q?)", name)
	}
	return ""
}

// maxLength bounds the work: no name is longer.
const maxLength = 64

// Nearest returns the one of the names that has the fewest letters other than the unknown one, or
// "" if all have more than slips of the pen account for: one in four, and at most three. A name in
// other capitals is near, and so is one without its prefix, such as KILL for CAP_KILL, or without
// its last words, such as MPOL_F_STATIC for MPOL_F_STATIC_NODES.
func Nearest(unknown string, names []string) string {
	if unknown == "" || len(unknown) > maxLength {
		return ""
	}
	best, least, longer := "", min(max(len(unknown)/4, 1), 3)+1, ""
	for _, name := range names {
		if len(unknown) > 1 && strings.HasSuffix(name, "_"+strings.ToUpper(unknown)) {
			return name
		}
		if d := distance(strings.ToLower(unknown), strings.ToLower(name)); d < least {
			best, least = name, d
		}
		if strings.HasPrefix(name, strings.ToUpper(unknown)+"_") && longer == "" {
			longer = name
		}
	}
	return cmp.Or(best, longer)
}

// distance counts the letters to insert, to delete, to replace or to swap with their neighbours
// (optimal string alignment).
func distance(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
