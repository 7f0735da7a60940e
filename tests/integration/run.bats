#!/usr/bin/env bats
# run: create, start, wait and delete in one.

load lib

@test "run shows the output, and deletes the container" {
	program echo hello
	run -0 oci-run run "$id"
	output_is hello
	run ! oci-run state "$id"
}

@test "run exits as the program did" {
	program sh -c 'exit 42'
	run -42 oci-run run "$id"
}

@test "run exits with 128 + n after signal n" {
	program sh -c 'kill -9 $$'
	config 'del(.linux.namespaces[] | select(.type == "pid"))' # the first of a pid namespace is immune to itself
	((EUID == 0)) || skip 'a shared pid namespace has no proc of its own without root'
	run -137 oci-run run "$id"
}

@test "standard input reaches the program" {
	program cat
	run -0 oci-run run "$id" < <(echo from outside)
	output_is 'from outside'
}

@test "standard output and standard error stay apart" {
	program sh -c 'echo one; echo two >&2'
	run -0 --separate-stderr oci-run run "$id"
	output_is one
	[[ $stderr == two ]]
}

@test "run passes signals on" {
	program sh -c "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done"
	"$OCI_RUN" --root "$state" run "$id" >out 2>err 3>&- &
	eventually says ready
	kill -TERM $!
	wait $! && code=0 || code=$?
	[[ $code == 3 ]]
	says bye
}

@test "run --detach returns while the container runs" {
	program sleep 1000
	detached --pid-file pid "$id"
	is running "$id"
	[[ $(cat pid) == "$(pid_of "$id")" ]]
}

@test "run --keep leaves the container stopped" {
	program true
	run -0 oci-run run --keep "$id"
	is stopped "$id"
	oci-run delete "$id"
}

@test "run deletes the container when it fails" {
	program /no/such/program
	run -1 oci-run run "$id"
	run ! oci-run state "$id"
}

# open_descriptors: a script that lists its own. (A glob would open one more.)
open_descriptors='
	open= fd=0
	while test $fd -lt 100; do test ! -e /proc/self/fd/$fd || open="$open $fd"; fd=$((fd + 1)); done
	echo $open'

@test "--preserve-fds hands descriptors on, and only those" {
	program sh -c "cat <&3; $open_descriptors"
	echo preserved >file
	run -0 bash -c '"$0" --root "$1" run --preserve-fds 1 "$2" 3<file 4<file' "$OCI_RUN" "$state" "$id"
	output_is $'preserved\n0 1 2 3'
}

@test "no descriptor of the caller reaches the container" {
	program sh -c "$open_descriptors"
	run -0 bash -c 'exec 5</ 17</etc/passwd; "$0" --root "$1" run "$2"' "$OCI_RUN" "$state" "$id"
	output_is '0 1 2'
}

@test "signals have their default actions, whatever the caller blocks or ignores" {
	program grep -E 'Sig(Blk|Ign):' /proc/self/status
	run -0 env --block-signal=USR2 --ignore-signal "$OCI_RUN" --root "$state" run "$id" 3>&-
	output_is $'SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000'
}

@test "the environment is the configuration's, and HOME is found in /etc/passwd" {
	config '.process.env = ["PATH=/bin", "COLOUR=red", "COLOUR=blue"]'
	program env
	run -0 env SECRET=caller "$OCI_RUN" --root "$state" run "$id"
	[[ $(sort <<<"$output") == $'COLOUR=blue\nHOME=/root\nPATH=/bin' ]]
}

@test "the working directory is made if it is missing" {
	config '.root.readonly = false | .process.cwd = "/made/for/this"'
	program pwd
	run -0 oci-run run "$id"
	output_is /made/for/this
}

@test "hostname and domainname are set" {
	config '.hostname = "box" | .domainname = "example.org"'
	program sh -c 'hostname; cat /proc/sys/kernel/domainname'
	run -0 oci-run run "$id"
	output_is $'box\nexample.org'
}

@test "the init process is not called oci-run" {
	program cat /proc/1/cmdline
	run -0 oci-run run "$id"
	output_is $'cat/proc/1/cmdline'
}

@test "--config takes another file than the bundle's, a pipe too" {
	program echo other
	mv config.json "$session/other.json"
	echo outer >data
	config_of() { jq "$1" "$session/other.json"; }
	run -1 oci-run run "$id"
	output_has 'config.json: no such file'
	cd "$session"
	run -0 oci-run run --bundle "$bundle" --config other.json "$id" # it is relative to where we are
	output_is other
	run -0 oci-run run -b bundle -f <(config_of '.process.args = ["cat", "/etc/data"] | .root.readonly = false
		| .mounts += [{destination: "/etc/data", source: "data", options: ["bind"]}]') "$id"
	output_is outer # what is in it is relative to the bundle
	config_of '.process.args = ["sleep", "100"]' >sleeps.json
	(cd bundle && create --config ../sleeps.json "$id")
	oci-run start "$id"
	oci-run exec "$id" true # by the configuration that it was created with
	[[ $(oci-run state "$id" | jq -r .bundle) == "$bundle" ]]
	oci-run delete --force "$id"
}

# later_error NAME FIELD FILTER: a container of a file NAME with FILTER's mistake is made, and the error of its start, or the warning of
# its delete, names the file and FIELD.
later_error() {
	local mistake
	jq "$3" sleeps.json >"$1"
	oci-run create --config "$1" "$id" </dev/null >/dev/null 2>&1
	mistake=$(oci-run start "$id" 2>&1 || true; oci-run delete --force "$id" 2>&1)
	[[ $mistake =~ $1:[0-9]+:[0-9]+': '$2': ' && $mistake != *config.json* ]] || { echo "$1: $mistake"; return 1; }
}

@test "what start and delete find wrong names the file of create's --config" {
	program sleep 100
	mv config.json sleeps.json
	printf 'no program' >rootfs/bin/junk && chmod +x rootfs/bin/junk
	later_error args.json /process/args/0 '.process.args = ["junk"]'
	later_error process.json /process 'del(.process)'
	later_error poststart.json /hooks/poststart/0 '.hooks.poststart = [{path: "/bin/false"}]'
	later_error hook.json /hooks/startContainer/0/path '.hooks.startContainer = [{path: "/bin/nosuch"}]'
	later_error poststop.json /hooks/poststop/0 '.hooks.poststop = [{path: "/bin/false"}]'
	mkfifo pipe
	jq '.hooks.poststart = [{path: "/bin/false"}]' sleeps.json >pipe &
	oci-run create --config pipe "$id" </dev/null >/dev/null 2>&1
	run -1 oci-run start "$id"
	[[ $output =~ pipe:[0-9]+:[0-9]+': /hooks/poststart/0: ' ]]
}

@test "an error of --config names that file and the place in it" {
	config '.process.args = []'
	mv config.json other.json
	run -1 oci-run run --config other.json "$id"
	output_has 'other.json:'
	output_has '/process/args'
	run -1 oci-run create --config other.json "$id"
	[[ $output =~ 'other.json:'[0-9]+:[0-9]+': /process/args: ' ]]
	[[ $output != *config.json* && ! -e $state/$id ]]
	# What only the start finds, and warnings, are about that file too.
	jq '.process.args = ["true"] | .linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["execve"], "action": "SCMP_ACT_ERRNO"}]}
		| .process.capabilities.bounding = ["CAP_NONE"]' other.json >refusing.json
	run -1 oci-run run --config refusing.json "$id"
	[[ $output =~ 'refusing.json:'[0-9]+:[0-9]+': /linux/seccomp/syscalls/0/action: ' ]]
	[[ $output =~ 'refusing.json:'[0-9]+:[0-9]+': /process/capabilities/bounding/0: ' && $output != *config.json* ]]
	cp refusing.json other.json
	create --config other.json "$id"
	rm other.json # its text was kept
	run -1 oci-run start "$id"
	[[ $output =~ 'other.json:'[0-9]+:[0-9]+': /linux/seccomp/syscalls/0/action: ' && $output != *config.json* ]]
	oci-run delete "$id"
	run -1 oci-run create --config missing.json "$id"
	output_has 'missing.json: no such file or directory'
	run -1 oci-run create --config rootfs "$id"
	output_has 'read \"rootfs\": not a regular file'
}
