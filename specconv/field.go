package specconv

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// FieldError says which field of a configuration is wrong, and why.
type FieldError struct {
	// Pointer is the field's JSON pointer (RFC 6901), "" for the whole document.
	Pointer string
	// Err is the reason.
	Err error
	// Line and Column are the field's place in the document, from 1, the column in characters. Both
	// are 0 as long as nobody looked for them: [Bundle.Locate] does.
	Line, Column int
}

// Error gives `/process/args: reason`, without the place.
func (e *FieldError) Error() string {
	if e.Pointer == "" {
		return e.Err.Error()
	}
	return e.Pointer + ": " + e.Err.Error()
}

// Unwrap gives the reason.
func (e *FieldError) Unwrap() error { return e.Err }

// Field makes err an error about the field at a JSON pointer. It returns nil for a nil err, and
// leaves an err that names a field already as it is, for that one is more precise.
func Field(pointer string, err error) error {
	if err == nil {
		return nil
	}
	if fe := (*FieldError)(nil); errors.As(err, &fe) {
		return err
	}
	return &FieldError{Pointer: pointer, Err: err}
}

// Fieldf is Field with the reason made by fmt.Errorf.
func Fieldf(pointer, format string, a ...any) error {
	return &FieldError{Pointer: pointer, Err: fmt.Errorf(format, a...)}
}

// Pointer joins the names of members and the indices of elements (string or int) to a JSON pointer,
// escaping what has to be: Pointer("linux", "sysctl", "net/core/somaxconn") is
// "/linux/sysctl/net~1core~1somaxconn".
func Pointer(parts ...any) string {
	var b strings.Builder
	for _, part := range parts {
		b.WriteByte('/')
		switch p := part.(type) {
		case string:
			b.WriteString(escapeToken(p))
		case int:
			b.WriteString(strconv.Itoa(p))
		default:
			fmt.Fprint(&b, p)
		}
	}
	return b.String()
}

// escapeToken and unescapeToken are RFC 6901 section 4; the order of the replacements matters.
func escapeToken(s string) string {
	if !strings.ContainsAny(s, "~/") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1")
}

func unescapeToken(s string) string {
	if !strings.Contains(s, "~") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "~1", "/"), "~0", "~")
}
