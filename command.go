package main

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/urfave/cli/v3"

	"oci-run/libcontainer"
)

// command is a verb as data. A plain command line is read by it directly (plainCall); from
// it are made urfave/cli's commands, which read all others, print the help and find the
// words for what is wrong.
type command struct {
	name, usage, arguments, description string

	options [][]option      // in groups, for those that verbs share
	more    func() []option // those that are made of another table; nil if there are none
	foreign bool            // what follows the first argument is another program's command line
	action  func(*call) error
}

// option is an option of a verb, or of all.
type option struct {
	name, alias string
	kind        kind
	value       string // the default
	usage       string
	hidden      bool
	variable    string             // of the environment, that can give the value
	check       func(string) error // of a text
}

// kind is what an option's value is.
type kind uint8

const (
	text kind = iota
	boolean
	number
	duration
	texts // each time it is given adds one
)

// globalOptions can stand before and behind the verb.
var globalOptions = []option{
	{name: "debug", kind: boolean, usage: "log what is done, step by step"},
	{name: "log", usage: "append log messages to `FILE` instead of standard error"},
	{name: "log-format", value: "text", usage: "format of log messages, text or json"},
	{name: "log-level", value: "info", usage: "least level of log messages: debug, info, warn or error"},
	{name: "root", usage: "`DIR` for the state of containers (default /run/oci-run, or $XDG_RUNTIME_DIR/oci-run)"},
	{name: "systemd-cgroup", kind: boolean, usage: "have systemd make the cgroups; cgroupsPath is then slice:prefix:name"},
	{name: "cgroup-manager", usage: "who makes the cgroups: cgroupfs, systemd or disabled"},
	{name: "seal", value: "mount", variable: "OCI_RUN_SEAL", check: libcontainer.CheckSeal,
		usage: "what containers can see of this binary: a read-only mount, or memfd, a copy in memory"},
	{name: "rootless", value: "auto", usage: "tolerate missing privileges: true, false or auto"},
}

// call is a command line that calls a verb.
type call struct {
	options
	program string   // the name that we were called by
	verb    string   // its name
	args    []string // what is no option
	out     io.Writer
}

// options are what a command line says, or the defaults. A verb's own option stands before
// a global one of the same name.
type options interface {
	Bool(name string) bool
	Duration(name string) time.Duration
	Int(name string) int
	IsSet(name string) bool
	String(name string) string
	StringSlice(name string) []string
}

// ownOptions are those of a verb, in groups.
func (c *command) ownOptions() [][]option {
	if c.more == nil {
		return c.options
	}
	return append(c.options[:len(c.options):len(c.options)], c.more())
}

// cli makes urfave/cli's form of a verb; act is what it calls.
func (c *command) cli(act func(*command, *call) error) *cli.Command {
	made := &cli.Command{
		Name: c.name, Usage: c.usage, ArgsUsage: c.arguments, Description: c.description,
		DisableSliceFlagSeparator: true, // one text of several may hold commas
		HideHelpCommand:           true,
		OnUsageError:              usageError,
		Action: func(_ context.Context, l *cli.Command) error {
			return act(c, &call{options: l, program: l.Root().Name, verb: c.name, args: l.Args().Slice(), out: l.Root().Writer})
		},
	}
	for _, group := range c.ownOptions() {
		made.Flags = append(made.Flags, cliFlags(group)...)
	}
	if c.foreign {
		first := 1
		made.StopOnNthArg = &first
	}
	return made
}

func cliFlags(group []option) []cli.Flag {
	flags := make([]cli.Flag, len(group))
	for i := range group {
		flags[i] = group[i].cli()
	}
	return flags
}

// cli makes urfave/cli's form of an option.
func (o *option) cli() cli.Flag {
	var aliases []string
	if o.alias != "" {
		aliases = []string{o.alias}
	}
	switch o.kind {
	case boolean:
		return &cli.BoolFlag{Name: o.name, Aliases: aliases, Usage: o.usage, Hidden: o.hidden}
	case number:
		n, _ := parseNumber(o.value)
		return &cli.IntFlag{Name: o.name, Aliases: aliases, Usage: o.usage, Hidden: o.hidden, Value: n}
	case duration:
		d, _ := time.ParseDuration(o.value)
		return &cli.DurationFlag{Name: o.name, Aliases: aliases, Usage: o.usage, Hidden: o.hidden, Value: d}
	case texts:
		return &cli.StringSliceFlag{Name: o.name, Aliases: aliases, Usage: o.usage, Hidden: o.hidden}
	}
	f := &cli.StringFlag{Name: o.name, Aliases: aliases, Usage: o.usage, Hidden: o.hidden, Value: o.value, Validator: o.check}
	if o.variable != "" {
		f.Sources = cli.EnvVars(o.variable)
	}
	return f
}

// takes tells if a value is one of the option's kind.
func (o *option) takes(value string) bool {
	var err error
	switch o.kind {
	case boolean:
		_, err = strconv.ParseBool(value)
	case number:
		_, err = parseNumber(value)
	case duration:
		_, err = time.ParseDuration(value)
	}
	if err == nil && o.check != nil {
		err = o.check(value)
	}
	return err == nil
}

// parseNumber reads a number as urfave/cli does.
func parseNumber(value string) (int, error) {
	n, err := strconv.ParseInt(value, 0, strconv.IntSize)
	return int(n), err
}
