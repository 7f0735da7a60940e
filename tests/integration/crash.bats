#!/usr/bin/env bats
# Killed half-way: a build that kills itself with SIGKILL at the step that OCI_RUN_CRASH names (make bin/oci-run-crash).

load lib

setup_file() {
	OCI_RUN_CRASHY=$(realpath "${OCI_RUN:-$BATS_TEST_DIRNAME/../../bin/oci-run}")-crash
	[[ -x $OCI_RUN_CRASHY ]] || skip "no $OCI_RUN_CRASHY here (make bin/oci-run-crash)"
	export OCI_RUN_CRASHY
}

# crash STEP ARG...: run a command that dies at the step.
crash() {
	local step=$1 code=0
	shift
	OCI_RUN_CRASH=$step "$OCI_RUN_CRASHY" ${OCI_RUN_TEST_SYSTEMD:+--systemd-cgroup} --root "$state" "$@" </dev/null >out 2>err 3>&- || code=$?
	((code == 137)) || { echo "$* at $step: exit status $code"; cat err; return 1; }
}

# Each point is recovered from twice: at once, and after init has had the time to go its way.
recover() {
	oci-run list
	oci-run list -q
	oci-run delete --force "$id"
	nothing_is_left
}

@test "create, killed at each step, is undone by delete --force" {
	program sleep 1000
	config --arg out "$bundle/poststop" '.hooks.poststop = [{"path": "/bin/sh", "args": ["sh", "-c", "echo ran >>\($out)"]}]'
	for step in reserved intent cgroup cloned spawn confine serve commit; do
		for pause in 0 0.1; do
			crash "$step" create --pid-file "$bundle/pid" "$id"
			sleep "$pause"
			recover
			rm -f pid
		done
	done
}

@test "create, killed at each step, leaves a stopped container or none that can be started by mistake" {
	program sleep 1000
	for step in intent cgroup cloned spawn confine serve; do
		crash "$step" create "$id"
		eventually is stopped "$id"
		run -1 oci-run start "$id"
		run -1 oci-run kill "$id" KILL
		output_has 'container not running'
		oci-run delete "$id"
		nothing_is_left
	done
}

@test "run, killed at each step before its start, leaves a stopped container, and later a running one" {
	program sleep 1000
	# With a hook or a user namespace, init waits to be told to go on; else it has been told so once it has its plan.
	if ((EUID == 0)); then
		for step in reserved intent cgroup cloned spawn confine; do
			crash "$step" run "$id"
			[[ $step == reserved ]] || eventually is stopped "$id"
			recover
		done
		for step in serve commit; do
			crash "$step" run "$id"
			eventually is running "$id"
			recover
		done
	fi
	config '.hooks.poststart = [{"path": "/bin/true"}]'
	for step in reserved intent cgroup cloned spawn confine serve commit; do
		crash "$step" run "$id"
		[[ $step == reserved ]] || eventually is stopped "$id"
		recover
	done
	crash released run "$id"
	is running "$id"
	run -1 oci-run start "$id"
	output_has 'cannot start an already running container'
	recover
}

@test "the same, with a user namespace" {
	needs_root
	program sleep 1000
	config '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] |
		.linux.gidMappings = .linux.uidMappings'
	chown -R 100000:100000 rootfs
	for step in reserved intent cgroup cloned spawn confine serve commit; do
		crash "$step" create "$id"
		recover
	done
}

@test "start, killed before it is irrevocable, leaves the container to be started" {
	program sleep 1000
	create "$id"
	crash connect start "$id"
	is created "$id"
	oci-run start "$id"
	is running "$id"
}

@test "start, killed later, leaves a container that has stopped" {
	program sleep 1000
	for step in announce unlink; do
		create "$id"
		crash "$step" start "$id"
		eventually is stopped "$id"
		run -1 oci-run start "$id"
		output_has 'cannot start a container that has stopped'
		oci-run delete "$id"
		nothing_is_left
	done
}

@test "delete, killed at each step, can be repeated" {
	program sleep 1000
	for step in emptied removed ended poststop; do
		[[ $step != removed ]] || makes_cgroups || continue # there is none that could be removed
		create "$id"
		oci-run start "$id"
		crash "$step" delete --force "$id"
		oci-run list
		recover
	done
}

@test "delete of a paused container, killed at each step, can be repeated" {
	needs_root
	program sleep 1000
	for step in emptied removed ended poststop; do
		detached "$id"
		oci-run pause "$id"
		crash "$step" delete --force "$id"
		is stopped "$id"
		recover
	done
}

# freezer: what the kernel says of the container's cgroup, 0 or 1.
freezer() { value freezer freezer.self_freezing cgroup.freeze; }

# The status has to agree with the kernel, and the container go on to its end as if nothing had been.
goes_on() {
	case $(status_of "$id"):$(freezer) in
	running:0) ;;
	paused:1) oci-run resume "$id" ;;
	*) echo "status $(status_of "$id"), freezer $(freezer)"; return 1 ;;
	esac
	is running "$id"
	[[ $(freezer) == 0 ]]
	! has_controller cpu || oci-run update --cpu-share 300 "$id"
	oci-run exec "$id" true
	oci-run pause "$id"
	is paused "$id"
	oci-run resume "$id"
}

@test "pause, killed while the kernel still freezes, leaves a paused container" {
	needs_cgroup freezer
	program sleep 1000
	detached "$id"
	crash freezing pause "$id"
	is paused "$id"
	[[ $(freezer) == 1 ]]
	goes_on
	crash freezing pause "$id"
	oci-run kill "$id" KILL
	eventually is stopped "$id"
	recover
	detached "$id"
	crash freezing pause "$id"
	recover
}

@test "pause of a created container, killed, leaves one that can be resumed and started" {
	needs_cgroup freezer
	program sleep 1000
	create "$id"
	crash freezing pause "$id"
	is paused "$id"
	run -1 oci-run start "$id"
	oci-run resume "$id"
	is created "$id"
	oci-run start "$id"
	is running "$id"
}

@test "update, killed at each step, leaves a running container that can be updated" {
	needs_cgroup freezer
	needs_cgroup cpu
	program sleep 1000
	config '.linux.resources.cpu = {shares: 100, quota: 50000, period: 100000}'
	detached "$id"
	crash written update --cpu-share 200 --cpu-quota 20000 "$id"
	goes_on
	crash refused update --cpu-share 200 --cpu-quota 5 "$id"
	goes_on
	oci-run pause "$id"
	crash written update --cpu-share 200 "$id"
	is paused "$id"
	goes_on
	recover
}

@test "kill --all, killed while it holds the processes, leaves them paused and not lost" {
	needs_cgroup freezer
	program sleep 1000
	detached "$id"
	crash held kill --all "$id" USR1
	goes_on
	recover
}

@test "update, pause, resume and kill, killed at any moment, leave a container that goes on" {
	needs_cgroup freezer
	program sh -c 'trap : USR1; while :; do sleep 0.01; done'
	detached "$id"
	local round pid command words
	for ((round = 0; round < 30; round++)); do
		for command in "update --cpu-share 200 $id" "pause $id" "resume $id" "kill --all $id USR1"; do
			read -ra words <<<"$command"
			# The program itself: kill has to meet it, not a shell in front of it.
			"$OCI_RUN" ${OCI_RUN_TEST_SYSTEMD:+--systemd-cgroup} --root "$state" "${words[@]}" >/dev/null 2>&1 3>&- &
			pid=$!
			read -rt "0.00$((round / 5))$((2 * (round % 5)))" <> <(:) || true
			{ kill -9 "$pid" && wait "$pid"; } 2>/dev/null || true
		done
		case $(status_of "$id"):$(freezer) in
		running:0 | paused:1) ;;
		*) echo "round $round: status $(status_of "$id"), freezer $(freezer)"; return 1 ;;
		esac
	done
	goes_on
	recover
}
