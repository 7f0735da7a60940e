#!/usr/bin/env bats
# What is told of a container while something else happens to it, and where it can't be looked at.

load lib

@test "a live container is not stopped where /proc is missing: state, kill and delete --force say what they lack" {
	needs_root
	program sleep 1000
	detached "$id"
	blind() { unshare --mount sh -c 'mount -t tmpfs none /proc && exec "$@"' sh "$OCI_RUN" --root "$state" "$@" 3>&-; }
	for command in "state" "kill" "delete" "delete --force"; do
		# shellcheck disable=SC2086 # words
		run -1 blind $command "$id"
		output_has '/proc'
	done
	[[ $output != *'not running'* ]]
	is running "$id"
	run -0 blind list
	output_has '/proc'
	[[ $output != *stopped* ]]
}
