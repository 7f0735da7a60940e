package specconv

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/internal/oncejson"
)

// Parse decodes a config.json without checking what it says. Unknown members are ignored ("Runtimes
// … MUST otherwise ignore them", config.md, Extensibility). An error is a *FieldError.
func Parse(raw []byte) (*specs.Spec, error) {
	spec := new(specs.Spec)
	if _, err := Decode(raw, spec); err != nil {
		return nil, err
	}
	return spec, nil
}

// Decode decodes a document into an empty value of a type of the specification, such as the
// specs.Process of exec or the specs.LinuxResources of update. Names are exact and come once, and
// what is REQUIRED is there. A name in other capitals is ignored like any that is not known, but
// with a warning: it may have been meant to confine the container.
func Decode(raw []byte, value any) (warnings []*FieldError, err error) {
	report, err := decode(raw, value)
	for _, f := range report.Folded {
		object := pointerTo(raw, f.Offset)
		name := memberName(raw[f.Offset:skipString(raw, f.Offset)])
		warnings = append(warnings, &FieldError{Pointer: object + Pointer(name), Err: fmt.Errorf("ignored: the property is called %q", f.Name)})
	}
	return warnings, err
}

// decode is Decode with all that the document has or lacks.
func decode(raw []byte, value any) (oncejson.Report, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return oncejson.Report{}, &FieldError{Err: errors.New("the file is empty"), Line: 1, Column: 1}
	}
	if bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")) {
		return oncejson.Report{}, &FieldError{Err: errors.New("begins with a byte order mark, which JSON must not have (RFC 8259)"), Line: 1, Column: 1}
	}
	report, err := oncejson.DecodeReporting(raw, value, requiredOf)
	if err != nil {
		return oncejson.Report{}, decodeError(raw, err)
	}
	return report, missingError(raw, value, report.Missing)
}

// decodeError finds the field and the place that an error of the decoder is about.
func decodeError(raw []byte, err error) error {
	fe, offset := decodeFault(raw, err)
	fe.Line, fe.Column = lineColumn(raw, offset)
	return fe
}

func decodeFault(raw []byte, err error) (fe *FieldError, offset int) {
	fe = &FieldError{Err: err}
	var te *oncejson.TypeError
	var de *oncejson.DuplicateError
	var se *oncejson.SyntaxError
	switch {
	case errors.As(err, &te):
		offset, fe.Err = te.Offset, typeError(te)
		fe.Pointer = pointerTo(raw, offset)
	case errors.As(err, &de):
		offset, fe.Err = de.Second, duplicateError(raw, de)
		fe.Pointer = pointerTo(raw, offset)
		fe.Pointer += Pointer(de.Name)
	case errors.As(err, &se):
		offset = se.Offset
		fe.Pointer = pointerTo(raw, offset)
	}
	return fe, offset
}

func duplicateError(raw []byte, de *oncejson.DuplicateError) error {
	line1, column1 := lineColumn(raw, de.First)
	line2, column2 := lineColumn(raw, de.Second)
	return fmt.Errorf("appears twice, at %d:%d and at %d:%d", line1, column1, line2, column2)
}

// typeError says what is there and what belongs there, in the words of JSON instead of Go's.
func typeError(te *oncejson.TypeError) error {
	return fmt.Errorf("is %s, must be %s", withArticle(te.Value), typeName(te.Type))
}

func withArticle(value string) string {
	switch value {
	case "array", "object":
		return "an " + value
	case "bool":
		return "a boolean"
	case "string", "number":
		return "a " + value
	}
	return "the " + value // "number -5": out of range
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice, reflect.Array:
		return "an array of " + plural(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "an integer of " + strconv.Itoa(t.Bits()) + " bits"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "an unsigned integer of " + strconv.Itoa(t.Bits()) + " bits"
	case reflect.Pointer:
		return typeName(t.Elem())
	}
	return t.String()
}

func plural(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "objects"
	case reflect.String:
		return "strings"
	case reflect.Pointer:
		return plural(t.Elem())
	}
	return "numbers"
}
