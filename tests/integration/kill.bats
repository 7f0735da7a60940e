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

@test "kill --regex sends the signal to those that it matches, and delete --regex removes them" {
	program sleep 1000
	config 'del(.linux.cgroupsPath)' # each by its name
	local name
	for name in "$id"-web-{1,2,10} "$id"-db; do
		create "$name"
		oci-run start "$name"
	done
	oci-run kill "$id-web-1" KILL
	eventually is stopped "$id-web-1"
	oci-run kill --regex "^$id-web-[12]\$" KILL # one of them has stopped
	eventually is stopped "$id-web-2"
	is running "$id-web-10"
	is running "$id-db"

	run -1 oci-run delete --regex web # one of the three runs
	output_has "cannot delete container \\\"$id-web-10\\\" that is not stopped: running"
	run -0 oci-run list -q
	output_is "$id-db"$'\n'"$id-web-10"
	oci-run delete --force -r '^.*-(web|db)(-[[:digit:]]+)?$'
	run -0 oci-run list -q
	output_is ''
}

@test "an expression that matches nothing, or is none, is an error" {
	run -1 oci-run kill --regex nobody KILL # not even a directory
	output_has 'container does not exist: none below'
	output_has "$state"
	output_has 'matches the regular expression \"nobody\"'
	program true
	create "$id"
	run -1 oci-run delete --regex '^x$'
	output_has 'container does not exist'
	run -0 oci-run delete --force --regex '^x$'
	output_is ''
	run -1 oci-run delete --regex '(x'
	output_has 'regular expression \"(x\": \"(\" is not closed'
	run -1 oci-run delete --force --regex ''
	output_has 'needs an expression'
	run -1 oci-run kill --regex "$id" NOSUCH
	output_has 'unknown signal'
	is created "$id"
}
