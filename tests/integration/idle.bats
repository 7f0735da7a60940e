#!/usr/bin/env bats
# What waits for a container sleeps: it neither uses CPU time nor wakes up again and again while nothing happens.

load lib

# wakeups PID: how often the process' threads have gone to sleep by themselves, and so were woken.
wakeups() { awk '/^voluntary_ctxt_switches/ { n += $2 } END { print n }' "/proc/$1"/task/*/status; }

# ticks PID: CPU time in hundredths of a second.
ticks() {
	local stat
	read -r stat <"/proc/$1/stat"
	awk '{ print $12 + $13 }' <<<"${stat##*) }"
}

# sleeps NAME PID: in a second, at most a few wake-ups (on cgroup v1 alone events looks twice a second) and hardly any CPU time.
sleeps() {
	local woken used
	woken=$(wakeups "$2") used=$(ticks "$2")
	sleep 1
	woken=$(($(wakeups "$2") - woken)) used=$(($(ticks "$2") - used))
	echo "$1: woken $woken times, used $used ms/10 of CPU time"
	((woken <= 25 && used <= 5))
}

@test 'run, exec, wait and events sleep while nothing happens' {
	local pids=() names=(run exec wait events)
	makes_cgroups || names=(run exec wait)
	program sleep 1000
	oci-run run "$id" </dev/null >out 2>&1 &
	pids+=($!)
	eventually is running "$id"
	oci-run exec "$id" sleep 1000 </dev/null >/dev/null 2>&1 &
	pids+=($!)
	oci-run wait "$id" >/dev/null 2>&1 &
	pids+=($!)
	if makes_cgroups; then
		oci-run events --interval 1h "$id" >/dev/null 2>&1 &
		pids+=($!)
	fi
	sleep 0.5
	for i in "${!pids[@]}"; do
		# The shell's job is a subshell around the command, if bash did not replace it.
		local pid=${pids[i]} child
		child=$(cat "/proc/$pid/task/$pid/children")
		[[ $(readlink "/proc/$pid/exe") != */bash ]] || pid=${child%% *}
		sleeps "${names[i]}" "$pid"
	done
	oci-run kill "$id" KILL
	wait
}

@test 'events sleeps while a cgroup below memory.events is read by others' {
	needs_cgroup memory
	program sleep 1000
	config '.linux.resources = {memory: {limit: 67108864}}'
	detached "$id"
	oci-run events --interval 1h "$id" >/dev/null 2>&1 &
	local pid=$! child
	sleep 0.5
	value memory memory.oom_control memory.events >/dev/null
	child=$(cat "/proc/$pid/task/$pid/children")
	[[ $(readlink "/proc/$pid/exe") != */bash ]] || pid=${child%% *}
	sleeps events "$pid"
	oci-run delete --force "$id"
	wait
}
