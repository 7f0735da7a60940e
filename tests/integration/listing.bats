#!/usr/bin/env bats
# list and ps: which containers there are, and what runs in them.

load lib

@test "list is a table" {
	program sleep 1000
	create "$id"
	run -0 oci-run list
	[[ ${lines[0]} =~ ^ID\ +PID\ +STATUS\ +BUNDLE\ +CREATED\ +OWNER$ ]]
	[[ ${lines[1]} =~ ^$id\ +$(pid_of "$id")\ +created\ +$bundle\ +[0-9T:.Z+-]+\ +$(id -un) ]]
	((${#lines[@]} == 2))
}

@test "list -q prints the names only, sorted" {
	program sleep 1000
	create "$id-b"
	[[ $EUID -ne 0 ]] || config ".linux.cgroupsPath += \"-a\""
	create "$id-a"
	run -0 oci-run list -q
	output_is "$id-a"$'\n'"$id-b"
}

@test "list --format json can be parsed" {
	program sleep 1000
	create "$id"
	run -0 oci-run list --format json
	[[ $(jq -r '.[0] | .id, .status, .bundle' <<<"$output") == "$id"$'\ncreated\n'"$bundle" ]]
}

@test "list of nothing" {
	mkdir "$state"
	run -0 oci-run list -q
	output_is ''
	run -0 oci-run list --format json
	[[ $(jq -c . <<<"$output") == '[]' || $output == null ]]
}

@test "list shows a stopped container as stopped" {
	program true
	create "$id"
	oci-run start "$id"
	eventually is stopped "$id"
	run -0 oci-run list
	[[ ${lines[1]} =~ ^$id\ +0\ +stopped\  ]]
}

@test "list with an unknown format is an error" {
	mkdir "$state"
	run -1 oci-run list --format yaml
	output_has yaml
}

@test "ps shows what runs in the container" {
	needs_root
	program sleep 1000
	create "$id"
	oci-run start "$id"
	run -0 oci-run ps "$id"
	[[ ${lines[0]} =~ ^UID\ +PID ]]
	output_has 'sleep 1000'
	((${#lines[@]} == 2))
}

@test "ps --format json is a list of pids" {
	needs_root
	program sh -c 'sleep 1000 & echo ready; wait'
	create "$id"
	oci-run start "$id"
	eventually says ready
	run -0 oci-run ps --format json "$id"
	[[ $(jq length <<<"$output") == 2 ]]
	[[ $(jq ".[0]" <<<"$output") == "$(pid_of "$id")" ]]
}

@test "ps hands its options to ps" {
	needs_root
	program sleep 1000
	create "$id"
	oci-run start "$id"
	run -0 oci-run ps "$id" -o pid,comm
	[[ ${lines[0]} =~ PID\ COMMAND ]]
	[[ ${lines[1]} =~ $(pid_of "$id")\ sleep ]]
}
