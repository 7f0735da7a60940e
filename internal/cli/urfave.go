package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"oci-run/internal/spelling"
)

// Full reads any command line with urfave/cli, and has act act on the verb that it names. It
// returns what the line says beside its error or that of act.
func (a *App) Full(args []string, act func(*Command, *Call) error) (Options, error) {
	root := a.root(args, act)
	err := root.Run(context.Background(), args)
	return full{root}, err
}

// full is a command line that urfave/cli has read. To that library all values but the booleans are
// of one type: each type is a copy of a flag's 50 functions there, 25 KB.
type full struct{ *cli.Command }

// String implements Options.
func (f full) String(name string) string {
	values := f.values(name)
	return values[len(values)-1]
}

// StringSlice implements Options.
func (f full) StringSlice(name string) []string { return f.values(name)[1:] }

// values are the default of an option and what the line gives for it.
func (f full) values(name string) []string { return strings.Split(f.Command.String(name), "\x00") }

// Int implements Options.
func (f full) Int(name string) int {
	n, _ := parseNumber(f.String(name))
	return n
}

// Duration implements Options.
func (f full) Duration(name string) time.Duration {
	d, _ := time.ParseDuration(f.String(name))
	return d
}

// root makes urfave/cli's form of the program.
func (a *App) root(args []string, act func(*Command, *Call) error) *cli.Command {
	root := &cli.Command{
		Name:           filepath.Base(args[0]),
		Usage:          a.Usage,
		Version:        a.Version(),
		Writer:         a.Out,
		ErrWriter:      io.Discard, // who called Run prints errors
		Flags:          flags(a.Options),
		Before:         a.before,
		Action:         a.noCommand,
		OnUsageError:   usageError,
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
	}
	cli.VersionPrinter = func(c *cli.Command) { fmt.Fprintln(c.Root().Writer, c.Root().Name+" "+c.Version) }
	cli.HelpPrinter = printHelp
	for _, c := range a.called(args) {
		root.Commands = append(root.Commands, c.command(act))
	}
	return root
}

func (a *App) before(ctx context.Context, c *cli.Command) (context.Context, error) {
	if a.Begin == nil {
		return ctx, nil
	}
	return ctx, a.Begin(full{c.Root()})
}

// called are the verbs that the command line names, or all of them when help is wanted: cli's form
// of a verb takes longer to make than most verbs take to run. A global option's value that is also
// the name of a verb merely makes one verb too many.
func (a *App) called(args []string) []*Command {
	var named []*Command
	for _, c := range a.Commands {
		if slices.Contains(args[1:], c.Name) {
			named = append(named, c)
		}
	}
	if len(named) == 0 || args[1] == "help" || args[1] == "h" {
		return a.Commands
	}
	return named
}

func (a *App) noCommand(_ context.Context, c *cli.Command) error {
	if c.Args().Present() {
		unknown := c.Args().First()
		return fmt.Errorf("unknown command %q%s (see: %s help)", unknown, spelling.Hint(unknown, a.verbs()), c.Name)
	}
	return cli.ShowRootCommandHelp(c)
}

func usageError(_ context.Context, c *cli.Command, err error, _ bool) error {
	hint := ""
	if _, unknown, found := strings.Cut(err.Error(), "not defined: -"); found {
		var known []string
		for _, f := range c.Flags {
			known = append(known, "--"+f.Names()[0])
		}
		hint = spelling.Hint("--"+strings.TrimLeft(unknown, "-"), known)
	}
	return fmt.Errorf("%w%s (see: %s --help)", wrongValue(c, err), hint, strings.TrimSpace(c.FullName()))
}

// wrongValue says of a value that is not of its option's kind what is, in place of the functions of
// package strconv. Any other error is returned as it is.
func wrongValue(c *cli.Command, err error) error {
	rest, ok := strings.CutPrefix(err.Error(), "invalid value ")
	if !ok {
		return err
	}
	value, rest, _ := strings.Cut(rest, " for flag -")
	name, reason, _ := strings.Cut(rest, ": ")
	for _, f := range c.Flags {
		if _, ok := f.(*cli.BoolFlag); ok && slices.Contains(f.Names(), name) {
			reason = "must be true or false"
		}
	}
	return fmt.Errorf("--%s %s: %s", name, value, reason)
}

func (a *App) verbs() (names []string) {
	for _, c := range a.Commands {
		names = append(names, c.Name)
	}
	return names
}

// command makes urfave/cli's form of a verb; act is what it calls.
func (c *Command) command(act func(*Command, *Call) error) *cli.Command {
	made := &cli.Command{
		Name: c.Name, Usage: c.Usage, ArgsUsage: c.Arguments, Description: c.Description,
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Action: func(_ context.Context, l *cli.Command) error {
			return act(c, &Call{Options: full{l}, Verb: c.Name, Args: l.Args().Slice(), Out: l.Root().Writer})
		},
	}
	for _, group := range c.Own() {
		made.Flags = append(made.Flags, flags(group)...)
	}
	if c.Foreign {
		first := 1
		made.StopOnNthArg = &first
	}
	return made
}

func flags(group []Option) []cli.Flag {
	made := make([]cli.Flag, len(group))
	for i := range group {
		made[i] = group[i].flag()
	}
	return made
}

// flag makes urfave/cli's form of an option.
func (o *Option) flag() cli.Flag {
	var aliases []string
	if o.Alias != "" {
		aliases = []string{o.Alias}
	}
	if o.Kind == Boolean {
		return &cli.BoolFlag{Name: o.Name, Aliases: aliases, Usage: o.Usage, Hidden: o.Hidden}
	}
	f := &valueFlag{Name: o.Name, Aliases: aliases, Usage: o.Usage, Hidden: o.Hidden, Value: o.Value, DefaultText: o.Value}
	switch {
	case o.Kind == Texts:
		f.Usage += " (can be repeated)"
	case o.Kind == Text && o.Value != "":
		f.DefaultText = strconv.Quote(o.Value)
	}
	f.Validator = func(values string) error { return o.check(values[strings.LastIndexByte(values, 0)+1:]) }
	if o.Variable != "" {
		f.Sources = cli.EnvVars(o.Variable)
	}
	return f
}

// valueFlag is urfave/cli's form of an option with a value.
type valueFlag = cli.FlagBase[string, cli.NoConfig, values]

// values are the default of an option and what the line gives for it, with a NUL before each, which
// no argument can contain. A value may contain commas, at which urfave/cli's own lists are split.
type values struct{ all *string }

// Create implements cli.ValueCreator.
func (values) Create(first string, all *string, _ cli.NoConfig) cli.Value {
	*all = first
	return values{all}
}

// ToString implements cli.ValueCreator.
func (values) ToString(first string) string { return first }

// Set implements cli.Value.
func (v values) Set(value string) error {
	*v.all += "\x00" + value
	return nil
}

// Get implements cli.Value.
func (v values) Get() any { return *v.all }

// String implements cli.Value.
func (v values) String() string { return *v.all }
