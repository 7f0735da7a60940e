// Go's runtime would set GOMAXPROCS by the limits of our own cgroup, and keep the files that
// it reads them from open, also in an init process.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Oci-run is an OCI runtime: it makes containers from bundles, as runtime-spec says, for
// container engines and for people at a terminal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v3"

	_ "oci-run/libcontainer/mainstack" // grows the stack at once
)

// Stamped by the linker, see the Makefile.
var (
	version = "0.1.0-dev"
	commit  = "unknown"
)

// commands is every verb.
var commands = [...]*command{
	&checkpointCommand,
	&createCommand,
	&deleteCommand,
	&eventsCommand,
	&execCommand,
	&featuresCommand,
	&killCommand,
	&listCommand,
	&pauseCommand,
	&psCommand,
	&restoreCommand,
	&resumeCommand,
	&runCommand,
	&specCommand,
	&startCommand,
	&stateCommand,
	&updateCommand,
	&waitCommand,
}

// main runs a command. An init process never comes here: package initproc takes it over
// when it is initialised.
func main() { os.Exit(oneCommand(os.Args)) }

// oneCommand runs a command line and returns the exit status.
func oneCommand(args []string) int {
	if c, line := plainCall(args); line != nil {
		err := logger.open(line)
		if err == nil {
			err = c.action(line)
		}
		return ended(err, line)
	}
	app := newApp(args, func(c *command, line *call) error { return c.action(line) })
	return ended(app.Run(context.Background(), args), app)
}

// ended prints the error, if it is one, and returns the exit status.
func ended(err error, o options) int {
	if code, ok := errors.AsType[exitStatus](err); ok {
		logger.flush()
		return int(code)
	}
	if err == nil {
		logger.flush()
		return 0
	}
	logger.open(o)
	logger.fatal(err)
	if e, ok := errors.AsType[*runtimeError](err); ok {
		return e.status
	}
	return 1
}

// exitStatus ends oci-run with the status of a container's process, without a message.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// runtimeError is an error with another exit status than 1.
type runtimeError struct {
	err    error
	status int
}

func (e *runtimeError) Error() string { return e.err.Error() }
func (e *runtimeError) Unwrap() error { return e.err }

// newApp makes urfave/cli's form of the commands; act is what runs a verb.
func newApp(args []string, act func(*command, *call) error) *cli.Command {
	app := &cli.Command{
		Name:           filepath.Base(args[0]),
		Usage:          "Open Container Initiative runtime",
		Version:        versionText(),
		ErrWriter:      io.Discard, // errors are printed once, by ended
		Flags:          cliFlags(globalOptions),
		Before:         func(ctx context.Context, c *cli.Command) (context.Context, error) { return ctx, logger.open(c.Root()) },
		Action:         noCommand,
		OnUsageError:   usageError,
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
	}
	cli.VersionPrinter = func(c *cli.Command) { fmt.Fprintln(c.Root().Writer, c.Root().Name+" "+c.Version) }
	cli.HelpPrinter = printHelp
	for _, c := range called(args) {
		app.Commands = append(app.Commands, c.cli(act))
	}
	return app
}

// called are the verbs that the command line names, or all of them when help is wanted:
// cli's form of a verb takes longer to make than most verbs take to run. A global option's
// value that is also the name of a verb merely makes one verb too many.
func called(args []string) []*command {
	var named []*command
	for _, c := range commands {
		if slices.Contains(args[1:], c.name) {
			named = append(named, c)
		}
	}
	if len(named) == 0 || args[1] == "help" || args[1] == "h" {
		return commands[:]
	}
	return named
}

func noCommand(_ context.Context, c *cli.Command) error {
	if c.Args().Present() {
		//lint:ignore ST1005 the words of urfave/cli, which scripts know
		return fmt.Errorf("No help topic for '%s'", c.Args().First())
	}
	return cli.ShowRootCommandHelp(c)
}

func usageError(_ context.Context, c *cli.Command, err error, _ bool) error {
	return fmt.Errorf("%w (see: %s --help)", err, strings.TrimSpace(c.FullName()))
}

// versionText is what engines parse: the word version on the first line, and the commit
// and spec lines.
func versionText() string {
	return fmt.Sprintf("version %s\ncommit: %s\nspec: %s\ngo: %s", version, commit, specs.Version, goVersion())
}
