package specconv

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/internal/excerpt"
	"oci-run/internal/oncejson"
	"oci-run/internal/spelling"
)

// Severity says what a finding means for the container.
type Severity string

// The severities.
const (
	// Fault: the container can't be made, or isn't what the configuration says.
	Fault Severity = "fault"
	// Warning: the container can be made, but may not be what was meant.
	Warning Severity = "warning"
)

// Finding is something that is the matter with a configuration.
type Finding struct {
	Severity Severity `json:"severity"`
	// Pointer is the JSON pointer (RFC 6901) of the property; "" is the whole document.
	Pointer string `json:"pointer"`
	// Line and Column are its place, from 1; 0 if the document is a single line.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Message says what is the matter.
	Message string `json:"message"`

	offset int
}

// Survey collects all that is the matter with a bundle, where [Load] ends with the first fault. The
// rules are the same: each is tried again without the values that it has found fault with, until it
// finds nothing more. So a rule knows nothing of this, and a fault in one place doesn't hide one in
// another.
type Survey struct {
	// Dir is the bundle's absolute path, Name that of its configuration as it stands in messages.
	Dir, Name string

	raw      []byte
	draft    *draft // without what can't be decoded; nil if that is all of it
	findings []Finding
}

// maxFaults bounds the work for a document of nothing but faults.
const maxFaults = 1000

// NewSurvey reads the configuration of the bundle in dir, or another one for that bundle as
// [LoadWith] does, and collects what is the matter with it by itself. An error is one of reading.
func NewSurvey(config, dir string) (*Survey, error) {
	b, err := readBundle(config, dir)
	if err != nil {
		return nil, err
	}
	s := &Survey{Dir: b.Dir, Name: b.Name, raw: b.Raw}
	if s.decode(); s.draft != nil {
		s.check()
		s.effects()
	}
	return s, nil
}

// decode finds values of the wrong type, names that come twice, are missing or aren't known.
func (s *Survey) decode() {
	if len(strings.TrimSpace(string(s.raw))) == 0 {
		s.add(Finding{Severity: Fault, Message: "the file is empty"})
		return
	}
	d := newDraft(s.raw)
	for range maxFaults {
		spec := new(specs.Spec)
		report, err := oncejson.DecodeReporting(d.raw, spec, requiredOf)
		if err == nil {
			s.draft = d
			s.decoded(report, spec)
			return
		}
		fe, offset := decodeFault(d.raw, err)
		f := Finding{Severity: Fault, Pointer: d.origin(fe.Pointer), Message: fe.Err.Error(), offset: offset}
		if isSyntax(err) {
			f.Line, f.Column = lineColumn(s.raw, offset)
		}
		s.add(f)
		if isSyntax(err) || !d.remove(fe.Pointer) {
			return
		}
	}
}

// decoded notes what a decoder has to report.
func (s *Survey) decoded(report oncejson.Report, spec *specs.Spec) {
	sortMissing(report.Missing)
	for _, m := range report.Missing {
		if matters(m, spec) {
			s.fault(s.draft, missing(s.draft.raw, m))
		}
	}
	for _, u := range report.Unknown {
		pointer, name := unknownAt(s.raw, u)
		f := Finding{Severity: Warning, Pointer: pointer, Message: unknownText(name, u), offset: u.Offset}
		if spelling.Nearest(name, u.Known()) != "" { // it was meant to have an effect, and has none
			f.Severity = Fault
		}
		s.add(f)
	}
}

// unknownAt gives the pointer and the name of a member that nothing knows.
func unknownAt(raw []byte, u oncejson.Unknown) (pointer, name string) {
	name = memberName(raw[u.Offset:skipString(raw, u.Offset)])
	return pointerTo(raw, u.Offset) + Pointer(name), name
}

func unknownText(name string, u oncejson.Unknown) string {
	return "unknown property" + spelling.Hint(name, u.Known())
}

// check applies the rules of checkSpec, and those of a process one by one, as their order is not
// that of place.
func (s *Survey) check() {
	rules := make([]func(*specs.Spec) error, 0, len(checks)+len(processChecks))
	for _, check := range checks {
		rules = append(rules, func(spec *specs.Spec) error { return check(newChecker(spec)) })
	}
	for _, check := range processChecks {
		rules = append(rules, func(spec *specs.Spec) error {
			if spec.Process == nil {
				return nil
			}
			return check(spec.Process, "/process")
		})
	}
	for _, rule := range rules {
		s.again(func(raw []byte) error {
			spec, err := decodeAny(raw)
			if err != nil {
				return err
			}
			return rule(spec)
		})
	}
	s.warnings()
	s.Look(func(b *Bundle) error { return checkRootExists(b.Spec.Root.Path) })
}

// decodeAny decodes a configuration whatever it lacks.
func decodeAny(raw []byte) (*specs.Spec, error) {
	spec := new(specs.Spec)
	_, err := oncejson.DecodeReporting(raw, spec, nil)
	return spec, err
}

// warnings notes what the rules warn of.
func (s *Survey) warnings() {
	spec, err := decodeAny(s.draft.raw)
	if err != nil {
		return
	}
	c := newChecker(spec)
	for _, check := range checks {
		_ = check(c) // a fault, which is known by now
	}
	for _, w := range c.warnings {
		s.Warn(w.Pointer, w.Err.Error())
	}
}

// Look has check look at the bundle, and again without each value that it blames, as long as it
// blames any. The error is about a field (*[FieldError]), or is reported as it is. A bundle without
// a root is not looked at.
func (s *Survey) Look(check func(*Bundle) error) {
	if s.draft == nil {
		return
	}
	s.again(func(raw []byte) error {
		spec, err := decodeAny(raw)
		if err != nil || spec.Root == nil {
			return err
		}
		complete(spec, s.Dir)
		return check(&Bundle{Dir: s.Dir, Raw: raw, Spec: spec})
	})
}

// again calls a rule for the configuration without what it has blamed before.
func (s *Survey) again(rule func(raw []byte) error) {
	d := s.draft.clone()
	for range maxFaults {
		err := rule(d.raw)
		if err == nil {
			return
		}
		s.fault(d, err)
		fe, ok := errors.AsType[*FieldError](err)
		if !ok || !d.remove(fe.Pointer) {
			return
		}
	}
}

// fault notes an error about a draft.
func (s *Survey) fault(d *draft, err error) {
	f := Finding{Severity: Fault, Message: err.Error()}
	if fe, ok := errors.AsType[*FieldError](err); ok {
		f.Pointer, f.offset = d.origin(fe.Pointer), offsetOf(d.raw, fe.Pointer)
		if err.Error() == fe.Error() { // there is nothing around it
			f.Message = fe.Err.Error()
		}
		if errors.Is(err, errMissing) {
			if s.has(f.Pointer) || s.has(f.Pointer+"/") {
				return // it had another fault, and was taken out for that
			}
			f.Message += meant(s.raw, f.Pointer)
		} else if s.lacks(f.Pointer) || d.emptied(fe.Pointer) {
			return
		}
	}
	s.add(f)
}

// Warn notes a warning about a property of the bundle that [Survey.Look] shows first.
func (s *Survey) Warn(pointer, text string) {
	s.add(Finding{Severity: Warning, Pointer: s.draft.origin(pointer), Message: text, offset: offsetOf(s.draft.raw, pointer)})
}

// has tells whether there is a fault at a pointer, or below it if that ends with a slash.
func (s *Survey) has(pointer string) bool {
	below := strings.HasSuffix(pointer, "/")
	return slices.ContainsFunc(s.findings, func(f Finding) bool {
		return f.Severity == Fault && (f.Pointer == pointer || below && strings.HasPrefix(f.Pointer, pointer))
	})
}

// lacks tells whether a pointer leads to an element of an array, or into it, that lacks a member:
// what is found of such a one by rules for whole ones says no more.
func (s *Survey) lacks(pointer string) bool {
	return slices.ContainsFunc(s.findings, func(f Finding) bool {
		slash := strings.LastIndexByte(f.Pointer, '/')
		if slash < 0 || !strings.Contains(f.Message, errMissing.Error()) {
			return false
		}
		element := f.Pointer[:slash]
		last := element[strings.LastIndexByte(element, '/')+1:]
		isElement := last != "" && strings.Trim(last, "0123456789") == ""
		return isElement && (pointer == element || strings.HasPrefix(pointer, element+"/"))
	})
}

// add notes a finding. What is wrong with a value is said once, by the first rule that it breaks.
func (s *Survey) add(f Finding) {
	for i := range s.findings {
		o := &s.findings[i]
		said := o.Message == f.Message || f.Severity == Fault && o.Severity == Fault && f.Pointer != ""
		if o.Pointer == f.Pointer && said {
			return
		}
	}
	if f.Line == 0 && f.Pointer != "" && !isOneLine(s.raw) {
		f.Line, f.Column = lineColumn(s.raw, f.offset)
	}
	s.findings = append(s.findings, f)
}

// Report is all that was found.
type Report struct {
	Bundle   string    `json:"bundle"`
	Config   string    `json:"config"`
	Faults   int       `json:"faults"`
	Warnings int       `json:"warnings"`
	Findings []Finding `json:"findings"` // in order of place, those without one first
}

// Report gives what was found so far.
func (s *Survey) Report() *Report {
	sort.SliceStable(s.findings, func(i, j int) bool { return s.findings[i].offset < s.findings[j].offset })
	r := &Report{Bundle: s.Dir, Config: s.Name, Findings: append([]Finding{}, s.findings...)}
	for i := range r.Findings {
		if r.Findings[i].Severity == Fault {
			r.Faults++
		} else {
			r.Warnings++
		}
	}
	return r
}

// Text is the report for people: a line for each finding, as errors have it, and the sum.
func (r *Report) Text() string {
	var b strings.Builder
	for i := range r.Findings {
		f := &r.Findings[i]
		line := r.Config
		if f.Line > 0 {
			line += fmt.Sprintf(":%d:%d", f.Line, f.Column)
		}
		if f.Severity == Warning {
			line += ": warning"
		}
		if f.Pointer != "" {
			line += ": " + f.Pointer
		}
		b.WriteString(excerpt.Printable(line+": "+f.Message) + "\n")
	}
	fmt.Fprintf(&b, "%s, %s\n", count(r.Faults, "fault"), count(r.Warnings, "warning"))
	return b.String()
}

// count is a number with a noun: "no faults", "1 fault", "2 faults".
func count(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
