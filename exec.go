package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer"
	"oci-run/specconv"
)

// execFailed is the exit status of an exec that did not get to run the program. All others
// are the program's.
const execFailed = 255

var execCommand = command{
	name:      "exec",
	usage:     "run another process in a container",
	arguments: "ID COMMAND [ARG...]  or  --process FILE ID",
	description: "Runs a command, or the process that FILE describes as config.json does, in the running container ID, and exits\n" +
		"with its status: 128 and the number of the signal if one ended it, 255 if it could not be run.\n" +
		"What neither FILE nor an option says is as in the container's own process.",
	foreign: true, // what follows the ID are the command's options
	options: [][]option{{
		{name: "process", alias: "p", usage: "read the process from `FILE` (process of runtime-spec's config.json)"},
		{name: "detach", alias: "d", kind: boolean, usage: "do not wait for the process"},
		{name: "pid-file", usage: "write the pid of the process to `FILE`"},
		{name: "tty", alias: "t", kind: boolean, usage: "give the process a terminal"},
		{name: "console-socket", usage: "unix socket at `PATH` that gets the master of the terminal"},
		{name: "pidfd-socket", usage: "unix socket at `PATH` that gets a pidfd of the process"},
		{name: "cwd", usage: "working directory in the container"},
		{name: "env", alias: "e", kind: texts, usage: "set the environment variable `NAME=VALUE`"},
		{name: "user", alias: "u", usage: "run as `UID[:GID]`"},
		{name: "additional-gids", alias: "g", kind: texts, usage: "be in the group `GID` too"},
		{name: "cap", alias: "c", kind: texts, usage: "have the capability `NAME` too"},
		{name: "no-new-privs", kind: boolean, usage: "never gain privileges by executing a file"},
		{name: "process-label", usage: "SELinux `LABEL` of the process"},
		{name: "apparmor", usage: "AppArmor `PROFILE` of the process"},
		{name: "cgroup", kind: texts, usage: "run in the cgroup `[CONTROLLER,...:]PATH` below the container's"},
		{name: "preserve-fds", kind: number, usage: "hand the `N` fds from 3 on to the process"},
		{name: "ignore-paused", kind: boolean, usage: "also in a paused container; the process runs when it is resumed"},
	}},
	action: execAction,
}

func execAction(c *call) error {
	err := joinContainer(c)
	if _, isStatus := errors.AsType[exitStatus](err); err == nil || isStatus {
		return err
	}
	return &runtimeError{fmt.Errorf("exec failed: %w", err), execFailed}
}

func joinContainer(c *call) error {
	var attendant *libcontainer.Foreground
	if !c.Bool("detach") {
		var err error
		if attendant, err = libcontainer.NewForeground(ownStdio()); err != nil { // until we exit
			return err
		}
	}
	container, err := load(c)
	if err != nil {
		return err
	}
	config, err := container.Config()
	if err != nil {
		return err
	}
	p, err := execProcess(c, config.Process)
	if err != nil {
		return err
	}
	o := &libcontainer.ExecOptions{
		PIDFile: c.String("pid-file"), PidfdSocket: c.String("pidfd-socket"), PreserveFDs: c.Int("preserve-fds"),
		IgnorePaused: c.Bool("ignore-paused"), Seal: c.String("seal"),
	}
	if o.Cgroup, err = subCgroups(c.StringSlice("cgroup")); err != nil {
		return err
	}
	if path := c.String("console-socket"); path != "" {
		if !c.Bool("detach") {
			return errors.New("--console-socket: it takes --detach; without, the terminal is this one")
		}
		if o.ConsoleSocket, err = libcontainer.DialConsole(path); err != nil {
			return err
		}
		defer o.ConsoleSocket.Close()
	}
	if attendant == nil {
		e, err := container.Exec(p, config, o)
		if err != nil {
			return err
		}
		return e.Start()
	}
	return execForeground(container, p, config, o, attendant)
}

// execForeground runs the process as if it were a program of ours.
func execForeground(container *libcontainer.Container, p *specs.Process, config *libcontainer.Config, o *libcontainer.ExecOptions, attendant *libcontainer.Foreground) error {
	defer attendant.Close()
	if p.Terminal {
		var err error
		if o.ConsoleSocket, err = attendant.Console(); err != nil {
			return err
		}
		o.Foreground = true
	}
	e, err := container.Exec(p, config, o)
	if err != nil {
		return err
	}
	status, err := attendant.Attend(attended(e.PID, e.PidFD, e.Start, e.Abandon))
	if err != nil {
		return err
	}
	if status != 0 {
		return exitStatus(status)
	}
	return nil
}

// execProcess is the process that the command line describes; base is the container's own.
func execProcess(c *call, base *specs.Process) (*specs.Process, error) {
	p := &specs.Process{}
	if path := c.String("process"); path != "" {
		if len(c.args) > 1 {
			return nil, errors.New("--process: the command stands in the file, not on the command line")
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := specconv.Decode(raw, p); err != nil {
			return nil, specconv.LocateIn(path, raw, err)
		}
	} else {
		if len(c.args) < 2 {
			return nil, errors.New("exec args cannot be empty: neither a command nor --process is given")
		}
		*p = *base
		p.Args = c.args[1:]
		p.Terminal, p.ConsoleSize = false, nil
	}
	return p, applyExecFlags(c, p)
}

// applyExecFlags lets options prevail over the file or the container's process.
func applyExecFlags(c *call, p *specs.Process) error {
	if c.Bool("tty") {
		p.Terminal = true
	}
	for _, o := range []struct {
		name string
		to   *string
	}{{"cwd", &p.Cwd}, {"apparmor", &p.ApparmorProfile}, {"process-label", &p.SelinuxLabel}} {
		if value := c.String(o.name); value != "" {
			*o.to = value
		}
	}
	if c.IsSet("no-new-privs") {
		p.NoNewPrivileges = c.Bool("no-new-privs")
	}
	p.Env = append(p.Env[:len(p.Env):len(p.Env)], c.StringSlice("env")...)
	if caps := c.StringSlice("cap"); len(caps) > 0 {
		p.Capabilities = addCapabilities(p.Capabilities, caps)
	}
	if user := c.String("user"); user != "" {
		if err := parseUser(user, &p.User); err != nil {
			return fmt.Errorf("--user %q: %w", user, err)
		}
	}
	for _, text := range c.StringSlice("additional-gids") {
		gid, err := parseID(text)
		if err != nil {
			return fmt.Errorf("--additional-gids %q: %w", text, err)
		}
		p.User.AdditionalGids = append(p.User.AdditionalGids[:len(p.User.AdditionalGids):len(p.User.AdditionalGids)], gid)
	}
	return nil
}

// addCapabilities adds to all sets but the inheritable, which no command line may fill
// (CVE-2022-29162). Without that, the kernel takes no ambient ones either.
func addCapabilities(sets *specs.LinuxCapabilities, names []string) *specs.LinuxCapabilities {
	out := specs.LinuxCapabilities{}
	if sets != nil {
		out = *sets
	}
	add := func(set []string) []string { return append(set[:len(set):len(set)], names...) }
	out.Bounding, out.Effective, out.Permitted = add(out.Bounding), add(out.Effective), add(out.Permitted)
	if out.Inheritable != nil {
		out.Ambient = add(out.Ambient)
	}
	return &out
}

// parseUser takes UID[:GID]. Only numbers are users: names are the image's business, and
// nothing that merely begins like a number is one (CVE-2016-3697, CVE-2026-30892).
func parseUser(text string, user *specs.User) (err error) {
	uid, gid, both := strings.Cut(text, ":")
	if user.UID, err = parseID(uid); err != nil || !both {
		return err
	}
	user.GID, err = parseID(gid)
	return err
}

func parseID(text string) (uint32, error) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, errors.New("an id is a decimal number")
	}
	id, err := strconv.ParseUint(text, 10, 32)
	if err != nil || id == 1<<32-1 {
		return 0, errors.New("an id is a number below 4294967295")
	}
	return uint32(id), nil
}

// subCgroups takes the values of --cgroup: one path, or paths for v1 controllers.
func subCgroups(values []string) (map[string]string, error) {
	paths := make(map[string]string, len(values))
	for _, value := range values {
		controllers, path, named := strings.Cut(value, ":")
		if !named {
			if len(values) > 1 {
				return nil, fmt.Errorf("invalid --cgroup argument: %q (missing <controller>: prefix)", value)
			}
			return map[string]string{"": value}, nil
		}
		for controller := range strings.SplitSeq(controllers, ",") {
			if controller == "" {
				return nil, fmt.Errorf("invalid --cgroup argument: %q (empty <controller> prefix)", value)
			}
			if _, twice := paths[controller]; twice {
				return nil, fmt.Errorf("invalid --cgroup argument: controller %q specified multiple times", controller)
			}
			paths[controller] = path
		}
	}
	return paths, nil
}
