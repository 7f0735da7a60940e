#!/usr/bin/env bats
# What is particular to containers of an ordinary user. (The other sessions run as one too.)

load lib

for_a_user() { ((EUID != 0)) || skip 'for a user'; }

# subordinate: maps the user's subordinate ids beside his own, which takes newuidmap and newgidmap.
subordinate() {
	local name uids gids
	needs subids
	name=$(id -un)
	uids=$(sed -n "s/^$name:\([0-9]*\):.*/\1/p" /etc/subuid | head -n 1)
	gids=$(sed -n "s/^$name:\([0-9]*\):.*/\1/p" /etc/subgid | head -n 1)
	config --argjson uid "$EUID" --argjson gid "$(id -g)" --argjson uids "$uids" --argjson gids "$gids" '
		.linux.uidMappings = [{"containerID": 0, "hostID": $uid, "size": 1}, {"containerID": 1, "hostID": $uids, "size": 1000}]
		| .linux.gidMappings = [{"containerID": 0, "hostID": $gid, "size": 1}, {"containerID": 1, "hostID": $gids, "size": 1000}]'
}

@test "what spec --rootless writes runs as it is" {
	for_a_user
	rm config.json
	oci-run spec --rootless
	sed -i 's/"terminal": true/"terminal": false/; s|"sh"$|"id"|' config.json
	run -0 oci-run run "$id"
	output_has 'uid=0'
}

@test "nobody can set groups, so that none can be dropped" {
	for_a_user
	program cat /proc/self/setgroups /proc/self/uid_map
	run -0 oci-run run "$id"
	[[ ${lines[0]} == deny && ${lines[1]} =~ ^\ *0\ +$EUID\ +1$ ]]
	config '.process.user.additionalGids = [0]'
	run -1 oci-run run "$id"
	output_has 'setgroups says deny'
	config '.process.user.additionalGids = [5]'
	run -1 oci-run run "$id"
	output_has '/process/user/additionalGids/0: gid 5'
}

@test "subordinate ids are mapped by newuidmap and newgidmap" {
	for_a_user
	subordinate
	config '.process.user.additionalGids = [5, 7] | .root.readonly = false'
	program sh -c 'id -G; cat /proc/self/setgroups; touch /tmp/file; chown 9:9 /tmp/file; stat -c %u /tmp/file; rm /tmp/file'
	config '.process.capabilities[] |= . + ["CAP_CHOWN"]'
	run -0 oci-run run "$id"
	[[ ${lines[0]} == '0 5 7' && ${lines[1]} == allow && ${lines[2]} == 9 ]]
}

@test "without newuidmap, the error says what to install" {
	for_a_user
	subordinate
	PATH=/nonexistent run -1 "$OCI_RUN" --root "$state" run "$id" 3>&-
	output_has 'newgidmap is not in'
	output_has 'uidmap'
}

@test "ids that aren't the user's are refused" {
	for_a_user
	config '.linux.uidMappings[0].hostID = 0'
	run -1 oci-run run "$id"
	[[ $output == *newuidmap* ]]
	config --argjson uid "$EUID" '.linux.uidMappings[0].hostID = $uid | .linux.gidMappings[0].hostID = 0'
	run -1 oci-run run "$id"
	[[ $output == *newgidmap* ]]
}

@test "the state is below XDG_RUNTIME_DIR, for the user alone" {
	for_a_user
	program sleep 1000
	XDG_RUNTIME_DIR=$session "$OCI_RUN" create "$id" </dev/null >/dev/null 2>&1 3>&-
	[[ $(stat -c %a "$session/oci-run") == 1700 && -e $session/oci-run/$id ]]
	XDG_RUNTIME_DIR=$session "$OCI_RUN" delete --force "$id" 3>&-
	run -1 env -u XDG_RUNTIME_DIR "$OCI_RUN" list
	output_has 'neither --root nor XDG_RUNTIME_DIR'
}

@test "a user who is root of his own user namespace keeps the state there too" {
	for_a_user
	as_own_root() { unshare --user --map-root-user env -i XDG_RUNTIME_DIR="$session" "$@" "$OCI_RUN" list -q 3>&-; }
	as_own_root # Podman gives nothing else
	[[ -d $session/oci-run ]]
	rmdir "$session/oci-run"
	as_own_root USER=somebody
	[[ -d $session/oci-run ]]
	rmdir "$session/oci-run"
	as_own_root USER=root || true # in a container, perhaps: root there is root
	[[ ! -e $session/oci-run ]]
}

@test "init runs from a copy of oci-run that nobody can change" {
	for_a_user
	program sleep 1000
	create "$id"
	[[ $(readlink "/proc/$(pid_of "$id")/exe") == /memfd:oci-run* ]]
	run -1 bash -c "echo x >>/proc/$(pid_of "$id")/exe"
}

# CVE-2023-25809: a bind mount of /sys left the host's cgroups below it writable.
@test "the host's cgroups are read-only" {
	for_a_user
	config 'del(.linux.namespaces[] | select(.type == "cgroup"))'
	program sh -c 'find /sys -path "*cgroup*" -name cgroup.procs -writable 2>/dev/null | head -3; grep cgroup /proc/mounts | cut -d" " -f4 | cut -d, -f1 | sort -u'
	run -0 oci-run run "$id"
	output_is ro
}

@test "limits without permission are an error that says what helps" {
	for_a_user
	[[ ! -w /sys/fs/cgroup ]] || skip 'the user may do everything here'
	config '.linux.resources = {"pids": {"limit": 10}} | del(.linux.cgroupsPath)'
	run oci-run run "$id"
	((status != 0)) || skip 'the user has a cgroup here'
	[[ $output == *'Delegate=cpu cpuset io memory pids'* || $output == *systemd.unified_cgroup_hierarchy=1* ]]
}

@test "without limits there need be no cgroup" {
	for_a_user
	config 'del(.linux.resources, .linux.cgroupsPath)'
	program echo there
	run -0 oci-run run "$id"
	output_is there
}

@test "the out-of-memory score can be raised, not lowered" {
	for_a_user
	config '.process.oomScoreAdj = 700'
	program cat /proc/self/oom_score_adj
	run -0 oci-run run "$id"
	output_is 700
	config '.process.oomScoreAdj = -900'
	run -1 oci-run run "$id"
	output_has CAP_SYS_RESOURCE
}

@test "a limit can be lowered, not raised" {
	for_a_user
	config '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 100}]'
	program sh -c 'ulimit -n'
	run -0 oci-run run "$id"
	output_is 100
	config --argjson more "$(($(ulimit -Hn) + 1))" '.process.rlimits[0] |= (.soft = $more | .hard = $more)'
	run -1 oci-run run "$id"
	output_has RLIMIT_NOFILE
}

@test "exec joins the user's container" {
	for_a_user
	program sleep 1000
	detached "$id"
	run -0 oci-run exec "$id" sh -c 'id -u; echo $$'
	[[ ${lines[0]} == 0 && ${lines[1]} != 1 ]]
}

@test "a network namespace of the container's own" {
	for_a_user
	config '.linux.namespaces += [{"type": "network"}]'
	program sh -c 'grep -c : /proc/net/dev; ifconfig lo'
	run -0 oci-run run "$id"
	[[ ${lines[0]} == 1 ]]
	output_has UP
}

@test "root of a user namespace needs no other for its containers" {
	for_a_user
	rm config.json
	oci-run spec
	config --arg session "$session" '.process.terminal = false | del(.linux.resources, .linux.cgroupsPath) | .process.env += ["OCI_RUN_SESSION=\($session)"]'
	program sh -c 'id -u; cat /proc/self/setgroups'
	run unshare --user --map-root-user --mount --pid --fork --mount-proc --net "$OCI_RUN" --root "$state" run "$id" 3>&-
	[[ $status -eq 0 ]] || { echo "$output"; return 1; }
	output_is $'0\ndeny'
}

@test "a cgroup of root's with the container's name is left alone" {
	needs_root # to make one; the container is an ordinary user's
	local dir dirs=() as_user=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$OCI_RUN" --root "$state")
	for dir in /sys/fs/cgroup /sys/fs/cgroup/*/; do
		[[ ! -e $dir/cgroup.procs ]] || dirs+=("${dir%/}/$id")
	done
	mkdir "${dirs[@]}"
	sleep 100 3>&- &
	for dir in "${dirs[@]}"; do echo "$!" >"$dir/cgroup.procs" 2>/dev/null || true; done # cpuset has no CPUs yet
	mkdir -p "$state"
	rm config.json
	chown -R 65534:65534 "$session"
	"${as_user[@]}" spec --rootless
	config '.process.terminal = false'
	program echo ran

	run -0 "${as_user[@]}" run "$id"
	output_is ran

	kill "$!"
	wait "$!" 2>/dev/null || true
	run -0 "${as_user[@]}" run "$id" # nobody is in it any more
	output_is ran
	rmdir "${dirs[@]}"
}
