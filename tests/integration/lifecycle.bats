#!/usr/bin/env bats
# create, start, state: a container's life as an engine walks it through.

load lib

@test "a container is created, started, killed and deleted" {
	program sh -c 'echo hello; exec sleep 1000'

	create "$id"
	is created "$id"
	[[ ! -s out ]] # its program doesn't run yet

	oci-run start "$id"
	is running "$id"
	eventually says hello

	oci-run kill "$id" KILL
	eventually is stopped "$id"

	oci-run delete "$id"
	run ! oci-run state "$id"
	output_has 'does not exist'
}

@test "the commands of an engine print nothing when all is well" {
	program sleep 1000
	create "$id"
	[[ ! -s out && ! -s err ]]
	run -0 oci-run start "$id"
	output_is ''
	run -0 oci-run kill "$id" KILL
	output_is ''
	eventually is stopped "$id"
	run -0 oci-run delete "$id"
	output_is ''
}

@test "state tells what an engine reads" {
	config '.annotations = {"org.example.colour": "blue"}'
	program sleep 1000
	create "$id"

	run -0 oci-run state "$id"
	[[ $(jq -r .id <<<"$output") == "$id" ]]
	[[ $(jq -r .status <<<"$output") == created ]]
	[[ $(jq -r .bundle <<<"$output") == "$bundle" ]]
	[[ $(jq -r .rootfs <<<"$output") == "$bundle/rootfs" ]]
	[[ $(jq -r '.annotations["org.example.colour"]' <<<"$output") == blue ]]
	[[ $(jq -r .ociVersion <<<"$output") == 1.* ]]
	date --date "$(jq -r .created <<<"$output")"
	kill -0 "$(jq -r .pid <<<"$output")"
}

@test "a stopped container has no pid" {
	program true
	create "$id"
	oci-run start "$id"
	eventually is stopped "$id"
	[[ $(pid_of "$id") == 0 ]]
}

@test "the pid file holds the number and nothing else" {
	program sleep 1000
	create --pid-file pid "$id"
	[[ $(cat pid) == "$(pid_of "$id")" ]]
	[[ $(wc -c <pid) == "$(printf %s "$(cat pid)" | wc -c)" ]] # no newline: go-runc converts the whole file
}

@test "no pid file is written when create fails" {
	program /no/such/program
	run ! create --pid-file pid "$id"
	[[ ! -e pid ]]
}

@test "--bundle names a bundle elsewhere" {
	program sleep 1000
	mkdir elsewhere
	cd elsewhere
	create --bundle .. "$id"
	[[ $(oci-run state "$id" | jq -r .bundle) == "$bundle" ]]
	rm -r "$bundle/elsewhere"
}

@test "a second container of the same name is refused, and the first lives on" {
	program sleep 1000
	create "$id"
	run -1 create "$id"
	output_has 'already exists'
	output_has "$id"
	oci-run start "$id"
	run -1 create "$id"
	output_has 'already exists' # and not what else of the first is in the way
	is running "$id"
}

@test "a container is started once" {
	program sleep 1000
	create "$id"
	oci-run start "$id"
	run -1 oci-run start "$id"
	is running "$id"
}

@test "a stopped container isn't started again" {
	program true
	create "$id"
	oci-run start "$id"
	eventually is stopped "$id"
	run -1 oci-run start "$id"
}

@test "names that could leave the state directory are refused" {
	program true
	for name in .. . a/b /abs '' 'a b' "$(printf 'x%.0s' {1..1100})"; do
		run ! create "$name"
	done
	[[ -z $(ls -A "$state" 2>/dev/null) ]]
	run -1 create -- -x
	output_has 'may not begin with'
}

@test "the state directory is for its owner only" {
	program sleep 1000
	create "$id"
	[[ $(stat -c %a "$state/$id") == 700 ]]
}

@test "without --root there is a default" {
	if ((EUID == 0)); then
		run -0 "$OCI_RUN" list -q
	else
		XDG_RUNTIME_DIR=$session run -0 "$OCI_RUN" list -q
	fi
}

@test "an unknown container is an error for each verb that needs one" {
	for verb in start state kill delete ps; do
		run -1 oci-run "$verb" "$id"
		output_has 'does not exist'
	done
}

@test "a pid file is written beside files of the user's and replaces a link" {
	program true
	echo precious >.pid
	echo target >target
	ln -s target pid
	create --pid-file pid "$id"
	[[ ! -L pid && $(<pid) == "$(pid_of "$id")" ]]
	[[ $(<target) == target && $(<.pid) == precious ]]
	run ! ls .oci-run.*
}
