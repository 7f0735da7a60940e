#!/usr/bin/env bats
# A seccomp agent that dies, or never was, must not leave a container that nobody can end; and the listener goes to the
# socket of the configuration, not to one of the image.

load lib

# notify ACTION PATH: a filter that asks the agent at PATH about mkdir.
notify() {
	config --arg path "$1" '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": $path,
		"syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]} | .root.readonly = false'
}

# ended_fast COMMAND...: within a second or so.
ended_fast() {
	local begin=$EPOCHREALTIME
	"$@"
	(((${EPOCHREALTIME/./} - ${begin/./}) < 3000000)) || { echo "took too long: $*"; return 1; }
}

@test "without an agent there is no container" {
	notify "$session/nobody"
	program mkdir /dir
	run oci-run run "$id"
	[[ $status != 0 && ! -e rootfs/dir ]]
	oci-run delete --force "$id" 2>/dev/null || true
	nothing_is_left
}

@test "an agent that takes the listener and dies" {
	"$racer" console "$session/agent" >agent.out 2>&1 3>&- &
	agent=$!
	eventually test -S "$session/agent"
	notify "$session/agent"
	program sh -c 'sleep 1; mkdir /dir; sleep 1000'
	detached "$id"
	kill -KILL "$agent"
	wait "$agent" 2>/dev/null || true
	sleep 1.2
	[[ ! -e rootfs/dir ]]
	ended_fast oci-run kill "$id" KILL
	ended_fast oci-run delete --force "$id"
	nothing_is_left
}

@test "an agent that takes the listener and never answers" {
	"$racer" console "$session/agent" >agent.out 2>&1 3>&- &
	agent=$!
	eventually test -S "$session/agent"
	notify "$session/agent"
	program sh -c 'mkdir /dir; sleep 1000'
	detached "$id"
	sleep 0.3
	ended_fast oci-run delete --force "$id"
	kill "$agent"
	wait "$agent" 2>/dev/null || true
	[[ ! -e rootfs/dir ]]
}

@test "the agent's path is the host's" {
	mkdir -p "rootfs$session"
	"$racer" console "rootfs/agent" >agent.out 2>&1 3>&- &
	agent=$!
	eventually test -S rootfs/agent
	notify /agent
	program mkdir /dir
	run oci-run run "$id"
	kill "$agent"
	wait "$agent" 2>/dev/null || true
	[[ $status != 0 && ! -s agent.out ]]
}
