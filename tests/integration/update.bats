#!/usr/bin/env bats
# update, pause, resume and events: what can be done about a container's resources while it lives.

load lib

memory() { value memory memory.limit_in_bytes memory.max; }
pids() { value pids pids.max pids.max; }
shares() { value cpu cpu.shares cpu.weight; }
quota() { value cpu cpu.cfs_quota_us cpu.max | cut -d' ' -f1; }
period() { if v2; then cut -d' ' -f2 "$(cgroup cpu)/cpu.max"; else cat "$(cgroup cpu)/cpu.cfs_period_us"; fi; }

# as_shares N: how the kernel shows these shares; v2 has a weight of 1 to 10000 for them.
as_shares() {
	if ! v2; then echo "$1"; return; fi
	awk -v shares="$1" 'BEGIN { l = log(shares) / log(2); w = exp(log(10) * ((l * l + 125 * l) / 612 - 7 / 34)); print w == int(w) ? w : int(w) + 1 }'
}

sleeper() {
	program sleep 1000
	config '.linux.resources = {memory: {limit: 33554432}, cpu: {shares: 100, quota: 50000, period: 100000}, pids: {limit: 20}}'
	detached "$id"
}

@test 'update changes what its flags name, and nothing else' {
	needs_cgroup memory cpu pids
	sleeper
	oci-run update "$id" --memory 64M --pids-limit 5
	[[ $(memory) == 67108864 ]]
	[[ $(pids) == 5 ]]
	[[ $(shares) == $(as_shares 100) ]]
	oci-run update --cpu-quota 20000 "$id"
	[[ $(quota) == 20000 ]]
	[[ $(period) == 100000 ]]
	[[ $(memory) == 67108864 ]]
	oci-run update --cpu-period 200000 "$id"
	[[ $(quota) == 20000 && $(period) == 200000 ]]
	oci-run update --cpu-quota -1 "$id"
	[[ $(quota) == @(-1|max) && $(period) == 200000 ]]
}

@test 'update reads linux.resources from a file or standard input' {
	needs_cgroup memory cpu pids
	sleeper
	echo '{"memory": {"limit": 0}, "cpu": {"shares": 200}}' >resources.json
	oci-run update --resources resources.json "$id"
	oci-run update --resources=- "$id" <<<'{"pids": {"limit": -1}}'
	[[ $(shares) == $(as_shares 200) ]]
	[[ $(pids) == max ]]
	[[ $(memory) == 33554432 ]] # 0: not set
	oci-run update --resources <(echo '{"pids": {"limit": 7}}') "$id"
	[[ $(pids) == 7 ]]
}

# not_updated TEXT FLAG...: update fails with the text and sets nothing.
not_updated() {
	run -1 timeout 20 "$OCI_RUN" --root "$state" update "${@:2}" "$id"
	output_has "$1"
	[[ $(pids) == 20 ]]
}

@test 'update --resources says where the file is wrong' {
	needs_cgroup memory cpu pids
	sleeper
	printf '{\n  "pids": {"limit": 5},\n  "memory": {"limit": "64M"}\n}\n' >resources.json
	not_updated 'resources.json:3:23: /memory/limit: is a string, must be an integer' --resources resources.json
	printf '{\n  "pids": {"limit": 5},\n  "cpu": {"idle": 7}\n}\n' >resources.json
	not_updated 'resources.json:3:19: /cpu/idle: ' --resources resources.json
	printf '{\n  "pids": {"limit": 5},\n  "devices": [{"access": "rwm"}]\n}\n' >resources.json
	not_updated 'resources.json:3:15: /devices/0/allow: is missing' --resources resources.json
	echo '{"pids": {"limit": 5}, "blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0}]}}' >resources.json
	not_updated 'resources.json: /blockIO/throttleReadBpsDevice/0/rate: is missing' --resources resources.json
	not_updated 'standard input: /pids: appears twice, at 1:2 and at 1:24' --resources - <<<'{"pids": {"limit": 5}, "pids": {"limit": 6}}'
	not_updated 'standard input: the file is empty' --resources - </dev/null
}

@test 'update --resources refuses what nothing knows' {
	needs_cgroup memory cpu pids
	sleeper
	not_updated 'standard input: /Pids: unknown property (did you mean ' --resources - <<<'{"Pids": {"limit": 5}}'
	printf '{\n  "pids": {"limit": 5},\n  "memory": {"limt": 5}\n}\n' >resources.json
	not_updated 'resources.json:3:22: /memory/limt: unknown property (did you mean ' --resources resources.json
	not_updated '/ulimits: unknown property' --resources - <<<'{"ulimits": {}}'
}

@test 'update without an option is an error' {
	needs_cgroup memory cpu pids
	sleeper
	not_updated 'needs an option that says what is to change'
	run -1 oci-run update "$id" -- --pids-limit 5
	[[ $(pids) == 20 ]]
}

@test 'update --resources reads nothing that has no end' {
	needs_cgroup memory cpu pids
	sleeper
	mkfifo fifo
	not_updated '/dev/zero\": not a regular file (it is a device' --resources /dev/zero
	not_updated '/\": not a regular file (it is a directory' --resources /
	not_updated 'fifo: the file is empty' --resources fifo
	not_updated 'more than the 67108864 bytes' --resources - </dev/zero
	not_updated 'nosuch: no such file or directory' --resources nosuch
}

@test 'update sets each limit that it has a flag for' {
	needs_cgroup memory cpu pids cpuset
	sleeper
	oci-run update --cpu-period 50000 --cpu-quota 25000 --cpu-share 300 --cpuset-cpus 0 --cpuset-mems 0 \
		--memory 64M --memory-reservation 32M --pids-limit 7 "$id"
	[[ $(quota) == 25000 && $(period) == 50000 && $(shares) == $(as_shares 300) ]]
	[[ $(value cpuset cpuset.cpus cpuset.cpus) == 0 && $(value cpuset cpuset.mems cpuset.mems) == 0 ]]
	[[ $(memory) == 67108864 && $(value memory memory.soft_limit_in_bytes memory.low) == 33554432 && $(pids) == 7 ]]
	if [[ -e $(cgroup cpu)/cpu.cfs_burst_us || -e $(cgroup cpu)/cpu.max.burst ]]; then
		oci-run update --cpu-burst 10000 "$id"
		[[ $(value cpu cpu.cfs_burst_us cpu.max.burst) == 10000 ]]
	fi
	if [[ -e $(cgroup cpu)/cpu.idle ]]; then
		oci-run update --cpu-idle 1 "$id"
		[[ $(value cpu cpu.idle cpu.idle) == 1 ]]
		oci-run update --cpu-idle 0 "$id"
		[[ $(value cpu cpu.idle cpu.idle) == 0 ]]
	fi
	if [[ -e $(cgroup memory)/memory.memsw.limit_in_bytes || -e $(cgroup memory)/memory.swap.max ]]; then
		oci-run update --memory-swap 96M "$id" # v1: with the memory, v2: without it
		[[ $(value memory memory.memsw.limit_in_bytes memory.swap.max) == @(100663296|33554432) ]]
	fi
	if [[ -e $(cgroup cpu)/cpu.rt_period_us ]]; then
		oci-run update --cpu-rt-period 900000 "$id"
		[[ $(<"$(cgroup cpu)/cpu.rt_period_us") == 900000 ]]
	fi
	local weight
	for weight in "$(cgroup blkio)"/{blkio,io}{,.bfq}.weight; do
		[[ -e $weight ]] || continue
		oci-run update --blkio-weight 200 "$id"
		# A weight of 10 to 1000 is one of 1 to 10000 where the file is io.weight.
		[[ $(<"$weight") == @(200|default\ 200|default\ 1920) ]]
		break
	done
}

@test 'unified resources can be updated' {
	v2 || skip 'cgroup v1 has none'
	needs_cgroup memory pids
	sleeper
	oci-run update --resources - "$id" <<<'{"unified": {"memory.high": "20971520", "pids.max": "9"}}'
	[[ $(<"$(cgroup)/memory.high") == 20971520 && $(pids) == 9 && $(memory) == 33554432 ]]
}

@test 'what an update sets is felt: processes' {
	needs_cgroup pids
	program sleep 1000
	detached "$id"
	oci-run exec "$id" sh -c 'sleep 0 & sleep 0 & wait'
	oci-run update --pids-limit 2 "$id"
	run oci-run exec "$id" sh -c 'sleep 1 & sleep 1 & wait'
	((status != 0))
	output_has "can't fork"
}

@test 'what an update sets is felt: memory' {
	needs_cgroup memory
	program sh -c 'until [ -e /tmp/go ]; do sleep 0.05; done; tail /dev/zero; echo "status $?"; sleep 1000'
	config '.root.readonly = false'
	detached "$id"
	oci-run update --memory 8M --memory-swap 8M "$id"
	touch rootfs/tmp/go
	eventually says 'status 137'
}

@test 'what an update sets is felt: CPU time' {
	needs_cgroup cpu
	program sh -c 'while :; do :; done'
	detached "$id"
	throttled() { value cpu cpu.stat cpu.stat | sed -n 's/^nr_throttled //p'; }
	[[ $(throttled) == 0 ]]
	oci-run update --cpu-period 20000 --cpu-quota 2000 "$id"
	throttled_often() { (($(throttled) > 2)); }
	eventually throttled_often
}

@test 'what an update sets is felt: devices' {
	needs_root
	needs_cgroup devices
	config '.linux.devices = [{path: "/dev/kmsg", type: "c", major: 1, minor: 11}] | .process.capabilities[] |= . + ["CAP_SYSLOG"]
		| .linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 1, minor: 11, access: "r"}]'
	program sleep 1000
	detached "$id"
	oci-run exec "$id" head -c 0 /dev/kmsg
	oci-run update --resources - "$id" <<<'{"devices": [{"allow": false, "access": "rwm"}]}'
	run oci-run exec "$id" head -c 0 /dev/kmsg
	output_has 'Operation not permitted'
	oci-run exec "$id" head -c 1 /dev/zero >zero
	oci-run update --resources - "$id" <<<'{"devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "rw"}]}'
	run oci-run exec "$id" head -c 0 /dev/kmsg
	output_is ''
}

# Podman 5 sends a container's own resources when something changes that is not the runtime's.
@test 'without a cgroup, what is as it was is no change, and a limit is an error' {
	! makes_cgroups || skip 'this user makes cgroups'
	config '.linux.resources = {devices: [{allow: false, access: "rwm"}]}'
	program sleep 1000
	detached "$id"
	run -0 oci-run update --resources - "$id" <<<'{"devices": [{"allow": false, "access": "rwm"}]}'
	run -0 oci-run update --resources - "$id" <<<'{}'
	run -1 oci-run update --resources - "$id" <<<'{"pids": {"limit": 7}}'
	output_has 'the container has no cgroup of its own'
	run -1 oci-run update --pids-limit 7 "$id"
	output_has 'the container has no cgroup of its own'
}

@test 'an update that can not be done in full is not done at all' {
	needs_cgroup memory cpu pids
	sleeper
	run oci-run update "$id" --memory 64M --cpu-share 200 --cpu-quota 5 --pids-limit 7
	[[ $status == 1 ]]
	output_has 'cpu.'
	[[ $(memory) == 33554432 ]]
	[[ $(shares) == $(as_shares 100) ]]
	[[ $(pids) == 20 ]]
}

@test 'an update with a device rule that makes no sense changes no limit' {
	needs_cgroup memory cpu pids
	sleeper
	run -1 oci-run update --resources - "$id" <<<'{"pids": {"limit": 7}, "devices": [{"allow": true, "type": "x", "access": "r"}]}'
	output_has 'standard input: /devices/0: '
	[[ $(pids) == 20 ]]
}

@test 'a memory limit above the one of memory and swap together names the option that is missing' {
	needs_cgroup memory
	[[ -e $(dirname "$(cgroup memory)")/memory.memsw.limit_in_bytes ]] || v2 || skip 'swap is not accounted here'
	program sleep 1000
	config '.linux.resources = {memory: {limit: 33554432, swap: 50331648}}'
	detached "$id"
	run -1 oci-run update --memory 64M "$id"
	output_has '--memory: 67108864 is more than 50331648, the limit of memory and swap together'
	output_has '--memory-swap'
	[[ $(memory) == 33554432 ]]
	oci-run update --memory 64M --memory-swap 128M "$id"
	[[ $(memory) == 67108864 ]]
	oci-run update --memory-swap 256M --memory 32M "$id"
	[[ $(memory) == 33554432 ]]
}

@test 'an update of CPUs that do not exist says which there are' {
	needs_cgroup cpuset
	program sleep 1000
	detached "$id"
	run -1 oci-run update --cpuset-cpus 0,65000 "$id"
	output_has "--cpuset-cpus: CPU 65000 does not exist, this machine has $(</sys/devices/system/cpu/possible)"
}

@test 'unified cpu.max without a period keeps the one in force' {
	v2 || skip 'cgroup v1 has none'
	needs_cgroup cpu
	sleeper
	oci-run update --cpu-period 50000 "$id"
	oci-run update --resources - "$id" <<<'{"unified": {"cpu.max": "20000"}}'
	[[ $(<"$(cgroup cpu)/cpu.max") == '20000 50000' ]]
}

@test 'checkBeforeUpdate refuses a memory limit below what is in use' {
	needs_cgroup memory
	program sh -c 'head -c 20000000 /dev/zero >/dev/shm/file; echo full; exec sleep 1000'
	config '.linux.resources = {memory: {limit: 67108864, swap: 67108864}}'
	detached "$id"
	eventually says full
	run -1 oci-run update --resources - "$id" <<<'{"memory": {"limit": 10485760, "swap": 10485760, "checkBeforeUpdate": true}}'
	output_has memory
	[[ $(memory) == 67108864 ]]
	is running "$id"
}

@test 'update refuses what it does not understand' {
	needs_root
	program sleep 1000
	detached "$id"
	run oci-run update "$id" --memory lots
	[[ $status == 1 ]]
	output_has 'invalid value for memory'
	run oci-run update --resources - "$id" <<<'{"memory": {"swappiness": 200}}'
	[[ $status == 1 ]]
	output_has 'standard input: /memory/swappiness: '
	run oci-run update "$id" --l3-cache-schema 'L3:0=f'
	[[ $status == 1 ]]
}

@test 'a paused container stands still, says so, and can be killed' {
	needs_cgroup freezer
	program sh -c 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done'
	detached "$id"
	eventually says 3
	oci-run pause "$id"
	is paused "$id"
	local lines
	lines=$(wc -l <out)
	sleep 0.2
	[[ $(wc -l <out) == "$lines" ]]
	run oci-run pause "$id"
	[[ $status == 1 ]]
	oci-run resume "$id"
	is running "$id"
	run oci-run resume "$id"
	[[ $status == 1 ]]
	output_has 'container not paused'
	oci-run pause "$id"
	oci-run kill "$id" KILL
	eventually is stopped "$id"
	oci-run delete "$id"
}

@test 'a created container can be paused, and only be started when it is resumed' {
	needs_cgroup freezer
	program echo hello
	create "$id"
	oci-run pause "$id"
	is paused "$id"
	run -1 oci-run start "$id"
	output_has 'cannot start a container in the paused state'
	run -1 oci-run pause "$id"
	run -255 oci-run exec "$id" true
	output_has 'cannot exec in a paused container'
	run -1 oci-run delete "$id"
	output_has 'not stopped: paused'
	oci-run resume "$id"
	is created "$id"
	oci-run start "$id"
	eventually says hello
	eventually is stopped "$id"
	run -1 oci-run pause "$id"
	output_has 'container not running'
}

@test 'a created container that is paused can be killed and deleted by force' {
	needs_cgroup freezer
	program sleep 1000
	create "$id"
	oci-run pause "$id"
	oci-run kill "$id" KILL
	eventually is stopped "$id"
	oci-run delete "$id"
	create "$id"
	oci-run pause "$id"
	oci-run delete --force "$id"
}

@test 'a paused container can be updated and deleted by force' {
	needs_cgroup memory cpu pids
	sleeper
	oci-run pause "$id"
	oci-run update "$id" --pids-limit 9
	is paused "$id"
	[[ $(pids) == 9 ]]
	oci-run delete --force "$id"
}

@test 'events prints statistics as one line of JSON' {
	needs_cgroup freezer
	program sleep 1000
	detached "$id"
	oci-run events --stats "$id" >stats
	[[ $(wc -l <stats) == 1 ]]
	[[ $(<stats) == '{"type":"stats","id":"'"$id"'","data":{'* ]]
	[[ $(jq '.data.pids.current' stats) == 1 ]]
	[[ $(jq -c '[.data.intel_rdt, .data.network_interfaces]' stats) == '[{},null]' ]]
}

@test 'events has pressure, and how often limits were met' {
	needs_cgroup memory cpu pids
	program sh -c 'tail /dev/zero; echo "status $?"; exec sleep 1000'
	config '.linux.resources = {memory: {limit: 8388608, swap: 8388608}, cpu: {quota: 20000, period: 20000}, pids: {limit: 20}}'
	detached "$id"
	eventually says 'status 137'
	oci-run events --stats "$id" >stats
	[[ $(jq .data.memory.events.oom_kill stats) == 1 ]]
	[[ $(jq -c '[.data.memory.usage.limit, .data.pids.limit]' stats) == '[8388608,20]' ]]
	[[ $(jq '.data.cpu.usage.total > 0 and .data.memory.usage.usage > 0' stats) == true ]]
	if ! v2; then return; fi
	[[ $(jq '.data.memory.events.max > 0 and .data.memory.raw.file >= 0' stats) == true ]]
	cat "$(cgroup)/cpu.pressure" >/dev/null 2>&1 || skip 'no pressure stall information here'
	[[ $(jq -c '.data | [.cpu.psi, .memory.psi, .blkio.psi] | map(type) | unique' stats) == '["object"]' ]] # zeros are left out
	[[ $(jq -c '.data.memory.psi.some | keys' stats) == '["avg10","avg300","avg60","total"]' ]]
	[[ $(jq '.data.memory.psi.some.total > 0' stats) == true ]]
}

@test 'events goes on until the container ends' {
	needs_cgroup freezer
	program sleep 1000
	detached "$id"
	oci-run events --interval 50ms "$id" >stats &
	local pid=$!
	eventually grep -q stats stats
	oci-run kill "$id" KILL
	wait "$pid"
}

@test 'events tells of a process that ran out of memory' {
	needs_cgroup memory
	program sh -c 'sleep 0.3; tail /dev/zero; sleep 1000'
	config '.linux.resources = {memory: {limit: 8388608, swap: 8388608}}'
	create "$id"
	oci-run events "$id" >notices &
	local pid=$!
	oci-run start "$id"
	eventually grep -qxF '{"type":"oom","id":"'"$id"'"}' notices
	oci-run delete --force "$id"
	wait "$pid"
}
