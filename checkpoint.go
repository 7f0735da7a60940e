package main

import (
	"path/filepath"

	"oci-run/libcontainer"
)

var checkpointCommand = command{
	name:      "checkpoint",
	usage:     "write a running container to files",
	arguments: "ID",
	description: "Has CRIU write the processes of a running container to files, from which restore makes it again, and deletes\n" +
		"the container unless it is to be left running.",
	options: [][]option{criuOptions, {
		{name: "parent-path", usage: "images of an earlier --pre-dump, a `DIR` relative to --image-path"},
		{name: "leave-running", kind: boolean, usage: "leave the container running"},
		{name: "pre-dump", kind: boolean, usage: "write the memory only, for a later checkpoint with --parent-path; the container goes on"},
		{name: "tcp-skip-in-flight", kind: boolean, usage: "leave out TCP connections that are not established yet"},
		{name: "link-remap", kind: boolean, usage: "link files that were unlinked while in use back to a name"},
		{name: "status-fd", kind: number, value: "-1", usage: "write a zero byte to the `FD` when --lazy-pages is ready to serve"},
		{name: "page-server", usage: "send the memory to, or with --lazy-pages serve it at, `ADDRESS:PORT`"},
	}},
	action: checkpoint,
}

// criuOptions are the options that checkpoint and restore have in common.
var criuOptions = []option{
	{name: "image-path", usage: "`DIR` of the container's files", value: "checkpoint"},
	{name: "work-path", usage: "`DIR` for logs and other files of CRIU's (default: that of --image-path)"},
	{name: "tcp-established", kind: boolean, usage: "include established TCP connections"},
	{name: "ext-unix-sk", kind: boolean, usage: "allow unix sockets that are connected to the outside"},
	{name: "shell-job", kind: boolean, usage: "allow a session or a terminal of the outside"},
	{name: "file-locks", kind: boolean, usage: "include file locks"},
	{name: "manage-cgroups-mode", usage: "what to do about cgroups: soft, full, strict or ignore (default: soft)"},
	{name: "empty-ns", kind: texts, usage: "leave what is in this `NAMESPACE` out; can only be network, which always is"},
	{name: "auto-dedup", kind: boolean, usage: "punch holes into images of earlier pre-dumps where memory is no longer needed"},
	{name: "lazy-pages", kind: boolean, usage: "leave memory out, to be served when the restored container needs it"},
}

// readCRIUOptions tells what those say.
func readCRIUOptions(c *call) (libcontainer.CheckpointOptions, error) {
	images, err := filepath.Abs(c.String("image-path"))
	return libcontainer.CheckpointOptions{
		Images: images, Work: c.String("work-path"), StatusFD: -1,
		TCPEstablished: c.Bool("tcp-established"), ExtUnixSockets: c.Bool("ext-unix-sk"), ShellJob: c.Bool("shell-job"),
		FileLocks: c.Bool("file-locks"), AutoDedup: c.Bool("auto-dedup"), LazyPages: c.Bool("lazy-pages"),
		ManageCgroups: c.String("manage-cgroups-mode"), EmptyNS: c.StringSlice("empty-ns"),
	}, err
}

func checkpoint(c *call) error {
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
