package specconv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/oncejson"
)

// Parse decodes a config.json without checking what it says. Unknown members are ignored ("Runtimes … MUST otherwise
// ignore them", config.md, Extensibility). An error is a *FieldError with its line and column.
func Parse(raw []byte) (*specs.Spec, error) {
	spec := new(specs.Spec)
	if err := Decode(raw, spec); err != nil {
		return nil, err
	}
	return spec, nil
}

// Decode decodes a document of another type of the specification, such as the specs.Process of exec or the
// specs.LinuxResources of update. Its errors are Parse's.
func Decode(raw []byte, value any) error {
	if len(bytes.TrimSpace(raw)) == 0 {
		return &FieldError{Err: errors.New("the file is empty"), Line: 1, Column: 1}
	}
	err := oncejson.Decode(raw, value)
	if err == nil {
		return nil
	}
	return decodeError(raw, err)
}

// decodeError finds the field and the place that an error of encoding/json is about.
func decodeError(raw []byte, err error) error {
	fe := &FieldError{Err: err}
	offset := 0
	if te := (*json.UnmarshalTypeError)(nil); errors.As(err, &te) {
		fe.Err = typeError(te)
		fe.Pointer, offset = pointerTo(raw, int(te.Offset)-behind())
	} else if se := (*json.SyntaxError)(nil); errors.As(err, &se) {
		offset = int(se.Offset)
		if se.Error() != "unexpected end of JSON input" {
			offset -= behind()
		}
		fe.Pointer, _ = pointerTo(raw, offset)
	}
	fe.Line, fe.Column = lineColumn(raw, offset)
	return fe
}

// behind tells by how much the offsets of encoding/json's errors are past what they are about: by nothing on the v2
// engine, by a byte at least on the first one.
func behind() int {
	var te *json.UnmarshalTypeError
	if errors.As(json.Unmarshal([]byte("[]"), &struct{}{}), &te) && te.Offset > 0 {
		return 1
	}
	return 0
}

// typeError says what is there and what belongs there, in the words of JSON instead of Go's.
func typeError(te *json.UnmarshalTypeError) error {
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
	return value // "number -5": out of range
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
