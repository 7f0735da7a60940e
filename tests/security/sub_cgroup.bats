#!/usr/bin/env bats
# A cgroup's path that leads upwards takes a process, or the whole container, out of its limits: run.oci.delegate-cgroup and
# exec --cgroup of crun before 1.29, runc #3403.

load lib

setup() {
	session_setup
	needs_root
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
}
