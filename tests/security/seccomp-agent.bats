#!/usr/bin/env bats
# A seccomp agent that dies, hangs or was never there: with SCMP_ACT_NOTIFY a container's calls wait for it, but the
# container can always be killed, and no one waits for an agent that is gone.

load lib

setup() {
	session_setup
	[[ -x $racer ]] || skip "no $racer"
	socket=$session/agent
}

# agent MANNER: start one.
agent() {
	rm -f "$socket"
	"$racer" agent "$socket" "$1" >agent.out 2>agent.err 3>&- &
	agent_pid=$!
	eventually test -S "$socket"
}

agent_ends() {
	kill "$agent_pid" 2>/dev/null || true
	wait "$agent_pid" 2>/dev/null || true
}

teardown() {
	[[ -z ${agent_pid:-} ]] || agent_ends
	session_teardown
}

# notify CALL...: what the agent is asked about.
notify() {
	config --arg socket "$socket" '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": $socket, "listenerMetadata": "bar",
		"syscalls": [{"names": $ARGS.positional, "action": "SCMP_ACT_NOTIFY"}]}' --args -- "$@"
}

# can_be_ended: the container is killed and deleted within five seconds: what gives up does so after ten.
can_be_ended() {
	local start=${EPOCHREALTIME/./}
	oci-run kill "$id" KILL
	oci-run delete --force "$id"
	((${EPOCHREALTIME/./} - start < 5000000)) || { echo "took $((${EPOCHREALTIME/./} - start)) µs"; return 1; }
}

@test "the agent answers, in run and in exec" {
	agent answer
	notify mkdir mkdirat
	program mkdir /tmp/x
	for nnp in true false; do
		config ".process.noNewPrivileges = $nnp"
		run -1 oci-run run "$id"
		output_is "mkdir: can't create directory '/tmp/x': No medium found"
	done
	grep -qxF "$id created bar [seccompFd]" agent.out

	program sleep 100
	detached "$id"
	run -1 oci-run exec "$id" mkdir /tmp/x
	output_is "mkdir: can't create directory '/tmp/x': No medium found"
	oci-run delete --force "$id"
}

@test "calls on the way to the program may be asked about" {
	agent continue
	notify execve execveat openat open read close fcntl sendmsg recvmsg futex mmap munmap rt_sigreturn nanosleep
	program cat /etc/passwd
	for nnp in true false; do
		config ".process.noNewPrivileges = $nnp"
		run -0 timeout 10 "$OCI_RUN" --root "$state" run "$id"
		output_has root:x:0:0
	done
}

@test "the container does not get the listener" {
	agent continue
	notify mkdir
	# shellcheck disable=SC2016 # for that shell
	program sh -c 'ls -l /proc/self/fd; set -- /proc/1/fd/*; echo $#'
	run -0 oci-run run "$id"
	[[ $output != *seccomp* ]]
	((${lines[-1]} <= 4)) || { echo "$output"; return 1; } # 0, 1, 2, and the directory that the shell reads
}

@test "a container whose agent never answers can be killed" {
	for flags in '[]' '["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]'; do
		agent hold
		notify mkdir
		config ".linux.seccomp.flags = $flags"
		program sh -c 'echo begins; mkdir /tmp/x; echo ends'
		detached "$id"
		eventually says begins
		can_be_ended
		agent_ends
	done
}

@test "a call that waits for an agent ends with it" {
	agent hold
	notify mkdir
	program sh -c 'echo begins; mkdir /tmp/x 2>&1'
	detached "$id"
	eventually says begins
	sleep 0.2
	agent_ends
	eventually says 'Function not implemented'
	eventually is stopped "$id"
	oci-run delete "$id"
}

@test "an agent that dies with the listener does not hold the container up" {
	agent die
	notify mkdir
	program mkdir /tmp/x
	run -1 timeout 10 "$OCI_RUN" --root "$state" run "$id"
	output_has 'Function not implemented'
}

@test "nor does one that dies before it has it" {
	agent refuse
	notify mkdir
	program mkdir /tmp/x
	run timeout 10 "$OCI_RUN" --root "$state" run "$id"
	((status == 1))
	[[ $output == *'Function not implemented'* || $output == *'seccomp agent'* ]]
}

@test "nor one that never accepts the connection" {
	agent deaf
	notify mkdir
	program sh -c 'echo begins; mkdir /tmp/x 2>&1'
	detached "$id"
	eventually says begins
	can_be_ended
}

@test "without an agent nothing starts, and nothing is left" {
	notify mkdir
	program true
	run -1 oci-run run "$id"
	output_has 'failed to connect with seccomp agent'
	nothing_is_left
	touch "$socket" # not a socket
	run -1 oci-run run "$id"
	output_has 'failed to connect with seccomp agent'
}

@test "the agent is one of the host, not of the image" {
	socket=$bundle/rootfs/agent
	agent answer
	notify mkdir
	config '.linux.seccomp.listenerPath = "/agent"'
	program mkdir /tmp/x
	run -1 oci-run run "$id"
	output_has 'failed to connect with seccomp agent'
	[[ ! -s agent.out ]]
}
