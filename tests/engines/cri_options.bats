#!/usr/bin/env bats
# As a Kubernetes node does it: what the configuration of a pod or a container, by the CRI, gives a container.
# shellcheck disable=SC2016,SC2154 # what is in single quotes is for the container's shell; containerd.bash sets the rest

load cri

@test "sysctls of the pod, and only of the pod" {
	before=$(</proc/sys/net/ipv4/ip_unprivileged_port_start)
	make_pod '.linux.sysctls = {"net.ipv4.ip_unprivileged_port_start": "77", "kernel.shm_rmid_forced": "1"}'
	run_container main . sleep 1000
	[[ $(crictl exec "$container" cat /proc/sys/net/ipv4/ip_unprivileged_port_start) == 77 ]]
	[[ $(crictl exec "$container" cat /proc/sys/kernel/shm_rmid_forced) == 1 ]]
	[[ $(</proc/sys/net/ipv4/ip_unprivileged_port_start) == "$before" ]]
}

@test "resolv.conf is the pod's" {
	make_pod '.dns_config = {servers: ["192.0.2.53"], searches: ["sessions.example"], options: ["ndots:5"]}'
	run says . cat /etc/resolv.conf
	output_is $'search sessions.example\nnameserver 192.0.2.53\noptions ndots:5'
}

@test "user, group, further groups" {
	make_pod
	run says '.linux.security_context += {run_as_user: {value: 1000}, run_as_group: {value: 50}, supplemental_groups: [4242]}' id
	output_has 'uid=1000(app) gid=50(staff)'
	output_has 4242
	run says '.linux.security_context.run_as_username = "app"' sh -c 'id -u; echo $HOME'
	output_is $'1000\n/home/app'
}

@test "capabilities: the default set, less, more, none" {
	make_pod
	run says . grep CapEff /proc/self/status
	output_is $'CapEff:\t00000000a80425fb'
	run says '.linux.security_context.capabilities = {add_capabilities: ["NET_ADMIN"], drop_capabilities: ["CHOWN"]}' \
		grep CapEff /proc/self/status
	output_is $'CapEff:\t00000000a80435fa'
	run says '.linux.security_context.capabilities = {drop_capabilities: ["ALL"]}' grep CapBnd /proc/self/status
	output_is $'CapBnd:\t0000000000000000'
}

@test "seccomp: RuntimeDefault, Unconfined, Localhost" {
	make_pod
	run says '.linux.security_context.seccomp = {profile_type: 0} | .linux.security_context.capabilities = {add_capabilities: ["SYS_ADMIN"]}' \
		sh -c 'grep Seccomp: /proc/self/status; keyctl 2>/dev/null; unshare -m true && echo may'
	output_is $'Seccomp:\t2\nmay'
	run says '.linux.security_context.seccomp = {profile_type: 0}' sh -c 'exec 2>&1; unshare -U true'
	output_has 'Operation not permitted'
	run says '.linux.security_context.seccomp = {profile_type: 1}' sh -c 'exec 2>&1; grep Seccomp: /proc/self/status; unshare -U true && echo may'
	output_is $'Seccomp:\t0\nmay'
	echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}' >"$scratch/profile.json"
	run says ".linux.security_context.seccomp = {profile_type: 2, localhost_ref: \"$scratch/profile.json\"}" sh -c 'exec 2>&1; mkdir /made'
	output_has 'Function not implemented'
}

@test "privileged: everything allowed, nothing masked" {
	needs_device /dev/fuse
	make_pod '.linux.security_context.privileged = true'
	run says '.linux.security_context.privileged = true' \
		sh -c 'grep -E "CapEff|Seccomp:" /proc/self/status; touch /sys/kernel && echo writable; grep -c "/proc/[a-z]" /proc/mounts; ls -d /dev/fuse'
	output_is "CapEff:	$(awk '$1 == "CapBnd:" {print $2}' /proc/self/status)
Seccomp:	0
writable
0
/dev/fuse"
}

@test "a read-only root, and no new privileges" {
	make_pod
	run says '.linux.security_context += {readonly_rootfs: true, no_new_privs: true}' \
		sh -c 'exec 2>&1; grep NoNewPrivs /proc/self/status; touch /file; touch /dev/shm/file && echo shm'
	output_is $'NoNewPrivs:\t1\ntouch: /file: Read-only file system\nshm'
	run says '.linux.security_context.no_new_privs = false' grep NoNewPrivs /proc/self/status
	output_is $'NoNewPrivs:\t0'
}

@test "masked and read-only paths" {
	make_pod
	run says '.linux.security_context += {masked_paths: ["/proc/version", "/proc/sysvipc", "/no/such"], readonly_paths: ["/proc/sys"]}' \
		sh -c 'exec 2>&1; wc -c </proc/version; ls /proc/sysvipc | wc -l; echo 0 >/proc/sys/net/ipv4/ip_forward; :'
	output_has $'0\n0\n'
	output_has 'Read-only file system'
}

@test "mounts: read-only, writable, and what is mounted later in either direction" {
	make_pod '.linux.security_context.privileged = true'
	mkdir -p "$scratch/source"
	mount -t tmpfs tmpfs "$scratch/source"
	mount --make-shared "$scratch/source"
	mkdir "$scratch/source/"{later,theirs}
	run_container main ".linux.security_context.privileged = true | .mounts = [
		{container_path: \"/ro\", host_path: \"$scratch/source\", readonly: true},
		{container_path: \"/slave\", host_path: \"$scratch/source\", propagation: 1},
		{container_path: \"/shared\", host_path: \"$scratch/source\", propagation: 2}]" sleep 1000
	run crictl exec "$container" touch /ro/file
	((status != 0))
	output_has 'Read-only file system'
	crictl exec "$container" touch /slave/file
	[[ -e $scratch/source/file ]]
	mount -t tmpfs tmpfs "$scratch/source/later"
	touch "$scratch/source/later/arrived"
	crictl exec "$container" test -e /slave/later/arrived
	crictl exec "$container" mount -t tmpfs tmpfs /shared/theirs
	crictl exec "$container" touch /shared/theirs/left
	[[ -e $scratch/source/theirs/left ]]
	crictl rm --force "$container"
	umount -R "$scratch/source"
}

@test "limits are in the cgroup's files" {
	make_pod
	run_container main '.linux.resources = {cpu_period: 50000, cpu_quota: 20000, cpu_shares: 512, cpuset_cpus: "0",
		memory_limit_in_bytes: 67108864, oom_score_adj: 500}' sleep 1000
	pid=$(container_pid)
	equal memory 67108864 "$(cgroup_value "$pid" memory memory.limit_in_bytes memory.max)"
	equal cpuset 0 "$(cgroup_value "$pid" cpuset cpuset.cpus cpuset.cpus)"
	equal oom_score_adj 500 "$(<"/proc/$pid/oom_score_adj")"
	if [[ ! -e /sys/fs/cgroup/cgroup.controllers ]]; then
		equal quota 20000 "$(cgroup_value "$pid" cpu cpu.cfs_quota_us -)"
		equal period 50000 "$(cgroup_value "$pid" cpu cpu.cfs_period_us -)"
		equal shares 512 "$(cgroup_value "$pid" cpu cpu.shares -)"
	else
		equal 'CPU time' '20000 50000' "$(cgroup_value "$pid" cpu - cpu.max)"
		equal weight 20 "$(cgroup_value "$pid" cpu - cpu.weight)"
	fi
}

@test "a device of the host" {
	needs_device /dev/fuse
	make_pod
	run says '.devices = [{container_path: "/dev/mine", host_path: "/dev/fuse", permissions: "rw"}]' \
		sh -c 'exec 3<>/dev/mine && echo opened; ls /dev/fuse 2>/dev/null; exit 0'
	output_is opened
}
