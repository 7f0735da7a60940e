#!/usr/bin/env bats
# linux.resources, as the kernel sees it and as a program feels it.

load lib

resources() { config ".linux.resources = $1"; }

@test 'limits are in force when create returns' {
	needs_cgroup memory cpu pids cpuset
	resources '{memory: {limit: 33554432, reservation: 16777216}, cpu: {shares: 512, quota: 50000, period: 100000, cpus: "0"}, pids: {limit: 20}}'
	create "$id"
	[[ $(value memory memory.limit_in_bytes memory.max) == 33554432 ]]
	[[ $(value memory memory.soft_limit_in_bytes memory.low) == 16777216 ]]
	[[ $(value cpu cpu.shares cpu.weight) == @(512|59) ]]
	[[ $(value cpu cpu.cfs_quota_us cpu.max) == @(50000|50000 100000) ]]
	[[ $(value cpuset cpuset.cpus cpuset.cpus) == 0 ]]
	[[ $(value pids pids.max pids.max) == 20 ]]
}

@test 'limits that init has room in are in force before it does anything' {
	needs_cgroup memory cpu pids
	resources '{memory: {limit: 67108864}, cpu: {quota: 50000, period: 100000}, pids: {limit: 40}}'
	local files=(memory.max cpu.max pids.max)
	v2 || files=(memory.limit_in_bytes cpu.cfs_quota_us pids.max)
	config --arg script "cat '$(cgroup memory)/${files[0]}' '$(cgroup cpu)/${files[1]}' '$(cgroup pids)/${files[2]}' >'$bundle/seen'" \
		'.hooks.createContainer = [{"path": "/bin/sh", "args": ["sh", "-c", $script]}]'
	create "$id"
	[[ $(tr '\n' ' ' <seen) == '67108864 50000 '*'40 ' ]] || { cat seen; return 1; }
}

@test 'a copy into a tmpfs ends at the memory limit, however low' {
	needs_cgroup memory
	mkdir -p rootfs/big
	truncate -s 256M rootfs/big/file # what is a hole there is memory in the copy
	config '.mounts += [{"destination": "/big", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]}]'
	program true
	resources '{memory: {limit: 67108864, swap: 67108864}}'
	run -1 oci-run run "$id"
	output_has 'OOM-killed (memory limit too low?): the limit is 64 MiB'
	resources '{memory: {limit: 8388608, swap: 8388608}}'
	run -1 oci-run run "$id"
	output_has /mounts/
	output_has "the container's memory limit of 8388608 bytes has no room"
	truncate -s 1M rootfs/big/file
	oci-run run "$id"
}

@test 'pids.limit 0 is 1, and -1 is none' {
	needs_cgroup pids
	program sleep 100
	resources '{pids: {limit: 0}}'
	create "$id"
	oci-run start "$id"
	[[ $(value pids pids.max pids.max) == 1 ]]
	oci-run delete --force "$id"
	resources '{pids: {limit: -1}}'
	create "$id"
	[[ $(value pids pids.max pids.max) == max ]]
}

@test 'a cpu.quota below 0 is none' {
	needs_cgroup cpu
	program sleep 100
	resources '{cpu: {quota: -5, period: 50000}}'
	create "$id"
	[[ $(value cpu cpu.cfs_quota_us cpu.max) == @(-1|max 50000) ]]
	oci-run update --cpu-quota 20000 "$id"
	[[ $(value cpu cpu.cfs_quota_us cpu.max) == @(20000|20000 50000) ]]
	oci-run update --cpu-quota -1000 "$id"
	[[ $(value cpu cpu.cfs_quota_us cpu.max) == @(-1|max 50000) ]]
}

@test 'a process is killed at its memory limit' {
	needs_cgroup memory
	resources '{memory: {limit: 8388608, swap: 8388608}}'
	program sh -c 'tail /dev/zero; echo "status $?"'
	run oci-run run "$id"
	output_has 'status 137'
}

@test 'a static program runs with a memory limit of 1 MiB' {
	needs_cgroup memory
	resources '{memory: {limit: 1048576}}'
	program true
	oci-run run "$id"
}

@test 'a memory limit that init can not live with is named in the error' {
	needs_cgroup memory
	program true
	resources '{memory: {limit: 4096, swap: 4096}}'
	run oci-run run "$id"
	case $status in
	1) [[ $output == *'the limit is 4 KiB, the peak use was'* || $output == *'limit to 4096 (current usage: '* ]] || { echo "$output"; return 1; } ;;
	137) output_has 'the memory limit has killed a process of the container: the limit is 4 KiB' ;; # it was the program already
	*) return 1 ;;
	esac
	v2 || skip 'cgroup v1 refuses a limit below what is in use'
	[[ -z ${OCI_RUN_TEST_SYSTEMD:-} ]] || skip 'systemd removes the cgroup, and its counters, with its last process'
	resources '{memory: {limit: 33554432}}'
	create "$id"
	oci-run update --memory 4096 "$id"
	eventually is stopped "$id"
	run -1 oci-run start "$id"
	output_has 'cannot start a container that has stopped'
	output_has 'container init was OOM-killed (memory limit too low?): the limit is 4 KiB, the peak use was'
}

@test 'a program that needs next to nothing runs under a limit of next to nothing' {
	needs_cgroup memory
	by_list create || skip 'init is a second start of oci-run here, and needs more'
	program true
	local least=131072
	! v2 || least=524288
	resources "{memory: {limit: $least, swap: $least}}"
	local round
	for round in {1..10}; do oci-run run "$id" || { echo "round $round"; return 1; }; done
}

@test 'a program is throttled at its quota' {
	needs_cgroup cpu
	resources '{cpu: {quota: 2000, period: 20000}}'
	program sh -c 'while :; do :; done'
	detached "$id"
	throttled() { [[ $(value cpu cpu.stat cpu.stat | sed -n 's/^nr_throttled //p') -gt 2 ]]; }
	eventually throttled
}

@test 'a fork too many is refused' {
	needs_cgroup pids
	resources '{pids: {limit: 2}}'
	program sh -c 'sleep 5 & sleep 5 & sleep 5 & wait'
	run oci-run run "$id"
	output_has 'fork'
}

@test 'a device that no rule allows is refused, one that a rule allows is not' {
	needs_root
	needs_cgroup devices
	config '.linux.devices = [{path: "/dev/kmsg", type: "c", major: 1, minor: 11}] | .process.capabilities.bounding += ["CAP_SYSLOG"]
		| .process.capabilities.effective += ["CAP_SYSLOG"] | .process.capabilities.permitted += ["CAP_SYSLOG"]'
	program sh -c 'head -c 0 /dev/kmsg && echo open; head -c 1 /dev/zero >/dev/null && echo zero'
	resources '{devices: [{allow: false, access: "rwm"}]}'
	run oci-run run "$id"
	output_has 'Operation not permitted'
	output_has zero
	[[ $output != *open* ]]
	resources '{devices: [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 1, minor: 11, access: "r"}]}'
	run oci-run run "$id"
	output_has open
}

@test 'a limit that the kernel refuses is named with its file and value' {
	needs_cgroup cpu
	resources '{cpu: {quota: 1500, period: 5}}'
	run oci-run run "$id"
	[[ $status == 1 ]]
	[[ $output =~ 'write \"'(1500\ )?'5\" to' ]] || { echo "$output"; return 1; }
	output_has 'cpu.'
	output_has 'invalid argument'
}

# refused RESOURCES POINTER TEXT
refused() {
	resources "$1"
	run -1 oci-run run "$id"
	output_has "/linux/resources/$2: "
	output_has "$3"
}

@test 'a limit that the kernel refuses is explained: range, and what the machine has' {
	needs_cgroup cpu pids cpuset
	refused '{cpu: {period: 5}}' cpu/period '5 is not in the range 1000 to 1000000'
	refused '{cpu: {quota: 2000, period: 2000000}}' cpu/period '2000000 is not in the range 1000 to 1000000'
	[[ -n ${OCI_RUN_TEST_SYSTEMD:-} ]] || refused '{cpu: {quota: 5}}' cpu/quota '5 is less than 1000 µs' # systemd makes it 1000
	refused '{cpu: {quota: 50000, burst: 60000}}' cpu/quota 'burst of 60000 µs'
	refused '{pids: {limit: 99999999}}' pids/limit '99999999 is more than 4194304, the most that Linux can have'
	refused '{cpu: {cpus: "0,65000"}}' cpu/cpus "CPU 65000 does not exist, this machine has $(</sys/devices/system/cpu/possible)"
	refused '{cpu: {mems: "900"}}' cpu/mems "memory node 900 does not exist, this machine has $(</sys/devices/system/node/possible)"
	refused '{cpu: {cpus: "1-0"}}' cpu/cpus 'ends before it begins'
	v2 || return 0
	refused '{unified: {"pids.max": "99999999"}}' unified/pids.max '99999999 is more than 4194304'
	refused '{unified: {"cpu.max": "2000 5"}}' unified/cpu.max '5 is not in the range 1000 to 1000000'
}

@test 'a limit without its controller says so' {
	needs_root
	if ! has_controller hugetlb; then
		refused '{hugepageLimits: [{pageSize: "2MB", limit: 0}]}' hugepageLimits/0 'hugetlb'
		output_has 'controller'
	else
		refused '{hugepageLimits: [{pageSize: "3MB", limit: 0}]}' hugepageLimits/0 'huge pages of 3MB do not exist, this machine has'
	fi
	if ! has_controller memory; then
		refused '{memory: {limit: 67108864}}' memory/limit 'the memory controller is not available there'
	fi
	[[ $(find /sys/fs/cgroup -ignore_readdir_race -name "*$id*") == '' ]]
}

@test 'every form of a list of CPUs that the kernel knows is taken' {
	needs_cgroup cpuset
	program true
	for list in 0 0-0 '0,0' 0-N all 0-N:1/2; do
		resources "{cpu: {cpus: \"$list\"}}"
		run -0 oci-run run "$id"
	done
}

@test 'unified resources are for cgroup v2' {
	needs_root
	resources '{unified: {"memory.nonsense": "1"}}'
	run oci-run run "$id"
	[[ $status == 1 ]]
	if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
		output_has 'memory.nonsense'
	else
		output_has 'invalid configuration'
	fi
	resources '{unified: {"../x": "1"}}'
	run oci-run run "$id"
	[[ $status == 1 ]]
	output_has '/linux/resources/unified'
}

@test "where a cgroup can't be made, none of somebody else's is removed, and nothing is left of the container" {
	needs_root
	v2 && skip 'cgroup v2 has one hierarchy'
	[[ -z ${OCI_RUN_TEST_SYSTEMD:-} ]] || skip 'the unit has its own'
	theirs=$(cgroup pids)
	mkdir "$theirs" "$(cgroup memory)"
	sleep 100 3>&- &
	echo $! >"$theirs/cgroup.procs"
	run oci-run run "$id"
	[[ $status == 1 ]]
	output=${output//\\/}
	output_has "/linux/cgroupsPath: unable to apply cgroup configuration: container's cgroup is not empty: 1 process(es) found in \"$theirs\""
	[[ $output != *'device or resource busy'* ]]
	[[ ! -e $state/$id && -d $(cgroup memory) && ! -e $(cgroup devices) ]]
	kill $!
	wait $! || true
	rmdir "$theirs" "$(cgroup memory)"
}

@test "a cgroup above that allows no more below it is named" {
	needs_root
	v2 || skip 'cgroup v1 has no such limit'
	[[ -z ${OCI_RUN_TEST_SYSTEMD:-} ]] || skip 'the unit has its own'
	mkdir "$(cgroup '')"
	echo 1 >"$(cgroup '')/cgroup.max.depth"
	config '.linux.cgroupsPath += "/a/b"'
	run oci-run run "$id"
	[[ $status == 1 ]]
	output=${output//\\/}
	output_has "/linux/cgroupsPath: unable to apply cgroup configuration: mkdir \"$(cgroup '')/a/b\": resource temporarily unavailable (\"$(cgroup '')\" has cgroup.max.depth 1)"
	echo max >"$(cgroup '')/cgroup.max.depth"
	echo 0 >"$(cgroup '')/cgroup.max.descendants"
	run oci-run run "$id"
	[[ $status == 1 ]]
	output=${output//\\/}
	output_has "(\"$(cgroup '')\" has cgroup.max.descendants 0)"
	rmdir "$(cgroup '')"
}

@test "a cgroup that gives its controllers away takes no process, and says so" {
	needs_root
	v2 || skip 'cgroup v1 has no such rule'
	[[ -z ${OCI_RUN_TEST_SYSTEMD:-} ]] || skip 'the unit has its own'
	mkdir "$(cgroup '')" "$(cgroup '')/below"
	# One that isn't threaded: cpu, cpuset and pids go with processes.
	grep -qw memory "$(cgroup '')/cgroup.controllers" || skip 'there is no memory controller to give'
	echo +memory >"$(cgroup '')/cgroup.subtree_control"
	run oci-run run "$id"
	[[ $status == 1 ]]
	output_has "/linux/cgroupsPath: unable to apply cgroup configuration: adding pid"
	output_has "device or resource busy (it gives its controllers to cgroups below it: memory)"
	[[ ! -e $(cgroup '') ]] # it was empty, and became the container's
}

@test "a cgroup with processes is not taken over, nor are they harmed" {
	needs_root
	[[ -z ${OCI_RUN_TEST_SYSTEMD:-} ]] || config ".linux.cgroupsPath = \"system.slice:oci-run:$id\""
	program sleep 100
	detached "$id"
	run oci-run run "$id-2"
	[[ $status == 1 ]]
	output_has "container's cgroup is not empty"
	[[ $(status_of "$id") == running ]]
}
