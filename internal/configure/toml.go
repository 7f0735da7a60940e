package configure

import (
	"slices"
	"strconv"
	"strings"
)

// tomlFormat is TOML 1.0 (https://toml.io).
var tomlFormat = format{table: "a table with a line for each of its values", scan: scanTOML, grow: growTOML, erase: eraseTOML}

// bare are the bytes of keys without quotes.
const bare = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// element stands in the paths of what belongs to one of several tables, [[name]], in front of where
// it is in the text: such a path is no other's.
const element = "\x01"

// list is the path that the elements of an array of tables have alike, if it is one's path; else
// what is no path.
func list(path string) string {
	if name, _, found := strings.Cut(path, element); found {
		return name
	}
	return element
}

func scanTOML(s *scanner, add func(item)) {
	table, count, prefix := -1, 0, ""
	var arrays []string
	for {
		s.spaces('#')
		if s.at >= len(s.text) {
			return
		}
		i := item{table: table, start: strings.LastIndexByte(s.text[:s.at], '\n') + 1}
		several := s.next("[[")
		if i.head = several || s.next("["); i.head {
			i.path = s.path()
			s.need("]")
			if several {
				s.need("]")
				arrays = append(arrays, i.path)
			}
			for _, array := range arrays {
				if i.path == array || below(i.path, array) {
					i.path += element + strconv.Itoa(i.start)
					break
				}
			}
			prefix, table = i.path+sep, count
		} else {
			i.path = prefix + s.path()
			s.need("=")
			s.over(" \t")
			i.from = s.at
			s.value()
			i.to = s.at
		}
		s.endLine()
		i.end = s.at
		if s.wrong != "" {
			return
		}
		add(i)
		count++
	}
}

// path reads the names of a key, which dots part, and the blanks around it.
func (s *scanner) path() string {
	s.over(" \t")
	var path strings.Builder
	path.WriteString(s.key(bare))
	for s.over(" \t"); s.next("."); s.over(" \t") {
		s.over(" \t")
		path.WriteString(sep + s.key(bare))
	}
	return path.String()
}

// endLine goes behind the end of the line, before which there may be a comment.
func (s *scanner) endLine() {
	s.over(" \t\r")
	if s.peek() == '#' {
		s.line()
	}
	if s.at < len(s.text) && !s.next("\n") {
		s.fail("something follows in the same line")
	}
}

// value goes over a value of TOML.
func (s *scanner) value() {
	from := s.at
	switch c := s.peek(); c {
	case '"', '\'':
		quote := string(c)
		if !strings.HasPrefix(s.text[s.at:], quote+quote+quote) {
			s.str(quote)
			return
		}
		s.str(quote + quote + quote)
		s.next(quote) // up to two may stand before those at the end
		s.next(quote)
	case '[':
		s.enclosed('#', "]", s.value)
	case '{':
		s.enclosed('#', "}", func() { s.path(); s.need("="); s.over(" \t"); s.value() })
	default:
		s.over(bare + "+.:")
		if len(s.text[from:s.at]) == len("2006-01-02") && s.text[from+4] == '-' && s.peek() == ' ' {
			s.over(" ")
			s.over("0123456789:.Zz+-")
		}
		if s.at == from {
			s.fail("there is no value where one is expected")
		}
	}
}

// eol is how the lines of the document end.
func (d *document) eol() string {
	if strings.Contains(d.text, "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// growTOML puts a value behind the last one of its table, or into a new table behind the ones that
// its path shares most with.
func growTOML(d *document, path, raw string) error {
	cut := strings.LastIndex(path, sep)
	if cut < 0 {
		return d.growFirst(path + " = " + raw)
	}
	parent, line := path[:cut], bareKey(path[cut+1:])+" = "+raw
	near, most := -1, 0
	for at := range d.items {
		i := &d.items[at]
		switch {
		case i.head && i.path == parent:
			last := d.last(at)
			return d.insert(last, d.indent(last), line)
		case !i.head && below(i.path, parent) && !below(d.heading(i)+sep, parent) && d.heading(i) != parent: // a dotted key has made the table
			return d.insert(at, d.indent(at), spelled(strings.TrimPrefix(path, d.heading(i)+sep))+" = "+raw)
		}
		if n := shared(i.path, parent); i.head && n > 0 && n >= most {
			near, most = at, n
		}
	}
	indent, offset := "", len(d.text)
	if near >= 0 {
		indent, offset = d.indent(near), d.behind(d.last(near))
	}
	eol := d.eol()
	return d.replace(offset, offset, d.gap(offset)+indent+"["+spelled(parent)+"]"+eol+indent+d.deeper(near)+line+eol)
}

// heading is the path of an item's table.
func (d *document) heading(i *item) string {
	if i.table < 0 {
		return ""
	}
	return d.items[i.table].path
}

// shared counts the names that two paths begin with alike.
func shared(a, b string) (n int) {
	other := strings.Split(b, sep)
	for i, name := range strings.Split(a, sep) {
		if i == len(other) || name != other[i] {
			return i
		}
		n = i + 1
	}
	return n
}

// spelled is a path as a document has it.
func spelled(path string) string {
	names := strings.Split(path, sep)
	for i, name := range names {
		names[i] = bareKey(name)
	}
	return strings.Join(names, ".")
}

// bareKey is a name as a document has it: in quotes if it needs them.
func bareKey(name string) string {
	if strings.Trim(name, bare) == "" {
		return name
	}
	return quoted(name)
}

// growFirst puts a line behind the last one of those before all tables, or at the end if there is
// nothing else.
func (d *document) growFirst(line string) error {
	last := d.last(-1)
	if last < 0 && len(d.items) > 0 {
		at := d.items[0].start
		return d.replace(at, at, line+d.eol()+d.eol())
	}
	if last < 0 {
		return d.replace(len(d.text), len(d.text), d.gap(len(d.text))+line+d.eol())
	}
	return d.insert(last, "", line)
}

// last is the last value of the table with its heading at an index, or the heading.
func (d *document) last(at int) int {
	for at+1 < len(d.items) && !d.items[at+1].head {
		at++
	}
	return at
}

// indent is what stands before an item in its line.
func (d *document) indent(at int) string {
	line := d.text[d.items[at].start:]
	return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
}

// deeper is what stands before a value more than before the heading of its table, in the table at
// an index.
func (d *document) deeper(table int) string {
	if table < 0 {
		return ""
	}
	return strings.TrimPrefix(d.indent(d.last(table)), d.indent(table))
}

// insert puts a line behind an item.
func (d *document) insert(at int, indent, line string) error {
	end, eol := d.items[at].end, d.eol()
	if !strings.HasSuffix(d.text[:end], "\n") {
		indent = eol + indent
	}
	return d.replace(end, end, indent+line+eol)
}

// gap is what makes an empty line before something new at an offset.
func (d *document) gap(offset int) string {
	before := "\n\n" + strings.ReplaceAll(d.text[:offset], "\r", "")
	for n, end := range []string{"\n\n", "\n"} {
		if strings.HasSuffix(before, end) {
			return strings.Repeat(d.eol(), n)
		}
	}
	return d.eol() + d.eol()
}

// behind is the offset behind an item, and behind the comment that goes on from it up to an empty
// line.
func (d *document) behind(at int) int {
	end := d.items[at].end
	for offset := end; ; {
		line, _, more := strings.Cut(d.text[offset:], "\n")
		switch text := strings.TrimSpace(line); {
		case text == "":
			return offset
		case text[0] != '#':
			return end
		case !more:
			return len(d.text)
		}
		offset += len(line) + 1
	}
}

// eraseTOML takes away a value, or a table with the empty line before it; and then the table that
// had nothing else.
func eraseTOML(d *document, at int) error {
	i := d.items[at]
	from, to := i.start, i.end
	if i.head {
		to = d.items[d.last(at)].end
		if before := strings.ReplaceAll(d.text[:from], "\r\n", " \n"); strings.HasSuffix(before, "\n\n") || strings.HasSuffix(before, "\n \n") {
			from = strings.LastIndexByte(d.text[:from-1], '\n') + 1
		}
	}
	if err := d.replace(from, to, ""); err != nil {
		return err
	}
	if above := at - 1; above >= 0 { // what is empty now, and has no comment in it
		h := &d.items[above]
		end := len(d.text)
		if above+1 < len(d.items) {
			end = d.items[above+1].start
		}
		if !h.head || !below(i.path, h.path) || len(d.names(h.path)) > 1 || strings.TrimSpace(d.text[h.end:end]) != "" {
			return nil
		}
		return eraseTOML(d, above)
	}
	return nil
}

// elements are where those of an array are, and what they say if they are strings without escapes.
func (d *document) elements(at int) (spans [][2]int, texts []string) {
	s := &scanner{text: d.text, at: d.items[at].from}
	if s.peek() == '[' {
		s.enclosed('#', "]", func() {
			from := s.at
			s.value()
			spans, texts = append(spans, [2]int{from, s.at}), append(texts, unquoted(d.text[from:s.at]))
		})
	}
	return spans, texts
}

// include adds a string to the array of an item, behind its elements and in their form.
func (d *document) include(at int, text string) error {
	spans, texts := d.elements(at)
	i := &d.items[at]
	switch {
	case slices.Contains(texts, text):
		return nil
	case len(spans) == 0:
		return d.replace(i.from, i.to, "["+quoted(text)+"]")
	}
	last := spans[len(spans)-1]
	before := d.text[:last[0]]
	blank := " "
	if own := before[strings.LastIndexByte(before, '\n')+1:]; strings.Trim(own, " \t") == "" {
		blank = d.eol() + own
	}
	return d.replace(last[1], last[1], ","+blank+quoted(text))
}

// exclude takes a string out of the array of an item.
func (d *document) exclude(at int, text string) error {
	spans, texts := d.elements(at)
	n := slices.Index(texts, text)
	switch {
	case n < 0:
		return nil
	case n > 0:
		return d.replace(spans[n-1][1], spans[n][1], "")
	case len(spans) > 1:
		return d.replace(spans[0][0], spans[1][0], "")
	}
	return d.replace(d.items[at].from, d.items[at].to, "[]")
}
