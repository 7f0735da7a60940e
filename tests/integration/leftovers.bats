#!/usr/bin/env bats
# Nothing is left: the end of each session looks for processes, cgroups, mounts and state; these make it hard.

load lib

@test "a creation that fails late leaves nothing" {
	config --arg script "echo created >$bundle/created; exit 1" \
		'.hooks.createContainer = [{"path": "/bin/sh", "args": ["sh", "-c", $script]}]'
	program sleep 1000
	run -1 create "$id"
	[[ -e created ]]
	nothing_is_left
}

# cgroup v1 holds even SIGKILL back.
@test "a creation that fails with its container frozen ends, and leaves nothing" {
	needs_root
	needs_cgroup freezer
	local file value way
	if v2; then file=$(cgroup freezer)/cgroup.freeze value=1; else file=$(cgroup freezer)/freezer.state value=FROZEN; fi
	program sleep 1000
	for way in createRuntime createContainer; do # a list of calls makes the first, oci-run init the second
		config --arg script "echo $value >$file; exit 3" '.hooks = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", $script]}]}'
		[[ $way == createRuntime ]] || config '.hooks.createContainer = [{"path": "/bin/true"}]'
		run timeout 20 "$OCI_RUN" ${OCI_RUN_TEST_SYSTEMD:+--systemd-cgroup} --root "$state" create "$id" </dev/null 3>&-
		((status == 1)) || { echo "exit status $status: $output"; return 1; }
		output_has '/hooks/createRuntime/0'
		nothing_is_left
	done
}

@test "a creation that is killed at any time can be deleted" {
	program sleep 1000
	for delay in 0.000 0.002 0.004 0.006 0.008 0.010 0.015 0.020 0.030; do
		"$OCI_RUN" --root "$state" create "$id" </dev/null >out 2>err 3>&- &
		sleep "$delay"
		kill -KILL $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		oci-run delete --force "$id"
		nothing_is_left
	done
}

@test "a run that is killed can be deleted" {
	program sleep 1000
	"$OCI_RUN" --root "$state" run "$id" </dev/null >out 2>err 3>&- &
	eventually is running "$id"
	kill -KILL $!
	wait $! 2>/dev/null || true
	oci-run delete --force "$id"
	nothing_is_left
}

@test "the container outlives the process that created it" {
	program sleep 1000
	create "$id"
	oci-run start "$id"
	sleep 0.1
	is running "$id"
}

@test "no descriptor of oci-run is open in the container" {
	program sh -c 'for fd in /proc/1/fd/*; do readlink $fd; done; echo these; exec sleep 1000'
	create "$id"
	oci-run start "$id"
	eventually grep these out
	[[ $(wc -l <out) == 4 ]]
}

@test "what is run a hundred times leaves nothing" {
	program true
	for ((i = 0; i < 100; i++)); do
		oci-run run "$id"
	done
	nothing_is_left
}

@test "half a pid file of a command that was killed is in nobody's way" {
	program sleep 1000
	echo 12 >.pid # may as well be somebody's
	echo 12 >.oci-run.1.0
	create --pid-file "$bundle/pid" "$id"
	[[ $(<pid) == "$(pid_of "$id")" && $(<.pid) == 12 && $(echo .oci-run.*) == .oci-run.1.0 ]]
}
