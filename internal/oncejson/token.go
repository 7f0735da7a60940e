package oncejson

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// number takes a number, RFC 8259 section 6, or returns nothing.
func (d *decoder) number() string {
	begin := d.at
	d.word("-")
	switch whole := d.digits(); {
	case whole == 0, whole > 1 && d.text[d.at-whole] == '0':
		return ""
	case d.word(".") && d.digits() == 0:
		return ""
	}
	if d.word("e") || d.word("E") {
		if !d.word("+") {
			d.word("-")
		}
		if d.digits() == 0 {
			return ""
		}
	}
	return d.text[begin:d.at]
}

// digits takes decimal digits and tells how many.
func (d *decoder) digits() int {
	begin := d.at
	for d.at < len(d.text) && d.text[d.at] >= '0' && d.text[d.at] <= '9' {
		d.at++
	}
	return d.at - begin
}

// str takes a string. As in encoding/json, each byte that is not UTF-8 becomes U+FFFD.
func (d *decoder) str() (s string, ok bool) {
	if s, ok = d.quoted(); ok && d.mended {
		s = string([]rune(s))
	}
	return s, ok
}

func (d *decoder) quoted() (s string, ok bool) {
	if !d.word(`"`) {
		return "", false
	}
	for i := d.at; i < len(d.text); i++ {
		switch c := d.text[i]; {
		case c == '"':
			s, d.at = d.text[d.at:i], i+1
			return s, true
		case c == '\\':
			return d.escaped(i)
		case c < ' ':
			return "", false
		}
	}
	return "", false
}

// letters are the escapes of one letter, RFC 8259 section 7.
var letters = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escaped takes the rest of a string whose first backslash is at first.
func (d *decoder) escaped(first int) (string, bool) {
	var s strings.Builder
	s.WriteString(d.text[d.at:first])
	for i := first; i < len(d.text); i++ {
		c := d.text[i]
		switch {
		case c == '"':
			d.at = i + 1
			return s.String(), true
		case c < ' ':
			return "", false
		case c != '\\':
			s.WriteByte(c)
			continue
		}
		if i++; i == len(d.text) {
			return "", false
		}
		if letter := letters[d.text[i]]; letter != 0 {
			s.WriteByte(letter)
			continue
		}
		r, n := d.character(i)
		if n == 0 {
			return "", false
		}
		s.WriteRune(r)
		i += n - 1
	}
	return "", false
}

// character reads what a \u escape stands for, of which the u is at at, and tells its length:
// two of them if they are a surrogate pair. Half of one is U+FFFD.
func (d *decoder) character(at int) (r rune, length int) {
	r, ok := d.unit(at)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, len("uXXXX")
	}
	if low, ok := d.unit(at + len(`uXXXX\`)); ok && d.text[at+len(`uXXXX`)] == '\\' {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, len(`uXXXX\uXXXX`)
		}
	}
	return utf8.RuneError, len("uXXXX")
}

// unit reads the four digits behind a u.
func (d *decoder) unit(at int) (rune, bool) {
	if len(d.text)-at < 5 || d.text[at] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(d.text[at+1:at+5], 16, 16)
	return rune(n), err == nil
}
