#!/usr/bin/env bats
# The topic pages of docs/, from the documents themselves: the lines of each block "console" are typed one after the other, in the
# bundle of Getting started, without a terminal. A "#" at the head of a line is for root only, a "$" for everybody. What stands below a command has to be in
# its output, line by line; one that fails has to say so there ("exit status 7").

load lib

# type_page PAGE: a script that does so, and writes what the commands said and what the page says of them into files.
type_page() {
	local page
	page=$(realpath "$BATS_TEST_DIRNAME/../../docs/$1")
	awk -v dir="$session" -v root="$((EUID == 0))" '
		function flush() { if (command != "") printf "{ %s; } >%s/said.%d 2>&1 </dev/null || echo \"exit status $?\" >>%s/said.%d\n", command, dir, n, dir, n; command = "" }
		/^```/ { flush(); inside = /^```console/; next }
		!inside { next }
		/^[$#] / { flush(); mine = /^\$/ || root; if (mine) { command = substr($0, 3); print "$ " command > (dir "/told." ++n) } next }
		mine { print > (dir "/told." n) }
		END { flush(); if (!n) print "exit 9" }' "$page"
}

# as_told: each command said what the page says, and has failed only if that says so.
as_told() {
	local told said line lines
	for told in "$session"/told.*; do
		said=$session/said.${told##*.}
		mapfile -t lines <"$told"
		for line in "${lines[@]:1}"; do
			grep -qF -- "$line" "$said" || { echo "${lines[0]} did not say: $line"; cat "$said"; return 1; }
		done
		! grep -q '^exit status' "$said" || grep -q '^exit status' "$told" || { cat "$told" "$said"; return 1; }
	done
}

# try_page PAGE: in a /run or XDG_RUNTIME_DIR of its own.
try_page() {
	mkdir "$session/bin" "$session/run"
	ln -s "$OCI_RUN" "$session/bin/oci-run"
	type_page "$1" >"$session/script"
	[[ $(<"$session/script") != 'exit 9' ]] || skip 'it has nothing to type for this user'
	command=(env -i HOME="$session" PATH="$session/bin:$PATH" XDG_RUNTIME_DIR="$session/run" OCI_RUN_SESSION="$session"
		bash --norc --noprofile "$session/script")
	((EUID)) || command=(unshare --mount sh -c 'mount -t tmpfs run /run && exec "$@"' - "${command[@]}")
	run -0 timeout 120 "${command[@]}" </dev/null 3>&-
	as_told
}

@test "cgroups and systemd, as it stands in the document" {
	needs_cgroup pids
	[[ -z ${OCI_RUN_TEST_SYSTEMD:-} ]] || skip 'the page begins with cgroupfs'
	try_page systemd.md
}

@test "rootless" {
	((EUID)) || skip 'it is for an ordinary user'
	try_page rootless.md
}

@test "user namespaces" {
	needs_root
	try_page user-namespaces.md
}

@test "terminals" { try_page terminals.md; }

@test "seccomp" { try_page seccomp.md; }

@test "hooks" { try_page hooks.md; }
