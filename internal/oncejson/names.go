package oncejson

import (
	"reflect"
	"slices"
	"strings"
	"unsafe"
)

// object is what is known of a type of struct.
type object struct {
	fields   []field // no more than 64, as they are counted in bits
	required uint64  // bit N: fields[N] must be there
}

// field is a member of a struct.
type field struct {
	name      string
	index     []int // for reflect.Value.FieldByIndex
	omitEmpty bool
	omitZero  bool
	strange   bool // has an option that is not known here, or says itself what zero is
}

// zeroer is what omitzero asks, where a type has it.
type zeroer interface{ IsZero() bool }

// objectOf tells what a struct has, and has to have.
func (d *decoder) objectOf(t reflect.Type) *object {
	is, known := d.types[t]
	if known {
		return is
	}
	is = &object{fields: d.lists.of(t)}
	d.types[t] = is
	if d.required == nil {
		return is
	}
	for name := range strings.FieldsSeq(d.required(t)) {
		i := slices.IndexFunc(is.fields, func(f field) bool { return f.name == name })
		is.required |= 1 << i // a name that the type lacks is a negative shift
	}
	return is
}

// lists makes the lists of members. They are parts of few pieces: each size that a new heap is
// asked for costs page faults.
type lists struct{ spare []field }

// piece is how many members are made room for at a time: 2 KiB.
const piece = 2048 / int(unsafe.Sizeof(field{}))

// of lists the members of a struct, those of an embedded struct included.
func (l *lists) of(t reflect.Type) []field {
	n := t.NumField()
	if n > len(l.spare) {
		l.spare = make([]field, max(n, piece))
	}
	list := l.spare[:0:n]
	l.spare = l.spare[n:]
	for i := range t.NumField() {
		f := t.Field(i)
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			for _, inner := range l.of(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				list = append(list, inner)
			}
			continue
		}
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		member := field{name: name, index: f.Index}
		switch option {
		case "":
		case "omitempty":
			member.omitEmpty = true
		case "omitzero":
			member.omitZero = true
			member.strange = reflect.PointerTo(f.Type).Implements(reflect.TypeFor[zeroer]())
		default:
			member.strange = true
		}
		list = append(list, member)
	}
	return list
}

// names is a set of names of members. Few objects have many that nobody knows.
type names struct {
	few  [8]string
	n    int
	many map[string]struct{}
}

// add tells whether the name is new.
func (s *names) add(name string) bool {
	if slices.Contains(s.few[:s.n], name) {
		return false
	}
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return true
	}
	if _, found := s.many[name]; found {
		return false
	}
	if s.many == nil {
		s.many = map[string]struct{}{}
	}
	s.many[name] = struct{}{}
	return true
}
