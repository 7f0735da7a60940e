#!/usr/bin/env bats
# wait: how a container ended, for somebody who is not its parent.

load lib

@test "wait prints the exit status" {
	program sh -c 'sleep 0.3; exit 7'
	detached "$id"
	run -0 oci-run wait "$id"
	output_is 7
}

@test "wait --status exits with it" {
	program sh -c 'sleep 0.3; exit 7'
	detached "$id"
	run -7 oci-run wait --status "$id"
}

@test "wait tells of the signal" {
	program sleep 1000
	detached "$id"
	(sleep 0.3; oci-run kill "$id" KILL) &
	run -0 oci-run wait --format json "$id"
	output_is "{\"id\":\"$id\",\"exitCode\":137,\"signal\":\"SIGKILL\",\"oom\":false}"
}

@test "wait tells that memory ran out" {
	needs_root
	[[ -e /sys/fs/cgroup/memory/tasks || $(cat /sys/fs/cgroup/cgroup.controllers 2>/dev/null) == *memory* ]] || skip 'no memory controller here'
	program sh -c 'sleep 0.2; x=$(yes | head -c 100000000)'
	config '.linux.resources.memory = {limit: 20000000, swap: 20000000}'
	detached "$id"
	run -0 oci-run wait --format json "$id"
	output_has '"oom":true'
}

@test "wait for a container that was not started waits for that too" {
	program sh -c 'exit 3'
	create "$id"
	"$OCI_RUN" --root "$state" wait "$id" >waited 3>&- &
	sleep 0.1
	oci-run start "$id"
	wait $!
	[[ $(cat waited) == 3 ]]
}

@test "wait for nobody" {
	run -1 oci-run wait nosuchcontainer
	output_has 'does not exist'
}

# ending ID: what the state of a container tells of its end.
ending() { oci-run state "$1" | jq -c '.annotations // {} | with_entries(select(.key | startswith("io.github.oci-run.exit.")) | .key |= ltrimstr("io.github.oci-run.exit."))'; }

@test "how a container ended is told after the fact: by run --keep" {
	program sh -c 'exit 7'
	config '.annotations = {"org.example.colour": "blue", "io.github.oci-run.exit.code": "0"}'
	run -7 oci-run run --keep "$id"
	[[ $(ending "$id") == '{"code":"7"}' ]]
	[[ $(oci-run state "$id" | jq -r '.annotations["org.example.colour"]') == blue ]]
	run -0 oci-run wait --format json "$id"
	output_is "{\"id\":\"$id\",\"exitCode\":7,\"oom\":false}"
	run -7 oci-run wait --status "$id"
	[[ $(oci-run list --format json | jq -r '.[0].annotations["io.github.oci-run.exit.code"]') == 7 ]]
	run -0 --separate-stderr oci-run state "$id"
	[[ -z $stderr ]]
}

@test "how a container ended is told after the fact: by wait" {
	program sleep 1000
	detached "$id"
	[[ $(ending "$id") == '{}' ]] # not before
	oci-run kill "$id" KILL & # somebody else than who waits
	run -0 oci-run wait "$id"
	output_is 137
	[[ $(ending "$id") == '{"code":"137","signal":"SIGKILL"}' ]]
	run -0 oci-run wait "$id"
	output_is 137
	oci-run delete "$id"
	detached "$id" # another of the same name knows nothing of it
	[[ $(ending "$id") == '{}' ]]
}

@test "how a container ended is told by the kernel until it is reaped, and by nobody after that" {
	program sleep 1000
	"$OCI_RUN" --root "$state" ${OCI_RUN_TEST_SYSTEMD:+--systemd-cgroup} run --keep "$id" </dev/null >out 2>err 3>&- &
	local runner=$!
	eventually is running "$id"
	kill -STOP "$runner" # it reaps nobody
	oci-run kill "$id" KILL
	eventually is stopped "$id"
	[[ ! -e $state/$id/end.json && $(ending "$id") == '{"code":"137","signal":"SIGKILL"}' ]]
	kill -CONT "$runner"
	wait "$runner" || [[ $? == 137 ]]
	[[ -e $state/$id/end.json && $(ending "$id") == '{"code":"137","signal":"SIGKILL"}' ]]
	oci-run delete "$id"

	program true
	create "$id"
	oci-run start "$id"
	eventually is stopped "$id"
	eventually gone_for_good
	[[ $(ending "$id") == '{}' ]]
	run -1 oci-run wait "$id"
	output_has 'has stopped; its exit status is no longer available'
}

# gone_for_good: somebody has reaped the container's process, so that the kernel tells nothing.
gone_for_good() { [[ ! -e /proc/$(jq .init.pid "$state/$id/state.json") ]]; }

@test "that memory ran out is told after the fact, even if nobody saw the end" {
	needs_cgroup memory
	program tail /dev/zero # which it keeps, as there is no line in it
	config '.linux.resources.memory = {limit: 20000000, swap: 20000000}'
	run oci-run run --keep "$id"
	((status == 137)) || { echo "$status: $output"; return 1; }
	[[ $(ending "$id") == '{"code":"137","oom":"true","signal":"SIGKILL"}' ]]
	run -0 oci-run wait --format json "$id"
	output_has '"oom":true'
	rm "$state/$id/end.json"
	[[ $(ending "$id") == '{"oom":"true"}' ]]
	run -1 oci-run wait "$id"
	output_has 'but the kernel has killed a process of it for want of memory'
}

@test "what was kept of an end and is damaged does not keep the state from being told" {
	program true
	run -0 oci-run run --keep "$id"
	echo '{' >"$state/$id/end.json"
	[[ $(status_of "$id") == stopped && $(ending "$id") == '{}' ]]
	run -1 oci-run wait "$id"
	output_has end.json
}
