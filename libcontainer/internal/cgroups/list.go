package cgroups

import (
	"fmt"
	"strconv"
	"strings"
)

// numbers is a set of CPUs or memory nodes: a bit for each, lowest first, without zero bytes at its
// end. systemd wants it so.
type numbers []byte

// mostNumber is the greatest number that is taken. Linux can be built for 8192 CPUs.
const mostNumber = 1<<16 - 1

// parseNumbers reads a list as the kernel does (bitmap_parselist): numbers and ranges between
// commas or blanks, "N" for the last one, "all", and of a range the first USED of every GROUP:
// 0-31:2/8. last is the number that N and all stand for.
func parseNumbers(list string, last int) (numbers, error) {
	var out numbers
	for region := range strings.FieldsFuncSeq(list, func(c rune) bool { return c == ',' || c == ' ' || c == '\t' || c == '\n' }) {
		if err := out.addRegion(region, last); err != nil {
			return nil, fmt.Errorf("%q in list %q %w", region, list, err)
		}
	}
	return out, nil
}

// listError is the end of a sentence about a region.
type listError string

func (e listError) Error() string { return string(e) }

const (
	errNotNumber listError = "is not a number, a range such as 0-3, or a pattern such as 0-31:2/8"
	errTooGreat  listError = "has a number that is too large"
	errBackwards listError = "ends before it begins"
	errPattern   listError = "has a pattern that takes more numbers of a group than the group has"
)

func (s *numbers) addRegion(region string, last int) error {
	span, pattern, hasPattern := strings.Cut(region, ":")
	var first, end int
	var err error
	from, to, isRange := strings.Cut(span, "-")
	if strings.EqualFold(span, "all") {
		first, end, isRange = 0, last, true
	} else if first, err = parseNumber(from, last); err != nil {
		return err
	} else if end = first; isRange {
		if end, err = parseNumber(to, last); err != nil {
			return err
		}
	}
	used, group := 1, 1
	if hasPattern {
		if !isRange {
			return errNotNumber
		}
		u, g, _ := strings.Cut(pattern, "/")
		if used, err = parseNumber(u, last); err != nil {
			return err
		}
		if group, err = parseNumber(g, last); err != nil {
			return err
		}
	}
	switch {
	case end < first:
		return errBackwards
	case group == 0 || used > group:
		return errPattern
	}
	for n := first; n <= end; n++ {
		if (n-first)%group < used {
			s.add(n)
		}
	}
	return nil
}

func parseNumber(text string, last int) (int, error) {
	if text == "N" {
		return last, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	switch {
	case text == "" || strings.Trim(text, "0123456789") != "":
		return 0, errNotNumber
	case err != nil || n > mostNumber:
		return 0, errTooGreat
	}
	return int(n), nil
}

func (s *numbers) add(n int) {
	for n/8 >= len(*s) {
		*s = append(*s, 0)
	}
	(*s)[n/8] |= 1 << (n % 8)
}

func (s numbers) has(n int) bool { return n/8 < len(s) && s[n/8]&(1<<(n%8)) != 0 }

// last gives the greatest number, or -1.
func (s numbers) last() int {
	for n := 8*len(s) - 1; n >= 0; n-- {
		if s.has(n) {
			return n
		}
	}
	return -1
}

// firstBeyond gives the least number that o doesn't have, or -1.
func (s numbers) firstBeyond(o numbers) int {
	for n := range 8 * len(s) {
		if s.has(n) && !o.has(n) {
			return n
		}
	}
	return -1
}

// expand reads a list for systemd, which has to be told each number. Only N and all need a look at
// the machine.
func expand(list, possible string) (numbers, error) {
	last := 0
	if strings.ContainsAny(list, "NaA") {
		text, err := readFile(possible)
		if gone(err) { // a kernel without NUMA has one node
			text, err = "0", nil
		}
		if err != nil {
			return nil, err
		}
		all, err := parseNumbers(text, 0)
		if err != nil {
			return nil, err
		}
		last = all.last()
	}
	bits, err := parseNumbers(list, last)
	if err == nil && len(bits) == 0 {
		err = fmt.Errorf("list %q is empty", list)
	}
	return bits, err
}

// The lists of what a machine can have.
const (
	possibleCPUs  = "/sys/devices/system/cpu/possible"
	possibleNodes = "/sys/devices/system/node/possible"
)
