package main

// pages are all of them, by the name of the command; "" is oci-run itself.
var pages = map[string]page{
	"": {
		status:      []term{success, failure, {"other", "run, exec, restore, wait and check have more; their pages tell."}},
		environment: making,
		examples: []example{
			{"Run a shell in a root filesystem:", "mkdir -p bundle && cd bundle\nmkdir rootfs && docker export $(docker create busybox) | tar -xC rootfs\noci-run spec\nsudo oci-run run shell"},
			{"Do the same step by step, as an engine does it:", "sudo oci-run create --bundle . --pid-file pid one\nsudo oci-run start one\nsudo oci-run kill one KILL\nsudo oci-run delete one"},
		},
	},
	"check": {
		outputIntro: `A line for each finding, such as "config.json:41:17: /process/args: must have at least one entry", and the sum. A warning says that it
is one. With --json, an object:`,
		output: []term{
			{"bundle, config", "The directory, and the name of the configuration."},
			{"faults, warnings", "How many there are."},
			{"findings[].severity", `"fault" if the container can't be made, or isn't what the configuration says; "warning" if it can, but may not be what was meant.`},
			{"findings[].pointer", "The property, as a JSON pointer (RFC 6901)."},
			{"findings[].line, column", "Its place, from 1; missing if the document is a single line."},
			{"findings[].message", "What is the matter."},
		},
		status: []term{
			{"0", "Nothing is wrong; there may be warnings."},
			{"1", "There is a fault, or check itself failed."},
			{"2", "There are warnings and no fault, with --strict."},
		},
		environment: []string{"PATH", "DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS"},
		examples: []example{
			{"See what is the matter with a bundle:", "oci-run check --bundle ."},
			{"Tell what this host has, for a report of a problem:", "oci-run check"},
		},
	},
	"checkpoint": {
		environment: append([]string{"PATH"}, buses...),
		examples: []example{
			{"Write a container to files, and go on with it elsewhere:", "oci-run checkpoint --image-path /srv/images one\noci-run restore --image-path /srv/images --bundle /srv/bundle --detach one"},
			{"Copy the memory beforehand, so that the container stands still for less time:", "oci-run checkpoint --pre-dump --image-path /srv/before one\noci-run checkpoint --parent-path ../before --image-path /srv/images one"},
		},
	},
	"configure": {
		outputIntro: `The change in the unified format of diff(1), which patch(1) reads; nothing if there is none. Then what has been written, and
what is left to do: what makes the engine read its configuration again, and how the runtime is used then. The file that was there before is in the
one with .before-oci-run behind its name; if that would lie in a directory whose files are all read (crio.conf.d), in the directory above.`,
		environment: []string{"HOME", "XDG_CONFIG_HOME"},
		examples: []example{
			{"See what Docker would get, and then give it:", "oci-run configure docker --dry-run\nsudo oci-run configure docker\nsudo systemctl reload docker"},
			{"Have a user's Podman use it for all containers:", "oci-run configure podman --default"},
			{"Take it out of containerd's configuration:", "sudo oci-run configure containerd --remove\nsudo systemctl restart containerd"},
		},
	},
	"create": {
		environment: making,
		examples: []example{
			{"Make a container whose program waits for start:", "oci-run create --bundle /srv/bundle --pid-file /run/one.pid one"},
			{"Try a change of the configuration:", "oci-run create --config <(jq '.linux.resources.pids.limit = 20' config.json) one"},
		},
	},
	"delete": {
		environment: buses,
		examples: []example{
			{"Remove what is left of a container that has stopped:", "oci-run delete one"},
			{"End and remove all containers of a test:", "oci-run delete --force --regex '^test-'"},
		},
	},
	"events": {
		outputIntro: `A JSON object on each line. What the kernel does not count is 0 or missing: the names are those that runc gives to the counters
of cgroup v1, and the ones of v2 are given in the same.`,
		output: []term{
			{"type", `"stats" for statistics, "oom" when the kernel has killed a process of the container for want of memory.`},
			{"id", "The container's ID."},
			{"data.cpu.usage", "total, kernel and user: CPU time in nanoseconds. percpu, percpu_kernel and percpu_user: the same for each processor (v1)."},
			{"data.cpu.throttling", "periods, throttledPeriods: how often the quota applied, and was used up; throttledTime: nanoseconds lost by that."},
			{"data.cpu.burst", "periods: how often more than the quota was used; time: nanoseconds of that."},
			{"data.cpuset", "The files of cpuset (v1): cpus and mems as lists of numbers, and its switches."},
			{"data.memory.usage", "usage, max (the peak) and limit in bytes; failcnt: how often the limit was met. swap, kernel and kernelTCP have the same."},
			{"data.memory.cache", "Bytes of the page cache."},
			{"data.memory.raw", "Every line of memory.stat."},
			{"data.memory.events", "What of memory.events (v2) or memory.oom_control (v1) is not 0, such as oom_kill."},
			{"data.pids", "current: processes and threads; limit: how many there may be, missing if any number."},
			{"data.blkio", "Lists of counters by block device (major, minor) and operation (op): ioServiceBytesRecursive in bytes, ioServicedRecursive in requests, and others of v1."},
			{"data.hugetlb", "By the size of huge pages: usage and max in bytes, failcnt."},
			{"data.rdma, data.misc", "Objects of RDMA devices, and scalar resources, with their limits (rdma) and events (misc)."},
			{"data.intel_rdt", "Counters of the container's resctrl group, if it has one."},
			{"psi of cpu, memory and blkio", `Pressure (v2): in "some" and "full", the percentages of the last 10, 60 and 300 seconds (avg10, avg60, avg300) in which
some process, or all of them, waited; total in microseconds.`},
			{"data.network_interfaces", "Always null: engines make the interfaces."},
		},
		examples: []example{
			{"Read the counters once:", "oci-run events --stats one | jq .data.memory.usage.usage"},
			{"Wait until memory has run out:", "oci-run events one | grep -m1 '\"oom\"'"},
		},
	},
	"exec": {
		status: []term{
			{"0 to 127", "That of the process. With --detach, 0 once it has been started."},
			{"128 + N", "Signal N has ended the process."},
			{"255", "The process could not be started, or how it ended is not known."},
		},
		environment: []string{"OCI_RUN_SEAL"},
		examples: []example{
			{"Look around in a container:", "oci-run exec --tty one sh"},
			{"Run a command as another user, with a capability more:", "oci-run exec --user 1000:1000 --cap CAP_NET_RAW one ping -c1 192.0.2.1"},
			{"Run what a file describes:", "oci-run exec --process process.json --detach --pid-file pid one"},
		},
	},
	"features": {
		outputIntro: "A JSON object as features.md of the specification describes it. With --host it has these annotations too:",
		output: []term{
			{"io.github.oci-run.host.kernel", "Release and machine of the kernel."},
			{"io.github.oci-run.host.cgroup.mode", "v1, v2 or hybrid."},
			{"io.github.oci-run.host.cgroup.controllers", "The controllers that the kernel has."},
			{"io.github.oci-run.host.cgroup.limits", "Those that the caller can set limits with."},
			{"io.github.oci-run.host.namespaces", "The kinds of namespaces that the kernel has."},
			{"io.github.oci-run.host.seccomp.actions, .flags", "What the kernel's filters know."},
			{"io.github.oci-run.host.apparmor.enabled, .selinux.enabled", "true or false."},
			{"io.github.oci-run.host.criu", "The version of CRIU, or why there is none."},
			{"io.github.oci-run.host.instead.N", "What is done otherwise here than where everything is there."},
		},
		environment: []string{"PATH", "DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS"},
		examples: []example{
			{"See which mount options there are:", "oci-run features | jq -r '.mountOptions[]'"},
			{"See what this host has:", "oci-run features --host | jq .annotations"},
		},
	},
	"kill": {
		environment: nil,
		examples: []example{
			{"Ask a container to end, and make it:", "oci-run kill one TERM\noci-run kill one KILL"},
			{"Have several read their configuration again:", "oci-run kill --regex '^web-[0-9]+$' HUP"},
		},
	},
	"list": {
		outputIntro: `A table of ID, PID (0 if it has stopped), STATUS, BUNDLE, CREATED and OWNER. On a terminal, of ID, PID, STATUS with the end of
one that has stopped, AGE, OWNER and BUNDLE. With --format json, an array of what state prints, null if there is no directory of containers.`,
		examples: []example{
			{"See which containers there are:", "oci-run list"},
			{"Print the IDs of those that run:", "oci-run list --format json | jq -r '.[] | select(.status == \"running\") | .id'"},
		},
	},
	"pause": {
		examples: []example{{"Let a container stand still while its files are copied:", "oci-run pause one\ncp -a /srv/volume /srv/copy\noci-run resume one"}},
	},
	"plan": {
		outputIntro: `For people, a section for each subject. With --json, an object with the same, of which these may need a word:`,
		output: []term{
			{"way, why", `"list" if the container's process is a list of system calls from its beginning, "init" if it is oci-run, executed again; and the reason.`},
			{"cgroup.files[]", "path and value of what is written, the field that it comes from (a JSON pointer), and when."},
			{"converted[]", "Values that the kernel gets in another form than the configuration has, such as shares as a weight."},
			{"mounts[].resolved", "What the source leads to over symbolic links, if that is another path."},
			{"capabilities", "The sets as /proc/PID/status shows them."},
			{"hooks[].when", "The moment and the namespaces in which the hook runs."},
			{"calls[]", "The system calls of the process in the order of its list, those that others go around among them; what an error would be called (purpose), and errors that are expected (tolerates)."},
		},
		environment: making,
		examples: []example{
			{"See what a create would do:", "oci-run plan --bundle ."},
			{"Compare two bundles:", "diff <(oci-run plan -b one) <(oci-run plan -b other)"},
		},
	},
	"ps": {
		outputIntro: "The table of ps(1), without the lines of other processes. With --format json, an array of pids.",
		environment: []string{"PATH"},
		examples: []example{
			{"List the processes of a container:", "oci-run ps one"},
			{"Choose the columns:", "oci-run ps one -eo pid,stat,args"},
		},
	},
	"restore": {
		status:      ofProcess,
		environment: append([]string{"PATH", "NOTIFY_SOCKET"}, buses...),
		examples:    []example{{"Go on with a container that was written to files:", "oci-run restore --image-path /srv/images --bundle /srv/bundle --detach one"}},
	},
	"resume": {
		examples: []example{{"Let a paused container go on:", "oci-run resume one"}},
	},
	"run": {
		status:      ofProcess,
		environment: making,
		examples: []example{
			{"Run a container in the foreground:", "oci-run run --bundle /srv/bundle one"},
			{"Keep it, to see how it ended:", "oci-run run --keep one\noci-run state one\noci-run delete one"},
		},
	},
	"spec": {
		outputIntro: "Nothing; config.json is written, and none is overwritten.",
		examples: []example{
			{"Write a configuration, and change the program in it:", "oci-run spec\njq '.process.args = [\"sleep\", \"60\"] | .process.terminal = false' config.json >new && mv new config.json"},
			{"Write one for a container without root:", "oci-run spec --rootless"},
		},
	},
	"start": {
		environment: []string{"NOTIFY_SOCKET"},
		examples:    []example{{"Have a created container execute its program:", "oci-run start one"}},
	},
	"state": {
		outputIntro: "A JSON object:",
		output: append([]term{
			{"ociVersion", "The version of the specification that config.json names."},
			{"id", "The container's ID."},
			{"pid", "Its process, as the caller sees it; 0 if it has stopped."},
			{"status", "creating, created, running, paused or stopped."},
			{"bundle, rootfs", "The absolute paths of the bundle and the root filesystem."},
			{"created", "When it was made, RFC 3339."},
			{"owner", "The user who made it."},
			{"annotations", `Those of config.json. Of a container that has stopped, these tell how it ended: as wait or run --keep saw it, or as the
kernel tells until its parent has reaped the process. They are missing if nobody knows.`},
		}, annotations...),
		examples: []example{
			{"Ask for the status:", "oci-run state one | jq -r .status"},
			{"Ask how it ended:", "oci-run state one | jq '.annotations[\"io.github.oci-run.exit.code\"]'"},
		},
	},
	"top": {
		outputIntro: "A table:",
		output: []term{
			{"CPU%", "Of one processor, since the table before."},
			{"MEMORY, LIMIT", "Bytes in use, without the file cache that the kernel would drop first, and their limit."},
			{"PIDS", "Processes and threads, and their limit."},
			{"READ/s, WRITE/s", "Bytes from and to block devices, since the table before."},
			{"CPU-PSI, MEM-PSI, IO-PSI", "Pressure of the last ten seconds: data.cpu.psi.some.avg10 of events, and so on (cgroup v2)."},
		},
		examples: []example{
			{"Watch all containers:", "oci-run top"},
			{"Print one table of two, by memory:", "oci-run top --count 1 --sort memory one other"},
		},
	},
	"update": {
		environment: buses,
		examples: []example{
			{"Change the limits of a container that runs:", "oci-run update --memory 512M --pids-limit 100 one"},
			{"The same by a file of linux.resources:", "echo '{\"pids\": {\"limit\": 100}}' | oci-run update --resources - one"},
		},
	},
	"wait": {
		outputIntro: "The exit status, on a line. With --format json, an object:",
		output: []term{
			{"id", "The container's ID."},
			{"exitCode", "The exit status, or 128 and the signal."},
			{"signal", "The name of the signal that ended the process; missing if none did."},
			{"oom", "true if that was SIGKILL, and the kernel has killed for want of memory meanwhile."},
		},
		status: []term{
			{"0", "The container has ended. With --status, it has ended with 0."},
			{"1", `Failure: there is no such container, or nobody knows how it ended. wait itself knows if it saw the end before the
parent reaped the process, or on Linux 6.15 or newer, and keeps it for the next.`},
			{"other", "With --status, the exit status of the container."},
		},
		examples: []example{
			{"Do something when a container has ended:", "oci-run wait one && echo 'it has ended'"},
			{"Ask whether memory ran out:", "oci-run wait --format json one | jq .oom"},
		},
	},
}
