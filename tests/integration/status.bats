#!/usr/bin/env bats
# What is told of a container while something else happens to it, and where it can't be looked at.

load lib

# poll: the statuses of the container whose name is in the file current, until that is gone.
poll() {
	while [[ -e current ]]; do
		oci-run state "$(cat current)" | jq -r .status || true
	done 2>/dev/null >"$session/polled.$BASHPID"
	return 0
}

@test "a container is not stopped while create or run ends, whoever asks and however often" {
	program sleep 1000
	config 'del(.linux.cgroupsPath)' # each has one of its own
	local round pollers=()
	echo "$id.0" >current
	for _ in 1 2 3 4; do
		poll 3>&- &
		pollers+=($!)
	done
	for ((round = 0; round < 60; round++)); do
		echo "$id.$round" >current
		if ((round % 2)); then create "$id.$round"; else detached "$id.$round"; fi
	done
	rm current
	wait "${pollers[@]}"
	cat "$session"/polled.* >polled
	grep -qx -e created -e running polled
	run grep -c stopped polled
	output_is 0
}

@test "a live container is not stopped where /proc is missing: state, kill and delete --force say what they lack" {
	needs_root
	program sleep 1000
	detached "$id"
	blind() { unshare --mount sh -c 'mount -t tmpfs none /proc && exec "$@"' sh "$OCI_RUN" --root "$state" "$@" 3>&-; }
	for command in "state" "kill" "delete" "delete --force"; do
		# shellcheck disable=SC2086 # words
		run -1 blind $command "$id"
		output_has '/proc'
	done
	[[ $output != *'not running'* ]]
	is running "$id"
	run -0 blind list
	output_has '/proc'
	[[ $output != *stopped* ]]
}

@test "a directory below --root that is empty, or somebody else's, is not a container" {
	mkdir -p "$state/$id" "$state/foreign"
	echo precious >"$state/foreign/file"
	for name in "$id" foreign; do
		for command in state start kill pause events ps wait; do
			run -1 oci-run "$command" "$name"
			output_has 'container does not exist: the directory '
			output_has "$state/$name"
		done
	done
	run -0 oci-run list -q
	output_is ''
	oci-run delete "$id" # as after a create that was killed at once
	[[ ! -e $state/$id ]]
	mkdir "$state/$id"
	oci-run delete --force "$id"
	[[ ! -e $state/$id ]]
	oci-run delete --force foreign
	run -1 oci-run delete foreign
	[[ $(<"$state/foreign/file") == precious ]]
	ln -s foreign "$state/link"
	mkfifo "$state/fifo"
	for name in link fifo; do
		run -1 timeout 5 "$OCI_RUN" --root "$state" state "$name"
		output_has 'is not a directory'
		run -1 timeout 5 "$OCI_RUN" --root "$state" delete "$name"
	done
	rm -r "$state/foreign" "$state/link" "$state/fifo"
}

@test "start where --root can't be written to fails and leaves the container as it was" {
	needs_root
	program sh -c 'echo runs; sleep 1000'
	create "$id"
	read_only() { unshare --mount sh -c 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"' sh "$state" "$OCI_RUN" --root "$state" "$@" 3>&-; }
	for _ in 1 2; do
		run -1 read_only start "$id"
		output_has 'start.sock'
		output_has 'read-only file system'
		is created "$id"
	done
	oci-run start "$id"
	eventually says runs
	is running "$id"
}
