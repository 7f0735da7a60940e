#!/usr/bin/env bats
# Those of linux.resources that limits.bats doesn't touch, as the kernel's files have them. What a host has no controller
# for is skipped.

load lib

# needs CONTROLLER FILE: the host's cgroups have it.
needs() {
	needs_cgroup "$1"
	v2 && return
	local dir there=''
	dir=$(cgroup "$1")
	mkdir "$dir" # the root of a hierarchy has fewer files
	[[ ! -e $dir/$2 ]] || there=yes
	rmdir "$dir"
	[[ -n $there ]] || skip "no $2 here"
}

# made RESOURCES: a container with them.
made() {
	config ".linux.resources = $1"
	create "$id"
}

# refused RESOURCES POINTER
refused() {
	config ".linux.resources = $1"
	run -1 oci-run run "$id"
	output_has "/linux/resources/$2"
}

# disk: major and minor number of a whole disk.
disk() {
	local device
	for device in /sys/block/*/dev; do
		[[ $device == *loop* || $device == *ram* ]] || { cat "$device"; return; }
	done
	skip 'no disk here'
}

@test "memory.swappiness and disableOOMKiller" {
	needs_root
	if v2; then
		refused '{memory: {swappiness: 10}}' memory/swappiness
		refused '{memory: {disableOOMKiller: true}}' memory/disableOOMKiller
		return
	fi
	needs memory memory.swappiness
	made '{memory: {swappiness: 10, disableOOMKiller: true}}'
	[[ $(cat "$(cgroup memory)/memory.swappiness") == 10 ]]
	grep -q 'oom_kill_disable 1' "$(cgroup memory)/memory.oom_control"
}

@test "memory.kernel and kernelTCP are ignored, with a warning" {
	config '.linux.resources = {memory: {kernel: 1, kernelTCP: 1}} | del(.linux.cgroupsPath)'
	program echo there
	run -0 --separate-stderr oci-run run "$id"
	output_is there
	[[ $stderr == *kernelTCP* ]]
	refused '{memory: {useHierarchy: false}}' memory/useHierarchy
}

@test "cpu.burst and cpu.idle" {
	if v2; then needs cpu cpu.max; else needs cpu cpu.cfs_burst_us; fi
	made '{cpu: {quota: 50000, period: 100000, burst: 20000}}'
	if v2; then [[ $(cat "$(cgroup cpu)/cpu.max.burst") == 20000 ]]; else [[ $(cat "$(cgroup cpu)/cpu.cfs_burst_us") == 20000 ]]; fi
	oci-run delete --force "$id"
	[[ -e $(dirname "$(cgroup cpu)")/cpu.idle ]] || skip 'no cpu.idle here (before Linux 5.15)'
	made '{cpu: {idle: 1}}'
	[[ $(cat "$(cgroup cpu)/cpu.idle") == 1 ]]
}

@test "cpu.realtimePeriod and realtimeRuntime" {
	needs_root
	if v2; then
		refused '{cpu: {realtimeRuntime: 1000}}' cpu/realtimeRuntime
		return
	fi
	needs cpu cpu.rt_period_us
	made '{cpu: {realtimePeriod: 900000}}'
	[[ $(cat "$(cgroup cpu)/cpu.rt_period_us") == 900000 ]]
}

@test "cpu.cpus and mems" {
	needs cpuset cpuset.cpus
	made '{cpu: {cpus: "0", mems: "0"}}'
	[[ $(cat "$(cgroup cpuset)/cpuset.cpus") == 0 && $(cat "$(cgroup cpuset)/cpuset.mems") == 0 ]]
	oci-run delete --force "$id"
	refused '{cpu: {cpus: "0;1"}}' cpu/cpus
}

@test "blockIO.weight and weightDevice" {
	refused '{blockIO: {weight: 5}}' blockIO/weight
	if v2; then needs io io.weight; else needs blkio blkio.bfq.weight; fi
	made '{blockIO: {weight: 200}}'
	if v2; then
		grep -Eq '(^| )(200|[0-9]+)$' "$(cgroup io)"/io.*weight
	else
		grep -q 200 "$(cgroup blkio)/blkio.bfq.weight"
	fi
}

@test "blockIO throttles of a device" {
	if v2; then needs io io.max; else needs blkio blkio.throttle.read_bps_device; fi
	local device
	device=$(disk)
	rate() { echo "[{major: ${device%:*}, minor: ${device#*:}, rate: $1}]"; }
	made "{blockIO: {throttleReadBpsDevice: $(rate 1001), throttleWriteBpsDevice: $(rate 1002),
		throttleReadIOPSDevice: $(rate 1003), throttleWriteIOPSDevice: $(rate 1004)}}"
	if v2; then
		grep -q "^$device rbps=1001 wbps=1002 riops=1003 wiops=1004" "$(cgroup io)/io.max"
		return
	fi
	[[ $(cat "$(cgroup blkio)/blkio.throttle.read_bps_device") == "$device 1001" ]]
	[[ $(cat "$(cgroup blkio)/blkio.throttle.write_bps_device") == "$device 1002" ]]
	[[ $(cat "$(cgroup blkio)/blkio.throttle.read_iops_device") == "$device 1003" ]]
	[[ $(cat "$(cgroup blkio)/blkio.throttle.write_iops_device") == "$device 1004" ]]
}

@test "unified: a line for each device, and a controller that isn't there" {
	v2 || skip 'cgroup v1 has none'
	needs io io.max
	local device
	device=$(disk)
	made "{unified: {\"io.max\": \"$device rbps=1001\\n$device wiops=1004\\n\"}}"
	[[ $(<"$(cgroup)/io.max") == "$device rbps=1001 wbps=max riops=max wiops=1004" ]]
	# What is refused leaves neither of these two.
	run -1 oci-run update --resources - "$id" <<<"{\"unified\": {\"io.max\": \"$device rbps=2002 wbps=2002\", \"pids.max\": \"-7\"}}"
	output_has 'unified resource \"pids.max\": write \"-7\"'
	[[ $(<"$(cgroup)/io.max") == "$device rbps=1001 wbps=max riops=max wiops=1004" ]]
	oci-run delete --force "$id"
	config '.linux.resources = {unified: {"nonsense.max": "1"}}'
	run -1 oci-run run "$id"
	output_has 'nonsense.max'
	output_has 'controller \"nonsense\" not available'
}

@test "hugepageLimits" {
	refused '{hugepageLimits: [{pageSize: "../2MB", limit: 1}]}' hugepageLimits/0/pageSize
	if v2; then needs hugetlb hugetlb.2MB.max; else needs hugetlb hugetlb.2MB.limit_in_bytes; fi
	made '{hugepageLimits: [{pageSize: "2MB", limit: 4194304}]}'
	cat "$(cgroup hugetlb)"/hugetlb.2MB.{max,limit_in_bytes} 2>/dev/null | grep -qx 4194304
	cat "$(cgroup hugetlb)"/hugetlb.2MB.rsvd.{max,limit_in_bytes} 2>/dev/null | grep -qx 4194304
}

@test "network.classID and priorities" {
	needs_root
	if v2; then
		refused '{network: {classID: 7}}' network/classID
		return
	fi
	needs net_cls net_cls.classid
	made '{network: {classID: 7, priorities: [{name: "lo", priority: 3}]}}'
	[[ $(cat "$(cgroup net_cls)/net_cls.classid") == 7 ]]
}

@test "rdma" {
	refused '{rdma: {"mlx5_1 hca": {hcaHandles: 3}}}' rdma/
	needs rdma rdma.max
	local device
	device=$(find /sys/class/infiniband -mindepth 1 -printf "%f\n" -quit 2>/dev/null) || true
	if [[ -z $device ]]; then # the kernel knows the names
		config '.linux.resources = {rdma: {"mlx5_1": {hcaHandles: 3, hcaObjects: 10000}}}'
		run -1 oci-run run "$id"
		output_has 'write \"mlx5_1 hca_handle=3 hca_object=10000\" to'
		output_has 'rdma.max\": no such device'
		return
	fi
	made "{rdma: {\"$device\": {hcaHandles: 3, hcaObjects: 10000}}}"
	grep -qx "$device hca_handle=3 hca_object=10000" "$(cgroup rdma)/rdma.max"
}
