// Package oncejson reads and writes JSON in a process that meets each type once.
//
// encoding/json prepares a table for each type that it meets, of names, folded names,
// options and functions. That pays for a server. A command that reads one config.json and
// ends spends nine tenths of the decoding on it, and of the encoding of its record. Here,
// nothing is prepared but the names.
//
// It is also stricter, for what is read decides how a container is confined. encoding/json
// takes a member for another one that differs in case (or in ſ for s), and the last of two
// with one name, so that `"SECCOMP": null` takes away the filter that `"seccomp"` has set.
// Here, a name is exact and comes once.
//
// What else a document says comes out as from encoding/json, and so do the words for what is wrong
// with its syntax, which people know. FuzzDecode holds that, and TestEncode the other way.
package oncejson

import (
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"
)

// Decode decodes a document into what value points to, which must be empty. An error is a
// *TypeError, a *DuplicateError, a *SyntaxError, or that of a type that
// decodes itself.
func Decode(raw []byte, value any) error {
	_, err := DecodeReporting(raw, value, nil)
	return err
}

// DecodePart is Decode for a document that was decoded before, of which value takes a part:
// what it does not take is not looked at again.
func DecodePart(raw []byte, value any) error {
	d := decoder{part: true}
	return d.decode(raw, value)
}

// Report is what a document has or lacks, for the caller to judge.
type Report struct {
	// Missing are members that their objects must have, and have not or as null.
	Missing []Missing
	// Folded are members that nothing knows but in other capitals. They are ignored.
	Folded []Folded
	// Unknown are all members that nothing knows, those of Folded among them. They are ignored.
	Unknown []Unknown
}

// Unknown is a member with a name that its object doesn't know.
type Unknown struct {
	Offset int // of the name
	of     *object
}

// Known lists the names that the object knows.
func (u Unknown) Known() (names []string) {
	for i := range u.of.fields {
		names = append(names, u.of.fields[i].name)
	}
	return names
}

// Folded is a member with a name that is another's but for case.
type Folded struct {
	Offset int    // of the name
	Name   string // the other's
}

// Missing is a member that is missing.
type Missing struct {
	Object int    // the offset of the object that lacks it
	Name   string // what it lacks
	Holder any    // what the object was decoded to, a struct
}

// DecodeReporting is Decode, with a report. required gives the names of the members that an
// object must have, separated by blanks, if it is decoded to a struct of type t.
func DecodeReporting(raw []byte, value any, required func(t reflect.Type) string) (Report, error) {
	d := decoder{required: required}
	err := d.decode(raw, value)
	return d.report, err
}

// TypeError is a value of the wrong type, or a number that does not fit.
type TypeError struct {
	Offset int          // where the value begins
	Value  string       // "string", "number", "number -5", "bool", "array", "object"
	Type   reflect.Type // what it was to be decoded to
}

func (e *TypeError) Error() string { return fmt.Sprintf("a JSON %s can't be a %s", e.Value, e.Type) }

// DuplicateError is a name that comes twice in an object.
type DuplicateError struct {
	Name          string
	First, Second int // the offsets of the names
}

func (e *DuplicateError) Error() string { return fmt.Sprintf("the name %q appears twice", e.Name) }

// decode decodes the document, or leaves the value empty.
func (d *decoder) decode(raw []byte, value any) error {
	to := reflect.ValueOf(value)
	if to.Kind() != reflect.Pointer || to.IsNil() || !to.Elem().IsZero() {
		return errors.New("decode JSON: into something that is not a pointer to an empty value")
	}
	to = to.Elem()
	d.text, d.mended, d.types = string(raw), !utf8.Valid(raw), make(map[reflect.Type]*object, 32)
	if d.value(to) && d.next() == 0 && d.at == len(d.text) {
		return nil
	}
	to.SetZero()
	// As in encoding/json, what is not JSON at all is said first.
	if err := CheckSyntax(d.text); err != nil {
		return err
	}
	return d.err
}
