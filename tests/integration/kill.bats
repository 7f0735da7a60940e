#!/usr/bin/env bats
# kill: signals by name and number, and what it says when there is nobody to send them to.

load lib

# trapping SIGNAL: a program that says so when the signal arrives.
trapping() {
	program sh -c "trap 'echo got it; exit 0' $1; echo ready; while :; do sleep 0.05; done"
	create "$id"
	oci-run start "$id"
	eventually says ready
}

@test "a signal has many spellings" {
	for signal in USR1 SIGUSR1 usr1 10; do
		trapping USR1
		oci-run kill "$id" "$signal"
		eventually says 'got it'
		eventually is stopped "$id"
		oci-run delete "$id"
	done
}

@test "the default signal is TERM" {
	trapping TERM
	oci-run kill "$id"
	eventually says 'got it'
}

@test "real-time signals are known" {
	program sh -c 'echo ready; while :; do sleep 0.05; done'
	create "$id"
	oci-run start "$id"
	eventually says ready
	oci-run kill "$id" SIGRTMIN+3
	oci-run kill "$id" RTMAX
	oci-run kill "$id" 37
}

@test "signal 0 and nonsense are refused, and the container lives on" {
	program sleep 1000
	create "$id"
	oci-run start "$id"
	for signal in NOSUCH 65 -1 SIG RTMIN+99; do
		run -1 oci-run kill "$id" "$signal"
		output_has "$signal"
	done
	is running "$id"
}

@test "a created container can be killed before it starts" {
	program sleep 1000
	create "$id"
	oci-run kill "$id" KILL
	eventually is stopped "$id"
}

@test "a stopped container is not running" {
	program true
	create "$id"
	oci-run start "$id"
	eventually is stopped "$id"
	run -1 oci-run kill "$id" KILL
	output_has 'container not running'
}

@test "kill --all of a stopped container succeeds" {
	program true
	create "$id"
	oci-run start "$id"
	eventually is stopped "$id"
	run -0 oci-run kill --all "$id" 9
	output_is ''
}

# shared: a container without a pid namespace of its own, whose end is not that of $orphan.
shared() {
	needs_root
	config 'del(.linux.namespaces[] | select(.type == "pid"))'
	program sh -c 'sleep 1000 & echo $! ; exec sleep 1000'
	create "$id"
	oci-run start "$id"
	eventually test -s out
	orphan=$(cat out)
}

@test "kill --all reaches what outlives init where the pid namespace is shared" {
	shared
	oci-run kill "$id" TERM
	eventually is stopped "$id"
	kill -0 "$orphan"
	oci-run kill --all "$id" KILL
	eventually gone "$orphan"
}

@test "KILL is for all where the pid namespace is shared" {
	shared
	oci-run kill "$id" KILL
	eventually is stopped "$id"
	eventually gone "$orphan"
}
