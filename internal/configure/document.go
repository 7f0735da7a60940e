package configure

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// document is the text of a configuration, JSON or TOML, and where its parts are. Single values of
// it are changed; all else stays as it is: order, comments, blanks.
//
// Of a value only the end is looked for: whether a number is one is for the engine to say.
type document struct {
	name, text string
	items      []item
	format     *format
}

// format is how documents of a kind are read and changed.
type format struct {
	table string // what holds values there
	scan  func(s *scanner, add func(item))
	grow  func(d *document, path, raw string) error // give a value to a path that has none
	erase func(d *document, at int) error           // take away an item and what is below it
}

// item is a value or what holds values: in TOML a table's heading, in JSON an object.
type item struct {
	path       string // its names, joined
	head       bool
	table      int // in TOML the item that is the heading of its table, -1 for none
	start, end int // in TOML of its whole lines; in JSON from the key to the end of the value
	from, to   int // of the value
}

// sep is what is between the names of a path: nothing that a name can have in it.
const sep = "\x00"

// shown is a path for people.
func shown(path string) string { return strings.ReplaceAll(path, sep, ".") }

// below tells that a path leads on from another one.
func below(path, other string) bool { return strings.HasPrefix(path, other+sep) }

// parse reads a document. Name is what errors call it.
func parse(f *format, name, text string) (*document, error) {
	d := &document{name: name, text: text, format: f}
	s := &scanner{text: text}
	if !utf8.ValidString(text) {
		s.fail("is not UTF-8")
	}
	control := func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\n\r", r) || r == 0x7f }
	if at := strings.IndexFunc(text, control); at >= 0 {
		s.at = at
		s.fail("has a control character")
	}
	f.scan(s, func(i item) {
		for j := range d.items {
			if other := &d.items[j]; clash(&i, other) {
				s.at = i.start
				s.fail(fmt.Sprintf("%q is there twice, first in line %d", shown(i.path), d.line(other.start)))
				return
			}
		}
		d.items = append(d.items, i)
	})
	if s.wrong != "" {
		return nil, d.fault(s.wrongAt, s.wrong)
	}
	return d, nil
}

// clash tells that two items can't be in one document. Capitals don't count: those who read it
// don't tell them from others in the names of settings.
func clash(a, b *item) bool {
	return strings.EqualFold(a.path, b.path) || !a.head && below(b.path, a.path) || !b.head && below(a.path, b.path)
}

func (d *document) line(offset int) int { return 1 + strings.Count(d.text[:offset], "\n") }

// fault is an error about what is at an offset.
func (d *document) fault(offset int, wrong string) error {
	return fmt.Errorf("%s:%d: %s", d.name, d.line(offset), wrong)
}

// find gives the index of the item at a path, -1 for none.
func (d *document) find(path string) (int, error) {
	for at := range d.items {
		i := &d.items[at]
		several := list(i.path)
		switch {
		case i.path == path:
			return at, nil
		case path != i.path && !below(path, i.path) && below(strings.ToLower(path)+sep, strings.ToLower(i.path)):
			return -1, d.fault(i.start, fmt.Sprintf("%q must be written %q", shown(i.path), shown(path[:len(i.path)])))
		case path == several || below(path, several):
			return -1, d.fault(i.start, fmt.Sprintf("%q is a list of tables, which configure doesn't change", shown(several)))
		case !i.head && below(path, i.path):
			return -1, d.fault(i.start, fmt.Sprintf("%q must be %s", shown(i.path), d.format.table))
		}
	}
	return -1, nil
}

// raw is the value at a path as it is written, "" for none.
func (d *document) raw(path string) (string, error) {
	at, err := d.find(path)
	if at < 0 || d.items[at].head {
		return "", err
	}
	return d.text[d.items[at].from:d.items[at].to], nil
}

// str is the value at a path without its quotes, "" for none.
func (d *document) str(path string) (string, error) {
	raw, err := d.raw(path)
	return unquoted(raw), err
}

// unquoted is the text of a string without escapes; anything else stays as it is.
func unquoted(raw string) string {
	if len(raw) > 1 && (raw[0] == '"' || raw[0] == '\'') {
		return raw[1 : len(raw)-1]
	}
	return raw
}

// quoted is a text without quotes, backslashes and control characters as a string of JSON or TOML.
func quoted(text string) string { return `"` + text + `"` }

// has tells whether there is something at a path or below it.
func (d *document) has(path string) bool { return len(d.names(path)) > 0 }

// names lists the items at a path and below it by what their paths have behind it.
func (d *document) names(path string) (names []string) {
	for i := range d.items {
		if p := d.items[i].path; p == path || below(p, path) {
			names = append(names, p[len(path):])
		}
	}
	return names
}

// replace puts a text into the place of another one, and reads the document anew.
func (d *document) replace(from, to int, text string) error {
	changed, err := parse(d.format, d.name, d.text[:from]+text+d.text[to:])
	if err == nil {
		*d = *changed
	}
	return err
}

// set gives a value to a path, unless it has it already, however that is written.
func (d *document) set(path, raw string) error {
	at, err := d.find(path)
	switch {
	case err != nil:
		return err
	case at < 0:
		return d.format.grow(d, path, raw)
	}
	i := &d.items[at]
	if i.head {
		return d.fault(i.start, fmt.Sprintf("%q must be a single value", shown(path)))
	}
	if unquoted(d.text[i.from:i.to]) == unquoted(raw) {
		return nil
	}
	return d.replace(i.from, i.to, raw)
}

// drop takes away what is at a path and below it.
func (d *document) drop(path string) error {
	if _, err := d.find(path); err != nil {
		return err
	}
	for at := len(d.items) - 1; at >= 0; at-- {
		if at < len(d.items) && (d.items[at].path == path || below(d.items[at].path, path)) {
			if err := d.format.erase(d, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropIf takes a value away if it is that text.
func (d *document) dropIf(path, text string) error {
	if is, err := d.str(path); is != text {
		return err
	}
	return d.drop(path)
}
