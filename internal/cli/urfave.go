package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
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
	return root, err
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
	return ctx, a.Begin(c.Root())
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
		if !slices.Contains(f.Names(), name) {
			continue
		}
		switch f.(type) {
		case *cli.IntFlag:
			reason = "must be a whole number"
		case *cli.DurationFlag:
			reason = "must be a duration, such as 500ms or 5s"
		case *cli.BoolFlag:
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
			return act(c, &Call{Options: l, Verb: c.Name, Args: l.Args().Slice(), Out: l.Root().Writer})
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
	switch o.Kind {
	case Boolean:
		return &cli.BoolFlag{Name: o.Name, Aliases: aliases, Usage: o.Usage, Hidden: o.Hidden}
	case Number:
		n, _ := parseNumber(o.Value)
		return &cli.IntFlag{Name: o.Name, Aliases: aliases, Usage: o.Usage, Hidden: o.Hidden, Value: n}
	case Duration:
		d, _ := time.ParseDuration(o.Value)
		return &cli.DurationFlag{Name: o.Name, Aliases: aliases, Usage: o.Usage, Hidden: o.Hidden, Value: d}
	case Texts:
		return &cli.FlagBase[[]string, cli.NoConfig, texts]{Name: o.Name, Aliases: aliases, Usage: o.Usage, Hidden: o.Hidden}
	}
	f := &cli.StringFlag{Name: o.Name, Aliases: aliases, Usage: o.Usage, Hidden: o.Hidden, Value: o.Value, Validator: o.Check}
	if o.Variable != "" {
		f.Sources = cli.EnvVars(o.Variable)
	}
	return f
}

// texts is the value of an option that may come several times. A text of several may hold commas,
// at which urfave/cli's own lists are split; and those bring the decoder of encoding/json, 90 KB,
// for a form in which the library writes them for itself.
type texts struct{ list *[]string }

// Create implements cli.ValueCreator.
func (texts) Create(value []string, list *[]string, _ cli.NoConfig) cli.Value {
	*list = append([]string{}, value...)
	return texts{list}
}

// ToString implements cli.ValueCreator.
func (texts) ToString(value []string) string { return strings.Join(value, ", ") }

// Set implements cli.Value.
func (t texts) Set(text string) error {
	*t.list = append(*t.list, text)
	return nil
}

// Get implements cli.Value.
func (t texts) Get() any { return *t.list }

// String implements cli.Value.
func (t texts) String() string { return t.ToString(*t.list) }
