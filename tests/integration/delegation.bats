#!/usr/bin/env bats
# Cgroup v2 made over to a container, and threaded cgroups.

load lib

needs_v2() {
	v2 || skip 'for cgroup v2'
	needs_root
}

# mapped: root of the container is user 100000 of the host; cgroups are mounted with these options.
mapped() {
	config --arg option "$1" '.linux.namespaces += [{"type": "user"}, {"type": "cgroup"}] | .linux.namespaces |= unique
		| .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings
		| .mounts |= map(select(.destination != "/sys/fs/cgroup"))
		| .mounts += [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", $option]}]'
	chown -R 100000:100000 rootfs
}

@test "a container that may write to its cgroup owns it, and makes others in it" {
	needs_v2
	needs_cgroup pids
	mapped rw
	config '.linux.resources.pids.limit = 20'
	program sh -c 'mkdir /sys/fs/cgroup/sub && echo 1 >/sys/fs/cgroup/sub/cgroup.procs && echo +pids >/sys/fs/cgroup/cgroup.subtree_control &&
		cat /proc/self/cgroup; echo 1 2>/dev/null >/sys/fs/cgroup/pids.max || echo limited; sleep 1000'
	detached "$id"
	eventually says limited
	says 0::/sub
	[[ $(stat -c %u "$(cgroup)" "$(cgroup)"/cgroup.{procs,threads,subtree_control} | uniq) == 100000 ]]
	[[ $(stat -c %u "$(cgroup)"/{pids.max,cgroup.freeze,cgroup.kill} | uniq) == 0 ]]
	# The container's own cgroup can't hold processes now.
	[[ $(oci-run exec "$id" cat /proc/self/cgroup) == 0::/sub ]]
	oci-run pause "$id"
	oci-run resume "$id"
	oci-run delete --force "$id"
}

@test "a container with a read-only cgroup doesn't own it" {
	needs_v2
	mapped ro
	program sleep 1000
	detached "$id"
	[[ $(stat -c %u "$(cgroup)" "$(cgroup)/cgroup.procs" | uniq) == 0 ]]
}

# threaded: a cgroup of that type, in $above.
threaded() {
	[[ -z ${OCI_RUN_TEST_SYSTEMD:-} ]] || skip 'systemd makes no threaded cgroups'
	above=/oci-run-tests-$id/threaded
	mkdir -p "/sys/fs/cgroup$above"
	echo threaded >"/sys/fs/cgroup$above/cgroup.type"
	config ".linux.cgroupsPath = \"$above/container\""
}

remove_threaded() { rmdir "/sys/fs/cgroup$above" "/sys/fs/cgroup/oci-run-tests-$id"; }

@test "a container in a threaded cgroup lives, without limits that this can't have" {
	needs_v2
	needs_cgroup pids
	threaded
	config '.linux.resources = {pids: {limit: 20}}'
	program sleep 1000
	run detached "$id"
	echo "$output"
	[[ $status == 0 ]]
	[[ $(<"/sys/fs/cgroup$above/container/cgroup.type") == threaded && $(<"/sys/fs/cgroup$above/container/pids.max") == 20 ]]
	[[ $(oci-run ps --format json "$id") == "[$(pid_of "$id")]" ]]
	oci-run exec "$id" true
	oci-run kill --all "$id" KILL
	eventually is stopped "$id"
	oci-run delete "$id"
	remove_threaded
}

@test "a limit that a threaded cgroup can't have is refused" {
	needs_v2
	threaded
	config '.linux.resources = {memory: {limit: 33554432}}'
	run -1 oci-run run "$id"
	output_has "/sys/fs/cgroup/oci-run-tests-$id"
	output_has threaded
	remove_threaded
}

@test "a cgroup that is frozen already is not taken over" {
	needs_cgroup freezer
	[[ -z ${OCI_RUN_TEST_SYSTEMD:-} ]] || skip 'systemd makes the cgroup'
	local dir
	dir=$(cgroup freezer)
	mkdir -p "$dir"
	if v2; then echo 1 >"$dir/cgroup.freeze"; else echo FROZEN >"$dir/freezer.state"; fi
	run -1 oci-run run "$id"
	output_has "container's cgroup unexpectedly frozen"
	rmdir "$dir"
}
