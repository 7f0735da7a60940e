package oncejson

import (
	"strconv"
	"strings"
)

// SyntaxError is the place from which on a document can't be JSON (RFC 8259).
type SyntaxError struct {
	Offset int // of the byte that can't stand there; the length of the document where it ends early
	text   string
}

func (e *SyntaxError) Error() string { return e.text }

// syntax looks for the first fault of a document. Its methods return false there, with fault set.
// The words are those of encoding/json.
type syntax struct {
	text  string
	at    int
	depth int
	fault error
}

// CheckSyntax returns a *SyntaxError if the text is not one JSON value.
func CheckSyntax(text string) error {
	s := syntax{text: text}
	if s.value() {
		if s.space(); s.at < len(text) {
			s.wrong("after top-level value")
		}
	}
	return s.fault
}

// space skips white space and tells the byte after it, 0 at the end.
func (s *syntax) space() byte {
	for s.at < len(s.text) && strings.IndexByte(" \t\r\n", s.text[s.at]) >= 0 {
		s.at++
	}
	return s.peek()
}

// peek tells the next byte, 0 at the end.
func (s *syntax) peek() byte {
	if s.at == len(s.text) {
		return 0
	}
	return s.text[s.at]
}

// wrong notes that the next byte is the fault.
func (s *syntax) wrong(where string) bool {
	if s.at == len(s.text) {
		s.fault = &SyntaxError{s.at, "unexpected end of JSON input"}
		return false
	}
	c := s.text[s.at]
	s.fault = &SyntaxError{s.at, "invalid character " + strconv.QuoteRune(rune(c)) + " " + where}
	return false
}

// value takes white space and a value.
func (s *syntax) value() bool {
	switch c := s.space(); {
	case c == '{':
		return s.list('}', "after object key:value pair", s.member)
	case c == '[':
		return s.list(']', "after array element", s.value)
	case c == '"':
		return s.str()
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	case c == '-' || isDigit(c):
		return s.number()
	}
	return s.wrong("looking for beginning of value")
}

// list takes an object or an array, whose first byte is next.
func (s *syntax) list(end byte, after string, element func() bool) bool {
	if s.depth++; s.depth > maxNesting {
		return s.wrong("exceeded max depth")
	}
	s.at++
	for first := true; ; first = false {
		switch c := s.space(); {
		case first && c == end:
		case first:
			if !element() {
				return false
			}
			continue
		case c == ',':
			if s.at++; !element() {
				return false
			}
			continue
		case c != end:
			return s.wrong(after)
		}
		s.at++
		s.depth--
		return true
	}
}

func (s *syntax) member() bool {
	if s.space() != '"' {
		return s.wrong("looking for beginning of object key string")
	}
	if !s.str() {
		return false
	}
	if s.space() != ':' {
		return s.wrong("after object key")
	}
	s.at++
	return s.value()
}

func (s *syntax) str() bool {
	for s.at++; ; s.at++ {
		switch c := s.peek(); {
		case c == '"':
			s.at++
			return true
		case c < ' ':
			return s.wrong("in string literal")
		case c != '\\':
			continue
		}
		s.at++
		if s.peek() == 'u' {
			for range 4 {
				s.at++
				if c := s.peek(); !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
					return s.wrong("in \\u hexadecimal character escape")
				}
			}
		} else if letters[s.peek()] == 0 {
			return s.wrong("in string escape code")
		}
	}
}

func (s *syntax) word(w string) bool {
	for i := range len(w) {
		if s.peek() != w[i] {
			return s.wrong("in literal " + w + " (expecting " + strconv.QuoteRune(rune(w[i])) + ")")
		}
		s.at++
	}
	return true
}

func (s *syntax) number() bool {
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
	} else if !s.digits("in numeric literal") {
		return false
	}
	if s.peek() == '.' {
		if s.at++; !s.digits("after decimal point in numeric literal") {
			return false
		}
	}
	if s.peek()|0x20 == 'e' {
		if s.at++; s.peek() == '+' || s.peek() == '-' {
			s.at++
		}
		return s.digits("in exponent of numeric literal")
	}
	return true
}

// digits takes one digit at least.
func (s *syntax) digits(where string) bool {
	if !isDigit(s.peek()) {
		return s.wrong(where)
	}
	for isDigit(s.peek()) {
		s.at++
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
