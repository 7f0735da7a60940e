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
