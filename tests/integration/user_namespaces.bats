#!/usr/bin/env bats
# User namespaces: what is mapped, existing ones, and what is different inside. (That a plain one maps ids: namespaces.bats.)

load lib

# hold: a process in a new user namespace that maps uids 0-999 and 1000-1499, and gids 0-1999; its pid is in $holder.
hold() {
	unshare --user sleep 1000 3>&- &
	holder=$!
	eventually unshared "$holder"
	printf '0 200000 1000\n1000 300000 500\n' | dd of="/proc/$holder/uid_map" bs=4k status=none
	printf '0 200000 2000\n' | dd of="/proc/$holder/gid_map" bs=4k status=none
	config --arg path "/proc/$holder/ns/user" '.linux.namespaces += [{"type": "user", "path": $path}]'
	chown -R 200000:200000 rootfs
}

unshared() { [[ $(readlink "/proc/$1/ns/user") != "$(readlink /proc/self/ns/user)" ]]; }

# mapped FILTER: a new user namespace with the mappings that a jq filter gives, for uids and gids.
mapped() {
	config ".linux.namespaces += [{\"type\": \"user\"}] | .linux.uidMappings = $1 | .linux.gidMappings = .linux.uidMappings"
}

@test "the mappings of a namespace to join are read from the kernel" {
	needs_root
	hold
	program sh -c 'id -u; id -g; cat /proc/self/uid_map | tr -s " "'
	config '.process.user = {"uid": 1100, "gid": 1999}'
	run -0 oci-run run "$id"
	kill "$holder"
	output_is $'1100\n1999\n 0 200000 1000\n 1000 300000 500'
}

@test "mappings beside a namespace to join have to be its own" {
	needs_root
	hold
	program true
	config '.linux.uidMappings = [{"containerID": 1000, "hostID": 300000, "size": 500}, {"containerID": 0, "hostID": 200000, "size": 999},
			{"containerID": 999, "hostID": 200999, "size": 1}]
		| .linux.gidMappings = [{"containerID": 0, "hostID": 200000, "size": 2000}]'
	oci-run run "$id"
	config '.linux.gidMappings[0].size = 1999'
	run -1 oci-run run "$id"
	output_has '/linux/gidMappings: the user namespace to join maps gids'
	config '.linux.gidMappings[0].size = 2000 | .linux.uidMappings[0].hostID = 300001'
	run -1 oci-run run "$id"
	output_has '/linux/uidMappings: the user namespace to join maps uids'
	kill "$holder"
}

@test "a user that a namespace to join doesn't map is an error" {
	needs_root
	hold
	config '.process.user = {"uid": 1500, "gid": 0}'
	run -1 oci-run run "$id"
	output_has '/process/user/uid: uid 1500'
	config '.process.user = {"uid": 0, "gid": 0, "additionalGids": [2000]}'
	run -1 oci-run run "$id"
	output_has '/process/user/additionalGids/0: gid 2000'
	kill "$holder"
}

@test "the user namespace of oci-run itself can be given" {
	needs_root
	config '.linux.namespaces += [{"type": "user", "path": "/proc/self/ns/user"}]'
	program sh -c 'id -u; cat /proc/self/uid_map | tr -s " "'
	run -0 oci-run run "$id"
	output_is $'0\n 0 0 4294967295'
}

@test "another container's namespaces are joined, all of them" {
	needs_root
	chown -R 100000:100000 rootfs
	mapped '[{"containerID": 0, "hostID": 100000, "size": 1000}]'
	program sleep 1000
	create "$id"
	first=$(pid_of "$id")
	config --arg ns "/proc/$first/ns" '.linux.namespaces |= map(select(.type != "mount" and .type != "cgroup")
			| .path = ($ns + "/" + (.type | sub("network"; "net"))))
		+ [{"type": "mount"}] | del(.linux.uidMappings, .linux.gidMappings) | .linux.cgroupsPath += "-second"'
	create "$id-second"
	second=$(pid_of "$id-second")
	for kind in user pid ipc uts net; do
		[[ $(readlink "/proc/$first/ns/$kind") == "$(readlink "/proc/$second/ns/$kind")" ]]
	done
	oci-run delete --force "$id-second"
}

@test "without root in it, everything is the only user's" {
	needs_root
	chown -R 1234:4321 rootfs
	mapped '[{"containerID": 1000, "hostID": 1234, "size": 1}]'
	config '.linux.gidMappings[0].hostID = 4321 | .process.user = {"uid": 1000, "gid": 1000} | .root.readonly = false'
	program sh -c 'id -u; touch /tmp/file; stat -c %u:%g /dev/shm; grep Cap /proc/self/status; echo x >/dev/null; exec sleep 1000'
	detached "$id"
	eventually says CapAmb
	run -0 sort -u out
	[[ ${lines[0]} == 1000 && ${lines[1]} == 1000:1000 ]]
	says $'CapInh:\t0000000000000000'
	says $'CapPrm:\t0000000000000000'
	says $'CapEff:\t0000000000000000'
	says $'CapAmb:\t0000000000000000'
	[[ $(stat -c %u:%g rootfs/tmp/file) == 1234:4321 ]]
	run -0 oci-run exec "$id" sh -c 'id -u; grep CapEff /proc/self/status'
	output_is $'1000\nCapEff:\t0000000000000000'
}

@test "as many mappings as the kernel takes" {
	needs_root
	chown -R 10000:10000 rootfs
	mapped '[range(340) | {"containerID": (. * 2), "hostID": (10000 + . * 3), "size": 1}]'
	program sh -c 'wc -l </proc/self/uid_map; touch /tmp/a; chown 678:678 /tmp/a'
	config '.root.readonly = false | .process.capabilities[] |= . + ["CAP_CHOWN"]'
	run -0 oci-run run "$id"
	output_is 340
	[[ $(stat -c %u rootfs/tmp/a) == 11017 ]]
	config '.linux.uidMappings += [{"containerID": 5000, "hostID": 50000, "size": 1}]'
	run -1 oci-run run "$id"
	output_has 'more than the 340 that the kernel takes'
}

@test "mappings that follow on each other count as one" {
	needs_root
	chown -R 100000:100000 rootfs
	mapped '[range(300) | {"containerID": ., "hostID": (100000 + .), "size": 1}]'
	program cat /proc/self/uid_map
	run -0 oci-run run "$id"
	[[ $output =~ ^\ *0\ +100000\ +300$ ]]
}

@test "mappings that overlap are an error" {
	needs_root
	mapped '[{"containerID": 0, "hostID": 100000, "size": 10}, {"containerID": 9, "hostID": 200000, "size": 10}]'
	run -1 oci-run run "$id"
	output_has '/linux/uidMappings/1'
}

@test "devices are the host's" {
	needs_root
	chown -R 100000:100000 rootfs
	mapped '[{"containerID": 0, "hostID": 100000, "size": 1000}]'
	config '.linux.devices = [{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}]'
	program sh -c 'stat -c "%F %t:%T" /dev/null /dev/zero /dev/tty /dev/kmsg; head -c 3 /dev/zero | wc -c; echo x >/dev/null'
	run -0 oci-run run "$id"
	[[ ${lines[0]} == 'character special file 1:3' && ${lines[1]} == 'character special file 1:5' ]]
	[[ ${lines[2]} == 'character special file 5:0' && ${lines[3]} == 'character special file 1:b' && ${lines[4]} == 3 ]]
}

@test "terminals work where group 5 is not mapped" {
	needs_root
	chown -R 100000:100000 rootfs
	mapped '[{"containerID": 0, "hostID": 100000, "size": 1}]'
	config '.mounts += [{"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "gid=5", "mode=0620", "ptmxmode=0666"]}]
		| .mounts |= (map(select(.destination != "/dev/pts")) + [.[-1]])'
	program sh -c 'grep -c devpts /proc/mounts; [ -e /dev/pts/ptmx ] && echo there'
	run -0 oci-run run "$id"
	[[ ${lines[-1]} == there ]]
}

@test "a bind mount's source may lie where only the host's root gets" {
	needs_root
	chown -R 100000:100000 rootfs
	mkdir -p secret/deep
	echo treasure >secret/deep/file
	chmod 755 secret/deep
	chmod 700 secret
	mapped '[{"containerID": 0, "hostID": 100000, "size": 1000}]'
	config --arg source "$bundle/secret/deep" '.mounts += [{"destination": "/deep", "type": "bind", "source": $source, "options": ["rbind"]}]'
	program cat /deep/file
	run -0 oci-run run "$id"
	output_is treasure
}

@test "processes that join have the namespace's ids" {
	needs_root
	chown -R 100000:100000 rootfs
	mapped '[{"containerID": 0, "hostID": 100000, "size": 1000}]'
	program sleep 1000
	detached "$id"
	run -0 oci-run exec --user 7:8 "$id" sh -c 'id -u; id -g; tr -s " " </proc/self/uid_map'
	output_is $'7\n8\n 0 100000 1000'
	run -255 oci-run exec --user 1000 "$id" true
}
