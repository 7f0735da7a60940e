package specconv

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"oci-run/internal/oncejson"
)

// positionError is an error with the place in a document that caused it.
type positionError struct {
	// File is the document's name. Line and Column count from 1, the column in characters; they are
	// 0 if the document is a single line, as engines write it, in which nobody counts columns.
	File         string
	Line, Column int
	// Err holds a *FieldError.
	Err error

	hint string
}

// Error gives `config.json:41:17: /process/args: reason`, or `config.json: /process/args: reason`
// without a place.
func (e *positionError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Err.Error() + e.hint
	}
	return fmt.Sprintf("%s:%d:%d: %s%s", e.File, e.Line, e.Column, e.Err, e.hint)
}

// Unwrap gives the error without its place.
func (e *positionError) Unwrap() error { return e.Err }

// locateIn puts the place in front of an error about a field of a document that is called file, and
// whose content is raw: the place of the field's value, or of what should hold the field if that is
// missing. Any other error, and one that has a place already, is returned as it is.
func locateIn(file string, raw []byte, err error) error {
	if pe := (*positionError)(nil); errors.As(err, &pe) {
		return err
	}
	fe := (*FieldError)(nil)
	if !errors.As(err, &fe) {
		return err
	}
	line, column := fe.Line, fe.Column
	switch {
	case isOneLine(raw) && !isSyntax(err):
		line, column = 0, 0
	case line == 0:
		line, column = lineColumn(raw, offsetOf(raw, fe.Pointer))
	}
	located := &positionError{File: file, Line: line, Column: column, Err: err}
	if errors.Is(err, errMissing) || errors.Is(err, errNoProgram) {
		located.hint = meant(raw, fe.Pointer)
	}
	return located
}

// isOneLine tells whether a document has one line only. Its fields are found by their pointers.
func isOneLine(raw []byte) bool { return bytes.IndexByte(bytes.TrimRight(raw, " \t\r\n"), '\n') < 0 }

// isSyntax tells whether an error is about a character, to which no pointer leads.
func isSyntax(err error) bool {
	var se *oncejson.SyntaxError
	return errors.As(err, &se)
}

// lineColumn converts a byte offset; an offset behind the end counts as the end.
func lineColumn(raw []byte, offset int) (line, column int) {
	before := raw[:min(offset, len(raw))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return 1 + bytes.Count(before, []byte{'\n'}), 1 + utf8.RuneCount(before[start:])
}

// offsetOf finds the value that a JSON pointer names. Where the pointer leads nowhere it stays at
// the last value that exists.
func offsetOf(raw []byte, pointer string) int {
	at := skipSpace(raw, 0)
	for pointer != "" {
		token, rest, more := strings.Cut(pointer[1:], "/")
		token, pointer = unescapeToken(token), ""
		if more { // perhaps an empty name, the last
			pointer = "/" + rest
		}
		next := -1
		for c := range children(raw, at) {
			if c.name == token {
				next = c.start
				break
			}
		}
		if next < 0 {
			break
		}
		at = next
	}
	return at
}

// maxPointerDepth bounds the work for a document of nothing but brackets. The specification's
// deepest value has 7.
const maxPointerDepth = 32

// pointerTo finds the innermost value that contains a byte offset, in a document that may be
// malformed there.
func pointerTo(raw []byte, offset int) (pointer string) {
	at := skipSpace(raw, 0)
	for depth := 0; at < offset && depth < maxPointerDepth; depth++ {
		inside := false
		for c := range children(raw, at) {
			if c.start <= offset && (offset < c.end || c.end == len(raw)) {
				pointer += "/" + escapeToken(c.name)
				at, inside = c.start, true
				break
			}
		}
		if !inside {
			break
		}
	}
	return pointer
}

// child is a member of an object or an element of an array; the name of an element is its index.
// The value's bytes are raw[start:end]; begin is where the member begins, with its name.
type child struct {
	name              string
	begin, start, end int
}

// children yields what the object or array that begins at a byte offset holds. It never fails: in a
// malformed document it yields what can be told apart, and always moves on.
func children(raw []byte, at int) func(yield func(child) bool) {
	return func(yield func(child) bool) {
		if at >= len(raw) || raw[at] != '{' && raw[at] != '[' {
			return
		}
		isObject := raw[at] == '{'
		pos := skipSpace(raw, at+1)
		for i := 0; pos < len(raw) && raw[pos] != '}' && raw[pos] != ']'; i++ {
			c := child{name: strconv.Itoa(i), begin: pos}
			if isObject {
				end := skipValue(raw, pos)
				c.name = memberName(raw[pos:end])
				pos = skipSpace(raw, end)
				if pos < len(raw) && raw[pos] == ':' {
					pos = skipSpace(raw, pos+1)
				}
			}
			c.start, c.end = pos, skipValue(raw, pos)
			if c.end > c.start && !yield(c) {
				return
			}
			pos = skipSpace(raw, c.end)
			if pos < len(raw) && raw[pos] == ',' {
				pos = skipSpace(raw, pos+1)
			} else if c.end == c.start && pos == c.start {
				pos++ // a stray character: step over it
			}
		}
	}
}

// memberName decodes a quoted name. A name with escapes that are wrong is left as it is.
func memberName(quoted []byte) string {
	if len(quoted) >= 2 && quoted[0] == '"' && bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	// JSON's escapes are a subset of Go's but for \/ and surrogate pairs, which no name of the
	// specification has.
	if s, err := strconv.Unquote(strings.ReplaceAll(string(quoted), `\/`, `/`)); err == nil {
		return s
	}
	return string(quoted)
}

func skipSpace(raw []byte, pos int) int {
	for pos < len(raw) && (raw[pos] == ' ' || raw[pos] == '\t' || raw[pos] == '\n' || raw[pos] == '\r') {
		pos++
	}
	return pos
}

// skipValue gives the offset behind the value that begins at pos, without looking at what it holds.
func skipValue(raw []byte, pos int) int {
	depth := 0
	for pos < len(raw) {
		switch c := raw[pos]; c {
		case '"':
			pos = skipString(raw, pos)
		case '{', '[':
			depth++
			pos++
		case '}', ']':
			if depth == 0 {
				return pos
			}
			depth--
			pos++
		case ' ', '\t', '\n', '\r', ',', ':':
			if depth == 0 {
				return pos
			}
			pos++
			continue
		default:
			pos = skipLiteral(raw, pos)
		}
		if depth == 0 {
			return pos
		}
	}
	return pos
}

func skipString(raw []byte, pos int) int {
	for pos++; pos < len(raw); pos++ {
		switch raw[pos] {
		case '\\':
			pos++
		case '"':
			return pos + 1
		}
	}
	return len(raw)
}

func skipLiteral(raw []byte, pos int) int {
	for pos < len(raw) && bytes.IndexByte([]byte("{}[],:\" \t\r\n"), raw[pos]) < 0 {
		pos++
	}
	return pos
}
