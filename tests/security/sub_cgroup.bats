#!/usr/bin/env bats
# A cgroup's path that leads upwards takes a process, or the whole container, out of its limits: run.oci.delegate-cgroup and
# exec --cgroup of crun before 1.29, runc #3403.

load lib

setup() {
	needs_root
	session_setup
	program sleep 1000
}

@test "exec --cgroup stays below the container's cgroup" {
	background "$id"
	for path in .. ../.. ../../.. /.. /../.. a/../.. ./.. a/../../b /../"$id"-other nowhere /nowhere pids:.. pids:/../.. : :.. nosuch:/ \
		$'a\n' "$(printf 'x%.0s' {1..300})"; do
		run oci-run exec --cgroup "$path" "$id" cat /proc/self/cgroup
		[[ $status != 0 ]] || { echo "$path: $output"; false; }
	done
	run -0 oci-run exec "$id" true
}

@test "cgroupsPath stays below the root of cgroups" {
	for path in ../../../../../../../../oci-run-tests-escape /oci-run-tests/../../../../../oci-run-tests-escape \
		../oci-run-tests-escape /../../oci-run-tests-escape/x; do
		config --arg path "$path" '.linux.cgroupsPath = $path'
		run create "$id"
		[[ ! -e /oci-run-tests-escape && ! -e /sys/oci-run-tests-escape && ! -e /sys/fs/oci-run-tests-escape ]]
		oci-run delete --force "$id" 2>/dev/null || true
		find /sys/fs/cgroup -depth -type d -name 'oci-run-tests-escape*' -exec rmdir {} + 2>/dev/null || true
	done
	config '.linux.cgroupsPath = "/oci-run-tests/x\u0000/y"'
	run -1 create "$id"
	output_has '/linux/cgroupsPath: has a NUL byte in it'
}

@test "cgroups that are deeper than a path can be are found and removed" {
	# In the container that takes a cgroup mount that can be written to. All that matters here is that they are there.
	config '.linux.namespaces |= map(select(.type != "pid"))' # so that only the cgroups tell of its processes
	background "$id"
	leaf=$(find /sys/fs/cgroup/devices -path "*/oci-run-tests-$id" 2>/dev/null || true)
	[[ -n $leaf ]] || leaf=$(find /sys/fs/cgroup -path "*/oci-run-tests-$id" | head -1)
	name=$(printf 'x%.0s' {1..100})
	(
		cd "$leaf" || exit
		for ((i = 0; i < 60; i++)); do
			mkdir "$name" && cd -P "$name" || exit
		done
		OCI_RUN_SESSION='' sleep 1000 3>&- &
		echo $! >"$session/deep"
		echo $! >cgroup.procs
	)
	run -0 oci-run ps -f json "$id"
	output_has "$(cat "$session/deep")"
	oci-run delete --force "$id"
	# Whoever has to may not have reaped it yet.
	run ! grep '^State:.[^ZX]' "/proc/$(cat "$session/deep")/status"
	nothing_is_left
}
