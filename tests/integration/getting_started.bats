#!/usr/bin/env bats
# docs/getting-started.md and the README's section "Use", line by line, from the documents themselves, in a fresh shell.

load lib

# script_of PAGE SECTION...: the commands of a document's sections, as a script that stops at the first that fails. A line that
# says "as root" or "as an ordinary user" is for them only. What follows a command behind "/ # " is typed at its terminal.
script_of() {
	local page other
	page=$(realpath "$BATS_TEST_DIRNAME/../../$1")
	shift
	other='as root'
	((EUID)) || other='as an ordinary user'
	echo 'set -eu'
	awk -v other="$other" -v sections="$(printf '%s\n' "$@")" '
		function flush() {
			if (command == "") return
			if (typed != "") printf "printf %%b \"%s\" | script -qec \"%s\" /dev/null\n", typed, command
			else print command
			command = typed = ""
		}
		BEGIN { n = split(sections, list, "\n"); for (i = 1; i <= n; i++) wanted["## " list[i]] = 1 }
		/^## / { on = $0 in wanted }
		/^```/ { flush(); inside = /^```console/ }
		!on || !inside || index($0, "# " other) { next }
		/^\/ # / { typed = typed substr($0, 5) "\\n"; next }
		/^\$ / { flush(); command = substr($0, 3); print "echo \"> " (++count) "\"" > "/dev/stderr" }
		END { flush(); if (count < 10) print "exit 9" }' "$page" 2>/dev/null
}

@test "getting started, as it stands in the document" {
	mkdir "$session/home" "$session/run" "$session/bin"
	ln -s "$OCI_RUN" "$session/bin/oci-run"
	script_of docs/getting-started.md 'A first container' 'Step by step, as an engine does it' >"$session/script"
	grep -q '^oci-run create' "$session/script"
	cd "$session/home"
	command=(env -i HOME="$session/home" PATH="$session/bin:$PATH" TERM=dumb XDG_RUNTIME_DIR="$session/run" OCI_RUN_SESSION="$session"
		bash --norc --noprofile "$session/script")
	# Root's containers are in /run: in one of this session's own.
	((EUID)) || command=(unshare --mount sh -c 'mount -t tmpfs run /run && exec "$@"' - "${command[@]}")
	run -0 timeout 60 "${command[@]}" </dev/null 3>&-
	[[ $output =~ ' 1 '(0|root)\ .*\ sh && $output =~ ' 1 '(0|root)\ .*'sleep 1000' ]] || { echo "$output"; return 1; } # ps, inside
	output_has '"status": "created"'
	[[ $output =~ first\ +[0-9]+\ +running\  ]]
	output_has 'sleep 1000'
	[[ ${lines[-1]} == 137 ]]
	[[ -z $(ls -A "$session/run/oci-run" 2>/dev/null) ]]
}

@test "the README's first container, as it stands there" {
	needs_root # it says sudo
	mkdir "$session/home" "$session/bin"
	ln -s "$OCI_RUN" "$session/bin/oci-run"
	printf '#!/bin/sh\nexec "$@"\n' >"$session/bin/sudo"
	chmod 755 "$session/bin/sudo"
	script_of README.md Use | sed '/^make /d' >"$session/script" # what is under test is built
	grep -q '^sudo oci-run delete' "$session/script"
	cd "$session/home"
	run -0 timeout 60 unshare --mount sh -c 'mount -t tmpfs run /run && exec "$@"' - env -i HOME="$session/home" PATH="$session/bin:$PATH" \
		TERM=dumb OCI_RUN_SESSION="$session" bash --norc --noprofile "$session/script" </dev/null 3>&-
	[[ $output =~ ' 1 '(0|root)\ .*\ sh ]] || { echo "$output"; return 1; } # ps, inside
	output_has '"status": "created"'
}
