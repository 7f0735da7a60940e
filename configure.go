package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/cli"
	"oci-run/internal/configure"
	"oci-run/libcontainer"
)

var configureCommand = cli.Command{
	Name:      "configure",
	Usage:     "hand this binary to an engine: docker, podman, containerd, crio, buildah or nerdctl",
	Arguments: "ENGINE",
	Description: "Adds the runtime to the engine's configuration, as root to the system's, as a user to the user's own. Shows the change, keeps\n" +
		"comments and order, and leaves what was there before in a file beside it. A file that isn't understood isn't changed. What has to\n" +
		"read the configuration again is told, not restarted.",
	Options: [][]cli.Option{{
		{Name: "config", Usage: "`FILE` of the engine's configuration (default: where the engine looks for it)"},
		{Name: "name", Value: "oci-run", Usage: "`NAME` that the engine has for the runtime"},
		{Name: "binary", Usage: "`PATH` of the runtime (default: this binary)"},
		{Name: "default", Kind: cli.Boolean, Usage: "have the engine use it where no other runtime is asked for"},
		{Name: "remove", Kind: cli.Boolean, Usage: "take it out of the configuration"},
		{Name: "dry-run", Kind: cli.Boolean, Usage: "show the change and write nothing"},
		{Name: "host", Usage: "`DIR` where the host's root directory is mounted: copy this binary to there as well (default of --binary: " + installed + ")"},
		{Name: "stay", Kind: cli.Boolean, Usage: "then wait for SIGTERM or SIGINT"},
	}},
	Action: configureEngine,
	Next:   engineCandidates,
}

// installed is where `make install` puts the binary.
const installed = "/usr/local/sbin/oci-run"

func configureEngine(c *cli.Call) error {
	if len(c.Args) != 1 {
		return fmt.Errorf("%q takes an engine, one of %s; there are %d arguments", c.Verb, strings.Join(configure.Engines(), ", "), len(c.Args))
	}
	var end chan os.Signal
	if c.Bool("stay") { // as pid 1 of a container it would not get them otherwise
		end = make(chan os.Signal, 1)
		signal.Notify(end, unix.SIGTERM, unix.SIGINT)
	}
	r, err := request(c)
	if err != nil {
		return err
	}
	if err := apply(c, r); err != nil {
		return fmt.Errorf("configure %s: %w", r.Engine, err)
	}
	if end != nil {
		<-end
	}
	return nil
}

// request is what the command line asks for.
func request(c *cli.Call) (*configure.Request, error) {
	driver, err := cgroupDriver(c)
	if err != nil {
		return nil, err
	}
	r := &configure.Request{
		Engine: c.Args[0], Config: c.String("config"), Name: c.String("name"), Binary: c.String("binary"), Host: c.String("host"),
		Default: c.Bool("default"), Remove: c.Bool("remove"), Systemd: driver == libcontainer.DriverSystemd,
	}
	if r.Default && r.Remove {
		return nil, errors.New("--default and --remove exclude each other")
	}
	if r.Config != "" {
		if r.Config, err = filepath.Abs(r.Config); err != nil {
			return nil, err
		}
	}
	if r.Host != "" {
		if r.Host, err = filepath.Abs(r.Host); err != nil {
			return nil, err
		}
	}
	if err := whose(r); err != nil {
		return nil, err
	}
	return r, runtimePath(r)
}

// whose decides whose configuration it is.
func whose(r *configure.Request) error {
	if os.Geteuid() == 0 || r.Config != "" || r.Host != "" {
		return nil
	}
	if r.User = os.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(r.User) { // the specification has any other ignored
		return nil
	}
	home := os.Getenv("HOME")
	if !filepath.IsAbs(home) {
		return fmt.Errorf("HOME is %q, must be an absolute path: the configuration of a user is below it", home)
	}
	r.User = filepath.Join(home, ".config")
	return nil
}

// runtimePath makes the path of the runtime absolute. Without one it is this binary's.
func runtimePath(r *configure.Request) (err error) {
	switch {
	case r.Binary != "":
		r.Binary, err = filepath.Abs(r.Binary)
		return err
	case r.Host != "":
		r.Binary = installed
		return nil
	}
	if r.Binary, err = os.Readlink("/proc/self/exe"); err == nil && strings.HasSuffix(r.Binary, " (deleted)") {
		return fmt.Errorf("this binary is not in a file any more (%q); give --binary", r.Binary)
	}
	return err
}

// apply plans a change, shows it and makes it.
func apply(c *cli.Call, r *configure.Request) error {
	change, err := configure.Plan(r)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(c.Out, change.Diff()); err != nil {
		return err
	}
	var lines []string
	if !c.Bool("dry-run") {
		if lines, err = write(r, change); err != nil {
			return err
		}
	} else if change.Changes() {
		lines = append(lines, "Nothing is written, because of --dry-run.")
	}
	if change.Path() != "" && !change.Changes() {
		lines = append(lines, change.Path()+" needs no change.")
	}
	if change.Changes() || !r.Remove {
		lines = append(lines, change.Next()...)
	}
	_, err = io.WriteString(c.Out, strings.Join(lines, "\n")+"\n")
	return err
}

// write makes a change, and tells what has been written.
func write(r *configure.Request, change *configure.Change) (lines []string, err error) {
	if r.Host != "" && !r.Remove {
		copied, err := configure.Install(r.Host, "/proc/self/exe", r.Binary)
		if err != nil {
			return nil, err
		}
		if copied {
			lines = append(lines, "Wrote "+r.Binary+".")
		}
	}
	backup, err := change.Write()
	switch {
	case err != nil:
		return lines, err
	case backup != "":
		lines = append(lines, "Wrote "+change.Path()+"; what was there before is in "+strings.TrimPrefix(backup, r.Host)+".")
	case change.Changes() && r.Remove:
		lines = append(lines, "Removed "+change.Path()+".")
	case change.Changes():
		lines = append(lines, "Wrote "+change.Path()+".")
	}
	return lines, nil
}

func engineCandidates(c *cli.Call) (list []cli.Candidate) {
	if len(c.Args) > 0 {
		return nil
	}
	for _, name := range configure.Engines() {
		list = append(list, cli.Candidate{Word: name})
	}
	return list
}
