package devices

import (
	"fmt"
	"strconv"
)

// Describe lists a policy's default and its exceptions, for people: "deny all", "allow c 1:3 rwm".
func (p Policy) Describe() []string {
	word := map[bool]string{true: "allow", false: "deny"}
	lines := []string{word[p.allow] + " all"}
	for _, e := range p.exceptions {
		lines = append(lines, fmt.Sprintf("%s %c %s:%s %s", word[!p.allow], e.kind, numberText(e.major), numberText(e.minor), e.access))
	}
	return lines
}

func numberText(n int64) string {
	if n == anyNumber {
		return "*"
	}
	return strconv.FormatInt(n, 10)
}
