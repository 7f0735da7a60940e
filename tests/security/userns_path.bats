#!/usr/bin/env bats
# A user namespace that is joined has mappings of its own: if those of the configuration were believed, files would be
# owned by the wrong users (runc #4122).
#
# runc 1.1.5 fails "other mappings than the namespace has are an error", and wants mappings where there are none.

load lib

setup() {
	needs_root
	session_setup
	in_user_namespace
	program sleep 1000
	background "$id"
	pid=$(pid_of "$id")
	config '.linux.cgroupsPath += "-2"'
	program sh -c 'cat /proc/self/uid_map; stat -c %u /dev/null'
}

@test "other mappings than the namespace has are an error" {
	config --arg path "/proc/$pid/ns/user" '(.linux.namespaces[] | select(.type == "user")).path = $path
		| .linux.uidMappings[0].hostID = 200000'
	run -1 oci-run run "$id-2"
	output_has apping
}

@test "without mappings, the namespace's count" {
	join user "$pid"
	run -0 oci-run run "$id-2"
	[[ ${lines[0]} =~ ^[[:space:]]*0[[:space:]]+100000[[:space:]]+65536$ ]]
	[[ ${lines[1]} == 0 || ${lines[1]} == 65534 ]]
}

@test "what is not a user namespace is not joined" {
	for path in "/proc/$pid/ns/net" /proc/self/ns/mnt /dev/null "$bundle" /nowhere "/proc/$pid/ns"; do
		config --arg path "$path" '(.linux.namespaces[] | select(.type == "user")).path = $path | del(.linux.uidMappings, .linux.gidMappings)'
		run -1 create "$id-2"
	done
}
