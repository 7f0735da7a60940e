package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/internal/cli"
	"oci-run/libcontainer"
	"oci-run/specconv"
)

// execFailed is the exit status of an exec that did not get to run the program. All others
// are the program's.
const execFailed = 255

var execCommand = cli.Command{
	Name:      "exec",
	Usage:     "run another process in a container",
	Arguments: "ID COMMAND [ARG...]  or  --process FILE ID",
	Description: "Runs a command, or the process that FILE describes as config.json does, in the running container ID, and exits\n" +
		"with its status: 128 and the number of the signal if one ended it, 255 if it could not be run.\n" +
		"What neither FILE nor an option says is as in the container's own process.",
	Foreign: true, // what follows the ID are the command's options
	Options: [][]cli.Option{{
		{Name: "process", Alias: "p", Usage: "read the process from `FILE` (process of runtime-spec's config.json)"},
		{Name: "detach", Alias: "d", Kind: cli.Boolean, Usage: "do not wait for the process"},
		{Name: "pid-file", Usage: "write the pid of the process to `FILE`"},
		{Name: "tty", Alias: "t", Kind: cli.Boolean, Usage: "give the process a terminal"},
		{Name: "console-socket", Usage: "unix socket at `PATH` that gets the master of the terminal"},
		{Name: "pidfd-socket", Usage: "unix socket at `PATH` that gets a pidfd of the process"},
		{Name: "cwd", Usage: "working directory `DIR` in the container"},
		{Name: "env", Alias: "e", Kind: cli.Texts, Usage: "set the environment variable `NAME=VALUE`"},
		{Name: "user", Alias: "u", Usage: "run as `UID[:GID]`"},
		{Name: "additional-gids", Alias: "g", Kind: cli.Texts, Usage: "add the supplementary group `GID`"},
		{Name: "cap", Alias: "c", Kind: cli.Texts, ValuesOf: capabilityNames, Usage: "add the capability `NAME`"},
		{Name: "no-new-privs", Kind: cli.Boolean, Usage: "never gain privileges by executing a file"},
		{Name: "process-label", Usage: "SELinux `LABEL` of the process"},
		{Name: "apparmor", Usage: "AppArmor `PROFILE` of the process"},
		{Name: "cgroup", Kind: cli.Texts, Usage: "run in the cgroup `[CONTROLLER,...:]PATH` below the container's"},
		{Name: "preserve-fds", Kind: cli.Number, Value: "0", Usage: "hand the `N` fds from 3 on to the process"},
		{Name: "ignore-paused", Kind: cli.Boolean, Usage: "also in a paused container; the process runs when it is resumed"},
	}},
	Action: execAction,
	Next:   pausableIDs,
}

func execAction(c *cli.Call) error {
	err := joinContainer(c)
	if _, isStatus := errors.AsType[exitStatus](err); err == nil || isStatus {
		return err
	}
	return &runtimeError{fmt.Errorf("exec failed: %w", err), execFailed}
}

func joinContainer(c *cli.Call) error {
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
	p, file, err := execProcess(c, config.Process)
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
			return errors.New("--console-socket requires --detach")
		}
		if o.ConsoleSocket, err = libcontainer.DialConsole(path); err != nil {
			return err
		}
		defer o.ConsoleSocket.Close()
	}
	if attendant == nil {
		e, err := container.Exec(p, config, o)
		if err == nil {
			err = e.Start()
		}
		return locateExec(file, err)
	}
	return locateExec(file, execForeground(container, p, config, o, attendant))
}

// locateExec says where an error about the process has its origin: in the file, or, for a process
// that the command line describes, in the option that sets the field.
func locateExec(file *specconv.Document, err error) error {
	field, ok := errors.AsType[*specconv.FieldError](err)
	if file != nil || !ok || field.Error() != err.Error() {
		return file.Locate(err)
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(field.Pointer, "/"), "/")
	for _, o := range [...]struct{ field, option string }{
		{"cwd", "--cwd"}, {"env", "--env"}, {"apparmorProfile", "--apparmor"}, {"selinuxLabel", "--process-label"}, {"terminal", "--tty"},
	} {
		if o.field == name {
			return fmt.Errorf("%s: %w", o.option, field.Err)
		}
	}
	return err
}

// execForeground runs the process as if it were a program of ours.
func execForeground(container *libcontainer.Container, p *specs.Process, config *libcontainer.Config, o *libcontainer.ExecOptions, attendant *libcontainer.Foreground) error {
	defer attendant.Close()
	o.Interrupted = attendant.Interrupted
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
	end, err := attendant.Attend(attended(e.PID, e.PidFD, e.Start, e.Abandon))
	if err != nil {
		return err
	}
	return statusOf(end)
}

// execProcess is the process that the command line describes, and the file that it is in, if there
// is one; base is the container's own.
func execProcess(c *cli.Call, base *specs.Process) (p *specs.Process, file *specconv.Document, err error) {
	p = &specs.Process{}
	if path := c.String("process"); path != "" {
		if len(c.Args) > 1 {
			return nil, nil, errors.New("--process: the command comes from the file and can't be on the command line as well")
		}
		if file, err = readInput(path, "", nil, p); err != nil {
			return nil, nil, err
		}
	} else {
		if len(c.Args) < 2 {
			return nil, nil, errors.New("exec args cannot be empty: neither a command nor --process is given")
		}
		*p = specs.Process{Cwd: "/"}
		if base != nil {
			*p = *base
		}
		p.Args = c.Args[1:]
		p.Terminal, p.ConsoleSize = false, nil
	}
	return p, file, applyExecFlags(c, p)
}

// applyExecFlags lets options prevail over the file or the container's process.
func applyExecFlags(c *cli.Call, p *specs.Process) error {
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
