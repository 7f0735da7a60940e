package configure

import (
	"errors"
	"strings"

	"oci-run/internal/oncejson"
)

// jsonFormat is JSON (RFC 8259). The document is an object.
var jsonFormat = format{table: "an object", scan: scanJSON, grow: growJSON, erase: eraseJSON}

// scanJSON leaves it to oncejson to find what is wrong.
func scanJSON(s *scanner, add func(item)) {
	if err := oncejson.CheckSyntax(s.text); err != nil {
		if se, ok := errors.AsType[*oncejson.SyntaxError](err); ok {
			s.at = min(se.Offset, len(strings.TrimRight(s.text, " \t\r\n")))
		}
		s.fail("is not JSON: " + err.Error())
		return
	}
	if s.spaces(0); s.peek() != '{' {
		s.fail("must be an object")
		return
	}
	s.object(add, "")
}

// object goes over an object and adds its members, behind those of objects in it. Prefix is what
// their paths begin with.
func (s *scanner) object(add func(item), prefix string) {
	s.enclosed(0, "}", func() {
		i := item{table: -1, start: s.at}
		i.path = prefix + s.key("")
		s.spaces(0)
		s.need(":")
		s.spaces(0)
		i.from, i.head = s.at, s.peek() == '{'
		s.member(add, i.path+sep)
		i.to, i.end = s.at, s.at
		add(i)
	})
}

// member goes over a value.
func (s *scanner) member(add func(item), prefix string) {
	switch s.peek() {
	case '{':
		s.object(add, prefix)
	case '[':
		s.enclosed(0, "]", func() { s.member(func(item) {}, "") })
	case '"':
		s.str(`"`)
	default:
		s.over(bare + "+.")
	}
}

// owner is the innermost object on the way to a path: where it begins and ends, and its path with
// a separator; that of the document is empty.
func (d *document) owner(path string) (from, to int, prefix string) {
	from, to = strings.IndexByte(d.text, '{'), strings.LastIndexByte(d.text, '}')+1
	for at := range d.items {
		if i := &d.items[at]; below(path, i.path) && len(i.path) >= len(prefix) {
			from, to, prefix = i.from, i.to, i.path+sep
		}
	}
	return from, to, prefix
}

// beside gives the members of an object right before and right behind an offset; nil for none.
func (d *document) beside(prefix string, offset int) (before, behind *item) {
	for at := range d.items {
		i := &d.items[at]
		name, ok := strings.CutPrefix(i.path, prefix)
		switch {
		case !ok || strings.Contains(name, sep):
		case i.to <= offset && (before == nil || before.to < i.to):
			before = i
		case i.start > offset && (behind == nil || i.start < behind.start):
			behind = i
		}
	}
	return before, behind
}

// lead is the end of line and the blanks that a text ends with; nothing if the line has more.
func lead(text string) string {
	blank := text[len(strings.TrimRight(text, " \t\r\n")):]
	return blank[max(strings.LastIndexByte(blank, '\n'), 0):]
}

// growJSON adds a member behind those of its object, in their form: each on a line of its own, or
// all on one. Objects on the way to it are made.
func growJSON(d *document, path, raw string) error {
	from, to, prefix := d.owner(path)
	last, _ := d.beside(prefix, to)
	step := "\t"
	if _, first := d.beside("", 0); first != nil {
		if blank := lead(d.text[:first.start]); len(blank) > 1 {
			step = blank[1:]
		}
	}
	names := strings.Split(path[len(prefix):], sep)
	if last != nil {
		inner := lead(d.text[:last.start])
		blank := inner
		if !strings.HasPrefix(inner, "\n") {
			inner, blank = "", " "
		}
		return d.replace(last.to, last.to, ","+blank+nested(names, raw, inner, step))
	}
	line := d.text[strings.LastIndexByte(d.text[:from], '\n')+1:]
	outer := "\n" + line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	return d.replace(from+1, to-1, outer+step+nested(names, raw, outer+step, step)+outer)
}

// nested is a member, and objects around it. What begins each of their lines is the indent; "" is
// for one line.
func nested(names []string, raw, indent, step string) string {
	key := quoted(names[0]) + ": "
	if len(names) == 1 {
		return key + raw
	}
	if indent == "" {
		return key + "{" + nested(names[1:], raw, "", "") + "}"
	}
	return key + "{" + indent + step + nested(names[1:], raw, indent+step, step) + indent + "}"
}

// eraseJSON takes away a member with its comma; the object with it if it has no other.
func eraseJSON(d *document, at int) error {
	i := d.items[at]
	prefix := i.path[:strings.LastIndex(i.path, sep)+1]
	before, behind := d.beside(prefix, i.start)
	switch {
	case before != nil:
		return d.replace(before.to, i.to, "")
	case behind != nil:
		return d.replace(i.start, behind.start, "")
	case prefix == "":
		return d.replace(strings.IndexByte(d.text, '{')+1, strings.LastIndexByte(d.text, '}'), "")
	}
	above, err := d.find(strings.TrimSuffix(prefix, sep))
	if err != nil {
		return err
	}
	return eraseJSON(d, above)
}
