package cli

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// Plain reads a plain command line: options that exist, with values that they take, and
// a verb. That is how engines and most people call us, and how it is read is paid by each
// call: building and running urfave/cli's commands takes longer than a state needs. It
// returns nil for every other line, which is cli's: a wrong one, one that asks for help, one
// with blanks in unusual places. What both can read, they read alike (plain_test.go).
func (a *App) Plain(args []string) (*Command, *Call) {
	if len(args) == 0 {
		return nil, nil
	}
	l := &plainLine{global: a.Options}
	l.given = l.room[:0]
	rest := args[1:]
	for len(rest) > 0 && isOption(rest[0]) {
		if rest = l.next(rest); rest == nil {
			return nil, nil
		}
	}
	if len(rest) == 0 || !l.environment(os.LookupEnv) {
		return nil, nil
	}
	c := a.named(rest[0])
	if c == nil {
		return nil, nil
	}
	l.own = c.Own()
	words, ok := l.verb(c, rest[1:])
	if !ok {
		return nil, nil
	}
	l.call = Call{Options: l, Verb: c.Name, Args: words, Out: a.Out}
	return c, &l.call
}

// plainLine is what a plain command line says.
type plainLine struct {
	call   Call
	own    [][]Option
	global []Option
	given  []given
	room   [8]given // for most lines, so that it is one allocation
}

// given is an option that the line gives, or the environment.
type given struct {
	option *Option
	value  string
}

// isOption tells if a word looks like an option. A word that ends with a blank doesn't, nor does a
// single dash; "--" does, and no option has that name.
func isOption(word string) bool {
	return len(word) > 1 && word[0] == '-' && strings.TrimSpace(word) == word
}

// next takes an option from the beginning of a line, and its value. It returns the rest, or
// nil if the option isn't plain.
func (l *plainLine) next(line []string) []string {
	name, value, joined := strings.Cut(strings.TrimPrefix(line[0][1:], "-"), "=")
	o := l.find(name)
	if o == nil {
		return nil
	}
	rest := line[1:]
	switch {
	case o.Kind == Boolean:
		if value == "" {
			value = "true"
		}
	case !joined:
		if len(rest) == 0 {
			return nil
		}
		value, rest = rest[0], rest[1:]
	}
	if o.check(value) != nil {
		return nil
	}
	l.given = append(l.given, given{o, value})
	return rest
}

// environment adds the options that variables give and the line does not, yet: a verb's
// options prevail over it.
func (l *plainLine) environment(lookup func(string) (string, bool)) bool {
	for i := range l.global {
		o := &l.global[i]
		if o.Variable == "" || l.last(o) != nil {
			continue
		}
		if value, found := lookup(o.Variable); found {
			if o.check(value) != nil {
				return false
			}
			l.given = append(l.given, given{o, value})
		}
	}
	return true
}

// verb reads what follows the verb, and returns what is not an option.
func (l *plainLine) verb(c *Command, line []string) (words []string, ok bool) {
	for len(line) > 0 {
		switch trimmed := strings.TrimSpace(line[0]); {
		case trimmed == "" || trimmed == "-":
			return nil, false
		case trimmed == "--":
			return append(words, line[1:]...), true
		case c.Foreign && len(words) == 1:
			return append(words, line...), true
		case isOption(line[0]):
			if line = l.next(line); line == nil {
				return nil, false
			}
		case trimmed != line[0]:
			return nil, false
		default:
			words, line = append(words, line[0]), line[1:]
		}
	}
	return words, true
}

// find looks an option up, the verb's own first.
func (l *plainLine) find(name string) *Option {
	if name == "" {
		return nil
	}
	for _, group := range l.own {
		if o := findIn(group, name); o != nil {
			return o
		}
	}
	return findIn(l.global, name)
}

func findIn(group []Option, name string) *Option {
	for i := range group {
		if group[i].Name == name || group[i].Alias == name {
			return &group[i]
		}
	}
	return nil
}

// last is where an option was given for the last time, or nil.
func (l *plainLine) last(o *Option) *given {
	for i := len(l.given) - 1; i >= 0; i-- {
		if l.given[i].option == o {
			return &l.given[i]
		}
	}
	return nil
}

// String implements Options.
func (l *plainLine) String(name string) string {
	o := l.find(name)
	if o == nil {
		return ""
	}
	if g := l.last(o); g != nil {
		return g.value
	}
	return o.Value
}

// Bool implements Options.
func (l *plainLine) Bool(name string) bool {
	value, _ := strconv.ParseBool(l.String(name))
	return value
}

// Int implements Options.
func (l *plainLine) Int(name string) int {
	value, _ := parseNumber(l.String(name))
	return value
}

// Duration implements Options.
func (l *plainLine) Duration(name string) time.Duration {
	value, _ := time.ParseDuration(l.String(name))
	return value
}

// StringSlice implements Options.
func (l *plainLine) StringSlice(name string) []string {
	var values []string
	o := l.find(name)
	for _, g := range l.given {
		if g.option == o {
			values = append(values, g.value)
		}
	}
	return values
}

// IsSet implements Options.
func (l *plainLine) IsSet(name string) bool {
	o := l.find(name)
	return o != nil && l.last(o) != nil
}
