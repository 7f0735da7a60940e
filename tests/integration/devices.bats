#!/usr/bin/env bats
# /dev, and which devices may be used.

load lib

@test "the default devices are there and work" {
	program sh -c '
		for device in null zero full random urandom tty; do test -c /dev/$device || echo "no /dev/$device"; done
		echo x >/dev/null && head -c 4 /dev/zero | wc -c && head -c 4 /dev/urandom | wc -c
		echo x 2>/dev/null >/dev/full || echo full'
	run -0 oci-run run "$id"
	output_is $'4\n4\nfull'
}

@test "the links in /dev are there" {
	program sh -c 'for link in fd stdin stdout stderr ptmx; do readlink /dev/$link; done'
	run -0 oci-run run "$id"
	output_is $'/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx'
}

@test "a device of the configuration is made, with its mode and owner" {
	needs_root
	config '.linux.devices = [{"path": "/dev/sub/mine", "type": "c", "major": 1, "minor": 5, "fileMode": 416, "uid": 7, "gid": 8}]'
	program stat -c '%A %u:%g %t:%T' /dev/sub/mine
	run -0 oci-run run "$id"
	output_is 'crw-r----- 7:8 1:5'
}

@test "a FIFO of the configuration is made" {
	needs_root
	config '.linux.devices = [{"path": "/dev/pipe", "type": "p", "fileMode": 438}]'
	program test -p /dev/pipe
	run -0 oci-run run "$id"
}

@test "a device that isn't allowed can't be used" {
	needs_root
	config '.linux.resources.devices = [{"allow": false, "access": "rwm"}]
		| .linux.devices = [{"path": "/dev/mine", "type": "c", "major": 10, "minor": 229, "fileMode": 438}]'
	program sh -c ': </dev/mine'
	run ! oci-run run "$id"
	output_has 'Operation not permitted'
}

@test "a device that is allowed can be used" {
	needs_root
	config '.linux.resources.devices = [{"allow": false, "access": "rwm"},
			{"allow": true, "type": "c", "major": 10, "minor": 229, "access": "r"}]
		| .linux.devices = [{"path": "/dev/mine", "type": "c", "major": 10, "minor": 229, "fileMode": 438}]'
	program sh -c 'echo opening; : </dev/mine' # on a kernel without such a device that is another error
	run oci-run run "$id"
	output_has opening
	[[ $output != *'Operation not permitted'* ]]
}

@test "thousands of device rules are in force, the first and the last" {
	needs_root
	config '.linux.resources.devices = [{"allow": false, "access": "rwm"}]
			+ [range(9000) | {"allow": true, "type": "c", "major": 300, "minor": ., "access": "r"}]
			+ [{"allow": true, "type": "c", "major": 10, "minor": 229, "access": "r"}]
		| .linux.devices = [{"path": "/dev/last", "type": "c", "major": 10, "minor": 229, "fileMode": 438},
			{"path": "/dev/none", "type": "c", "major": 10, "minor": 228, "fileMode": 438}]'
	program sh -c 'head -c 0 /dev/last; head -c 0 /dev/none; head -c 1 /dev/zero | wc -c'
	run -0 oci-run run "$id"
	output_has '/dev/none: Operation not permitted'
	output_has 1
	[[ $output != *'/dev/last: Operation not permitted'* ]] # there may be no such device
}

@test "a device of an unknown type is refused" {
	config '.linux.devices = [{"path": "/dev/mine", "type": "x", "major": 1, "minor": 5}]'
	run -1 create "$id"
	output_has /linux/devices/0/type
}

@test "/dev as a link out of the rootfs changes nothing outside" {
	mkdir outside
	rmdir rootfs/dev
	ln -s "$bundle/outside" rootfs/dev
	config 'del(.mounts[] | select(.destination | startswith("/dev")))'
	program true
	run oci-run run "$id"
	[[ -z $(ls -A outside) ]]
}

@test "a terminal is the container's own" {
	command -v script >/dev/null || skip 'no script here (Debian: apt-get install bsdutils)'
	config '.process.terminal = true'
	program sh -c 'tty; test -c /dev/console && echo console'
	run -0 script -qec "'$OCI_RUN' --root '$state' run '$id'" /dev/null 3>&-
	output_has /dev/pts/0
	output_has console
}

@test "create with a terminal needs a console socket" {
	config '.process.terminal = true'
	run -1 create "$id"
	output_has console-socket
	config '.process.terminal = false'
	run -1 create --console-socket /no/such/socket "$id"
}
