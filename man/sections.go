package main

// date is when what the pages say was last changed in substance.
const date = "2026-11-30"

const description = `oci-run is an OCI runtime: it makes containers from bundles, as the runtime specification of the Open Container
Initiative says, for container engines and for people at a terminal. A bundle is a directory with a config.json and a root
filesystem.

Options may stand in any order before the ID, as --name=value or --name value. The global options may stand before the command as
well as behind it.`

// term is an entry of a list.
type term struct{ name, text string }

// example is what can be typed, and what that does.
type example struct{ text, commands string }

// page is what --help doesn't say of a command.
type page struct {
	outputIntro string
	output      []term   // the fields of what is printed
	status      []term   // beside 0 and 1, or in their place
	environment []string // names in the table of variables, beside those of all commands
	examples    []example
}

// variables are those of the environment that oci-run looks at.
var variables = map[string]string{
	"XDG_RUNTIME_DIR": `The state of an ordinary user's containers is in $XDG_RUNTIME_DIR/oci-run, unless --root says otherwise; without the
variable it is /run/user/UID that counts, if that directory is the user's alone. The user's systemd is looked for below it too.`,
	"DBUS_SYSTEM_BUS_ADDRESS":  `The message bus at which root's systemd is asked for cgroups (--systemd-cgroup), in the place of the usual sockets.`,
	"DBUS_SESSION_BUS_ADDRESS": `The same for an ordinary user.`,
	"OCI_RUN_SEAL":             `The value of --seal where the command line has none.`,
	"OCI_RUN_TRACE":            `The value of --trace where the command line has none.`,
	"TRACEPARENT": `With --trace, the span that the command's spans belong to, in the form of W3C Trace Context. Hooks get one that names
their own span.`,
	"NOTIFY_SOCKET": `The socket on which a service manager is told that the container's program is ready, sd_notify(3). The program gets a
socket of its own for that, and what it reports is passed on.`,
	"LISTEN_FDS": `With LISTEN_PID and LISTEN_FDNAMES, sd_listen_fds(3): how many sockets, from descriptor 3 on, are handed to the
container's program.`,
	"HOME":            `The home directory of the user whose engine is configured.`,
	"XDG_CONFIG_HOME": `The directory of that user's configuration; without it, .config in HOME.`,
	"PATH":            `Where programs are looked for: newuidmap and newgidmap for a user's id mappings, ps, criu. Without it, the usual directories.`,
}

// always are the variables that each command looks at.
var always = []string{"XDG_RUNTIME_DIR", "OCI_RUN_TRACE", "TRACEPARENT"}

// making are those of the commands that make a container.
var making = []string{"OCI_RUN_SEAL", "NOTIFY_SOCKET", "LISTEN_FDS", "PATH", "DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS"}

// buses are those of the commands that may have to ask systemd.
var buses = []string{"DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS"}

var (
	success = term{"0", "Success."}
	failure = term{"1", "Failure; the reason is on standard error, and in the file of --log."}
)

// ofProcess is the exit status of the commands that stay with a container's process.
var ofProcess = []term{
	{"0 to 127", "That of the process, once it has been started. 1 is also that of a failure before that."},
	{"128 + N", "Signal N has ended the process: 137 is SIGKILL, 143 is SIGTERM."},
	{"255", "How the process ended is not known, because somebody else has reaped it."},
}

// annotations are those by which state and list tell of an end.
var annotations = []term{
	{"annotations.io.github.oci-run.exit.code", "The exit status of the process, or 128 and the signal."},
	{"annotations.io.github.oci-run.exit.signal", "The name of the signal that ended it, such as SIGKILL."},
	{"annotations.io.github.oci-run.exit.oom", `"true" if the kernel has killed a process of the container for want of memory.`},
}

// files is the section FILES of oci-run(8).
var files = []term{
	{"/run/oci-run/ID/", `The state of the container ID of root's. Nothing in it is meant for other programs: oci-run state and oci-run list tell what
is in it. A user's is in $XDG_RUNTIME_DIR/oci-run/ID/.`},
	{"config.json", "In the bundle: what the container is to be, as the specification's config.md describes it."},
}
