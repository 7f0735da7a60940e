#!/usr/bin/env bats
# Mounts that show other owners than the files have: mounts[].uidMappings and gidMappings, idmap and ridmap.

load lib

# volume: a directory of root's with a file of 7:8, and a filesystem mounted below.
volume() {
	needs_root
	mkdir -p volume/below
	echo data >volume/file
	chown 7:8 volume/file
	program sh -c 'for f in "$@"; do stat -c "%n %u:%g" "$f"; done' sh "$@"
}

# idmapped DESTINATION OPTIONS [MAPPINGS]: a bind mount of the volume.
idmapped() {
	config --arg to "$1" --argjson options "$2" --argjson maps "${3:-null}" '.mounts += [{"destination": $to, "type": "bind", "source": "volume",
		"options": $options} + (if $maps then {"uidMappings": $maps, "gidMappings": $maps} else {} end)]'
}

userns() {
	chown -R 100000:100000 rootfs
	config --argjson maps "$1" '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = $maps | .linux.gidMappings = $maps'
}

one='[{"containerID": 0, "hostID": 1000, "size": 100}]'
two='[{"containerID": 0, "hostID": 2000, "size": 5}, {"containerID": 5, "hostID": 3000, "size": 100}]'

@test "each mount has its own mapping" {
	volume /one /one/file /two /two/file
	idmapped /one '["bind"]' "$one"
	idmapped /two '["bind", "idmap"]' "$two"
	run -0 oci-run run "$id"
	output_is $'/one 1000:1000\n/one/file 1007:1008\n/two 2000:2000\n/two/file 3002:3003'
}

@test "what is written through a mapped mount belongs to the mapped owner" {
	volume
	idmapped /one '["bind"]' "$one"
	program sh -c 'echo x >/one/new'
	config '.process.user = {"uid": 1003, "gid": 1004}'
	chmod 777 volume
	oci-run run "$id"
	[[ $(stat -c %u:%g volume/new) == 3:4 ]]
}

@test "ids that the mapping hasn't got can't write" {
	volume
	chmod 777 volume
	idmapped /one '["bind"]' "$one"
	program sh -c 'echo x >/one/new'
	run -1 oci-run run "$id"
	output_has 'Value too large'
}

@test "idmap is for one mount, ridmap for those below too" {
	volume /one/below /all/below
	mount -t tmpfs -o mode=755 tmpfs volume/below
	idmapped /one '["rbind", "idmap"]' "$one"
	idmapped /all '["rbind", "ridmap"]' "$one"
	run -0 oci-run run "$id"
	umount volume/below
	output_is $'/one/below 0:0\n/all/below 1000:1000'
}

@test "without mappings of its own, a mount has those of the user namespace" {
	volume /same /same/file
	userns '[{"containerID": 0, "hostID": 100000, "size": 65536}]'
	idmapped /same '["bind", "idmap"]'
	run -0 oci-run run "$id"
	output_is $'/same 0:0\n/same/file 7:8'
}

@test "in a user namespace, mappings are to ids of the host" {
	volume /file/file /half/file
	userns '[{"containerID": 0, "hostID": 100000, "size": 65536}]'
	idmapped /file '["bind"]' '[{"containerID": 0, "hostID": 100010, "size": 20}]'
	idmapped /half '["bind"]' '[{"containerID": 0, "hostID": 99999, "size": 20}]'
	run -0 oci-run run "$id"
	output_is $'/file/file 17:18\n/half/file 6:7'
}

@test "with neither mappings nor a user namespace, idmap is an error" {
	volume
	for option in idmap ridmap; do
		config 'del(.mounts[] | select(.destination == "/x"))'
		idmapped /x "[\"bind\", \"$option\"]"
		run -1 oci-run run "$id"
		output_has 'needs uidMappings and gidMappings or a user namespace'
	done
}

@test "mappings of uids without those of gids are an error" {
	volume
	idmapped /x '["bind"]' "$one"
	config 'del(.mounts[-1].gidMappings)'
	run -1 oci-run run "$id"
	output_has '/mounts/'
	output_has 'gidMappings'
}

@test "a new filesystem can have its ids mapped" {
	volume /t
	config --argjson maps "$one" '.mounts += [{"destination": "/t", "type": "tmpfs", "source": "tmpfs", "uidMappings": $maps, "gidMappings": $maps}]'
	run oci-run run "$id"
	((status == 0)) || [[ $output != *'may not support idmapped mounts'* ]] || skip 'the kernel maps no ids of tmpfs (before Linux 6.3)'
	output_is '/t 1000:1000'
}

@test "a filesystem that can't have its ids mapped says so" {
	volume
	config --argjson maps "$one" '.mounts += [{"destination": "/p", "type": "proc", "source": "proc", "uidMappings": $maps, "gidMappings": $maps}]'
	run -1 oci-run run "$id"
	output_has 'the filesystem may not support idmapped mounts'
}

@test "a user can't have idmapped mounts" {
	((EUID != 0)) || skip 'for a user'
	mkdir volume
	idmapped /x '["bind", "idmap"]'
	run -1 oci-run run "$id"
	output_has 'id-mapped mounts are not supported for rootless containers'
}
