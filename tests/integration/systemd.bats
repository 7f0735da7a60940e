#!/usr/bin/env bats
# What systemd is told of a container, and does to it. For OCI_RUN_TEST_SYSTEMD=1; `make test-vm` sets it in a guest.

load lib

needs_systemd() { [[ -n ${OCI_RUN_TEST_SYSTEMD:-} ]] || skip 'for systemd (OCI_RUN_TEST_SYSTEMD=1)'; }

ctl() { if ((EUID == 0)); then systemctl "$@"; else systemctl --user "$@"; fi; }

# property NAME: of the container's scope.
property() { ctl show --property "$1" --value "oci-run-$id.scope"; }

@test "the scope has the slice and the name that cgroupsPath says" {
	needs_systemd
	needs_cgroup pids
	config ".linux.cgroupsPath = \"ocirun-sessions.slice:pre:$id\""
	program sleep 1000
	detached "$id"
	[[ $(<"/proc/$(pid_of "$id")/cgroup") == *"/ocirun.slice/ocirun-sessions.slice/pre-$id.scope" ]]
	[[ $(ctl show --property Slice --value "pre-$id.scope") == ocirun-sessions.slice ]]
	[[ $(ctl show --property Delegate --value "pre-$id.scope") == yes ]]
	oci-run delete --force "$id"
	[[ $(ctl show --property LoadState --value "pre-$id.scope") == not-found ]]
	ctl stop ocirun.slice
}

@test "a cgroupsPath that is no slice:prefix:name is refused" {
	needs_systemd
	for path in /oci-run/x a:b 'x.slice:p:../y' 'a--b.slice:p:n'; do
		config ".linux.cgroupsPath = \"$path\""
		run -1 oci-run run "$id"
		output_has /linux/cgroupsPath
	done
}

@test "limits are properties of the scope, after update too, and survive a daemon-reload" {
	needs_systemd
	needs_cgroup memory cpu pids cpuset
	program sleep 1000
	config '.linux.resources = {memory: {limit: 33554432, reservation: 16777216}, cpu: {shares: 1024, quota: 50000, period: 100000, cpus: "0"},
		pids: {limit: 20}, unified: {"memory.high": "30000000"}}'
	detached "$id"
	[[ $(property MemoryMax) == 33554432 && $(property MemoryLow) == 16777216 && $(property TasksMax) == 20 ]]
	[[ $(property CPUQuotaPerSecUSec) == 500ms && $(property CPUWeight) == 100 && $(property AllowedCPUs) == 0 ]]
	[[ $(property MemoryHigh) == 30000000 ]]
	oci-run update --memory 64M --pids-limit -1 --cpu-quota -1 "$id"
	[[ $(property MemoryMax) == 67108864 && $(property TasksMax) == infinity && $(property CPUQuotaPerSecUSec) == infinity ]]
	oci-run update --pids-limit 9 --cpu-quota 20000 "$id"
	ctl daemon-reload
	[[ $(value memory memory.limit_in_bytes memory.max) == 67108864 && $(value pids pids.max pids.max) == 9 ]]
	[[ $(value cpu cpu.cfs_quota_us cpu.max) == @(20000|20000 100000) && $(value cpu cpu.shares cpu.weight) == @(1024|100) ]]
	[[ $(value cpuset cpuset.cpus cpuset.cpus) == 0 ]]
}

@test "an update that the kernel refuses is not told to systemd" {
	needs_systemd
	needs_cgroup cpu pids
	program sleep 1000
	config '.linux.resources = {cpu: {quota: 50000, period: 100000}, pids: {limit: 20}}'
	detached "$id"
	run -1 oci-run update --pids-limit 9 --cpu-quota 1500 --cpu-period 5 "$id"
	output_has 'cpu.'
	[[ $(property TasksMax) == 20 && $(property CPUQuotaPerSecUSec) == 500ms ]]
	[[ $(value pids pids.max pids.max) == 20 ]]
}

# try_devices: kmsg may be read and nothing else; a wildcard's devices, too. (1:11 is kmsg, 1:5 zero, 10:229 fuse.)
try_devices() {
	oci-run exec "$id" head -c 0 /dev/kmsg
	oci-run exec "$id" head -c 1 /dev/zero >/dev/null
	run oci-run exec "$id" sh -c ': >/dev/kmsg'
	output_has 'Operation not permitted'
	run oci-run exec "$id" sh -c ': </dev/mine'
	output_has 'Operation not permitted'
}

@test "device rules survive a daemon-reload and a change of the unit" {
	needs_systemd
	needs_root
	config '.linux.devices = [{path: "/dev/kmsg", type: "c", major: 1, minor: 11}, {path: "/dev/mine", type: "c", major: 10, minor: 229, fileMode: 438}]
		| .process.capabilities[] |= . + ["CAP_SYSLOG"]
		| .linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 1, minor: 11, access: "r"}]'
	program sleep 1000
	detached "$id"
	try_devices
	systemctl daemon-reload
	try_devices
	systemctl set-property --runtime "oci-run-$id.scope" TasksMax=50
	try_devices
	oci-run update --pids-limit 40 "$id"
	try_devices
	oci-run update --resources - "$id" <<<'{"devices": [{"allow": false, "access": "rwm"}]}'
	systemctl daemon-reload
	run oci-run exec "$id" head -c 0 /dev/kmsg
	output_has 'Operation not permitted'
}

@test "annotations set properties of the scope, but only some" {
	needs_systemd
	needs_cgroup pids
	config '.annotations = {"org.systemd.property.TimeoutStopSec": "uint64 7", "org.systemd.property.CollectMode": "'"'inactive-or-failed'"'"}'
	program sleep 1000
	detached "$id"
	[[ $(property TimeoutStopUSec) == 7s && $(property CollectMode) == inactive-or-failed ]]
	oci-run delete --force "$id"
	for name in ExecStart Delegate Slice DevicePolicy User; do
		config ".annotations = {\"org.systemd.property.$name\": \"'x'\"}"
		run -1 oci-run run "$id"
		output_has "\"$name\\\" is none that an annotation may set"
	done
}

@test "a container whose scope systemd has stopped is stopped, and can be deleted" {
	needs_systemd
	needs_cgroup pids
	program sleep 1000
	detached "$id"
	ctl stop "oci-run-$id.scope"
	eventually is stopped "$id"
	oci-run delete "$id"
}
