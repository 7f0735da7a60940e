#!/usr/bin/env bats
# Clauses of the specification that runtimes got wrong, or got right only lately, as far as no other session is about them
# (docs/spec-conformance.md lists all).

load lib

@test "poststart hooks run when the program runs" {
	program sh -c 'echo program; exec sleep 1000'
	config --arg out "$bundle/poststart" '.hooks.poststart = [{"path": "/bin/sh",
		"args": ["sh", "-c", "jq -r .pid | xargs -I{} cat /proc/{}/comm >\($out)"], "env": ["PATH=/usr/bin:/bin"]}]'
	detached "$id"
	run -0 cat poststart
	[[ $output == sh || $output == sleep || $output == busybox ]]
}

# root_propagation NAME: the optional fields of the root's mount in the container, whose bundle is on a shared mount.
root_propagation() {
	config --arg name "$1" '.linux.rootfsPropagation = $name'
	program sh -c 'grep " / / \| / " /proc/self/mountinfo | head -n 1 | sed "s/ - .*//" | cut -d" " -f7-'
	run -0 oci-run run "$id"
}

@test "rootfsPropagation is private, slave, shared or unbindable" {
	needs_root
	mount --bind "$bundle" "$bundle"
	mount --make-shared "$bundle"
	root_propagation private
	output_is ''
	root_propagation slave
	[[ $output == master:* ]]
	root_propagation shared
	[[ $output == *shared:* ]]
	root_propagation unbindable
	output_is unbindable
	umount "$bundle"
	config '.linux.rootfsPropagation = "public"'
	run -1 oci-run run "$id"
	output_has '/linux/rootfsPropagation'
}

@test "pids.limit 0 is a limit" {
	needs_root
	config '.linux.resources = {"pids": {"limit": 0}}'
	program sh -c 'ls /; echo end'
	run oci-run run "$id"
	[[ $output == *fork* ]] # none but the first process
}

@test "capabilities that can't be granted are a warning" {
	config '.process.capabilities[] |= . + ["CAP_OF_TOMORROW"]'
	program echo there
	run -0 --separate-stderr oci-run run "$id"
	output_is there
	[[ $stderr == *CAP_OF_TOMORROW* && $stderr == *level=warning* ]]
}

@test "consoleSize without a terminal is ignored" {
	config '.process.consoleSize = {"height": 10, "width": 20}'
	program echo there
	run -0 oci-run run "$id"
	output_is there
}

@test "a file where a device should be is an error" {
	needs_root
	config '.mounts |= map(select(.destination | startswith("/dev") | not)) | .linux.devices = [{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}]
		| .root.readonly = false'
	touch rootfs/dev/kmsg
	run -1 oci-run run "$id"
	output_has /dev/kmsg
	rm rootfs/dev/kmsg
	mknod rootfs/dev/kmsg c 1 5
	run -1 oci-run run "$id"
	output_has /dev/kmsg
	rm rootfs/dev/kmsg
	mknod rootfs/dev/kmsg c 1 11
	program true
	oci-run run "$id"
}

@test "a hook sees the state creating, and can ask for it" {
	config --arg out "$bundle/seen" --arg ociRun "$OCI_RUN" --arg state "$state" --arg id "$id" '.hooks.createRuntime = [{"path": "/bin/sh",
		"args": ["sh", "-c", "cat >\($out).stdin; \($ociRun) --root \($state) state \($id) >\($out)"], "env": ["PATH=/usr/bin:/bin"]}]'
	create "$id"
	[[ $(jq -r .status seen.stdin) == creating && $(jq -r .status seen) == creating ]]
	[[ $(jq -r .pid seen.stdin) == "$(pid_of "$id")" && $(jq -r .pid seen) == "$(pid_of "$id")" ]]
}

@test "what becomes of config.json after create changes nothing" {
	program sh -c 'echo first; exec sleep 1000'
	config --arg out "$bundle/hooks" '.hooks = {"poststart": [{"path": "/bin/sh", "args": ["sh", "-c", "echo poststart >>\($out)"]}],
		"poststop": [{"path": "/bin/sh", "args": ["sh", "-c", "echo poststop >>\($out)"]}]}'
	create "$id"
	rm config.json
	oci-run start "$id"
	eventually says first
	oci-run exec "$id" true
	oci-run delete --force "$id"
	[[ $(cat hooks) == $'poststart\npoststop' ]]
}

@test "intelRdt without a resctrl filesystem is an error" {
	[[ $(stat -f -c %T /sys/fs/resctrl 2>/dev/null) != resctrl ]] || skip 'there is one here'
	config '.linux.intelRdt = {"closID": "gold"}'
	run -1 oci-run run "$id"
	output_has '/linux/intelRdt: no resctrl filesystem is mounted'
}

@test "intelRdt that can't be is found in the config" {
	for rdt in '{"closID": ".."} closID' '{"closID": "a/b"} closID' '{"memBwSchema": "L3:0=f"} memBwSchema' \
		'{"schemata": ["L3:0=f\n"]} schemata/0'; do
		config --argjson rdt "${rdt% *}" '.linux.intelRdt = $rdt'
		run -1 oci-run run "$id"
		output_has "/linux/intelRdt/${rdt##* }"
	done
}

@test "containers for other platforms are refused" {
	config '.vm = {"kernel": {"path": "/boot/vmlinuz"}}'
	run -1 oci-run run "$id"
	output_has '/vm: '
	config 'del(.vm) | .windows = {"layerFolders": ["x"]} | .process.commandLine = "cmd" | .process.user.username = "administrator"'
	run -0 --separate-stderr oci-run run "$id"
	[[ $stderr == */windows* ]] # beside a linux section it says nothing about this container
}
