package ere

import (
	"errors"
	"fmt"
	"strings"
)

// Bounds of what an expression may ask for.
const (
	maxText   = 1000  // bytes
	maxRepeat = 255   // RE_DUP_MAX, regex(7)
	maxCode   = 10000 // instructions, which repetitions of repetitions multiply
)

var errTooLarge = errors.New("it is longer than 1000 bytes, or than 10000 steps once its repetitions are written out")

// Compile reads an expression. An error quotes the part that it is about.
func Compile(text string) (*Pattern, error) {
	if len(text) > maxText {
		return nil, errTooLarge
	}
	p := parser{text: text}
	code, err := p.alternatives()
	if err == nil && p.at < len(p.text) { // only a parenthesis ends it early
		err = errors.New(`")" closes nothing`)
	}
	if err != nil {
		return nil, err
	}
	return &Pattern{append(code, instruction{operation: accept}), text}, nil
}

// parser stands at a byte of the text.
type parser struct {
	text string
	at   int
}

// peek is the byte to come, or 0 at the end.
func (p *parser) peek() byte {
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

// take steps over a byte if it is the one to come.
func (p *parser) take(b byte) bool {
	if p.at == len(p.text) || p.text[p.at] != b {
		return false
	}
	p.at++
	return true
}

// alternatives reads up to the end or the parenthesis that closes.
func (p *parser) alternatives() ([]instruction, error) {
	code, err := p.sequence()
	for err == nil && p.take('|') {
		var other []instruction
		if other, err = p.sequence(); err == nil {
			code = either(code, other)
		}
	}
	return code, err
}

// either is the code of a choice.
func either(a, b []instruction) []instruction {
	code := make([]instruction, 0, len(a)+len(b)+2)
	code = append(code, instruction{operation: split, x: 1, y: len(a) + 2})
	code = append(code, a...)
	code = append(code, instruction{operation: jump, x: len(b) + 1})
	return append(code, b...)
}

// sequence reads the pieces between two bars.
func (p *parser) sequence() (code []instruction, err error) {
	for p.at < len(p.text) && p.peek() != '|' && p.peek() != ')' {
		atom, err := p.atom()
		if err == nil {
			atom, err = p.repeated(atom)
		}
		if err != nil {
			return nil, err
		}
		if code = append(code, atom...); len(code) > maxCode {
			return nil, errTooLarge
		}
	}
	return code, nil
}

// atom reads what a repetition can stand behind.
func (p *parser) atom() ([]instruction, error) {
	b := p.text[p.at]
	p.at++
	switch b {
	case '^':
		return []instruction{{operation: begin}}, nil
	case '$':
		return []instruction{{operation: end}}, nil
	case '(':
		return p.group()
	case '[':
		return p.bracket()
	case '.':
		all := new(class)
		all.invert()
		return one(all), nil
	case '*', '+', '?', '{':
		return nil, fmt.Errorf("there is nothing for %q to repeat (a backslash before it makes it an ordinary character)", b)
	case '\\':
		return p.escaped()
	}
	return literal(b), nil
}

func one(c *class) []instruction { return []instruction{{operation: consume, class: c}} }

func literal(b byte) []instruction {
	c := new(class)
	c.add(b)
	return one(c)
}

// group reads what stands in parentheses, the first of which it is behind.
func (p *parser) group() ([]instruction, error) {
	code, err := p.alternatives()
	if err == nil && !p.take(')') {
		err = errors.New(`"(" is not closed`)
	}
	return code, err
}

// escaped reads what stands behind a backslash.
func (p *parser) escaped() ([]instruction, error) {
	if p.at == len(p.text) {
		return nil, errors.New("nothing stands behind its last backslash")
	}
	b := p.text[p.at]
	if b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' {
		return nil, fmt.Errorf(`"\%c" has no meaning in an extended regular expression (see regex(7): [0-9], [[:alnum:]_])`, b)
	}
	p.at++
	return literal(b), nil
}

// repeated reads the repetitions behind a piece.
func (p *parser) repeated(code []instruction) ([]instruction, error) {
	for {
		switch p.peek() {
		case '*':
			code = star(code)
		case '+':
			code = append(code, instruction{operation: split, x: -len(code), y: 1})
		case '?':
			code = optional(code)
		case '{':
			least, most, err := p.bounds()
			if err != nil {
				return nil, err
			}
			if code, err = times(code, least, most); err != nil {
				return nil, err
			}
			continue
		default:
			return code, nil
		}
		p.at++
	}
}

func optional(code []instruction) []instruction {
	return append([]instruction{{operation: split, x: 1, y: len(code) + 1}}, code...)
}

func star(code []instruction) []instruction {
	return append(append([]instruction{{operation: split, x: 1, y: len(code) + 2}}, code...), instruction{operation: jump, x: -len(code) - 1})
}

// times repeats a piece; most is -1 for any number.
func times(piece []instruction, least, most int) ([]instruction, error) {
	if len(piece)*max(least, most, 1) > maxCode {
		return nil, errTooLarge
	}
	var code []instruction
	for range least {
		code = append(code, piece...)
	}
	if most < 0 {
		return append(code, star(piece)...), nil
	}
	var rest []instruction
	for range most - least {
		rest = optional(append(piece[:len(piece):len(piece)], rest...))
	}
	return append(code, rest...), nil
}

// bounds reads "{2}", "{2,}" or "{2,5}".
func (p *parser) bounds() (least, most int, err error) {
	text, _, closed := strings.Cut(p.text[p.at:], "}")
	wrong := fmt.Errorf("%q is not a number of repetitions: {2}, {2,} or {2,5}, at most %d", p.text[p.at:p.at+len(text)]+"}", maxRepeat)
	first, second, isRange := strings.Cut(text[1:], ",")
	least, ok := number(first)
	if most = least; isRange && second == "" {
		most = -1
	} else if isRange && ok {
		most, ok = number(second)
	}
	if !closed || !ok || most >= 0 && most < least {
		return 0, 0, wrong
	}
	p.at += len(text) + 1
	return least, most, nil
}

// number reads a decimal number up to maxRepeat.
func number(digits string) (n int, ok bool) {
	for _, d := range []byte(digits) {
		if d < '0' || d > '9' || n > maxRepeat {
			return 0, false
		}
		n = n*10 + int(d-'0')
	}
	return n, digits != "" && n <= maxRepeat
}
