#!/usr/bin/env bats
# list and ps: which containers there are, and what runs in them.

load lib

@test "list is a table" {
	program sleep 1000
	create "$id"
	run -0 oci-run list
	[[ ${lines[0]} =~ ^ID\ +PID\ +STATUS\ +BUNDLE\ +CREATED\ +OWNER$ ]]
	[[ ${lines[1]} =~ ^$id\ +$(pid_of "$id")\ +created\ +$bundle\ +[0-9T:.Z+-]+\ +$(id -un) ]]
	((${#lines[@]} == 2))
}

@test "list -q prints the names only, sorted" {
	program sleep 1000
	create "$id-b"
	[[ $EUID -ne 0 ]] || config ".linux.cgroupsPath += \"-a\""
	create "$id-a"
	run -0 oci-run list -q
	output_is "$id-a"$'\n'"$id-b"
}

@test "list --format json can be parsed" {
	program sleep 1000
	create "$id"
	run -0 oci-run list --format json
	[[ $(jq -r '.[0] | .id, .status, .bundle' <<<"$output") == "$id"$'\ncreated\n'"$bundle" ]]
}

@test "list of nothing" {
	mkdir "$state"
	run -0 oci-run list -q
	output_is ''
	run -0 oci-run list --format json
	[[ $(jq -c . <<<"$output") == '[]' || $output == null ]]
}

@test "list shows a stopped container as stopped" {
	program true
	create "$id"
	oci-run start "$id"
	eventually is stopped "$id"
	run -0 oci-run list
	[[ ${lines[1]} =~ ^$id\ +0\ +stopped\  ]]
}

@test "list with an unknown format is an error" {
	mkdir "$state"
	run -1 oci-run list --format yaml
	output_has yaml
}

# on_terminal COLUMNS ARG...: what oci-run prints on a terminal of that width, without carriage returns.
on_terminal() {
	local command
	printf -v command '%q ' "$OCI_RUN" --root "$state" "${@:2}"
	script -qec "stty cols $1 rows 20; $command" /dev/null </dev/null 3>&- | tr -d '\r'
}

@test "list on a terminal is for people" {
	program sleep 1000
	local long=$id-0123456789012345678901234567890123456789
	config 'del(.linux.cgroupsPath)'
	create "$long"
	run -0 on_terminal 200 list
	[[ ${lines[0]} =~ ^ID\ +PID\ +STATUS\ +AGE\ +OWNER\ +BUNDLE$ ]]
	[[ ${lines[1]} =~ ^"${long:0:12}…"\ +$(pid_of "$long")\ +created\ +[0-9]+s\ +$(id -un)\ +"$bundle"$ ]]
	run -0 on_terminal 60 list
	[[ ${lines[1]} =~ \ ….*"${bundle: -8}"$ ]]
	run -0 on_terminal 60 list --no-trunc
	[[ ${lines[1]} =~ ^"$long"\ .*\ "$bundle"$ ]]
	oci-run start "$long"
	(sleep 0.3; oci-run kill "$long" KILL) &
	[[ $(oci-run wait "$long") == 137 ]]
	run -0 on_terminal 200 list
	[[ ${lines[1]} =~ ^[^\ ]+\ +-\ +'stopped (137, SIGKILL)'\ +[0-9]+s ]]
}

@test "list on a terminal is the table that programs know if --format asks for it, and their IDs with -q" {
	program sleep 1000
	create "$id"
	local piped
	piped=$(oci-run list)
	run -0 on_terminal 60 list --format table
	output_is "$piped"
	run -0 on_terminal 60 list -q
	output_is "$id"
	[[ $(oci-run list --no-trunc) == "$piped" ]]
	[[ $piped =~ ^ID\ +PID\ +STATUS\ +BUNDLE\ +CREATED\ +OWNER ]]
}

@test "top shows what containers use" {
	program sh -c 'while :; do :; done'
	config 'del(.linux.cgroupsPath)'
	detached "$id-busy"
	program sleep 1000
	local limited=
	! { ((EUID == 0)) && has_controller memory && has_controller pids; } || limited=yes
	[[ -z $limited ]] || config '.linux.resources.memory = {limit: 50331648} | .linux.resources.pids = {limit: 20}'
	detached "$id-idle"
	program true
	create "$id-gone"
	oci-run start "$id-gone"
	eventually is stopped "$id-gone"
	run -0 oci-run top
	[[ ${lines[0]} == ID\ *STATUS\ *CPU%\ *MEMORY\ *LIMIT\ *PIDS\ *READ/s\ *WRITE/s\ *CPU-PSI\ *MEM-PSI\ *IO-PSI ]]
	((${#lines[@]} == 3)) # none for the one that has stopped
	if [[ -n $limited ]]; then
		[[ ${lines[1]} =~ ^$id-busy\ +running\ +[0-9]+\.[0-9]\ +[0-9.]+[BKM]\ +-\ +1\  ]] # the most CPU first
		[[ ${lines[2]} =~ ^$id-idle\ +running\ +0\.0\ +[0-9.]+[BKM]\ +48M\ +1/20\  ]]
	elif ! makes_cgroups; then
		[[ ${lines[2]} =~ ^$id-idle\ +running\ +-\ +-\  ]]
	fi
	run -0 oci-run top -n 2 --interval 50ms --sort id "$id-idle" "$id-busy"
	((${#lines[@]} == 6))
	[[ ${lines[1]} == "$id-idle "* && ${lines[5]} == "$id-busy "* ]]
	run -0 on_terminal 70 top --count 2 --interval 50ms
	[[ ${lines[0]} == $'\e[H'*'containers: 2, every 50ms (Ctrl-C ends)'* ]]
	[[ $(grep -c "^$id-busy" <<<"$output") == 2 ]]
}

@test "top ends when all that it was asked about has stopped, and knows what is wrong" {
	program sleep 0.5
	detached "$id"
	run -0 oci-run top --interval 100ms -n 1000 "$id"
	run -1 oci-run top nosuchcontainer
	output_has 'does not exist'
	run -1 oci-run top --interval 0s
	output_has 'must be longer than 0'
	run -1 oci-run top --sort size
	output_has '--sort \"size\": must be cpu, memory, pids, io or id'
	run -1 oci-run top -n -1
	output_has '--count -1: must not be negative'
	oci-run delete "$id"
	run -0 oci-run top
	((${#lines[@]} == 1))
}

@test "ps shows what runs in the container" {
	needs_root
	program sleep 1000
	create "$id"
	oci-run start "$id"
	run -0 oci-run ps "$id"
	[[ ${lines[0]} =~ ^UID\ +PID ]]
	output_has 'sleep 1000'
	((${#lines[@]} == 2))
}

@test "ps --format json is a list of pids" {
	needs_root
	program sh -c 'sleep 1000 & echo ready; wait'
	create "$id"
	oci-run start "$id"
	eventually says ready
	run -0 oci-run ps --format json "$id"
	[[ $(jq length <<<"$output") == 2 ]]
	[[ $(jq ".[0]" <<<"$output") == "$(pid_of "$id")" ]]
}

@test "ps hands its options to ps" {
	needs_root
	program sleep 1000
	create "$id"
	oci-run start "$id"
	run -0 oci-run ps "$id" -o pid,comm
	[[ ${lines[0]} =~ PID\ COMMAND ]]
	[[ ${lines[1]} =~ $(pid_of "$id")\ sleep ]]
}
