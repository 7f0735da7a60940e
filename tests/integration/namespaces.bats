#!/usr/bin/env bats
# Namespaces: new ones, the host's, and those of others.

load lib


# inode KIND PID: the number of a process' namespace.
inode() { readlink "/proc/$2/ns/$1"; }

# unshared PID: it has a UTS namespace of its own by now.
unshared() { [[ $(inode uts "$1") != "$(inode uts self)" ]]; }

@test "the default namespaces are new, the rest is the host's" {
	program sleep 1000
	create "$id"
	pid=$(pid_of "$id")
	for kind in mnt pid ipc uts; do
		[[ $(inode "$kind" "$pid") != "$(inode "$kind" self)" ]]
	done
	[[ $(inode time "$pid") == "$(inode time self)" ]]
	((EUID != 0)) || [[ $(inode user "$pid") == "$(inode user self)" ]]
}

# limited KIND LIMIT CHANGE: runs the container in a user namespace that allows so many namespaces of a kind.
limited() {
	cp base.json config.json
	config "$3"
	# shellcheck disable=SC2016 # the inner shell's
	run -1 unshare --user --map-root-user --mount --pid --fork --mount-proc sh -c 'echo "$1" >"/proc/sys/user/max_$2_namespaces" && shift 2 && exec "$@"' \
		sh "$2" "$1" "$OCI_RUN" --root "$state" run "$id" 3>&-
}

# place TYPE: the pointer of the namespace in config.json.
place() { jq -r --arg type "$1" '"/linux/namespaces/\(.linux.namespaces | map(.type) | index($type))"' config.json; }

@test "a namespace that a limit forbids is named, with its place and the limit" {
	needs userns
	cp config.json base.json
	own='.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings)
		| .linux.namespaces += ([{"type": "network"}, {"type": "cgroup"}, {"type": "time"}] - .linux.namespaces)'
	for kind in mnt uts ipc net pid cgroup time; do
		[[ -e /proc/self/ns/$kind ]] || continue
		limited $kind 0 "$own"
		case $kind in mnt) type=mount ;; net) type=network ;; *) type=$kind ;; esac
		output_has "$(place $type): make $type namespace: no space left on device (/proc/sys/user/max_${kind}_namespaces is 0)"
		[[ $output =~ config.json:[0-9]+:[0-9]+: ]]
	done
	nested='.linux.namespaces |= map(select(.type != "user")) + [{"type": "user"}]
		| .linux.uidMappings = [{"containerID": 0, "hostID": 0, "size": 1}] | .linux.gidMappings = .linux.uidMappings'
	limited user 0 "$nested"
	output_has "$(place user): make user namespace: no space left on device (/proc/sys/user/max_user_namespaces is 0)"
	limited uts 0 "$nested"
	output_has "$(place uts): make uts namespace: no space left on device"
	# As many pid namespaces as the limit allows: that of the test.
	limited pid 1 "$own | del(.process.terminal)"
	output_has "$(place pid): make pid namespace: no space left on device (the limit of 1 in /proc/sys/user/max_pid_namespaces is reached"
	[[ ! -e $state/$id ]]
}

@test "init is the first process of a new pid namespace" {
	program sh -c 'echo $$; ls -d /proc/[0-9]* | wc -l'
	run -0 oci-run run "$id"
	[[ ${lines[0]} == 1 ]]
}

@test "a network namespace has its loopback up" {
	needs_root
	program cat /sys/class/net/lo/operstate /proc/net/dev
	run -0 oci-run run "$id"
	[[ ${lines[0]} == unknown ]] # what the kernel says of a loopback that is up
	((${#lines[@]} == 4))        # two lines of header, and lo
}

@test "a namespace given by its path is joined" {
	needs_root
	unshare --uts --ipc sleep 1000 3>&- &
	other=$!
	eventually unshared "$other"
	config --arg uts "/proc/$other/ns/uts" --arg ipc "/proc/$other/ns/ipc" '
		(.linux.namespaces[] | select(.type == "uts")).path = $uts |
		(.linux.namespaces[] | select(.type == "ipc")).path = $ipc | del(.hostname)'
	program sleep 1000
	create "$id"
	[[ $(inode uts "$(pid_of "$id")") == "$(inode uts $other)" ]]
	[[ $(inode ipc "$(pid_of "$id")") == "$(inode ipc $other)" ]]
	kill $other
}

@test "another container's pid namespace is joined" {
	needs_root
	program sleep 1000
	create "$id"
	first=$(pid_of "$id")
	config --arg pid "/proc/$first/ns/pid" '(.linux.namespaces[] | select(.type == "pid")).path = $pid
		| .linux.cgroupsPath += "-second"'
	create "$id-second"
	second=$(pid_of "$id-second")
	[[ $(inode pid "$second") == "$(inode pid "$first")" ]]
	[[ $(sed -n 's/^NSpid:.*\t//p' "/proc/$second/status") != 1 ]]
}

@test "a path to a namespace of another kind is an error" {
	config '(.linux.namespaces[] | select(.type == "uts")).path = "/proc/self/ns/ipc"'
	run -1 create "$id"
	output_has uts
}

@test "a path to no namespace is an error" {
	config '(.linux.namespaces[] | select(.type == "ipc")).path = "/etc/passwd"'
	run -1 create "$id"
	output_has /etc/passwd
	config '(.linux.namespaces[] | select(.type == "ipc")).path = "/no/such/namespace"'
	run -1 create "$id"
	output_has /no/such/namespace
}

@test "a user namespace maps ids" {
	needs_root
	chown -R 100000:100000 rootfs
	config '.linux.namespaces += [{"type": "user"}]
		| .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
		| .linux.gidMappings = [{"containerID": 0, "hostID": 200000, "size": 65536}]'
	chown -R 100000:200000 rootfs
	program sh -c 'id -u; cat /proc/self/uid_map /proc/self/gid_map; touch /tmp/file'
	config '.root.readonly = false'
	run -0 oci-run run "$id"
	[[ ${lines[0]} == 0 ]]
	[[ ${lines[1]} =~ ^\ *0\ +100000\ +65536$ ]]
	[[ ${lines[2]} =~ ^\ *0\ +200000\ +65536$ ]]
	[[ $(stat -c %u:%g rootfs/tmp/file) == 100000:200000 ]]
}

@test "a time namespace has its offsets" {
	needs_root
	config '.linux.namespaces += [{"type": "time"}]
		| .linux.timeOffsets = {"boottime": {"secs": 1000000}, "monotonic": {"secs": 7, "nanosecs": 1}}'
	program sh -c 'cut -d. -f1 /proc/uptime; cat /proc/self/timens_offsets'
	run -0 oci-run run "$id"
	((lines[0] >= 1000000))
	[[ ${lines[1]} =~ ^monotonic\ +7\ +1$ ]]
	[[ ${lines[2]} =~ ^boottime\ +1000000\ +0$ ]]
}

@test "a cgroup namespace shows the container's cgroup as the root" {
	config '.linux.namespaces |= map(select(.type != "cgroup")) + [{"type": "cgroup"}]'
	program cut -d: -f3 /proc/self/cgroup
	run -0 oci-run run "$id"
	[[ $(sort -u <<<"$output") == / ]]
}

@test "without a pid namespace the host's processes are seen" {
	needs_root
	config 'del(.linux.namespaces[] | select(.type == "pid"))'
	program sh -c 'echo $$; exec sleep 1000'
	create "$id"
	oci-run start "$id"
	eventually says "$(pid_of "$id")"
}
