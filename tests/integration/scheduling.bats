#!/usr/bin/env bats
# What process asks of the scheduler and the kernel's other managers: scheduler, ioPriority, execCPUAffinity, and
# linux.memoryPolicy, linux.personality. (Nice and a policy: users.bats.)

load lib

# runs: a container that sleeps; its pid is in $pid.
runs() {
	command -v chrt ionice >/dev/null || skip 'no chrt or ionice here (Debian: apt-get install util-linux)'
	program sleep 1000
	detached "$id"
	pid=$(pid_of "$id")
}

# executed: a process that sleeps in the container; its pid is in $other.
executed() {
	oci-run exec --detach --pid-file "$bundle/pid" "$id" sleep 1000 </dev/null >/dev/null 2>&1
	other=$(cat pid)
}

@test "a realtime policy, with its priority and flags" {
	needs_root
	config '.process.scheduler = {"policy": "SCHED_FIFO", "priority": 7, "flags": ["SCHED_FLAG_RESET_ON_FORK"]} | del(.linux.cgroupsPath)'
	program sleep 1000
	# Without a cgroup of its own: one of v1 would need a share of the realtime first (cpu.rt_runtime_us).
	oci-run --cgroup-manager disabled run --detach "$id" </dev/null >/dev/null 2>&1
	run -0 chrt -p "$(pid_of "$id")"
	output_has 'SCHED_FIFO|SCHED_RESET_ON_FORK'
	output_has 'priority: 7'
}

@test "a deadline, for exec too" {
	needs_root
	config '.process.scheduler = {"policy": "SCHED_DEADLINE", "runtime": 1000000, "deadline": 30000000, "period": 40000000}
		| .process.capabilities[] |= . + ["CAP_SYS_NICE"]'
	runs
	run -0 chrt -p "$pid"
	output_has SCHED_DEADLINE
	output_has '1000000/30000000/40000000'
	executed
	run -0 chrt -p "$other"
	output_has SCHED_DEADLINE
}

@test "a policy or flag that doesn't exist is found in the config" {
	config '.process.scheduler = {"policy": "SCHED_BEST"}'
	run -1 oci-run run "$id"
	output_has '/process/scheduler/policy'
	config '.process.scheduler = {"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_BEST"]}'
	run -1 oci-run run "$id"
	output_has '/process/scheduler/flags/0'
}

@test "an I/O priority, for exec too" {
	config '.process.ioPriority = {"class": "IOPRIO_CLASS_BE", "priority": 6}'
	runs
	run -0 ionice -p "$pid"
	output_is 'best-effort: prio 6'
	executed
	run -0 ionice -p "$other"
	output_is 'best-effort: prio 6'
}

@test "an I/O class that doesn't exist is found in the config" {
	config '.process.ioPriority = {"class": "IOPRIO_CLASS_BEST", "priority": 6}'
	run -1 oci-run run "$id"
	output_has '/process/ioPriority/class'
	config '.process.ioPriority = {"class": "IOPRIO_CLASS_BE", "priority": 8}'
	run -1 oci-run run "$id"
	output_has '/process/ioPriority/priority'
}

@test "exec has the CPUs that execCPUAffinity says, the container all" {
	(($(nproc) > 1)) || skip 'one CPU only'
	config '.process.execCPUAffinity = {"initial": "0-1", "final": "1"}'
	runs
	executed
	[[ $(sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$other/status") == 1 ]]
	[[ $(sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$pid/status") == *0* ]]
}

@test "a list of CPUs that isn't one is found in the config" {
	config '.process.execCPUAffinity = {"initial": "0-", "final": "0"}'
	run -1 oci-run run "$id"
	output_has '/process/execCPUAffinity/initial'
}

@test "a memory policy is in effect, for exec too" {
	[[ -e /proc/self/numa_maps ]] || skip 'a kernel without NUMA'
	config '.linux.memoryPolicy = {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}'
	runs
	grep -q 'bind=static:0' "/proc/$pid/numa_maps"
	executed
	grep -q 'bind=static:0' "/proc/$other/numa_maps"
}

@test "a memory policy that can't be is found in the config" {
	for policy in '{"mode": "MPOL_BEST", "nodes": "0"} mode' '{"mode": "MPOL_BIND", "nodes": "0-"} nodes' \
		'{"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_BEST"]} flags/0'; do
		config --argjson policy "${policy% *}" '.linux.memoryPolicy = $policy'
		run -1 oci-run run "$id"
		output_has "/linux/memoryPolicy/${policy##* }"
	done
}

@test "a personality changes what uname says" {
	[[ $(uname -m) == x86_64 ]] || skip 'the names below are those of x86_64'
	config '.linux.personality = {"domain": "LINUX32"} | del(.linux.seccomp)'
	program uname -m
	run -0 oci-run run "$id"
	output_is i686
	config '.linux.personality.domain = "LINUX"'
	run -0 oci-run run "$id"
	output_is x86_64
	config '.linux.personality.domain = "BSD"'
	run -1 oci-run run "$id"
	output_has '/linux/personality/domain'
}

# inherited: what a process has of the runtime's caller: policy, nice value, I/O priority, personality, timer slack, memory policy.
inherited='sed -n "s/^\(policy\|prio\) .*: //p" /proc/self/sched 2>/dev/null; cut -d " " -f 18,19,41 /proc/self/stat; ionice; cat /proc/self/personality
	cat /proc/self/timerslack_ns; sed -n 1p /proc/self/numa_maps 2>/dev/null | cut -d " " -f 2'

# odd COMMAND...: as a caller that isn't like others.
odd() {
	bash -c 'echo 777000 >/proc/$$/timerslack_ns || exit 99; exec nice -n 5 ionice -c 2 -n 7 setarch -R "$@"' bash "$@"
}

@test "a container has nothing of the caller's priorities, personality, timer slack and memory policy" {
	needs_root
	command -v setarch >/dev/null && command -v ionice >/dev/null || skip 'no setarch or ionice here (util-linux)'
	program sh -c "$inherited"
	run -0 oci-run run "$id"
	local plain=$output runtime
	run -0 odd "$OCI_RUN" --root "$state" run "$id" 3>&-
	output_is "$plain"
	program sleep 1000
	detached "$id"
	for runtime in "$OCI_RUN" "$OCI_RUN-crash"; do
		[[ -x $runtime ]] || continue
		OCI_RUN_EXEC=init run -0 odd "$runtime" --root "$state" exec "$id" sh -c "$inherited" 3>&-
		output_is "$plain"
	done
}

@test "what the configuration says goes before what the caller has" {
	needs_root
	command -v setarch >/dev/null && command -v ionice >/dev/null || skip 'no setarch or ionice here (util-linux)'
	config '.process.scheduler = {"policy": "SCHED_OTHER", "nice": 7} | .process.ioPriority = {"class": "IOPRIO_CLASS_BE", "priority": 6}'
	program sh -c 'cut -d " " -f 19 /proc/self/stat; ionice'
	run -0 odd "$OCI_RUN" --root "$state" run "$id" 3>&-
	output_is $'7\nbest-effort: prio 6'
}

@test "a policy without a nice value has none of the caller's" {
	needs_root
	command -v setarch >/dev/null && command -v ionice >/dev/null || skip 'no setarch or ionice here (util-linux)'
	config '.process.scheduler = {"policy": "SCHED_IDLE"}'
	program sh -c 'cut -d " " -f 19,41 /proc/self/stat'
	local runtime
	for runtime in "$OCI_RUN" "$OCI_RUN-crash"; do
		[[ -x $runtime ]] || continue
		OCI_RUN_CREATE=init run -0 odd "$runtime" --root "$state" run "$id" 3>&-
		output_is '0 5'
	done
}
