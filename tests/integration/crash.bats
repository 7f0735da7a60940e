#!/usr/bin/env bats
# Killed half-way: a build that kills itself with SIGKILL at the step that OCI_RUN_CRASH names (make bin/oci-run-crash).

load lib

setup_file() {
	OCI_RUN_CRASHY=$(realpath "${OCI_RUN:-$BATS_TEST_DIRNAME/../../bin/oci-run}")-crash
	[[ -x $OCI_RUN_CRASHY ]] || skip "no $OCI_RUN_CRASHY here (make bin/oci-run-crash)"
	export OCI_RUN_CRASHY
}

# crash STEP ARG...: run a command that dies at the step.
crash() {
	local step=$1 code=0
	shift
	OCI_RUN_CRASH=$step "$OCI_RUN_CRASHY" --root "$state" "$@" </dev/null >out 2>err 3>&- || code=$?
	((code == 137)) || { echo "$* at $step: exit status $code"; cat err; return 1; }
}

# Each point is recovered from twice: at once, and after init has had the time to go its way.
recover() {
	oci-run list
	oci-run list -q
	oci-run delete --force "$id"
	nothing_is_left
}

@test "create, killed at each step, is undone by delete --force" {
	program sleep 1000
	config --arg out "$bundle/poststop" '.hooks.poststop = [{"path": "/bin/sh", "args": ["sh", "-c", "echo ran >>\($out)"]}]'
	for step in reserved intent cgroup cloned spawn confine serve commit; do
		for pause in 0 0.1; do
			crash "$step" create --pid-file "$bundle/pid" "$id"
			sleep "$pause"
			recover
			rm -f pid
		done
	done
}

@test "create, killed at each step, leaves a stopped container or none that can be started by mistake" {
	program sleep 1000
	for step in intent cgroup cloned spawn confine serve; do
		crash "$step" create "$id"
		eventually is stopped "$id"
		run -1 oci-run start "$id"
		run -1 oci-run kill "$id" KILL
		output_has 'container not running'
		oci-run delete "$id"
		nothing_is_left
	done
}

@test "the same, with a user namespace" {
	needs_root
	program sleep 1000
	config '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] |
		.linux.gidMappings = .linux.uidMappings'
	chown -R 100000:100000 rootfs
	for step in reserved intent cgroup cloned spawn confine serve commit; do
		crash "$step" create "$id"
		recover
	done
}

@test "start, killed before it is irrevocable, leaves the container to be started" {
	program sleep 1000
	create "$id"
	crash connect start "$id"
	is created "$id"
	oci-run start "$id"
	is running "$id"
}

@test "start, killed later, leaves a container that has stopped" {
	program sleep 1000
	for step in announce unlink; do
		create "$id"
		crash "$step" start "$id"
		eventually is stopped "$id"
		run -1 oci-run start "$id"
		output_has 'cannot start a container that has stopped'
		oci-run delete "$id"
		nothing_is_left
	done
}

@test "delete, killed at each step, can be repeated" {
	program sleep 1000
	for step in ended poststop; do
		create "$id"
		oci-run start "$id"
		crash "$step" delete --force "$id"
		oci-run list
		recover
	done
}
