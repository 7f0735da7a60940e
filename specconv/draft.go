package specconv

import (
	"slices"
	"strings"
)

// draft is a configuration from which values that are at fault can be taken out, to see what else
// is the matter. Blanks take their place, so that all others keep their offsets; only elements of
// an array that come after one that is gone have another index.
type draft struct {
	original, raw []byte
}

func newDraft(raw []byte) *draft { return &draft{raw, slices.Clone(raw)} }

// clone is a draft that can be changed on its own.
func (d *draft) clone() *draft { return &draft{d.original, slices.Clone(d.raw)} }

// origin is the pointer in the original to what a pointer in the draft leads to. What doesn't exist
// in the draft is taken for a member of the last value on the way that does.
func (d *draft) origin(pointer string) string {
	existing, rest := d.existing(pointer)
	return pointerTo(d.original, offsetOf(d.raw, existing)) + rest
}

// existing splits a pointer behind the last value on the way that the draft has.
func (d *draft) existing(pointer string) (existing, rest string) {
	at := skipSpace(d.raw, 0)
	for rest = pointer; rest != ""; {
		token, _, _ := strings.Cut(rest[1:], "/")
		c, _, _, found := find(d.raw, at, unescapeToken(token))
		if !found {
			break
		}
		at = c.start
		existing, rest = existing+rest[:len(token)+1], rest[len(token)+1:]
	}
	return existing, rest
}

// sections are the objects that stay, whatever they lack: without them, nothing else in them could
// be looked at.
var sections = [...]string{"", "/root", "/process", "/process/user", "/linux", "/linux/resources", "/hooks"}

// remove takes out the value that a pointer leads to. Where that is a member that is missing, it is
// what lacks it that goes, unless that is a section. It tells whether anything is gone.
func (d *draft) remove(pointer string) bool {
	existing, rest := d.existing(pointer)
	slash := strings.LastIndexByte(existing, '/')
	if slash < 0 || rest != "" && slices.Contains(sections[:], existing) {
		return false
	}
	if isArgs(existing[:slash]) { // without the first, the second would be the program
		existing = existing[:slash]
		slash = strings.LastIndexByte(existing, '/')
	}
	holder := offsetOf(d.raw, existing[:slash])
	c, before, after, found := find(d.raw, holder, unescapeToken(existing[slash+1:]))
	if !found {
		return false
	}
	begin, end := c.begin, c.end
	switch { // with one of the commas beside it
	case after >= 0:
		end = after
	case before >= 0:
		begin = before
	}
	for i := begin; i < end; i++ {
		if d.raw[i] != '\n' {
			d.raw[i] = ' '
		}
	}
	return true
}

// emptied tells whether a pointer leads to an array that has elements in the original alone, or to
// what only the original has.
func (d *draft) emptied(pointer string) bool {
	if _, rest := d.existing(pointer); rest != "" {
		_, rest = newDraft(d.original).existing(d.origin(pointer))
		return rest == ""
	}
	at := offsetOf(d.raw, pointer)
	return d.raw[at] == '[' && !holds(d.raw, at) && holds(d.original, at)
}

// holds tells whether the array at an offset has anything in it.
func holds(raw []byte, at int) bool {
	at = skipSpace(raw, at+1)
	return at < len(raw) && raw[at] != ']'
}

// isArgs tells whether a pointer leads to a command line, whose words mean something by their
// place.
func isArgs(pointer string) bool {
	return pointer == "/process/args" || strings.HasPrefix(pointer, "/hooks/") && strings.HasSuffix(pointer, "/args")
}

// find looks for what a value at an offset holds under a name or index, and where the one before it
// ends and the one after it begins; -1 where there is none.
func find(raw []byte, at int, name string) (found child, before, after int, ok bool) {
	before, after = -1, -1
	for c := range children(raw, at) {
		if ok {
			return found, before, c.begin, true
		}
		if c.name == name {
			found, ok = c, true
		} else {
			before = c.end
		}
	}
	return found, before, after, ok
}
