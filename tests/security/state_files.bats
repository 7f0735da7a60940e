#!/usr/bin/env bats
# Other users of the host who can open files of the runtime's can start, stop or hold up containers, or read what is in
# their configuration.

load lib

# as_nobody COMMAND...: with no user's rights.
as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$@"; }

@test "everything below --root is for its owner alone" {
	program sleep 1000
	create "$id"
	[[ $(stat -c %a "$state") == 7?? || $(stat -c %a "$state/$id") == 700 ]]
	run find "$state/$id" ! -type s -perm /077
	output_is ''
	oci-run start "$id"
	run find "$state/$id" ! -type s -perm /077
	output_is ''
}

@test "no other user starts, signals, reads or blocks a container" {
	needs_root
	program sleep 1000
	create "$id"
	for verb in start 'kill' 'delete --force' pause state; do
		# shellcheck disable=SC2086 # a verb with its flag
		run as_nobody "$OCI_RUN" --root "$state" $verb "$id"
		[[ $status != 0 ]] || { echo "$verb: $output"; false; }
	done
	for file in "$state/$id" "$state/$id"/*; do
		run as_nobody cat "$file"
		[[ $status != 0 ]] || { echo "$file can be read"; false; }
	done
	run as_nobody flock --nonblock "$state/$id" true
	[[ $status != 0 ]]
	is created "$id"
}

@test "a umask of the caller's makes nothing more open" {
	program sleep 1000
	umask 0
	create --pid-file "$session/pid" "$id"
	run find "$state/$id" ! -type s -perm /077
	output_is ''
	run find "$session/pid" -perm /022
	output_is ''
}
