#!/usr/bin/env bats
# --trace: the timeline of commands, and the same in sentences with --debug. What the formats are is held by internal/trace, and how
# much of a run is in it by tests/timeline.

load lib

# traced ARG...: oci-run with a timeline in the file trace.json.
traced() { oci-run --trace trace.json "$@"; }

# spans [FILTER]: those of trace.json that match.
spans() { jq -c "[.[] | select(.ph == \"X\")] | .[] | select(${1:-true})" trace.json; }

# has FILTER: there is such a span, and it lasted some time.
has() {
	spans "($1) and .dur >= 0" | grep -q . || { echo "no span with $1 in:"; spans | jq -c '[.pid, .name, .args]'; return 1; }
}

hook() {
	config --arg kind "$1" --arg script "$2" \
		'.hooks[$kind] += [{"path": "/bin/sh", "args": ["sh", "-c", $script], "env": ["PATH=/usr/bin:/bin:/usr/sbin:/sbin"]}]'
}

@test "the timeline of a run has the command's steps and those of init" {
	program true
	run -0 traced run "$id"
	output_is ''
	command=$(spans '.name == "run"' | jq .pid)
	for name in 'start of the program' 'load the bundle' plan prepare intent spawn clone serve start 'wait for the program' 'end processes' 'remove the state'; do
		has ".name == \"$name\" and .pid == $command"
	done
	init=$(spans '.name == "execve"' | jq .pid)
	[[ $init != "$command" ]]
	if by_list create; then # init is a list of calls, and a thread of the command's makes its root
		for name in 'first half' 'second half'; do has ".name == \"$name\" and .pid == $init"; done
		for name in build mounts root masks; do has ".name == \"$name\" and .pid == $command and .tid != $command"; done
	else
		for name in 'start of the program' session mounts root masks ready; do has ".name == \"$name\" and .pid == $init"; done
	fi
	has ".name == \"mount\" and .args.target == \"/dev\" and .args.type == \"tmpfs\" and (.args.flags | test(\"nosuid.*size=65536k\"))"
	[[ -z $(spans ".args.container != \"$id\"") ]]
	# Everything belongs to something, and comes after what it belongs to has begun.
	jq -e '[.[] | select(.ph == "X")] | INDEX(.args.span) as $all | all(.[];
		(.name == "run" and .args.parent == null) or $all[.args.parent].ts <= .ts)' trace.json
	# Names for the rows.
	jq -e --arg id "$id" '[.[] | select(.ph == "M") | .args.name] | index("oci-run run \($id)") and index("init \($id)") and
		(index("builder") != null) == '"$( ((EUID)) && echo false || echo true)" trace.json
}

@test "commands append to one timeline, which is whole after each" {
	program sleep 1000
	verbs=(create start state kill delete)
	traced create "$id" </dev/null >out 2>err
	jq -e . trace.json
	traced start "$id"
	has '.name == "execve"' # of an init that a command without it could have made
	traced state "$id" >/dev/null
	OCI_RUN_TRACE=trace.json oci-run exec "$id" true
	traced kill "$id" KILL
	eventually is stopped "$id"
	traced delete "$id"
	jq -e . trace.json
	for verb in "${verbs[@]}" exec; do
		[[ $(spans ".name == \"$verb\" and .args.parent == null" | wc -l) == 1 ]] || { echo "$verb"; return 1; }
	done
	[[ $(spans ".args.container != \"$id\"") == '' ]]
}

@test "what comes after the start is told to the start command, whoever made the container" {
	program true
	hook startContainer 'true'
	create "$id"
	traced start "$id"
	has '.name == "startContainer hook" and .args.path == "/bin/sh" and .args.index == 0'
	has '.name == "execve"'
	eventually is stopped "$id"
	oci-run delete "$id"
	rm trace.json
	traced create "$id" </dev/null >out 2>err
	oci-run start "$id" # init tells nobody
	eventually is stopped "$id"
}

@test "hooks continue the trace" {
	for kind in prestart createRuntime createContainer poststart poststop; do
		hook "$kind" "echo $kind \$TRACEPARENT >>$bundle/parents"
	done
	hook startContainer 'echo startContainer $TRACEPARENT >>/parents'
	config '.root.readonly = false | .hooks.createRuntime += [{"path": "/bin/sh", "args": ["sh", "-c", "echo own $TRACEPARENT >>'"$bundle"'/parents"], "env": ["TRACEPARENT=its-own"]}]'
	config '.hooks.createRuntime += [{"path": "/bin/sh", "args": ["sh", "-c", "echo inherited $TRACEPARENT >>'"$bundle"'/parents"]}]'
	program sh -c 'echo program $TRACEPARENT >>/parents'
	trace=4bf92f3577b34da6a3ce929d0e0e4736
	TRACEPARENT=00-$trace-00f067aa0ba902b7-01 run -0 traced run "$id"
	cat parents rootfs/parents
	[[ $(spans ".args.trace != \"$trace\"") == '' ]]
	has '.name == "run" and .args.parent == "00f067aa0ba902b7"'
	for kind in prestart createRuntime createContainer startContainer poststart poststop; do
		span=$(spans ".name == \"$kind hook\" and .args.index == 0" | jq -r .args.span)
		cat parents rootfs/parents | grep -qxF "$kind 00-$trace-$span-01" || { echo "$kind $span"; return 1; }
	done
	grep -qxF 'own its-own' parents
	grep -qxF "inherited 00-$trace-$(spans '.name == "createRuntime hook" and .args.index == 2' | jq -r .args.span)-01" parents
	grep -qxF program rootfs/parents
}

@test "without --trace hooks have what config.json gives them" {
	hook createRuntime "env >$bundle/environment"
	program true
	TRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 oci-run run "$id"
	run ! grep TRACE environment
}

@test "what is no traceparent begins a trace of its own" {
	program true
	TRACEPARENT=nonsense run -0 traced run "$id"
	output_is ''
	has '.name == "run" and .args.parent == null and (.args.trace | test("^[0-9a-f]{32}$"))'
}

# From the filter on, init's own thread must not make a call that the filter doesn't allow.
@test "a filter that forbids to send keeps startContainer hooks in the timeline" {
	hook startContainer 'true'
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["sendmsg", "sendto", "clock_gettime"], "action": "SCMP_ACT_KILL_THREAD"}]}'
	program true
	run -0 traced run "$id"
	has '.name == "startContainer hook"'
	has '.name == "execve"'
}

@test "commands that end at the same time lose nothing" {
	program sleep 1000
	detached "$id"
	for _ in {1..24}; do
		oci-run --trace trace.json state "$id" >/dev/null &
		oci-run --trace trace.otlp state "$id" >/dev/null &
	done
	wait
	[[ $(spans '.name == "state"' | wc -l) == 24 ]]
	[[ $(jq -s '[.[].resourceSpans[].scopeSpans[].spans[] | select(.name == "state")] | length' trace.otlp) == 24 ]]
}

@test "OTLP is a request on each line" {
	program true
	for name in trace.otlp trace.otlp.json trace.otlp.jsonl; do
		oci-run --trace $name run "$id"
		while read -r line; do
			jq -e --arg id "$id" '.resourceSpans[0] | (.resource.attributes | any(.key == "service.name" and .value.stringValue == "oci-run")) and
				(.resource.attributes | any(.key == "container.id" and .value.stringValue == $id)) and
				all(.scopeSpans[0].spans[]; (.endTimeUnixNano | tonumber) >= (.startTimeUnixNano | tonumber) and .kind == 1)' <<<"$line" >/dev/null
		done <$name
		[[ $(wc -l <$name) -gt 1 ]]
		now=$(date +%s)
		begin=$(jq -sr '[.[].resourceSpans[].scopeSpans[].spans[] | select(.name == "run")][0].startTimeUnixNano[:10]' $name)
		((now - begin < 60 && now >= begin))
	done
}

@test "a command that fails has its error in the timeline" {
	program nosuch
	run -1 traced run "$id"
	output_has nosuch
	has '.name == "run" and (.args.error | test("nosuch"))'
	((EUID == 0)) || has '.name == "process" and (.args.error | test("nosuch"))' # init's step
	has '.name == "undo"'
	program sh -c 'exit 7'
	rm trace.json
	run -7 traced run "$id"
	has '.name == "run" and .args.status == 7 and .args.error == null'
}

@test "a file that can't be a timeline is refused before anything is made" {
	mkfifo fifo
	run -1 oci-run --trace fifo create "$id"
	output_has '--trace: write a timeline to \"fifo\": it is not a regular file'
	run -1 oci-run --trace "$bundle" create "$id"
	output_has 'is a directory'
	run -1 oci-run --trace "$bundle/no/such" create "$id"
	output_has "--trace: open $bundle/no/such: no such file or directory"
	[[ ! -e $state/$id ]]
}

@test "a timeline that can't be written any more is a warning" {
	program true
	exec {held}>>trace.json
	flock "$held"
	run -0 traced run "$id"
	flock -u "$held"
	output_has 'level=warning'
	output_has 'trace.json'
	[[ ! -s trace.json ]]
}

@test "nothing of the timeline is in the container" {
	program sh -c 'ls -l /proc/self/fd /proc/1/fd; env; sleep 1000'
	traced create "$id" </dev/null >out 2>err
	pid=$(pid_of "$id")
	run ! grep -r trace.json <(ls -l "/proc/$pid/fd")
	traced start "$id"
	eventually says PATH=
	run ! grep -E 'trace|TRACE' out
	traced exec "$id" sh -c 'ls -l /proc/self/fd; env' >exec.out
	run ! grep -E 'trace\.json|TRACE' exec.out
}

@test "init's spans are on the command's clock in a time namespace too" {
	needs_root
	config '.linux.namespaces += [{"type": "time"}] | .linux.timeOffsets = {"monotonic": {"secs": 86400, "nanosecs": 5}}'
	program true
	run -0 traced run "$id"
	jq -e '[.[] | select(.ph == "X")] | (.[] | select(.name == "run")) as $run | all(.[]; .ts >= $run.ts and .ts + .dur <= $run.ts + $run.dur + 0.01)' trace.json
}

@test "a wait for the lock is a span" {
	program sleep 1000
	create "$id"
	flock "$state/$id" -c ': >held; sleep 0.5' 3>&- &
	eventually test -e held
	traced delete "$id"
	wait
	has '.name == "wait for the lock" and .dur > 100000 and (.args.path | endswith("'"/$id"'"))'
}

@test "what CRIU takes is in the timelines of checkpoint and restore" {
	needs_root
	needs criu
	program sh -c 'while :; do sleep 0.1; done'
	oci-run run --detach "$id" </dev/null >/dev/null 2>&1
	oci-run --trace dump.json checkpoint --image-path images --work-path work --manage-cgroups-mode ignore "$id"
	oci-run --trace back.json restore --detach --image-path images --work-path work --manage-cgroups-mode ignore "$id" </dev/null >/dev/null 2>&1
	for file in dump.json:DUMP back.json:RESTORE; do
		jq -e --arg call "criu ${file#*:}" '
			map(select(.ph == "X")) | (.[] | select(.name == "checkpoint" or .name == "restore") | select(.args.parent == null)) as $whole
			| (.[] | select(.name == $call)) as $criu | any(.name == "ask criu for its version")
			and $criu.args.error == null and $criu.args.pid > 0 and $criu.dur > 0
			and $criu.ts >= $whole.ts and $criu.ts + $criu.dur <= $whole.ts + $whole.dur' "${file%:*}"
	done
}

@test "an exec has its helper's list, and by way of init its steps" {
	program sleep 1000
	detached "$id"
	traced exec "$id" true
	has '.name == "start"'
	if by_list exec; then
		has '.name == "list"'
	else
		has '.name == "execve"'
		has '.name == "session"'
	fi
}

@test "--debug tells what was done to what, and how long it took" {
	mkdir "$session/data"
	config --arg source "$session/data" '.mounts += [{"destination": "/data", "type": "bind", "source": $source, "options": ["bind", "ro", "nosuid"]}]'
	mkdir -p rootfs/data
	program true
	run -0 oci-run --debug run "$id"
	[[ $output =~ ": bind \\\"$session/data\\\" on \\\"/data\\\"".*with.*nosuid.*'took '[0-9.]+.*s ]]
	[[ $output =~ 'run: intent took '[0-9.]+.*s ]]
	[[ $output =~ ': masks took ' ]]
	[[ ! -e trace.json ]]
}
