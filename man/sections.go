package main

const description = `oci\-run is an OCI runtime: it makes containers from bundles, as the runtime specification of the Open Container
Initiative says, for container engines and for people at a terminal. A bundle is a directory with a config.json and a root
filesystem.
.PP
Options may stand in any order before the ID, as \-\-name=value or \-\-name value.`

// sections are what --help doesn't say, in the order in which they stand on their page.
var sections = []struct{ page, heading, text string }{
	{"oci-run", "EXIT STATUS", `0 on success, 1 on failure. run, and exec in the foreground, end with the status of the container's process:
128 + N if signal N killed it. exec ends with 255 if the process could not be started.`},
	{"oci-run", "ENVIRONMENT", `.TP
.B XDG_RUNTIME_DIR
where the state of containers is kept for an ordinary user: $XDG_RUNTIME_DIR/oci\-run.
.TP
.B NOTIFY_SOCKET
the socket on which a service manager is told that the container's program is ready, sd_notify(3).
.TP
.B LISTEN_FDS
how many sockets are handed to the container's program, sd_listen_fds(3).`},
	{"oci-run", "FILES", `.TP
.B /run/oci\-run/ID/
the state of the container ID. Nothing in it is meant for other programs: oci\-run state and oci\-run list tell what is in it.
.TP
.B config.json
in the bundle: what the container is to be.`},
}
