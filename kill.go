package main

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"oci-run/internal/cli"
	"oci-run/internal/spelling"
	"oci-run/libcontainer"
)

var killCommand = cli.Command{
	Name:      "kill",
	Usage:     "send a signal to a container",
	Arguments: "ID [SIGNAL]",
	Description: "Sends SIGNAL (a number or a name, with or without SIG; default SIGTERM) to the container's process.\n" +
		"With --regex, ID is an expression, and those that it matches get the signal, but for those that have stopped.",
	Options: [][]cli.Option{{
		{Name: "all", Alias: "a", Kind: cli.Boolean, Usage: "send the signal to every process of the container"},
		regexOption,
	}},
	Action: kill,
	Next:   nextOfKill,
}

func kill(c *cli.Call) error {
	if len(c.Args) > 2 {
		return fmt.Errorf("%q takes an ID and a signal; there are %d arguments", c.Verb, len(c.Args))
	}
	name := "TERM"
	if len(c.Args) > 1 && c.Args[1] != "" {
		name = c.Args[1]
	}
	signal, err := parseSignal(name)
	if err != nil {
		return err
	}
	all := c.Bool("all")
	if c.Bool("regex") {
		return eachMatch(c, func(f *libcontainer.Factory, id string) error {
			container, err := f.Load(id)
			if err == nil {
				err = container.Kill(signal, all)
			}
			return butNot(err, libcontainer.ErrNotRunning)
		})
	}
	container, err := load(c)
	if err != nil {
		return err
	}
	return container.Kill(signal, all)
}

// The real-time signals, signal(7), as libc counts them: the kernel's 32 and 33 are used
// by thread libraries.
const (
	sigRTMin = 34
	sigRTMax = 64
)

// parseSignal understands 9, KILL, SIGKILL, sigkill, RTMIN, RTMIN+3 and RTMAX-1.
func parseSignal(text string) (syscall.Signal, error) {
	if n, err := strconv.Atoi(text); err == nil {
		if n < 0 || n > sigRTMax {
			return 0, fmt.Errorf("unknown signal %q: numbers go from 0 to %d", text, sigRTMax)
		}
		return syscall.Signal(n), nil
	}
	name := "SIG" + strings.TrimPrefix(strings.ToUpper(text), "SIG")
	if s := unix.SignalNum(name); s != 0 {
		return s, nil
	}
	for _, base := range []struct {
		name   string
		number int
	}{{"SIGRTMIN", sigRTMin}, {"SIGRTMAX", sigRTMax}} {
		rest, ok := strings.CutPrefix(name, base.name)
		if !ok {
			continue
		}
		offset, err := strconv.Atoi(rest)
		if rest == "" {
			offset, err = 0, nil
		}
		if n := base.number + offset; err == nil && n >= sigRTMin && n <= sigRTMax {
			return syscall.Signal(n), nil
		}
	}
	return 0, fmt.Errorf("unknown signal %q%s", text, spelling.Hint(name, signalNames()))
}

// signalNames are those that a mistyped one may have been meant to be.
func signalNames() (names []string) {
	for n := syscall.Signal(1); n < sigRTMin; n++ {
		if name := unix.SignalName(n); name != "" {
			names = append(names, name)
		}
	}
	return names
}
