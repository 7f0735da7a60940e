#!/usr/bin/env bats
# Resource limits of processes.

load lib

@test "limits are the configuration's" {
	config '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
		{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}, {"type": "RLIMIT_CPU", "soft": 50, "hard": 60}]'
	program cat /proc/self/limits
	run -0 oci-run run "$id"
	[[ $output =~ Max\ open\ files\ +100\ +200\  ]]
	[[ $output =~ Max\ core\ file\ size\ +0\ +0\  ]]
	[[ $output =~ Max\ cpu\ time\ +50\ +60\  ]]
}

@test "limits that aren't given are the caller's" {
	config 'del(.process.rlimits)'
	program grep -E 'Max (open files|stack size)' /proc/self/limits
	want=$(ulimit -Sn 123; grep -E 'Max (open files|stack size)' /proc/self/limits)
	run -0 bash -c 'ulimit -Sn 123; exec "$0" --root "$1" run "$2"' "$OCI_RUN" "$state" "$id"
	output_is "$want"
}

@test "a low limit of the caller doesn't hinder oci-run" {
	program echo hello
	run -0 bash -c 'ulimit -Sn 20; exec "$0" --root "$1" run "$2"' "$OCI_RUN" "$state" "$id"
	output_is hello
}

# Then nobody can change the soft limit, not even to what it is.
@test "a hard limit of the caller above fs.nr_open doesn't hinder oci-run" {
	needs_root
	[[ -n ${OCI_RUN_TEST_GUEST:-} ]] || skip 'changes a setting of the whole machine (OCI_RUN_TEST_GUEST=1)'
	config 'del(.process.rlimits)'
	program grep 'Max open files' /proc/self/limits
	before=$(</proc/sys/fs/nr_open)
	run bash -c 'ulimit -Sn 123; echo $(($(ulimit -Hn) - 1)) >/proc/sys/fs/nr_open; exec "$0" --root "$1" run "$2"' "$OCI_RUN" "$state" "$id"
	echo "$before" >/proc/sys/fs/nr_open
	[[ $status == 0 && $output =~ Max\ open\ files\ +123\  ]] || { echo "$status: $output"; return 1; }
}

@test "a limit twice is an error" {
	config '.process.rlimits = [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]'
	run -1 create "$id"
	output_has /process/rlimits/1
}
