#!/usr/bin/env bats
# Another oci-run comes to a host with containers. The newer of the two is a build that writes the record's next version (make
# bin/oci-run-next); the one under test is the older, which that build has to read, and which can't read what that build writes.

load lib

setup_file() {
	OCI_RUN_NEXT=$(realpath "${OCI_RUN:-$BATS_TEST_DIRNAME/../../bin/oci-run}")-next
	[[ -x $OCI_RUN_NEXT ]] || skip "no $OCI_RUN_NEXT here (make bin/oci-run-next)"
	export OCI_RUN_NEXT
}

older() { oci-run "$@"; }
newer() { OCI_RUN=$OCI_RUN_NEXT oci-run "$@"; }

# made COMMAND ARG...: by one of them, with the container's output in a file.
made() { "$@" </dev/null >out 2>err || { local code=$?; cat err; return "$code"; }; }

# lives PID: it runs, and is not a zombie.
lives() { grep -qs '^State:.[^ZX]' "/proc/$1/status"; }

# by_init: the container's process is an oci-run init until its start, as it is for a user anyway, not a list of calls.
by_init() { config '.hooks.startContainer = [{"path": "/bin/true"}]'; }

@test "upgrade: a running container is told of, entered, changed, ended and deleted by the newer" {
	program sleep 1000
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}]}'
	made older run --detach "$id"
	local pid
	pid=$(pid_of "$id")
	[[ $(newer state "$id" | jq -r '.status, .pid' | xargs) == "running $pid" ]]
	[[ $(newer list -q) == "$id" ]]
	newer ps "$id" | grep -w "$pid"
	run -0 newer exec "$id" grep Seccomp: /proc/self/status
	output_has 2
	if makes_cgroups && has_controller pids; then
		newer update --pids-limit 77 "$id"
		[[ $(value pids pids.max pids.max) == 77 ]]
	fi
	if makes_cgroups && has_controller freezer; then
		newer pause "$id"
		is paused "$id"
		newer resume "$id"
	fi
	newer kill "$id" KILL
	eventually is stopped "$id"
	newer delete "$id"
	nothing_is_left
}

@test "upgrade: a created container is started by the newer, or deleted before" {
	program sleep 1000
	local way
	for way in list init; do
		[[ $way == list ]] || by_init
		made older create "$id"
		newer start "$id"
		[[ $(newer state "$id" | jq -r .status) == running ]]
		newer delete --force "$id"
		nothing_is_left
		made older create "$id"
		newer delete --force "$id"
		nothing_is_left
	done
}

@test "upgrade: the binary is replaced while containers wait for their start, and a run for its container's end" {
	local way
	for way in list init; do
		[[ $way == list ]] || by_init
		cp "$OCI_RUN" installed
		program sh -c 'until [ -e /dev/shm/end ]; do sleep 0.05; done; exit 7'
		"$bundle/installed" ${OCI_RUN_TEST_SYSTEMD:+--systemd-cgroup} --root "$state" run "$id" </dev/null >out 2>err 3>&- &
		local running=$!
		eventually is running "$id"
		[[ -n ${OCI_RUN_TEST_SYSTEMD:-} || -z $(jq -r '.linux.cgroupsPath // ""' config.json) ]] || config '.linux.cgroupsPath += "-2"'
		made env OCI_RUN_SESSION="$session" "$bundle/installed" ${OCI_RUN_TEST_SYSTEMD:+--systemd-cgroup} --root "$state" create "$id.2" 3>&-
		cp "$OCI_RUN_NEXT" installed.new
		mv installed.new installed
		"$bundle/installed" --root "$state" start "$id.2"
		[[ $("$bundle/installed" --root "$state" list --format json | jq -r '.[].status' | xargs) == "running running" ]]
		"$bundle/installed" --root "$state" exec "$id" touch /dev/shm/end
		local code=0
		wait "$running" || code=$?
		((code == 7))
		"$bundle/installed" --root "$state" delete --force "$id.2"
		nothing_is_left
		[[ $(jq -r '.linux.cgroupsPath // ""' config.json) != *-2 ]] || config '.linux.cgroupsPath |= .[:-2]'
	done
}

@test "downgrade: a container of the newer is refused with both versions, lives on, and is shown by name; delete --force ends it" {
	program sleep 1000
	config --arg out "$bundle/ran" '.hooks.poststop = [{"path": "/bin/sh", "args": ["sh", "-c", "cat >\($out)"]}]'
	local verb words pid
	made newer run --detach "$id"
	pid=$(newer state "$id" | jq .pid)
	for verb in "state $id" "start $id" "kill $id KILL" "exec $id true" "ps $id" "pause $id" "resume $id" "update --pids-limit 100 $id" \
		"events --stats $id" "wait $id" "delete $id" "kill --regex $id KILL"; do
		read -ra words <<<"$verb"
		run older "${words[@]}"
		((status)) || { echo "$verb: $output"; return 1; }
		output_has 'version 2 is above 1, the last that this oci-run knows: a newer oci-run has made the container'
		output_has "$id"
	done
	run -0 older list
	output_has 'version 2 is above 1'
	run ! older create "$id" # the name is taken
	output_has 'already exists'
	lives "$pid"
	[[ $(newer state "$id" | jq -r .status) == running ]]
	run -0 older delete --force "$id"
	output_has 'version 2 is above 1'
	[[ $(jq -r .id ran) == "$id" ]]
	run ! lives "$pid"
	nothing_is_left
}

@test "downgrade: a container of the newer that was not started, or has ended, is deleted by force" {
	program sleep 1000
	made newer create "$id"
	run -1 older start "$id"
	output_has 'version 2 is above 1'
	older delete --force "$id"
	nothing_is_left
	program true
	made newer run --detach "$id"
	ended() { [[ $(newer state "$id" | jq -r .status) == stopped ]]; }
	eventually ended
	run -1 older delete "$id"
	output_has 'version 2 is above 1'
	older delete --force "$id"
	nothing_is_left
}

@test "downgrade: containers of both stay apart, the older's own are managed" {
	program sleep 1000
	made older run --detach "$id"
	config 'if .linux.cgroupsPath then .linux.cgroupsPath += "-new" else . end'
	made newer run --detach "$id.new"
	[[ $(older list -q) == "$id" ]]
	[[ $(newer list -q | xargs) == "$id $id.new" ]]
	older delete --force "$id"
	newer delete --force "$id.new"
}
