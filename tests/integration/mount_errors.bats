#!/usr/bin/env bats
# What is said, and what is not done instead, when the kernel refuses a mount.

load lib

# refusing CALL:error=ERRNO[:when=N] ARG...: oci-run where a system call fails, as under a filter or on an old kernel.
refusing() {
	command -v strace >/dev/null || skip 'no strace here (Debian: apt-get install strace)'
	strace -f -qq -o /dev/null -e trace=none /bin/true 2>/dev/null || skip "strace can't trace here"
	local call=$1
	shift
	strace -f -qq -o /dev/null -e "trace=${call%%:*}" -e "inject=$call" "$OCI_RUN" --root "$state" "$@" 3>&-
}

# plain: the output without the backslashes of quoted quotes.
plain() { output=${output//\\/}; }

mounts_only() { # TYPE...
	config '.mounts |= map(select(.type | IN($ARGS.positional[]))) | .linux.maskedPaths = [] | .linux.readonlyPaths = []' --args -- "$@"
}

@test "a call of the mount API that is refused is named, with the Linux that has it" {
	local call
	for call in fsopen:5.2 fsconfig:5.2 fsmount:5.2 move_mount:5.2 open_tree:5.2 mount_setattr:5.12; do
		run -1 refusing "${call%:*}:error=ENOSYS" run "$id"
		output_has "${call%:*}: function not implemented (Linux has ${call%:*} since ${call#*:}, this is $(uname -r)"
		run refusing "${call%:*}:error=EPERM" run "$id"
		((status == 0)) || output_has "${call%:*}: operation not permitted"
	done
}

@test "mount(2) that is refused is named" {
	run -1 refusing mount:error=ENOSYS run "$id"
	output_has 'mount: function not implemented (a seccomp filter or a sandbox around the runtime refuses it)'
}

# Under a filter that the runtime inherits, EPERM of a call that has no other reason for it is explained.
@test "a seccomp filter around the runtime is named" {
	needs_root
	mkdir outer && make_rootfs outer/rootfs
	(
		cd outer
		oci-run spec
		config '.process.terminal = false | .root.readonly = false | .linux.seccomp =
				{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["fsopen"], "action": "SCMP_ACT_ERRNO"}]} |
			.linux.cgroupsPath = "/oci-run-tests-\($id)-outer" | .process.env += ["OCI_RUN_SESSION=\($session)"] |
			(.process.capabilities | .[]) = ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_SETUID", "CAP_SETGID", "CAP_MKNOD", "CAP_SYS_CHROOT"] |
			.process.args = ["/oci-run", "--cgroup-manager", "disabled", "--root", "/run/state", "run", "--bundle", "/bundle", "inner"]' \
			--arg id "$id" --arg session "$session"
	)
	config 'del(.linux.cgroupsPath) | .linux.namespaces |= map(select(.type != "network"))'
	mkdir -p outer/rootfs/bundle outer/rootfs/run
	cp -a config.json rootfs outer/rootfs/bundle
	cp "$OCI_RUN" outer/rootfs/oci-run
	run -1 oci-run run --bundle outer "$id"
	output_has 'fsopen: operation not permitted (a seccomp filter around the runtime may refuse fsopen)'
}

# It would show the whole of the host's, with its cgroups.
@test "a sysfs that is refused is an error without a user namespace" {
	needs_root
	mounts_only sysfs
	program true
	run -1 refusing fsopen:error=EPERM run "$id"
	plain
	output_has 'mount "sysfs" on "/sys": fsopen: operation not permitted'
}

@test "a cgroup mount that is refused is an error without a user namespace" {
	needs_root
	mounts_only cgroup
	config '.linux.namespaces += [{"type": "cgroup"}] | .mounts[0].type = "cgroup2"'
	run -1 refusing fsopen:error=EPERM run "$id"
	plain
	output_has 'mount "cgroup" on "/sys/fs/cgroup": fsopen: operation not permitted'
}

@test "the host's device does not stand in for one that fewer may use" {
	needs_root
	config '.linux.devices = [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 384, "uid": 0, "gid": 0}] |
		.linux.resources.devices += [{"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"}]'
	program stat -c %a /dev/null
	run -1 refusing mknodat:error=EPERM:when=6 run "$id"
	output_has '/linux/devices/0'
	output_has 'it has mode 0666 and owner 0:0, not 0600 and 0:0'
	config '.linux.devices[0].fileMode = 438'
	run -0 refusing mknodat:error=EPERM:when=6 run "$id"
	output_is 666
}

@test "what can't be mounted is explained by the configuration" {
	config '.linux.namespaces |= map(select(.type != "user")) + [{"type": "user"}]'
	((EUID)) || config '.linux.uidMappings = [{"containerID": 0, "hostID": 1000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings'
	((EUID)) || chown -hR 1000:1000 rootfs
	mounts_only proc mqueue
	# The kernel's reason isn't one of those that the hint would give.
	run -1 refusing fsopen:error=EPERM run "$id"
	output_has 'fsopen: operation not permitted'
	[[ $output != *'namespace of its own'* ]]
	config '.linux.namespaces |= map(select(.type != "ipc"))'
	run -1 oci-run run "$id"
	output_has 'a user namespace can mount mqueue only with an ipc namespace of its own'
	config '.linux.namespaces |= map(select(.type != "pid"))'
	run -1 oci-run run "$id"
	output_has 'a user namespace can mount proc only with a pid namespace of its own'
}

@test "a proc that is hidden in part is named" {
	needs_root
	config '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 1000, "size": 65536}] |
		.linux.gidMappings = .linux.uidMappings'
	chown -hR 1000:1000 rootfs
	mounts_only proc
	run -1 unshare --mount sh -c 'mount --bind /dev/null /proc/version && exec "$@"' sh "$OCI_RUN" --root "$state" run "$id"
	plain
	output_has 'mount "proc" on "/proc": fsmount: operation not permitted'
	output_has '"/proc/version" is hidden where the runtime runs, and a user namespace must not see more: unmask /proc there, or bind-mount it'
	[[ $output != *'pid namespace of its own'* ]]
}

@test "an unknown filesystem is told from a device that is missing" {
	needs_root
	config '.mounts += [{"destination": "/mnt", "type": "nosuchfs", "source": "x"}]'
	run -1 oci-run run "$id"
	plain
	output_has 'no such device (the kernel has no filesystem "nosuchfs")'
	config '.mounts[-1].type = "tmpfs" | .mounts[-1].options = ["size=1k"]'
	run -1 refusing fsconfig:error=ENODEV run "$id"
	[[ $output != *'the kernel has no filesystem'* ]]
}

# says_of SOURCE DESTINATION TEXT: a bind mount fails with its place in the configuration, and with TEXT.
says_of() {
	config --arg from "$1" --arg to "$2" '.mounts = .mounts[:1] + [{"destination": $to, "source": $from, "type": "bind", "options": ["rbind"]}]'
	run -1 oci-run run "$id"
	plain
	output_has "/mounts/1: mount \"$1\" on \"$2\": "
	output_has "$3"
}

@test "the component of a path at which a mount fails is named" {
	config '.root.readonly = false'
	mkdir dir
	ln -s loop loop
	ln -s file/below link
	touch file
	ln -s loop rootfs/loop
	says_of "$bundle/file/below/it" /mnt "not a directory (\"$bundle/file\" is a regular file)"
	says_of "$bundle/link" /mnt "not a directory (\"$bundle/file\" is a regular file)"
	says_of "$bundle/missing/below" /mnt "no such file or directory (\"$bundle/missing\" does not exist)"
	says_of "$bundle/loop/below" /mnt "too many levels of symbolic links (\"$bundle/loop\" is a symbolic link to \"loop\""
	says_of "$bundle/dir" /loop/below 'too many levels of symbolic links ("/loop" is a symbolic link to "loop"'
	says_of "$bundle/file" /etc/passwd/below 'not a directory ("/etc/passwd" is a regular file)'
	says_of "$bundle/dir" /etc/passwd "not a directory (to be mounted: \"$bundle/dir\", a directory; in the container: \"/etc/passwd\", a regular file)"
	says_of "$bundle/file" /etc "not a directory (to be mounted: \"$bundle/file\", a regular file; in the container: \"/etc\", a directory)"
	config '.mounts = .mounts[:1] + [{"destination": "/etc/passwd", "type": "tmpfs", "source": "tmpfs"}]'
	run -1 oci-run run "$id"
	plain
	output_has 'not a directory ("/etc/passwd" in the container is a regular file)'
}

@test "the file below which a device can't be is named" {
	local at
	for at in /etc/passwd/mine /etc/passwd/sub/mine; do
		config --arg at "$at" '.root.readonly = false | .linux.devices = [{"path": $at, "type": "c", "major": 1, "minor": 5}]'
		run -1 oci-run run "$id"
		plain
		output_has "device \"$at\": not a directory (\"/etc/passwd\" is a regular file)"
	done
}

@test "the directory that keeps a user from a bind mount's source is named" {
	((EUID)) || skip 'root gets everywhere'
	[[ ! -x /root ]] || skip '/root is open to everybody here'
	says_of /root/x /mnt "permission denied (\"/root\" has mode 0$(stat -c %a /root) and owner 0:0, and may not be searched by $(id -u):$(id -g))"
}

@test "a runtime in a chroot is told what its root lacks" {
	needs_root
	mkdir -p outer/{dev,proc,run,sys,bundle}
	cp "$OCI_RUN" outer/oci-run
	program true
	cp -a config.json rootfs outer/bundle
	in_chroot() {
		unshare --mount --propagation private sh -c 'mount -t proc proc outer/proc && mount --rbind /sys outer/sys && mount --rbind /dev outer/dev &&
			'"$1"' chroot . /oci-run --root /run/state run --bundle /bundle "$1"' sh "$id"
	}
	run -1 in_chroot 'cd outer &&'
	output_has "the runtime's own root is not a mount point, as after chroot: bind-mount it on itself and chroot there"
	in_chroot 'mount --rbind outer outer && cd outer &&'
}
