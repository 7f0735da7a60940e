package configure

import "strings"

// scanner finds where the parts of a document end. Once something is wrong it is at the end of the
// text and stays there, so that who calls it need not look at each step.
type scanner struct {
	text    string
	at      int
	depth   int // of arrays and tables in one another
	wrong   string
	wrongAt int
}

// deepest is how far arrays and tables may be nested: each level is one of the stack.
const deepest = 64

func (s *scanner) fail(wrong string) {
	if s.wrong == "" {
		s.wrong, s.wrongAt = wrong, s.at
	}
	s.at = len(s.text)
}

// peek is the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) next(prefix string) bool {
	if s.wrong == "" && strings.HasPrefix(s.text[s.at:], prefix) {
		s.at += len(prefix)
		return true
	}
	return false
}

// need goes over what must come next.
func (s *scanner) need(what string) {
	if !s.next(what) {
		s.fail("there is no " + what + " where one is expected")
	}
}

// over goes over bytes that are in a set.
func (s *scanner) over(set string) {
	for s.at < len(s.text) && strings.IndexByte(set, s.text[s.at]) >= 0 {
		s.at++
	}
}

// spaces goes over blanks and ends of lines, and over comments, which begin with a byte; none has
// the byte 0.
func (s *scanner) spaces(comment byte) {
	for s.over(" \t\r\n"); comment != 0 && s.peek() == comment; s.over(" \t\r\n") {
		s.line()
	}
}

// line goes to the end of the line.
func (s *scanner) line() {
	if end := strings.IndexByte(s.text[s.at:], '\n'); end >= 0 {
		s.at += end
	} else {
		s.at = len(s.text)
	}
}

// enclosed goes over an array or table up to its closing bracket: parts that commas separate.
func (s *scanner) enclosed(comment byte, end string, part func()) {
	s.at++
	if s.depth++; s.depth > deepest {
		s.fail("arrays and tables are nested too deeply")
	}
	for s.wrong == "" {
		s.spaces(comment)
		if s.next(end) {
			s.depth--
			return
		}
		part()
		s.spaces(comment)
		if !s.next(",") && !strings.HasPrefix(s.text[s.at:], end) {
			s.fail("there is neither , nor " + end + " where one is expected")
		}
	}
}

// str goes over a string between quotes. Where it may have several lines, there are three quotes.
func (s *scanner) str(quotes string) {
	s.at += len(quotes)
	for !s.next(quotes) && s.wrong == "" {
		switch c := s.peek(); {
		case s.at >= len(s.text), c == '\n' && len(quotes) == 1:
			s.fail("a string has no end")
		case c == '\\' && quotes[0] == '"':
			s.at = min(s.at+2, len(s.text))
		default:
			s.at++
		}
	}
}

// key goes over a key, and returns what it says.
func (s *scanner) key(bare string) (name string) {
	from := s.at
	if c := s.peek(); c == '"' || c == '\'' && bare != "" {
		s.str(string(c))
	} else {
		s.over(bare)
	}
	name = unquoted(s.text[from:s.at])
	if s.at == from || strings.ContainsRune(name, '\\') {
		s.at = from
		s.fail("there is no key without escapes where one is expected")
	}
	return name
}
