package trace

import (
	"strconv"
	"unicode/utf8"
)

// appendString adds a JSON string. What isn't UTF-8, as a path may not be, is replaced.
func appendString(out []byte, text string) []byte {
	out = append(out, '"')
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r < ' ':
			out = append(out, `\u00`...)
			out = append(out, hexadecimal[r>>4], hexadecimal[r&15])
		default:
			out = utf8.AppendRune(out, r) // of an error: U+FFFD
		}
		i += size
	}
	return append(out, '"')
}

const hexadecimal = "0123456789abcdef"

// appendMicros adds ns as microseconds. Less than none, which two clocks may make of nothing, is
// none.
func appendMicros(out []byte, ns int64) []byte {
	ns = max(ns, 0)
	out = strconv.AppendInt(out, ns/1000, 10)
	rest := ns % 1000
	return append(out, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
}

// appendKey adds a member's name, which needs no escapes.
func appendKey(out []byte, key string) []byte {
	if last := out[len(out)-1]; last != '{' {
		out = append(out, ',')
	}
	out = append(out, '"')
	out = append(out, key...)
	return append(out, `":`...)
}
