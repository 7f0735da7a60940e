#!/usr/bin/env bats
# Under containerd, through ctr: many containers at once, and what happens when the daemon, a shim, a container or the
# runtime is killed.
# shellcheck disable=SC2016,SC2154 # what is in single quotes is for the container's shell; containerd.bash sets the rest

load lib
load containerd
load ctr

@test "ten at the same time" {
	for n in {1..10}; do
		run_container --rm "$image" "$id-$n" sh -c "echo says $n; exit $n" >"$scratch/out.$n" 2>&1 3>&- &
		pids[n]=$!
	done
	for n in {1..10}; do
		code=0
		wait "${pids[n]}" || code=$?
		((code == n))
		[[ $(<"$scratch/out.$n") == "says $n" ]]
	done
}

@test "fifty containers at once, all running, all gone" {
	each_of_fifty detached "$image" NAME sleep 1000
	(($(ctr tasks ls | grep -c RUNNING) == 50))
	[[ $("$RUNTIME" --root "$tasks_root/default" list -q | wc -l) == 50 ]]
	each_of_fifty ctr tasks delete --force NAME
	[[ -z $(ctr tasks ls -q) ]]
	each_of_fifty ctr containers delete NAME
}

# each_of_fifty COMMAND...: all at the same time, with NAME in it replaced.
each_of_fifty() {
	local n pids=() code=0
	for n in {1..50}; do
		"${@/#NAME/$id-$n}" >/dev/null 2>&1 3>&- &
		pids+=($!)
	done
	for n in "${pids[@]}"; do wait "$n" || code=$?; done
	return "$code"
}

@test "the daemon restarts: the same process goes on, and can be managed" {
	run_container --detach --log-uri "file://$scratch/log" "$image" "$id" sh -c 'trap "echo asked; exit 9" TERM; while :; do sleep 0.1; done'
	pid=$(task_pid "$id")
	started=$(awk '{print $22}' "/proc/$pid/stat")
	stop_daemon containerd
	[[ -d /proc/$pid ]]
	start_containerd
	eventually task_is RUNNING "$id"
	[[ $(task_pid "$id") == "$pid" && $(awk '{print $22}' "/proc/$pid/stat") == "$started" ]]
	run task_exec "$id" echo inside
	output_is inside
	ctr tasks pause "$id"
	task_is PAUSED "$id"
	ctr tasks resume "$id"
	ctr tasks kill -s SIGTERM "$id"
	eventually task_is STOPPED "$id"
	run remove_task "$id"
	((status == 9))
	[[ $(<"$scratch/log") == asked ]]
}

@test "the daemon is killed, a container ends meanwhile, and its exit code is known afterwards" {
	detached "$image" "$id" sh -c 'sleep 1; exit 11'
	stop_daemon containerd KILL
	sleep 1.2
	start_containerd
	if [[ $documentation == containerd ]]; then
		eventually task_is STOPPED "$id"
		run remove_task "$id"
		((status == 11))
	else # whose tasks of containers that have ended meanwhile are gone, whatever the runtime
		eventually task_is '' "$id"
		ctr containers delete "$id"
	fi
	run run_container --rm "$image" "$id" echo again
	output_is again
}

@test "the shim is killed: containerd cleans up with delete --force, and the name is free again" {
	ctr events >"$scratch/events" 2>&1 3>&- &
	listener=$!
	detached "$image" "$id" sleep 1000
	pid=$(task_pid "$id")
	kill -9 "$(pgrep -f -- "containerd-shim.*-id $id ")"
	eventually grep -F /tasks/delete "$scratch/events"
	kill "$listener"
	grep -F /tasks/delete "$scratch/events" | grep -F '"exit_status":137'
	gone "$pid"
	[[ -z $(ctr tasks ls -q) && -z $(ls -A "$tasks_root/default") ]]
	ctr containers delete "$id"
	run run_container --rm "$image" "$id" echo retried
	output_is retried
}

@test "killed behind the daemon's back" {
	detached "$image" "$id" sleep 1000
	kill -9 "$(task_pid "$id")"
	eventually task_is STOPPED "$id"
	run remove_task "$id"
	((status == 137))
	# The runtime's own container, deleted by somebody else.
	detached "$image" "$id" sleep 1000
	"$RUNTIME" --root "$tasks_root/default" delete --force "$id"
	eventually task_is STOPPED "$id"
	run remove_task "$id"
	((status == 137))
}

@test "the runtime is killed at any time of its create: nothing is left, and a retry works" {
	cat >"$scratch/hasty" <<-END
		#!/bin/bash
		# Kills the runtime with SIGKILL after a time, but only while it creates.
		case " \$* " in
		*" create "*) [[ ! -e $scratch/after ]] || exec timeout --foreground -s KILL "\$(<$scratch/after)" "$RUNTIME" "\$@" ;;
		esac
		exec "$RUNTIME" "\$@"
	END
	chmod 755 "$scratch/hasty"
	killed=0
	for time in 0.001 0.002 0.003 0.004 0.005 0.006 0.007 0.008 0.010 0.012 0.015 0.020; do
		echo "$time" >"$scratch/after"
		run ctr run --runtime io.containerd.runc.v2 --runc-binary "$scratch/hasty" --rm --env "MARK=$id" "$image" "$id" echo ran
		((status == 0)) || killed=$((killed + 1))
		rm "$scratch/after"
		eventually marked 0
		nothing_of default
		run ctr run --runtime io.containerd.runc.v2 --runc-binary "$scratch/hasty" --rm "$image" "$id" echo retried
		output_is retried
	done
	((killed > 0))
}
