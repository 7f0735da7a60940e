#!/usr/bin/env bats
# A container's name that is a path leads out of the state directory: crun before 1.28.
#
# runc 1.1.5 fails "a name is one name" at -x, which its own `delete` takes for a flag.

load lib

setup() {
	session_setup
	make_canary
	mkdir -p "$state"
	program true
}

@test "a name is one name" {
	for name in '' . .. ../canary ../../canary a/b /a "$canary" a/../.. $'a\nb' $'a\tb' 'a b' ä '*' 'a;b' -x --root '$HOME' 'a\b' \
		"$(printf 'x%.0s' {1..300})" "$(printf 'x%.0s' {1..5000})"; do
		for verb in create run state start 'kill' 'delete --force' pause resume ps events; do
			# shellcheck disable=SC2086 # a verb with its flag
			if oci-run $verb -- "$name" </dev/null >said 2>&1; then
				[[ $verb == delete* ]] || { echo "$verb $name: $(cat said)"; false; }
			fi
		done
	done
	[[ -z $(ls -A "$state") ]]
	canary_untouched
}

@test "what lies beside the containers' directories is not a container" {
	echo '{"id": "x", "version": 1}' >"$canary/state.json"
	canary_before=$(canary_state)
	ln -s "$canary" "$state/link"
	run oci-run delete --force link
	run oci-run list -q
	[[ $output != *link* ]]
	rm -f "$state/link"
	canary_untouched
}
