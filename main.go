// Go's runtime would set GOMAXPROCS by the limits of our own cgroup, and keep the files that
// it reads them from open, also in an init process.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Oci-run is an OCI runtime: it makes containers from bundles, as runtime-spec says, for
// container engines and for people at a terminal.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/cli"
	"oci-run/internal/entry"
	"oci-run/internal/logfile"
	_ "oci-run/internal/mainstack" // grows the stack at once
	"oci-run/libcontainer"
	"oci-run/specconv"
)

// Stamped by the linker, see the Makefile.
var (
	version = "0.1.0-dev"
	commit  = "unknown"
)

// commands is every verb.
var commands = [...]*cli.Command{
	&checkCommand,
	&checkpointCommand,
	&configureCommand,
	&createCommand,
	&deleteCommand,
	&eventsCommand,
	&execCommand,
	&featuresCommand,
	&killCommand,
	&listCommand,
	&pauseCommand,
	&planCommand,
	&psCommand,
	&restoreCommand,
	&resumeCommand,
	&runCommand,
	&specCommand,
	&startCommand,
	&stateCommand,
	&topCommand,
	&updateCommand,
	&waitCommand,
}

// main runs a command. An init process never comes here: package initproc takes it over
// when it is initialised.
func main() { os.Exit(oneCommand(os.Args)) }

// logger is where everything that is said goes, from the moment that the command line is read.
var logger logfile.Log

// oneCommand runs a command line and returns the exit status.
func oneCommand(args []string) int {
	if entry.Added() {
		os.Unsetenv("GOMAXPROCS") // or hooks would have it
	}
	if len(args) > 1 && args[1] == completeWord {
		complete(args[2:], os.Stdout)
		return 0
	}
	app := newApp()
	options, err := app.Run(args)
	if code, ok := errors.AsType[exitStatus](err); ok {
		logger.Flush()
		return int(code)
	}
	if err == nil {
		logger.Flush()
		return 0
	}
	logger.Open(options)
	logger.Fatal(explainNofile(err), details(app.Called(), err))
	if e, ok := errors.AsType[*runtimeError](err); ok {
		return e.status
	}
	return 1
}

func newApp() *cli.App {
	return &cli.App{
		Usage:    "Open Container Initiative runtime",
		Version:  versionText,
		Commands: commands[:],
		Options:  globalOptions,
		Begin:    func(o cli.Options) error { return logger.Open(o) },
		Act:      traced,
		Out:      os.Stdout,
	}
}

// details are what a program that reads the log need not take from the text of an error. Which
// argument is a container's ID, a verb's usage tells.
func details(called *cli.Call, err error) (d logfile.Details) {
	if called != nil {
		d.Command = called.Verb
		for _, c := range commands {
			if c.Name == called.Verb && strings.HasPrefix(c.Arguments, "ID") && len(called.Args) > 0 {
				d.ID = called.Args[0]
			}
		}
	}
	if field, ok := errors.AsType[*specconv.FieldError](err); ok {
		d.Pointer = field.Pointer
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		d.Path = path.Path
	} else {
		d.Path = libcontainer.FailedPath(err)
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		d.Errno = unix.ErrnoName(errno)
	}
	return d
}

// explainNofile says of an error whose text doesn't do so yet that it is oci-run itself that may
// not open files.
func explainNofile(err error) error {
	var limit unix.Rlimit
	if !errors.Is(err, unix.EMFILE) || strings.Contains(err.Error(), "RLIMIT_NOFILE") || unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return err
	}
	return fmt.Errorf("%w (RLIMIT_NOFILE, %d, is too low for oci-run itself)", err, limit.Cur)
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

// versionText is what engines parse: the word version on the first line, and the commit
// and spec lines.
func versionText() string {
	return fmt.Sprintf("version %s\ncommit: %s\nspec: %s\ngo: %s", version, commit, specs.Version, runtime.Version())
}
