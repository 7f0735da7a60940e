package main

import (
	"path/filepath"

	"oci-run/internal/cli"
	"oci-run/libcontainer"
)

var checkpointCommand = cli.Command{
	Name:      "checkpoint",
	Usage:     "write a running container to files",
	Arguments: "ID",
	Description: "Has CRIU write the processes of a running container to files, from which restore makes it again, and deletes\n" +
		"the container unless it is to be left running.",
	Options: [][]cli.Option{criuOptions, {
		{Name: "parent-path", Usage: "images of an earlier --pre-dump, a `DIR` relative to --image-path"},
		{Name: "leave-running", Kind: cli.Boolean, Usage: "leave the container running"},
		{Name: "pre-dump", Kind: cli.Boolean, Usage: "write the memory only, for a later checkpoint with --parent-path; the container goes on"},
		{Name: "tcp-skip-in-flight", Kind: cli.Boolean, Usage: "leave out TCP connections that are not established yet"},
		{Name: "link-remap", Kind: cli.Boolean, Usage: "link files that were unlinked while in use back to a name"},
		{Name: "status-fd", Kind: cli.Number, Value: "-1", Usage: "write a zero byte to the `FD` when --lazy-pages is ready to serve"},
		{Name: "page-server", Usage: "send the memory to, or with --lazy-pages serve it at, `ADDRESS:PORT`"},
	}},
	Action: checkpoint,
	Next:   checkpointableIDs,
}

// criuOptions are the options that checkpoint and restore have in common.
var criuOptions = []cli.Option{
	{Name: "image-path", Usage: "`DIR` of the container's files", Value: "checkpoint"},
	{Name: "work-path", Usage: "`DIR` for logs and other files of CRIU's (default: that of --image-path)"},
	{Name: "tcp-established", Kind: cli.Boolean, Usage: "include established TCP connections"},
	{Name: "ext-unix-sk", Kind: cli.Boolean, Usage: "allow unix sockets that are connected to the outside"},
	{Name: "shell-job", Kind: cli.Boolean, Usage: "allow a session or a terminal of the outside"},
	{Name: "file-locks", Kind: cli.Boolean, Usage: "include file locks"},
	{Name: "manage-cgroups-mode", Values: []string{"soft", "full", "strict", "ignore"}, Usage: "how to treat cgroups, a `MODE`: soft, full, strict or ignore (default: soft)"},
	{Name: "empty-ns", Kind: cli.Texts, Values: []string{"network"}, Usage: "leave what is in this `NAMESPACE` out; can only be network, which always is"},
	{Name: "auto-dedup", Kind: cli.Boolean, Usage: "punch holes into images of earlier pre-dumps where memory is no longer needed"},
	{Name: "lazy-pages", Kind: cli.Boolean, Usage: "leave memory out, to be served when the restored container needs it"},
}

// readCRIUOptions tells what those say.
func readCRIUOptions(c *cli.Call) (libcontainer.CheckpointOptions, error) {
	images, err := filepath.Abs(c.String("image-path"))
	return libcontainer.CheckpointOptions{
		Images: images, Work: c.String("work-path"), StatusFD: -1,
		TCPEstablished: c.Bool("tcp-established"), ExtUnixSockets: c.Bool("ext-unix-sk"), ShellJob: c.Bool("shell-job"),
		FileLocks: c.Bool("file-locks"), AutoDedup: c.Bool("auto-dedup"), LazyPages: c.Bool("lazy-pages"),
		ManageCgroups: c.String("manage-cgroups-mode"), EmptyNS: c.StringSlice("empty-ns"),
	}, err
}

func checkpoint(c *cli.Call) error {
	if _, err := onlyID(c); err != nil {
		return err
	}
	o, err := readCRIUOptions(c)
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
