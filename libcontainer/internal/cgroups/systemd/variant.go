package systemd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ParseValue reads a value in the text form of busctl and GVariant, as annotations
// org.systemd.property.* have it: true, 'text' or "text", 15, uint64 5, 1.5, ['a', 'b'], [1, 2]. A
// number without a type is an int32, or an int64 if it is too large for that.
func ParseValue(text string) (any, error) {
	p := &parser{rest: text}
	v, err := p.value()
	if err == nil {
		if p.space(); p.rest != "" {
			err = fmt.Errorf("%q after the value", p.rest)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("value %q: %w", text, err)
	}
	return v, nil
}

type parser struct{ rest string }

func (p *parser) space() { p.rest = strings.TrimLeft(p.rest, " \t\n") }

// word takes a run of letters, digits and the signs of a number.
func (p *parser) word() string {
	end := strings.IndexFunc(p.rest, func(c rune) bool {
		return !strings.ContainsRune("+-._", c) && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	})
	if end < 0 {
		end = len(p.rest)
	}
	w := p.rest[:end]
	p.rest = p.rest[end:]
	return w
}

func (p *parser) value() (any, error) {
	p.space()
	if p.rest == "" {
		return nil, errors.New("is empty")
	}
	switch p.rest[0] {
	case '\'', '"':
		return p.quoted()
	case '[':
		return p.list()
	}
	w := p.word()
	switch w {
	case "":
		return nil, fmt.Errorf("unexpected %q", p.rest)
	case "true", "false":
		return w == "true", nil
	}
	if kind := numberTypes(w); kind != nil {
		p.space()
		return kind(p.word())
	}
	return parseNumber(w)
}

// quoted takes a string in quotes. A backslash makes the next character plain, or is Go's escape.
func (p *parser) quoted() (string, error) {
	quote := p.rest[0]
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == quote:
			p.rest = p.rest[i+1:]
			return b.String(), nil
		case c == '\\' && i+1 < len(p.rest):
			i++
			if c = p.rest[i]; strings.IndexByte("abfnrtv", c) >= 0 {
				c = "\a\b\f\n\r\t\v"[strings.IndexByte("abfnrtv", c)]
			}
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return "", errors.New("unterminated quote")
}

// list takes an array of strings, uint32 or uint64.
func (p *parser) list() (any, error) {
	p.rest = p.rest[1:]
	var texts []string
	var numbers []uint64
	wide := false
	for {
		p.space()
		if strings.HasPrefix(p.rest, "]") {
			p.rest = p.rest[1:]
			break
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case int32:
			numbers = append(numbers, uint64(v))
		case uint32:
			numbers = append(numbers, uint64(v))
		case uint64:
			wide, numbers = true, append(numbers, v)
		default:
			return nil, fmt.Errorf("an array of %T is not supported", v)
		}
		if p.space(); strings.HasPrefix(p.rest, ",") {
			p.rest = p.rest[1:]
		} else if !strings.HasPrefix(p.rest, "]") {
			return nil, errors.New("unterminated array")
		}
	}
	switch {
	case len(texts) > 0 && len(numbers) > 0:
		return nil, errors.New("array elements differ in type")
	case wide:
		return numbers, nil
	case len(numbers) > 0:
		out := make([]uint32, len(numbers))
		for i, n := range numbers {
			out[i] = uint32(n)
		}
		return out, nil
	}
	return texts, nil
}

// numberTypes gives the parser for a keyword that says a number's type.
func numberTypes(word string) func(string) (any, error) {
	switch word {
	case "byte":
		return func(s string) (any, error) { n, err := strconv.ParseUint(s, 0, 8); return byte(n), err }
	case "int16":
		return func(s string) (any, error) { n, err := strconv.ParseInt(s, 0, 16); return int16(n), err }
	case "uint16":
		return func(s string) (any, error) { n, err := strconv.ParseUint(s, 0, 16); return uint16(n), err }
	case "int32":
		return func(s string) (any, error) { n, err := strconv.ParseInt(s, 0, 32); return int32(n), err }
	case "uint32":
		return func(s string) (any, error) { n, err := strconv.ParseUint(s, 0, 32); return uint32(n), err }
	case "int64":
		return func(s string) (any, error) { n, err := strconv.ParseInt(s, 0, 64); return n, err }
	case "uint64":
		return func(s string) (any, error) { n, err := strconv.ParseUint(s, 0, 64); return n, err }
	case "double":
		return func(s string) (any, error) { n, err := strconv.ParseFloat(s, 64); return n, err }
	}
	return nil
}

func parseNumber(s string) (any, error) {
	if n, err := strconv.ParseInt(s, 0, 32); err == nil {
		return int32(n), nil
	}
	if n, err := strconv.ParseInt(s, 0, 64); err == nil {
		return n, nil
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		return n, nil
	}
	return nil, fmt.Errorf("%q is not a value", s)
}

// Microseconds turns a number of seconds into the uint64 of microseconds that systemd's properties
// ending in USec take.
func Microseconds(seconds any) (uint64, error) {
	switch n := seconds.(type) {
	case byte:
		return uint64(n) * 1e6, nil
	case int16:
		return uint64(n) * 1e6, nil
	case uint16:
		return uint64(n) * 1e6, nil
	case int32:
		return uint64(n) * 1e6, nil
	case uint32:
		return uint64(n) * 1e6, nil
	case int64:
		return uint64(n) * 1e6, nil
	case uint64:
		return n * 1e6, nil
	case float64:
		return uint64(n * 1e6), nil
	}
	return 0, fmt.Errorf("%v is not a number", seconds)
}
