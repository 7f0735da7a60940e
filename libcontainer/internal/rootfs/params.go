package rootfs

import (
	"slices"
	"strings"
)

// Param is a parameter of a filesystem: a name with a value, or a name alone.
type Param struct {
	Key, Value string
	HasValue   bool
	Option     int // its index in the mount's options, or -1
}

// labelParams are SELinux's parameters of every filesystem. Their values may be in quotes, because
// the categories of a label have commas between them:
// context="system_u:object_r:container_file_t:s0:c1,c2" (mount(8)).
var labelParams = [...]string{"context", "defcontext", "fscontext", "rootcontext"}

func (p *Param) isLabel() bool { return slices.Contains(labelParams[:], p.Key) }

// unclosed tells that a value has a quote which doesn't end.
func (p *Param) unclosed() bool { return p.isLabel() && strings.IndexByte(p.Value, '"') >= 0 }

// appendParams takes an option for what mount(2) makes of it in its data string: parameters with
// commas between them. overlay tells that a backslash protects a comma.
func appendParams(params []Param, text string, index int, overlay bool) []Param {
	for text != "" {
		var one string
		one, text = cutParam(text, overlay)
		if one == "" {
			continue
		}
		p := Param{Option: index}
		p.Key, p.Value, p.HasValue = strings.Cut(one, "=")
		if p.isLabel() && strings.Count(p.Value, `"`)%2 == 0 {
			p.Value = strings.ReplaceAll(p.Value, `"`, "")
		}
		params = append(params, p)
	}
	return params
}

// cutParam takes the first of several parameters.
func cutParam(s string, backslash bool) (one, rest string) {
	quotes, quoted := takesQuotes(s), false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"' && quotes:
			quoted = !quoted
		case s[i] == ',' && !quoted:
			return s[:i], s[i+1:]
		case s[i] == '\\' && backslash:
			i++
		}
	}
	return s, ""
}

func takesQuotes(s string) bool {
	key, _, _ := strings.Cut(s, "=")
	return slices.Contains(labelParams[:], key)
}

// opensQuote tells that text ends within quotes.
func opensQuote(text string) bool {
	if strings.IndexByte(text, '"') < 0 {
		return false
	}
	last := ""
	for text != "" {
		last, text = cutParam(text, false)
	}
	return takesQuotes(last) && strings.Count(last, `"`)%2 != 0
}

// needsLegacy tells that fsconfig(2) can't take a parameter.
func (p *Param) needsLegacy() bool {
	return len(p.Value) > longestValue || strings.IndexByte(p.Value, ',') >= 0 && !p.isLabel()
}

// String is the parameter as an option.
func (p *Param) String() string {
	if !p.HasValue {
		return p.Key
	}
	return p.Key + "=" + p.Value
}

// legacy is the parameter as mount(2) has it in its data.
func (p *Param) legacy() string {
	if p.HasValue && p.isLabel() {
		return p.Key + `="` + p.Value + `"`
	}
	return p.String()
}
