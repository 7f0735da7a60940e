#!/usr/bin/env bats
# How an error is told: to people, to programs that read the log, and with all that belongs to it. What errors say is in mistakes.bats.

load lib

# log KEY: of the one object in the log.
log() { jq -rs "if length == 1 then .[0].$1 else error(\"not one object\") end" log; }

@test "the JSON log has container, command, field, path and errno of an error" {
	config '.process.cwd = "/etc/passwd"'
	run -1 oci-run --log log --log-format json create "$id"
	[[ $(log level) == error && $(log msg) == *'/process/cwd: chdir to cwd "/etc/passwd": not a directory'* ]]
	[[ $(log id) == "$id" && $(log command) == create && $(log pointer) == /process/cwd && $(log errno) == ENOTDIR ]]
	[[ $(log warnings) == null && $(log path) == null ]]
	rm log
	run -1 oci-run --log log --log-format json run --bundle /no/such "$id"
	[[ $(log path) == /no/such/config.json && $(log errno) == ENOENT && $(log command) == run && $(log pointer) == null ]]
	rm log
	run -1 oci-run --log log --log-format json nosuchverb
	[[ $(log command) == null && $(log id) == null ]]
}

@test "a warning survives the error that follows it" {
	config '.process.capabilities.bounding += ["CAP_NONSENSE"] | .process.args = ["nosuchprogram"]'
	run -1 oci-run --log log --log-format json create "$id"
	[[ $(log msg) == *nosuchprogram* ]]
	[[ $(log 'warnings | length') == 1 && $(log 'warnings[0]') == *'ignoring unknown capabilities: "CAP_NONSENSE"'* ]]
	[[ $output != *CAP_NONSENSE* ]] # engines take this for the error
	rm log
	run -1 oci-run --log log create "$id"
	grep -q 'level=warning.*CAP_NONSENSE' log
	grep -q 'level=error.*nosuchprogram' log
}

@test "a memory limit that kills init before its program is the error of run and of start" {
	needs_cgroup memory
	config '.linux.resources = {"memory": {"limit": 4096, "swap": 4096}} | .process.args = ["true"]'
	run oci-run run "$id"
	# On v2 the limit comes when init has its first pages, which are asked back before.
	if v2; then
		[[ $status == 1 && $output == *'/linux/resources/memory/limit: unable to set memory limit to 4096 (current usage: '* ]] || { echo "$status: $output"; return 1; }
	else
		((status == 1)) || { echo "$status: $output"; return 1; }
		output_has '/linux/resources/memory/limit: container init was OOM-killed (memory limit too low?): the limit is 4 KiB, the peak use was'
	fi
	[[ ! -e $state/$id ]]
	v2 && skip 'where init is ended after its create is a session of limits.bats'
	create "$id"
	run -1 oci-run start "$id"
	output_has '/linux/resources/memory/limit: container init was OOM-killed (memory limit too low?): the limit is 4 KiB, the peak use was'
}

@test "run tells of a memory limit that has killed the program" {
	needs_cgroup memory
	[[ -z ${OCI_RUN_TEST_SYSTEMD:-} ]] || skip 'systemd removes the cgroup, and its counters, with its last process'
	program tail /dev/zero
	config '.linux.resources = {"memory": {"limit": 8388608, "swap": 8388608}}'
	run -137 oci-run run "$id"
	output_has 'the memory limit has killed a process of the container: the limit is 8 MiB, the peak use was'
	config 'del(.linux.resources.memory)' && program sh -c 'kill -KILL $$'
	config '.linux.namespaces |= map(select(.type != "pid"))'
	run -137 oci-run run "$id"
	output_is ''
}

@test "a user without XDG_RUNTIME_DIR has the directory that a login makes" {
	needs_root
	cp "$OCI_RUN" "$session/binary" && chmod 755 "$session/binary"
	without() { # MODE: what a user whose directory has the mode gets
		unshare --mount --propagation private sh -c 'mount -t tmpfs tmpfs /run && mkdir -p -m 755 /run/user && mkdir -m "$1" /run/user/1234 &&
			chown 1234 /run/user/1234 && setpriv --reuid 1234 --regid 1234 --clear-groups env -i "$2" list -q && stat -c %a /run/user/1234/oci-run' \
			sh "$1" "$session/binary" 2>&1
	}
	run -0 without 700
	output_is 1700
	run -1 without 777
	output_has 'there is no \"/run/user/1234\" that is the user'
}

# typed ARG...: oci-run with a terminal of the container's; what it shows is left without the terminal's carriage returns.
typed() { timeout 20 "$OCI_RUN" ${OCI_RUN_TEST_SYSTEMD:+--systemd-cgroup} --root "$state" "$@" 3>&- | tr -d '\r'; }

@test "a terminal whose input ends is at its end for each who reads it" {
	config '.process.terminal = true'
	program cat
	run -0 typed run "$id" </dev/null
	output_is ''
	run -0 typed run "$id" <<<'a line'
	output_is $'a line\na line' # echo and output
	program sh -c 'stty -echo; cat; cat; echo over'
	run -0 typed run "$id" < <(printf 'no newline')
	output_has 'no newlineover'
	program sh
	run -0 typed run "$id" <<<'echo $((6 * 7))'
	output_has 42
}

@test "so is that of an exec" {
	program sleep 1000
	detached "$id"
	run -0 typed exec --tty "$id" cat </dev/null
	output_is ''
	run -0 typed exec --tty "$id" sh -c 'cat; cat' <<<'a line'
	output_has 'a line'
}
