// Package cli reads command lines: an [App] has verbs and options that stand in tables, and calls
// the action of the verb that a line names.
//
// A plain line, such as engines and most people write, is read by the tables directly
// ([App.Plain]). From the same tables come the commands of urfave/cli, which reads all other lines,
// prints the help and words what is wrong ([App.Full]). No other package imports urfave/cli. From
// them, too, a shell learns what can stand next ([App.Complete]).
package cli

import (
	"errors"
	"io"
	"strconv"
	"time"
)

// App is a program with verbs.
type App struct {
	Usage    string
	Version  func() string // what --version prints behind the program's name
	Commands []*Command
	Options  []Option                    // those that can stand before and behind each verb
	Begin    func(Options) error         // called before the action of a verb; nil for nothing
	Act      func(*Command, *Call) error // calls the action; nil if nothing is around that
	Out      io.Writer                   // standard output

	call *Call
}

// Called is the call that Run has come to, nil if the line was no command line of any verb.
func (a *App) Called() *Call { return a.call }

// act calls the action of a verb.
func (a *App) act(c *Command, line *Call) error {
	a.call = line
	if a.Act == nil {
		return c.Action(line)
	}
	return a.Act(c, line)
}

// Command is a verb.
type Command struct {
	Name, Usage, Arguments, Description string

	Options [][]Option      // in groups, for those that verbs share
	More    func() []Option // those that are made of another table; nil if there are none
	Foreign bool            // what follows the first argument is another program's command line
	Action  func(*Call) error
	Next    func(*Call) []Candidate // for completion: what can follow the arguments so far; nil for nothing
}

// Option is an option of a verb, or of all.
type Option struct {
	Name, Alias string
	Kind        Kind
	Value       string // the default
	Usage       string
	Hidden      bool
	Variable    string             // of the environment, that can give the value
	Check       func(string) error // of a text
	Values      []string           // for completion: what it takes, if that is a few words
	ValuesOf    func() []string    // the same, if they stand in a table
}

// Kind is what an option's value is.
type Kind uint8

// The kinds of values.
const (
	Text Kind = iota
	Boolean
	Number
	Duration
	Texts // each time it is given adds one
)

// Call is a command line that calls a verb.
type Call struct {
	Options
	Verb string   // its name
	Args []string // what is not an option
	Out  io.Writer
}

// Options are what a command line says, or the defaults. A verb's own option stands before a global
// one of the same name.
type Options interface {
	Bool(name string) bool
	Duration(name string) time.Duration
	Int(name string) int
	IsSet(name string) bool
	String(name string) string
	StringSlice(name string) []string
}

// Run reads a command line, the program's name first, and calls the action of its verb. It returns
// what the line says beside the error of either.
func (a *App) Run(args []string) (Options, error) {
	c, line := a.Plain(args)
	if line == nil {
		return a.Full(args, a.act)
	}
	if a.Begin != nil {
		if err := a.Begin(line); err != nil {
			return line, err
		}
	}
	return line, a.act(c, line)
}

// named finds a verb, or nil.
func (a *App) named(name string) *Command {
	for _, c := range a.Commands {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Own are the options of a verb, in groups, without those of all verbs.
func (c *Command) Own() [][]Option {
	if c.More == nil {
		return c.Options
	}
	return append(c.Options[:len(c.Options):len(c.Options)], c.More())
}

// check says what is wrong with a value, nil if the option takes it.
func (o *Option) check(value string) error {
	switch o.Kind {
	case Boolean:
		if _, err := strconv.ParseBool(value); err != nil {
			return errors.New("must be true or false")
		}
	case Number:
		if _, err := parseNumber(value); err != nil {
			return errors.New("must be a whole number")
		}
	case Duration:
		if _, err := time.ParseDuration(value); err != nil {
			return errors.New("must be a duration, such as 500ms or 5s")
		}
	}
	if o.Check == nil {
		return nil
	}
	return o.Check(value)
}

// parseNumber reads a number, in the notations of Go.
func parseNumber(value string) (int, error) {
	n, err := strconv.ParseInt(value, 0, strconv.IntSize)
	return int(n), err
}
