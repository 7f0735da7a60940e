#!/usr/bin/env bats
# update, pause, resume and events: what can be done about a container's resources while it lives.

load lib

needs_v1() {
	needs_root
	[[ -d /sys/fs/cgroup/memory && -d /sys/fs/cgroup/pids ]] || skip 'no cgroup v1 here'
}

# of CONTROLLER FILE: what the container's cgroup says.
of() { cat "/sys/fs/cgroup/$1/oci-run-tests/$id/$2"; }

sleeper() {
	program sleep 1000
	config '.linux.resources = {memory: {limit: 33554432}, cpu: {shares: 100, quota: 50000, period: 100000}, pids: {limit: 20}}'
	detached "$id"
}

@test 'update changes what its flags name, and nothing else' {
	needs_v1
	sleeper
	oci-run update "$id" --memory 64M --pids-limit 5
	[[ $(of memory memory.limit_in_bytes) == 67108864 ]]
	[[ $(of pids pids.max) == 5 ]]
	[[ $(of cpu cpu.shares) == 100 ]]
	oci-run update --cpu-quota 20000 "$id"
	[[ $(of cpu cpu.cfs_quota_us) == 20000 ]]
	[[ $(of cpu cpu.cfs_period_us) == 100000 ]]
	[[ $(of memory memory.limit_in_bytes) == 67108864 ]]
}

@test 'update reads linux.resources from a file or standard input' {
	needs_v1
	sleeper
	echo '{"memory": {"limit": 0}, "cpu": {"shares": 200}}' >resources.json
	oci-run update --resources resources.json "$id"
	oci-run update --resources=- "$id" <<<'{"pids": {"limit": -1}}'
	[[ $(of cpu cpu.shares) == 200 ]]
	[[ $(of pids pids.max) == max ]]
	[[ $(of memory memory.limit_in_bytes) == 33554432 ]] # 0: not set
}

@test 'an update that can not be done in full is not done at all' {
	needs_v1
	sleeper
	run oci-run update "$id" --memory 64M --cpu-share 200 --cpu-quota 5 --pids-limit 7
	[[ $status == 1 ]]
	output_has 'cpu.cfs_quota_us'
	[[ $(of memory memory.limit_in_bytes) == 33554432 ]]
	[[ $(of cpu cpu.shares) == 100 ]]
	[[ $(of pids pids.max) == 20 ]]
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
	output_has '/linux/resources/memory/swappiness'
	run oci-run update "$id" --l3-cache-schema 'L3:0=f'
	[[ $status == 1 ]]
}

@test 'a paused container stands still, says so, and can be killed' {
	needs_root
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
	needs_root
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
	needs_root
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
	needs_v1
	sleeper
	oci-run pause "$id"
	oci-run update "$id" --pids-limit 9
	is paused "$id"
	[[ $(of pids pids.max) == 9 ]]
	oci-run delete --force "$id"
}

@test 'events prints statistics as one line of JSON' {
	needs_root
	program sleep 1000
	detached "$id"
	oci-run events --stats "$id" >stats
	[[ $(wc -l <stats) == 1 ]]
	[[ $(<stats) == '{"type":"stats","id":"'"$id"'","data":{'* ]]
	[[ $(jq '.data.pids.current' stats) == 1 ]]
	[[ $(jq -c '[.data.intel_rdt, .data.network_interfaces]' stats) == '[{},null]' ]]
}

@test 'events goes on until the container ends' {
	needs_root
	program sleep 1000
	detached "$id"
	oci-run events --interval 50ms "$id" >stats &
	local pid=$!
	eventually grep -q stats stats
	oci-run kill "$id" KILL
	wait "$pid"
}

@test 'events tells of a process that ran out of memory' {
	needs_v1
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
