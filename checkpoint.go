package main

import (
	"context"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"oci-run/libcontainer/criu"
)

func checkpointCommand() *cli.Command {
	return &cli.Command{
		Name:      "checkpoint",
		Usage:     "write a running container to files",
		ArgsUsage: "ID",
		Description: "Has CRIU write the processes of a running container to files, from which restore makes it again, and deletes\n" +
			"the container unless it is to be left running.",
		DisableSliceFlagSeparator: true,
		Flags: append(criuFlags(),
			&cli.StringFlag{Name: "parent-path", Usage: "images of an earlier --pre-dump, a `DIR` relative to --image-path"},
			&cli.BoolFlag{Name: "leave-running", Usage: "leave the container running"},
			&cli.BoolFlag{Name: "pre-dump", Usage: "write the memory only, for a later checkpoint with --parent-path; the container goes on"},
			&cli.BoolFlag{Name: "tcp-skip-in-flight", Usage: "leave out TCP connections that are not established yet"},
			&cli.BoolFlag{Name: "link-remap", Usage: "link files that were unlinked while in use back to a name"},
			&cli.IntFlag{Name: "status-fd", Value: -1, Usage: "write a zero byte to the `FD` when --lazy-pages is ready to serve"},
			&cli.StringFlag{Name: "page-server", Usage: "send the memory to, or with --lazy-pages serve it at, `ADDRESS:PORT`"},
		),
		Action: checkpoint,
	}
}

// criuFlags are the options that checkpoint and restore have in common.
func criuFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "image-path", Usage: "`DIR` of the container's files", Value: "checkpoint"},
		&cli.StringFlag{Name: "work-path", Usage: "`DIR` for logs and other files of CRIU's (default: that of --image-path)"},
		&cli.BoolFlag{Name: "tcp-established", Usage: "include established TCP connections"},
		&cli.BoolFlag{Name: "ext-unix-sk", Usage: "allow unix sockets that are connected to the outside"},
		&cli.BoolFlag{Name: "shell-job", Usage: "allow a session or a terminal of the outside"},
		&cli.BoolFlag{Name: "file-locks", Usage: "include file locks"},
		&cli.StringFlag{Name: "manage-cgroups-mode", Usage: "what to do about cgroups: soft, full, strict or ignore (default: soft)"},
		&cli.StringSliceFlag{Name: "empty-ns", Usage: "leave what is in this `NAMESPACE` out; can only be network, which always is"},
		&cli.BoolFlag{Name: "auto-dedup", Usage: "punch holes into images of earlier pre-dumps where memory is no longer needed"},
		&cli.BoolFlag{Name: "lazy-pages", Usage: "leave memory out, to be served when the restored container needs it"},
	}
}

// criuOptions are what those flags say.
func criuOptions(c *cli.Command) (criu.Options, error) {
	images, err := filepath.Abs(c.String("image-path"))
	return criu.Options{
		Images: images, Work: c.String("work-path"), StatusFD: -1,
		TCPEstablished: c.Bool("tcp-established"), ExtUnixSockets: c.Bool("ext-unix-sk"), ShellJob: c.Bool("shell-job"),
		FileLocks: c.Bool("file-locks"), AutoDedup: c.Bool("auto-dedup"), LazyPages: c.Bool("lazy-pages"),
		ManageCgroups: c.String("manage-cgroups-mode"), EmptyNS: c.StringSlice("empty-ns"),
	}, err
}

func checkpoint(_ context.Context, c *cli.Command) error {
	if _, err := onlyID(c); err != nil {
		return err
	}
	o, err := criuOptions(c)
	if err != nil {
		return err
	}
	o.Parent, o.PageServer, o.StatusFD = c.String("parent-path"), c.String("page-server"), c.Int("status-fd")
	o.LeaveRunning, o.PreDump = c.Bool("leave-running"), c.Bool("pre-dump")
	o.TCPSkipInFlight, o.LinkRemap = c.Bool("tcp-skip-in-flight"), c.Bool("link-remap")
	container, err := load(c)
	if err != nil {
		return err
	}
	return container.Checkpoint(&o)
}
