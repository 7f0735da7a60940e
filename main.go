// Go's runtime would read the limits of our own cgroup at each start and keep the files
// open, also in an init process, to set GOMAXPROCS by them.
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

	"oci-run/libcontainer/initproc"
	_ "oci-run/libcontainer/mainstack" // grows the stack at once
	"oci-run/libcontainer/selfexe"
)

// Stamped by the linker, see the Makefile.
var (
	version = "0.1.0-dev"
	commit  = "unknown"
)

// commands is every verb. The functions build a verb's flags, which only the one that
// was called has to do.
var commands = []struct {
	name  string
	build func() *cli.Command
}{
	{"checkpoint", checkpointCommand},
	{"create", createCommand},
	{"delete", deleteCommand},
	{"events", eventsCommand},
	{"exec", execCommand},
	{"features", featuresCommand},
	{"kill", killCommand},
	{"list", listCommand},
	{"pause", pauseCommand},
	{"ps", psCommand},
	{"restore", restoreCommand},
	{"resume", resumeCommand},
	{"run", runCommand},
	{"spec", specCommand},
	{"start", startCommand},
	{"state", stateCommand},
	{"update", updateCommand},
	{"wait", waitCommand},
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == initproc.Verb {
		initproc.Main()
	}
	os.Exit(oneCommand(os.Args))
}

// oneCommand runs a command line and returns the exit status.
func oneCommand(args []string) int {
	app := newApp(args)
	err := app.Run(context.Background(), args)
	if code, ok := errors.AsType[exitStatus](err); ok {
		logger.flush()
		return int(code)
	}
	if err == nil {
		logger.flush()
		return 0
	}
	logger.open(app)
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

func newApp(args []string) *cli.Command {
	app := &cli.Command{
		Name:      filepath.Base(args[0]),
		Usage:     "Open Container Initiative runtime",
		Version:   versionText(),
		ErrWriter: io.Discard, // errors are printed once, by oneCommand
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "debug", Usage: "log what is done, step by step"},
			&cli.StringFlag{Name: "log", Usage: "append log messages to `FILE` instead of standard error"},
			&cli.StringFlag{Name: "log-format", Value: "text", Usage: "format of log messages, text or json"},
			&cli.StringFlag{Name: "log-level", Value: "info", Usage: "least level of log messages: debug, info, warn or error"},
			&cli.StringFlag{Name: "root", Usage: "`DIR` for the state of containers (default /run/oci-run, or $XDG_RUNTIME_DIR/oci-run)"},
			&cli.BoolFlag{Name: "systemd-cgroup", Usage: "have systemd make the cgroups; cgroupsPath is then slice:prefix:name"},
			&cli.StringFlag{Name: "cgroup-manager", Usage: "who makes the cgroups: cgroupfs, systemd or disabled"},
			&cli.StringFlag{Name: "seal", Value: "mount", Sources: cli.EnvVars("OCI_RUN_SEAL"), Validator: selfexe.Check,
				Usage: "what containers can see of this binary: a read-only mount, or memfd, a copy in memory"},
			&cli.StringFlag{Name: "rootless", Value: "auto", Usage: "tolerate missing privileges: true, false or auto"},
		},
		Before:         func(ctx context.Context, c *cli.Command) (context.Context, error) { return ctx, logger.open(c.Root()) },
		Action:         noCommand,
		OnUsageError:   usageError,
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
	}
	cli.VersionPrinter = func(c *cli.Command) { fmt.Fprintln(c.Root().Writer, c.Root().Name+" "+c.Version) }
	cli.HelpPrinter = printHelp
	app.Commands = called(args)
	return app
}

// called builds the verb that the command line names, or all of them when help is wanted:
// a verb's flags take longer to build than most verbs take to run. A global option's
// value that is also the name of a verb merely builds one verb too many.
func called(args []string) []*cli.Command {
	var built []*cli.Command
	for _, c := range commands {
		if slices.Contains(args[1:], c.name) {
			built = append(built, ready(c.build()))
		}
	}
	if len(built) == 0 || args[1] == "help" || args[1] == "h" {
		built = built[:0]
		for _, c := range commands {
			built = append(built, ready(c.build()))
		}
	}
	return built
}

func ready(c *cli.Command) *cli.Command {
	c.OnUsageError = usageError
	c.HideHelpCommand = true
	return c
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
