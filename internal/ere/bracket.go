package ere

import (
	"errors"
	"fmt"
	"strings"
)

// classes are the names that stand in brackets, ctype(3), in the C locale.
var classes = [...]struct{ name, ranges string }{
	{"alnum", "09AZaz"},
	{"alpha", "AZaz"},
	{"blank", "\t\t  "},
	{"cntrl", "\x00\x1f\x7f\x7f"},
	{"digit", "09"},
	{"graph", "!~"},
	{"lower", "az"},
	{"print", " ~"},
	{"punct", "!/:@[`{~"},
	{"space", "\t\r  "},
	{"upper", "AZ"},
	{"xdigit", "09AFaf"},
}

// bracket reads a set in brackets, the first of which it is behind. A closing one that comes first
// is a member, and so is a hyphen that comes first or last; a backslash is one anywhere.
func (p *parser) bracket() ([]instruction, error) {
	set, inverted := new(class), p.take('^')
	for first := true; first || !p.take(']'); first = false {
		if p.at == len(p.text) {
			return nil, errors.New(`"[" is not closed`)
		}
		if err := p.member(set); err != nil {
			return nil, err
		}
	}
	if inverted {
		set.invert()
	}
	return one(set), nil
}

// member reads a byte, a range or a named class.
func (p *parser) member(set *class) error {
	if p.text[p.at] == '[' && p.at+1 < len(p.text) {
		switch p.text[p.at+1] {
		case ':':
			return p.named(set)
		case '.', '=':
			return fmt.Errorf("\"[%c\" in brackets is not supported", p.text[p.at+1])
		}
	}
	from := p.text[p.at]
	to := from
	p.at++
	if p.peek() == '-' && p.at+1 < len(p.text) && p.text[p.at+1] != ']' {
		to = p.text[p.at+1]
		p.at += 2
	}
	if to < from {
		return fmt.Errorf("the range %q goes backwards", string([]byte{from, '-', to}))
	}
	set.addRange(from, to)
	return nil
}

func (c *class) addRange(from, to byte) {
	for b := int(from); b <= int(to); b++ {
		c.add(byte(b))
	}
}

// named reads a class such as "[:digit:]".
func (p *parser) named(set *class) error {
	name, _, closed := strings.Cut(p.text[p.at+2:], ":]")
	for _, c := range classes {
		if c.name != name || !closed {
			continue
		}
		for r := c.ranges; r != ""; r = r[2:] {
			set.addRange(r[0], r[1])
		}
		p.at += 2 + len(name) + 2
		return nil
	}
	return fmt.Errorf("%q in brackets begins no class such as [:alpha:] or [:digit:]", "[:"+name)
}
