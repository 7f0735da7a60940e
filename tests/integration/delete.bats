#!/usr/bin/env bats
# delete: what may be deleted when, and that nothing is left.

load lib

@test "a running container isn't deleted" {
	program sleep 1000
	create "$id"
	oci-run start "$id"
	run -1 oci-run delete "$id"
	output_has 'not stopped'
	is running "$id"
}

@test "a container that has just been killed is deleted" {
	program sleep 1000
	for _ in {1..5}; do
		detached "$id"
		oci-run kill "$id" KILL
		oci-run delete "$id"
	done
}

@test "--force kills first" {
	program sleep 1000
	create "$id"
	oci-run start "$id"
	pid=$(pid_of "$id")
	run -0 oci-run delete --force "$id"
	output_is ''
	eventually gone "$pid"
	run ! oci-run state "$id"
}

@test "--force deletes a container that was never started" {
	program sleep 1000
	create "$id"
	run -0 oci-run delete --force "$id"
	output_is ''
}

@test "--force says nothing of a container that there isn't" {
	run -0 oci-run delete --force "$id"
	output_is ''
	run -1 oci-run delete "$id"
	output_has 'does not exist'
}

@test "all processes go with the container" {
	program sh -c 'sleep 1000 & sleep 1000 & echo ready; wait'
	create "$id"
	oci-run start "$id"
	eventually says ready
	oci-run delete --force "$id"
	no_processes
}

@test "processes in a shared pid namespace go too" {
	needs_root
	config 'del(.linux.namespaces[] | select(.type == "pid"))'
	program sh -c 'sleep 1000 & setsid sleep 1000 & echo ready; wait'
	create "$id"
	oci-run start "$id"
	eventually says ready
	oci-run delete --force "$id"
	no_processes
}

@test "cgroups that the container made below its own go too" {
	needs_cgroup
	config '.linux.namespaces |= map(select(.type != "cgroup")) + [{"type": "cgroup"}]
		| (.mounts[] | select(.type == "cgroup")).options -= ["ro"]'
	program sh -c 'for d in /sys/fs/cgroup/ /sys/fs/cgroup/*/; do mkdir $d/below 2>/dev/null; done; echo ready; exec sleep 1000'
	create "$id"
	oci-run start "$id"
	eventually says ready
	oci-run delete --force "$id"
}

@test "the state of a creation that was cut short can be deleted" {
	program sleep 1000
	create "$id"
	kill -KILL "$(pid_of "$id")"
	eventually is stopped "$id"
	run -0 oci-run delete "$id"
}
