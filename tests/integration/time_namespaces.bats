#!/usr/bin/env bats
# Time namespaces and linux.timeOffsets. (That a new one has its offsets: namespaces.bats.)

load lib

offsets='{"boottime": {"secs": 1000000}, "monotonic": {"secs": -1, "nanosecs": 500000000}}'

# timens [OFFSETS]: a new time namespace.
timens() {
	config --argjson offsets "${1:-null}" '.linux.namespaces += [{"type": "time"}] | if $offsets then .linux.timeOffsets = $offsets else . end'
}

own() { readlink "/proc/$1/ns/time"; }

@test "offsets of both signs, and nanoseconds" {
	timens "$offsets"
	program cat /proc/self/timens_offsets
	run -0 oci-run run "$id"
	[[ ${lines[0]} =~ ^monotonic\ +-1\ +500000000$ && ${lines[1]} =~ ^boottime\ +1000000\ +0$ ]]
}

@test "a time namespace without offsets" {
	timens
	program sh -c 'cat /proc/self/timens_offsets; exec sleep 1000'
	detached "$id"
	[[ $(own "$(pid_of "$id")") != "$(own self)" ]]
	run -0 cat out
	[[ ${lines[0]} =~ ^monotonic\ +0\ +0$ ]]
}

@test "exec joins the time namespace" {
	timens "$offsets"
	program sleep 1000
	detached "$id"
	run -0 oci-run exec "$id" sh -c 'readlink /proc/self/ns/time; cut -d. -f1 /proc/uptime'
	[[ ${lines[0]} == "$(own "$(pid_of "$id")")" ]]
	((lines[1] > 1000000))
}

@test "an existing time namespace is joined, with its offsets" {
	timens "$offsets"
	program sleep 1000
	create "$id"
	config --arg path "/proc/$(pid_of "$id")/ns/time" '(.linux.namespaces[] | select(.type == "time")).path = $path | del(.linux.timeOffsets)
		| .linux.cgroupsPath += "-second"'
	((EUID == 0)) || config --arg path "/proc/$(pid_of "$id")/ns/user" '(.linux.namespaces[] | select(.type == "user")).path = $path | del(.linux.cgroupsPath)'
	program sh -c 'readlink /proc/self/ns/time; cut -d. -f1 /proc/uptime'
	run -0 oci-run run "$id-second"
	[[ ${lines[0]} == "$(own "$(pid_of "$id")")" ]]
	((lines[1] > 1000000))
}

@test "offsets for an existing time namespace are an error" {
	timens "$offsets"
	config '(.linux.namespaces[] | select(.type == "time")).path = "/proc/self/ns/time"'
	run -1 oci-run run "$id"
	output_has '/linux/timeOffsets'
}

@test "offsets without a time namespace are an error" {
	config --argjson offsets "$offsets" '.linux.timeOffsets = $offsets'
	run -1 oci-run run "$id"
	output_has '/linux/timeOffsets: offsets need a time namespace'
}

@test "clocks and values that can't be are found in the config" {
	timens '{"realtime": {"secs": 1}}'
	run -1 oci-run run "$id"
	output_has '/linux/timeOffsets/realtime'
	config '.linux.timeOffsets = {"boottime": {"secs": 1, "nanosecs": 1000000000}}'
	run -1 oci-run run "$id"
	output_has '/linux/timeOffsets/boottime/nanosecs'
	config '.linux.timeOffsets = {"boottime": {"secs": -999999999}}' # before the machine was started
	run -1 oci-run run "$id"
	output_has '/linux/timeOffsets: set the clocks to \"boottime -999999999 0\"'
}
