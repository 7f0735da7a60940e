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

@test "a limit that is too low for oci-run is named" {
	local n
	for n in 6 8 10 15 19; do
		run -1 bash -c 'ulimit -n "$3"; exec "$0" --root "$1" create "$2"' "$OCI_RUN" "$state" "$id" "$n" 3>&- 4>&- </dev/null
		output_has "RLIMIT_NOFILE, $n, is too low for oci-run itself"
	done
	run -1 bash -c 'ulimit -n 5; exec "$0" --root "$1" create "$2"' "$OCI_RUN" "$state" "$id" 3>&- 4>&- </dev/null
	output_has 'RLIMIT_NOFILE, 5, is too low for oci-run itself'
}

@test "a limit that is too low for init is named, and one that is just enough has a HOME" {
	config '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1}]'
	run -1 oci-run run "$id"
	output_has 'too many open files (RLIMIT_NOFILE, 1 from process.rlimits, is too low for init)'
	config '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 5, "hard": 5}]'
	program sh -c 'echo "$HOME"'
	run -0 oci-run run "$id"
	output_is /root
	program sleep 1000
	config 'del(.process.rlimits)'
	detached "$id"
	jq '.process | .rlimits = [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1}]' config.json >process.json
	run -255 oci-run exec --process process.json "$id"
	output_has 'too many open files (RLIMIT_NOFILE, 1 from process.rlimits, is too low for init)'
}
