#!/usr/bin/env bats
# delete: what may be deleted when, and that nothing is left.

load lib

@test "a running container isn't deleted" {
	program sleep 1000
	create "$id"
	oci-run start "$id"
	run -1 oci-run delete "$id"
	output_has 'not stopped'
	is running "$id"
}

@test "a container that has just been killed is deleted" {
	program sleep 1000
	for _ in {1..5}; do
		detached "$id"
		oci-run kill "$id" KILL
		oci-run delete "$id"
	done
}

@test "--force kills first" {
	program sleep 1000
	create "$id"
	oci-run start "$id"
	pid=$(pid_of "$id")
	run -0 oci-run delete --force "$id"
	output_is ''
	eventually gone "$pid"
	run ! oci-run state "$id"
}

@test "--force deletes a container that was never started" {
	program sleep 1000
	create "$id"
	run -0 oci-run delete --force "$id"
	output_is ''
}

@test "--force says nothing of a container that there isn't" {
	run -0 oci-run delete --force "$id"
	output_is ''
	run -1 oci-run delete "$id"
	output_has 'does not exist'
}

@test "all processes go with the container" {
	program sh -c 'sleep 1000 & sleep 1000 & echo ready; wait'
	create "$id"
	oci-run start "$id"
	eventually says ready
	oci-run delete --force "$id"
	no_processes
}

@test "processes in a shared pid namespace go too" {
	needs_root
	config 'del(.linux.namespaces[] | select(.type == "pid"))'
	program sh -c 'sleep 1000 & setsid sleep 1000 & echo ready; wait'
	create "$id"
	oci-run start "$id"
	eventually says ready
	oci-run delete --force "$id"
	no_processes
}

@test "cgroups that the container made below its own go too" {
	needs_cgroup
	config '.linux.namespaces |= map(select(.type != "cgroup")) + [{"type": "cgroup"}]
		| (.mounts[] | select(.type == "cgroup")).options -= ["ro"]'
	program sh -c 'for d in /sys/fs/cgroup/ /sys/fs/cgroup/*/; do mkdir $d/below 2>/dev/null; done; echo ready; exec sleep 1000'
	create "$id"
	oci-run start "$id"
	eventually says ready
	oci-run delete --force "$id"
}

@test "the state of a creation that was cut short can be deleted" {
	program sleep 1000
	create "$id"
	kill -KILL "$(pid_of "$id")"
	eventually is stopped "$id"
	run -0 oci-run delete "$id"
}

# hook KIND SCRIPT: add a hook that runs a script.
hook() {
	config --arg kind "$1" --arg script "$2" --arg mark "OCI_RUN_SESSION=$session" \
		'.hooks[$kind] += [{"path": "/bin/sh", "args": ["sh", "-c", $script], "env": ["PATH=/usr/bin:/bin", $mark]}]'
}

# unhindered COMMAND...: run it in the background, and note its end in the file ended.
unhindered() { { code=0; "$@" || code=$?; echo "$code" >ended; } >out 2>err </dev/null 3>&- & }

# awaits_release: what a hook does that hangs until the session lets it go.
awaits_release="n=0; until [ -e release ] || [ \$n = 200 ]; do sleep 0.1; n=\$((n + 1)); done"

# forced: delete --force within three seconds, and nothing of the container is left but what its hook is.
forced() {
	local before=$SECONDS
	run -0 oci-run delete --force "$id"
	output_is ''
	((SECONDS - before <= 3))
	run -1 oci-run state "$id"
	output_has 'does not exist'
	[[ -z $(find /sys/fs/cgroup -name "*$id*" 2>/dev/null) ]]
}

# hook_runs: the hook that hangs has come so far.
hook_runs() { [[ -e $bundle/hook ]] || [[ -e $bundle/rootfs/hook ]]; }

@test "--force does not wait for a hook that hangs" {
	local kind
	for kind in prestart createRuntime createContainer poststart; do
		rm -f hook ended release
		rm -f config.json
		make_config
		program sleep 1000
		hook "$kind" "cd $bundle; touch hook; $awaits_release"
		unhindered oci-run run --detach "$id"
		eventually hook_runs
		forced
		touch release
		eventually test -s ended
		eventually no_processes
	done
}

@test "--force does not wait for a startContainer hook that hangs" {
	program sleep 1000
	config '.root.readonly = false'
	hook startContainer 'touch /hook; sleep 1000'
	create "$id"
	unhindered oci-run start "$id"
	eventually hook_runs
	forced
	eventually test -s ended
	no_processes
}

@test "--force does not wait for an init that stands still" {
	program sleep 1000
	create "$id"
	kill -STOP "$(pid_of "$id")"
	unhindered oci-run start "$id"
	sleep 0.2
	forced
	eventually test -s ended
}

@test "what comes after a forced delete is not the hanging command's" {
	program sleep 1000
	hook createRuntime "cd $bundle; touch hook; $awaits_release"
	hook poststop "echo stopped >>$bundle/stops"
	unhindered oci-run create "$id"
	eventually hook_runs
	forced
	rm -f config.json
	make_config
	program sleep 1000
	oci-run run --detach "$id" </dev/null >/dev/null 2>&1
	touch release
	eventually test -s ended
	[[ $(<ended) == 1 && $(<stops) == stopped ]]
	is running "$id"
	[[ -d $(cgroup freezer) ]] || ! makes_cgroups
}

@test "a command that waits for another names it in the end" {
	local verb waiting=()
	program sleep 1000
	hook poststart "cd $bundle; touch hook; $awaits_release"
	create "$id"
	unhindered oci-run start "$id"
	eventually hook_runs
	printf '{}' >resources
	for verb in delete pause resume 'update --resources resources'; do
		# shellcheck disable=SC2086 # an option
		oci-run $verb "$id" >"${verb%% *}.out" 2>&1 && echo "$verb succeeded" && return 1 &
		waiting+=($!)
	done
	for verb in "${waiting[@]}"; do wait "$verb" || true; done
	for verb in delete pause resume update; do
		run -0 cat "$verb.out"
		output_has "lock container \\\"$id\\\": held for more than 10s by process "
		output_has "start $id"
	done
	forced
	touch release
}

# outsider: a process that is not the container's, in its cgroups.
outsider() {
	local procs
	sleep 1000 3>&- &
	outsider=$!
	find /sys/fs/cgroup -path "*/oci-run-tests-$id/cgroup.procs" 2>/dev/null | while read -r procs; do echo "$outsider" >"$procs"; done
}

@test "what was moved into the cgroup goes with the container" {
	needs_root
	local how
	for how in '' --force; do
		program true
		create "$id"
		outsider
		oci-run start "$id"
		eventually is stopped "$id"
		# shellcheck disable=SC2086 # nothing
		run -0 oci-run delete $how "$id"
		output_is ''
		eventually gone "$outsider"
	done
}

# freeze DIRECTORY: a cgroup that can freeze.
freeze() { if v2; then echo 1 >"$1/cgroup.freeze"; else echo FROZEN >"$1/freezer.state"; fi; }

# below: a frozen cgroup below the container's, with a process of the container in it.
below() {
	local dir
	program sh -c 'sleep 1000 & echo $! >/inner; wait'
	config '.root.readonly = false'
	detached "$id"
	eventually test -s rootfs/inner
	dir=$(cgroup freezer)/inner
	mkdir "$dir"
	pgrep -P "$(pid_of "$id")" >"$dir/cgroup.procs"
	freeze "$dir"
}

@test "a frozen cgroup in the container's does not keep it from ending" {
	needs_root
	needs_cgroup freezer
	below
	forced
	below
	oci-run kill "$id" KILL
	eventually is stopped "$id"
	run -0 oci-run delete "$id"
	below
	oci-run kill --all "$id" KILL
	eventually is stopped "$id"
}

@test "a cgroup that somebody else has frozen does not keep the container from ending" {
	needs_root
	needs_cgroup freezer
	program sleep 1000
	detached "$id"
	freeze "$(cgroup freezer)"
	forced
	detached "$id"
	freeze "$(cgroup freezer)"
	oci-run kill "$id" KILL
	eventually is stopped "$id"
	oci-run delete "$id"
}

@test "a frozen cgroup above the container's does not keep it from ending" {
	needs_root
	needs_cgroup freezer
	[[ -z ${OCI_RUN_TEST_SYSTEMD:-} ]] || skip 'the cgroup above is of systemd'
	config ".linux.cgroupsPath = \"/oci-run-tests-$id/inner\""
	program sh -c 'sleep 1000 & wait'
	detached "$id"
	freeze "$(cgroup freezer)"
	oci-run delete --force "$id"
	no_processes
	find /sys/fs/cgroup -depth -name "*$id*" -type d -exec rmdir {} \; 2>/dev/null || true
}

@test "threaded cgroups in the container's do not keep it from ending" {
	needs_root
	v2 || skip 'only cgroup v2 has threaded cgroups'
	[[ -z ${OCI_RUN_TEST_SYSTEMD:-} ]] || skip 'the cgroup has the controllers that systemd gives it'
	local dir verb
	program sh -c 'sleep 1000 & echo $! >/inner; wait'
	config '.root.readonly = false'
	for verb in delete kill; do
		rm -f rootfs/inner
		detached "$id"
		eventually test -s rootfs/inner
		dir=$(cgroup pids)/inner
		mkdir -p "$dir/deeper"
		echo threaded >"$dir/cgroup.type"
		echo threaded >"$dir/deeper/cgroup.type"
		pgrep -P "$(pid_of "$id")" >"$dir/deeper/cgroup.threads"
		[[ -n $(<"$dir/deeper/cgroup.threads") ]]
		if [[ $verb == kill ]]; then
			oci-run kill --all "$id" KILL
			eventually is stopped "$id"
			oci-run delete "$id"
		else
			oci-run delete --force "$id"
		fi
		nothing_is_left
		[[ ! -d $dir ]]
	done
}

# In a pid namespace of its own the kernel ends them with init; in the host's the runtime has to find each.
@test "a thousand processes are ended by delete --force" {
	needs_cgroup pids
	program sh -c 'mkfifo /pipe; i=0; while [ $i -lt 1000 ]; do read x </pipe & i=$((i+1)); done; echo >/made; wait'
	config '.root.readonly = false | del(.linux.resources.pids)'
	for shared in no yes; do
		rm -f rootfs/made rootfs/pipe
		[[ $shared == no ]] || config 'del(.linux.namespaces[] | select(.type == "pid"))'
		detached "$id"
		eventually test -s rootfs/made || eventually test -s rootfs/made # a busy machine takes its time
		(($(value pids pids.current pids.current) > 1000))
		timeout 60 "$OCI_RUN" ${OCI_RUN_TEST_SYSTEMD:+--systemd-cgroup} --root "$state" delete --force "$id" 3>&-
		nothing_is_left
	done
}

# Each mount of what is mounted there already doubles the number. Nothing of it is seen outside of the namespace.
@test "thousands of mounts on the host are no trouble" {
	needs_root
	[[ -z ${OCI_RUN_TEST_SYSTEMD:-} ]] || skip 'systemd sees other mounts'
	mkdir many
	program sh -c 'grep -c . /proc/self/mountinfo'
	run -0 --separate-stderr unshare --mount --propagation private bash -euc '
		mount -t tmpfs many many
		for i in {1..12}; do mkdir many/$i; mount --rbind many many/$i; done
		(($(grep -c " $PWD/many" /proc/self/mountinfo) >= 4096))
		timeout 60 "$1" --root "$2" run "$3" </dev/null 3>&-
		timeout 60 "$1" --root "$2" create "$3" </dev/null >/dev/null 2>&1 3>&-
		timeout 60 "$1" --root "$2" delete --force "$3"' -- "$OCI_RUN" "$state" "$id"
	((output < 100)) # the container has its own
}

# Whoever is looked at has ended by then, and its children are new.
@test "a container that forks as fast as it can is paused, entered and ended" {
	needs_cgroup pids
	needs_cgroup freezer
	local verb words
	program sh -c 'i=0; while [ $i -lt 40 ]; do (while :; do (:); done) & i=$((i+1)); done; wait'
	config '.linux.resources.pids.limit = 200'
	for shared in no yes; do
		[[ $shared == no ]] || config 'del(.linux.namespaces[] | select(.type == "pid"))'
		detached "$id"
		for verb in "pause $id" "resume $id" "exec $id true" "kill --all $id KILL" "delete --force $id"; do
			read -ra words <<<"$verb"
			timeout 30 "$OCI_RUN" ${OCI_RUN_TEST_SYSTEMD:+--systemd-cgroup} --root "$state" "${words[@]}" 3>&-
		done
		nothing_is_left
	done
}

@test "another container in the same cgroup stays" {
	needs_root
	program sleep 1000
	create "$id"
	oci-run kill "$id" KILL
	eventually is stopped "$id"
	create "$id.second"
	run -0 oci-run delete "$id"
	is created "$id.second"
}

@test "so it does if the containers share the pid namespace, and the first is deleted by force" {
	needs_root
	program sleep 1000
	config '.linux.namespaces |= map(select(.type != "pid"))'
	for force in '' --force; do
		create "$id"
		oci-run kill "$id" KILL
		eventually is stopped "$id"
		create "$id.second"
		run -0 oci-run delete $force "$id"
		is created "$id.second"
		oci-run delete --force "$id.second"
	done
}
