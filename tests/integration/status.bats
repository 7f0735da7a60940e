#!/usr/bin/env bats
# What is told of a container while something else happens to it, and where it can't be looked at.

load lib

# name ID: of the container that others are to ask for.
name() { echo "$1" >current.new && mv current.new current; }

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
	name "$id.0"
	for _ in 1 2 3 4; do
		poll 3>&- &
		pollers+=($!)
	done
	for ((round = 0; round < 60; round++)); do
		name "$id.$round"
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

@test "a container is created while its startContainer hooks run, for start and run, and running after them" {
	program sleep 1000
	cat >rootfs/hook <<-'HOOK'
		#!/bin/sh
		cat >/tmp/state
		: >/tmp/begun
		while [ ! -e /tmp/go ]; do sleep 0.05; done
	HOOK
	chmod 755 rootfs/hook
	chmod 777 rootfs/tmp
	config '.root.readonly = false | .hooks.startContainer = [{"path": "/hook"}]'
	for verb in start run; do
		rm -f rootfs/tmp/*
		[[ $verb == run ]] || create "$id"
		if [[ $verb == run ]]; then detached "$id" & else oci-run start "$id" & fi
		eventually test -e rootfs/tmp/begun
		is created "$id"
		[[ $(jq -r .status rootfs/tmp/state) == created ]]
		oci-run exec "$id" true
		oci-run kill "$id" 0
		touch rootfs/tmp/go
		wait $!
		is running "$id"
		oci-run delete --force "$id"
	done
}

@test "the start of a container with startContainer hooks that is killed is not undone, and ends with them" {
	program sleep 1000
	printf '#!/bin/sh\n: >/tmp/begun\nwhile [ ! -e /tmp/go ]; do sleep 0.05; done\n' >rootfs/hook
	chmod 755 rootfs/hook
	chmod 777 rootfs/tmp
	config '.root.readonly = false | .hooks.startContainer = [{"path": "/hook"}]'
	create "$id"
	"$OCI_RUN" ${OCI_RUN_TEST_SYSTEMD:+--systemd-cgroup} --root "$state" start "$id" 3>&- &
	eventually test -e rootfs/tmp/begun
	kill -9 $!
	wait $! || true
	is created "$id"
	run -1 oci-run start "$id"
	output_has 'being started'
	run -1 oci-run delete "$id"
	output_has 'being started'
	touch rootfs/tmp/go
	eventually is running "$id"
}

@test "nothing is executed in a container before it is one, whoever asks for it while run is under way" {
	program sleep 1000
	config 'del(.linux.cgroupsPath)'
	local round pollers=()
	echo inside >rootfs/mark
	name "$id.0"
	ask() {
		local asked
		while asked=$(cat current 2>/dev/null); do
			oci-run exec "$asked" cat /mark || true
		done >"$session/asked.$BASHPID" 2>&1
		return 0
	}
	for _ in 1 2 3; do
		ask 3>&- &
		pollers+=($!)
	done
	for ((round = 0; round < 40; round++)); do
		name "$id.$round"
		detached "$id.$round"
	done
	rm current
	wait "${pollers[@]}"
	cat "$session"/asked.* >asked
	grep -qx inside asked
	run grep -m 3 -v -e '^inside$' -e 'being created' -e 'does not exist' asked
	output_is ''
}
