#!/usr/bin/env bats
# Hooks: when they run, what they get, and what happens when one fails.

load lib

# hook KIND SCRIPT: add a hook that runs a script, with bash where it runs on the host.
hook() {
	config --arg kind "$1" --arg script "$2" \
		'.hooks[$kind] += [{"path": "/bin/sh", "args": ["sh", "-c", $script], "env": ["PATH=/usr/bin:/bin:/usr/sbin:/sbin"]}]'
}

@test "hooks run in their order" {
	for kind in prestart createRuntime createContainer poststart poststop; do
		hook "$kind" "echo $kind >>$bundle/order"
	done
	hook startContainer 'echo startContainer >>/order'
	program sh -c 'echo program >>/order'
	config '.root.readonly = false'

	create "$id"
	[[ $(cat order) == $'prestart\ncreateRuntime\ncreateContainer' ]]
	oci-run start "$id"
	eventually is stopped "$id"
	[[ $(cat rootfs/order) == $'startContainer\nprogram' ]]
	oci-run delete "$id"
	[[ $(cat order) == $'prestart\ncreateRuntime\ncreateContainer\npoststart\npoststop' ]]
}

@test "a hook gets the state on its standard input" {
	hook createRuntime "cat >$bundle/created"
	hook poststop "cat >$bundle/stopped"
	config '.annotations = {"colour": "blue"}'
	program true
	run -0 oci-run run "$id"
	[[ $(jq -r '.id, .status, .bundle, .annotations.colour' created) == "$id"$'\ncreating\n'"$bundle"$'\nblue' ]]
	[[ $(jq .pid created) -gt 0 ]]
	[[ $(jq -r '.id, .status' stopped) == "$id"$'\nstopped' ]]
}

@test "a hook that hangs ends with a create that is killed" {
	local create
	hook createRuntime "echo \$\$ >$bundle/new && mv $bundle/new $bundle/hook && exec sleep 1000"
	"$OCI_RUN" --root "$state" create "$id" </dev/null >/dev/null 2>&1 3>&- &
	create=$!
	eventually test -s hook
	kill -0 "$(<hook)"
	{ kill -KILL "$create" && wait "$create"; } 2>/dev/null || true
	eventually ended "$(<hook)"
	oci-run delete --force "$id"
}

@test "a hook that leaves the container frozen makes create fail, and not hang" {
	needs_cgroup freezer
	local dir
	dir=$(cgroup freezer)
	if v2; then hook createRuntime "echo 1 >$dir/cgroup.freeze"; else hook createRuntime "echo FROZEN >$dir/freezer.state"; fi
	run -1 timeout 20 "$OCI_RUN" --root "$state" create "$id" </dev/null 3>&-
	output_has "the hooks have left the container's cgroup frozen"
	run ! oci-run state "$id"
}

# ended PID: there is no such process, or it waits to be reaped.
ended() { [[ $(ps -o stat= -p "$1") == @(|Z*) ]]; }

@test "a hook has its own environment and nothing else" {
	hook createRuntime "cat /proc/self/environ >$bundle/environment"
	config '.hooks.createRuntime[0].env += ["COLOUR=blue"] | .process.env += ["LD_PRELOAD=/evil.so"]'
	program true
	SECRET=caller run -0 oci-run run "$id"
	tr '\0' '\n' <environment >lines
	grep -x COLOUR=blue lines
	run ! grep -E 'evil|SECRET|HOME|OCI_RUN_SESSION' lines
}

@test "a hook without an environment has the runtime's, in the runtime's namespaces" {
	local kind
	for kind in prestart createRuntime createContainer poststart poststop; do
		config --arg kind "$kind" --arg to "$bundle/$kind" \
			'.hooks[$kind] = [{"path": "/bin/sh", "args": ["sh", "-c", "/bin/cat /proc/self/environ >\($to)"]},
				{"path": "/bin/sh", "args": ["sh", "-c", "/bin/cat /proc/self/environ >\($to).empty"], "env": []}]'
	done
	config '.hooks.startContainer = [{"path": "/bin/sh", "args": ["sh", "-c", "/bin/cat /proc/self/environ >/startContainer"]},
			{"path": "/bin/sh", "args": ["sh", "-c", "/bin/cat /proc/self/environ >/startContainer.empty"], "env": []}]
		| .root.readonly = false | .process.env += ["COLOUR=blue"]'
	program true
	CALLER=us create "$id"
	CALLER=us GOMAXPROCS=3 oci-run start "$id"
	eventually is stopped "$id"
	CALLER=us oci-run delete "$id"
	for kind in prestart createRuntime poststart poststop; do
		grep -qzx CALLER=us "$kind"
		grep -qzx "PATH=$PATH" "$kind"
		# The runtime sets that for itself (internal/entry), unless its caller has.
		[[ $(grep -cz GOMAXPROCS "$kind") == "$([[ $kind == poststart ]] && echo 1 || echo 0)" ]]
		run ! grep -z CALLER "$kind.empty"
	done
	grep -qzx GOMAXPROCS=3 poststart
	run ! grep -Ez 'CALLER|GOMAXPROCS' createContainer
	grep -qzx COLOUR=blue rootfs/startContainer
	run ! grep -Ez 'CALLER|COLOUR' rootfs/startContainer.empty createContainer.empty
}

@test "a hook in the container has the caller's limits" {
	hook createContainer "ulimit -Sn >$bundle/limit"
	hook startContainer 'ulimit -Sn >/limit'
	config 'del(.process.rlimits) | .root.readonly = false'
	program true
	run -0 bash -c 'ulimit -Sn 123; exec "$0" --root "$1" run "$2"' "$OCI_RUN" "$state" "$id"
	run -0 cat limit rootfs/limit
	output_is $'123\n123'
}

@test "createRuntime runs in the runtime's namespaces, createContainer in the container's" {
	hook createRuntime "readlink /proc/self/ns/mnt >$bundle/runtime"
	hook createContainer "readlink /proc/self/ns/mnt >$bundle/container"
	program sleep 1000
	create "$id"
	[[ $(cat runtime) == "$(readlink /proc/self/ns/mnt)" ]]
	[[ $(cat container) == "$(readlink "/proc/$(pid_of "$id")/ns/mnt")" ]]
}

@test "a failed hook ends the creation, with its name and its last words" {
	for kind in prestart createRuntime createContainer; do
		rm config.json
		make_config
		program true
		hook "$kind" true
		hook "$kind" 'echo these are my last words >&2; exit 3'
		run -1 create "$id"
		output_has "error running $kind hook #1:"
		output_has 'these are my last words'
		run ! oci-run state "$id"
	done
}

@test "a failed startContainer hook ends the start" {
	hook startContainer 'echo last words >&2; exit 3'
	program echo hello
	create "$id"
	run -1 oci-run start "$id"
	output_has 'error running startContainer hook #0:'
	run ! says hello
}

@test "a start that fails has ended the container" {
	needs_cgroup cpu
	hook startContainer 'exit 3'
	program true
	# Between its last word and its end, init waits for a CPU now and then.
	config '.linux.resources.cpu = {"quota": 1000, "period": 100000}'
	for _ in {1..12}; do
		create "$id"
		run -1 oci-run start "$id"
		output_has 'error running startContainer hook #0:'
		is stopped "$id"
		run -0 oci-run delete "$id"
		output_is ''
	done
}

@test "a failed poststart hook destroys the container" {
	local how
	program sleep 1000
	for how in create run; do
		rm -f config.json stopped
		make_config
		program sleep 1000
		hook poststart 'exit 3'
		hook poststop "cat >$bundle/stopped"
		if [[ $how == create ]]; then
			create "$id"
			pid=$(pid_of "$id")
			run -1 oci-run start "$id"
			eventually gone "$pid"
		else
			run -1 oci-run run "$id"
		fi
		output_has 'error running poststart hook #0:'
		run ! grep -F 'does not exist' <<<"$output"
		[[ $(jq -r .status stopped) == stopped ]]
		[[ -z $(find /sys/fs/cgroup -name "*$id*" 2>/dev/null) ]]
		run -1 oci-run state "$id"
		output_has 'does not exist'
	done
}

@test "a failed poststop hook is a warning" {
	hook poststop 'exit 3'
	program true
	create "$id"
	oci-run start "$id"
	eventually is stopped "$id"
	run -0 oci-run delete "$id"
	[[ $output =~ 'config.json:'[0-9]+:[0-9]+': /hooks/poststop/0: error running poststop hook #0: ' ]]
}

@test "a hook that isn't there" {
	config '.hooks.createRuntime = [{"path": "/no/such/hook"}]'
	run -1 create "$id"
	output_has 'createRuntime hook #0'
	output_has 'no such file or directory'
}

@test "a hook that takes too long is killed with all it started" {
	config '.hooks.createRuntime = [{"path": "/bin/sh", "args": ["sh", "-c", "sleep 1000 & sleep 1000"],
		"env": ["PATH=/usr/bin:/bin", "OCI_RUN_SESSION='"$session"'"], "timeout": 1}]'
	run -1 create "$id"
	output_has 'createRuntime hook #0'
	no_processes
}

@test "a hook that has left its process group is killed when its time is up" {
	command -v python3 >/dev/null || skip 'no python3 here'
	local kind
	for kind in createRuntime createContainer poststop; do
		rm config.json
		make_config
		program true
		config --arg kind "$kind" --arg mark "OCI_RUN_SESSION=$session" '.hooks[$kind] = [{"path": "/usr/bin/env", "args": ["env", "python3", "-c",
			"import os, time; os.setpgid(0, os.getpgid(os.getppid())); time.sleep(1000)"], "env": ["PATH=/usr/bin:/bin", $mark], "timeout": 1}]'
		run oci-run run "$id"
		output_has "$kind hook #0"
		output_has 'timed out after 1s'
		no_processes
	done
}
