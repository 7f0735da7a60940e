#!/usr/bin/env bats
# exec: another process in a running container.

load lib

# A container that stays, for all sessions of this file.
running() {
	program sleep 1000
	detached "$id"
}

# process FILTER: process.json, from the container's own process.
process() { jq ".process | $1" config.json >process.json; }

@test "exec runs a command and shows its output" {
	running
	run -0 oci-run exec "$id" echo hello
	output_is hello
}

@test "exec exits as the command did" {
	running
	run -42 oci-run exec "$id" sh -c 'exit 42'
	run -137 oci-run exec "$id" sh -c 'kill -9 $$'
}

@test "exec exits with 255 if it is oci-run that fails" {
	running
	run -255 oci-run exec "$id" nosuchcommand
	output_has 'executable file not found in $PATH'
	run -255 oci-run exec "$id" /no/such
	output_has 'no such file or directory'
	run -255 oci-run exec "$id" /etc/passwd
	output_has 'permission denied'
	run -255 oci-run exec --pid-file /nonexistent/pid "$id" true
	run -255 oci-run exec "$id"
	output_has 'exec args cannot be empty'
	run -255 oci-run exec nosuchcontainer true
	output_has 'does not exist'
}

@test "exec names a missing interpreter" {
	printf '#!/no/such/interpreter\n' >rootfs/script
	chmod +x rootfs/script
	running
	run -255 oci-run exec "$id" /script
	output_has 'exec /script: no such file or directory'
	output_has '/no/such/interpreter'
	[[ ${#lines[@]} == 1 ]]
}

@test "the command is in all namespaces of the container" {
	running
	pid=$(pid_of "$id")
	run -0 oci-run exec "$id" sh -c 'for n in cgroup ipc mnt net pid time user uts; do readlink /proc/self/ns/$n; done'
	output_is "$(for n in cgroup ipc mnt net pid time user uts; do readlink "/proc/$pid/ns/$n"; done)"
}

@test "the command is in the cgroup of the container" {
	needs_cgroup
	running
	oci-run exec --detach --pid-file pid "$id" sleep 1000 </dev/null >out 2>err
	diff <(grep -v '^[0-9]*:memory:' "/proc/$(pid_of "$id")/cgroup") <(grep -v '^[0-9]*:memory:' "/proc/$(cat pid)/cgroup")
}

@test "the command leads a session of its own and has three files open" {
	running
	run -0 oci-run exec "$id" sh -c 'read -r pid _ _ _ group session _ </proc/self/stat; echo $((session - pid)) $((group - pid)); ls /proc/$$/fd'
	[[ ${lines[0]} == '0 0' ]]
	[[ "${lines[*]:1}" == '0 1 2' || "${lines[*]:1}" == '0 1 2 3' ]]
}

@test "the command has default actions for signals, whatever the caller blocks or ignores" {
	running
	run -0 env --block-signal=USR2 --ignore-signal "$OCI_RUN" --root "$state" exec "$id" grep -E 'Sig(Blk|Ign):' /proc/self/status 3>&-
	output_is $'SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000'
}

@test "standard streams are passed on" {
	running
	run -0 --separate-stderr oci-run exec "$id" sh -c 'cat; echo two >&2' < <(echo one)
	output_is one
	[[ $stderr == two ]]
}

@test "--process takes everything from a file" {
	needs_root
	running
	process '.args = ["sh", "-c", "id -u; id -g; id -G; pwd; echo $A; umask; ulimit -n; grep NoNewPrivs /proc/self/status; grep CapEff /proc/self/status"]
		| .user = {uid: 7, gid: 8, additionalGids: [9, 10], umask: 63} | .cwd = "/tmp" | .env = ["PATH=/bin", "A=b"]
		| .rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 100}] | .noNewPrivileges = true | .capabilities = {}'
	run -0 oci-run exec --process process.json "$id"
	output_is $'7\n8\n8 9 10\n/tmp\nb\n0077\n100\nNoNewPrivs:\t1\nCapEff:\t0000000000000000'
}

@test "--process names the field that is wrong" {
	running
	process '.args = ["true"] | .rlimits = [{type: "RLIMIT_X", soft: 1, hard: 1}]'
	run -255 oci-run exec --process process.json "$id"
	output_has '/rlimits/0/type'
	echo '{"args": 1}' >process.json
	run -255 oci-run exec --process process.json "$id"
	output_has 'process.json: /args: is a number, must be an array of strings'
	echo '{"args": [1' >process.json
	run -255 oci-run exec --process process.json "$id"
	output_has 'process.json:2:1: '
	process 'del(.cwd) | .args = ["true"]'
	run -255 oci-run exec --process process.json "$id"
	output_has 'process.json:1:1: /cwd: is missing'
	oci-run exec --process process.json --cwd / "$id"
	process '.args = ["true"] | .rlimits = [{"type": "RLIMIT_CORE", "soft": 0}]'
	run -255 oci-run exec --process process.json "$id"
	output_has '/rlimits/0/hard: is missing'
}

@test "--process takes a pipe, but nothing without an end" {
	running
	process '.args = ["echo", "hello"]'
	run -0 oci-run exec --process <(cat process.json) "$id"
	output_is hello
	run -0 oci-run exec --process /dev/stdin "$id" <process.json
	output_is hello
	mkfifo fifo
	local file
	for file in /dev/zero fifo /; do
		run -255 timeout 5 "$OCI_RUN" --root "$state" exec --process "$file" "$id"
		output_has "$file"
	done
}

@test "options change the container's own process" {
	running
	run -0 oci-run exec --cwd /tmp --env A=b -e C=d "$id" sh -c 'pwd; echo $A $C; echo $PATH'
	[[ ${lines[0]} == /tmp && ${lines[1]} == 'b d' && ${lines[2]} == *bin* ]]
}

@test "--user and --additional-gids" {
	needs_root
	running
	run -0 oci-run exec --user 1000:1001 -g 100 -g 101 "$id" id -G
	output_is '1001 100 101'
	run -0 oci-run exec --user 1000 "$id" sh -c 'id -u; id -g; echo $HOME'
	output_is $'1000\n0\n/'
}

@test "--user takes numbers only, and all of the number" {
	running
	local user
	for user in '' 01x x :1 1: -1 +1 0x1 1:2:3 ' 1' 4294967295 4294967296 1.0 root; do
		[[ -n $user ]] || continue
		run -255 oci-run exec --user="$user" "$id" true
		output_has 'user'
	done
}

@test "--cap adds to all sets but the inheritable" {
	running
	run -0 oci-run exec --cap CAP_NET_RAW "$id" grep ^Cap /proc/self/status
	output_is $'CapInh:\t0000000000000000\nCapPrm:\t0000000020002420\nCapEff:\t0000000020002420\nCapBnd:\t0000000020002420\nCapAmb:\t0000000000000000'
}

@test "--no-new-privs" {
	running
	run -0 oci-run exec --no-new-privs "$id" grep NoNewPrivs /proc/self/status
	output_is $'NoNewPrivs:\t1'
}

@test "--pid-file has the pid, without a newline, and not if the exec fails" {
	running
	oci-run exec --detach --pid-file pid "$id" sleep 1000 </dev/null >out 2>err
	[[ $(wc -l <pid) == 0 ]]
	kill -0 "$(cat pid)"
	rm pid
	run -255 oci-run exec --detach --pid-file pid "$id" nosuchcommand
	[[ ! -e pid && ! -e .pid ]]
	printf '#!/no/such\n' >rootfs/script
	chmod +x rootfs/script
	run -255 oci-run exec --detach --pid-file pid "$id" /script
	[[ ! -e pid && ! -e .pid ]]
}

@test "--preserve-fds hands files on, and says if one is not open" {
	running
	echo from outside >file
	run -0 "$OCI_RUN" --root "$state" exec --preserve-fds 1 "$id" cat /proc/self/fd/3 3<file
	output_is 'from outside'
	run -255 "$OCI_RUN" --root "$state" exec --preserve-fds 5 "$id" true 3<file
	output_has '--preserve-fds 5: fd '
}

# Go's runtime opens files of its own, at the lowest free numbers.
@test "--preserve-fds counts only what the caller has given" {
	running
	local n shell=$OCI_RUN
	for n in 1 2 3 10 9223372036854775807; do
		run -255 closed_fds "$shell" --root "$state" exec --preserve-fds "$n" "$id" true
		output_has "--preserve-fds $n: fd 3 is not open"
		run -1 closed_fds "$shell" --root "$state" run --preserve-fds "$n" "$id-b"
		output_has "--preserve-fds $n: fd 3 is not open"
	done
	run -255 closed_fds "$shell" --root "$state" exec --preserve-fds 2 "$id" true 5</dev/null
	output_has 'fd 3 is not open'
}

# closed_fds COMMAND...: without the descriptors that bats has open.
closed_fds() { "$@" 3>&- 4>&- 6>&- 7>&- 8>&- 9>&-; }

@test "exec passes signals on" {
	running
	"$OCI_RUN" --root "$state" exec "$id" sh -c "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done" >out 2>err 3>&- &
	eventually says ready
	kill -TERM $!
	wait $! && code=0 || code=$?
	[[ $code == 3 ]]
	says bye
}

@test "exec into a container that can't have it" {
	program true
	detached "$id"
	eventually is stopped "$id"
	run -255 oci-run exec "$id" true
	output_has 'cannot exec in a stopped container'
}

@test "exec into a paused container only with --ignore-paused" {
	needs_cgroup freezer
	running
	oci-run pause "$id"
	run -255 oci-run exec "$id" true
	output_has 'cannot exec in a paused container'
	timeout 20 "$OCI_RUN" --root "$state" exec --ignore-paused "$id" echo resumed >out 2>err 3>&- &
	sleep 0.3
	[[ ! -s out ]]
	oci-run resume "$id"
	wait $!
	says resumed
}

# waits_for_pause [FLAG...]: an exec in the background that will not get anywhere, with the signals of a foreground command.
waits_for_pause() {
	env --default-signal=INT timeout -s KILL 20 "$OCI_RUN" --root "$state" exec "$@" "$id" true </dev/null >out 2>err 3>&- &
	waits=$!
	sleep 0.5
	kill -0 "$waits"
	execs=$(pgrep -P "$waits")
}

# given_up TEXT: it has failed, says why, and nothing of it is left.
given_up() {
	local code=0
	wait "$waits" || code=$?
	((code == 255))
	run -0 cat err
	output_has "$1"
	[[ $(oci-run ps --format json "$id") == "[$(pid_of "$id")]" ]]
}

@test "an exec that waits for a paused container can be ended" {
	needs_cgroup freezer
	env --default-signal=INT true || skip 'env has no --default-signal here'
	local signal
	running
	oci-run pause "$id"
	for signal in TERM INT; do
		waits_for_pause --ignore-paused
		kill "-$signal" "$execs"
		given_up interrupted
	done
	oci-run resume "$id"
	is running "$id"
	[[ $(oci-run exec "$id" echo hello) == hello ]]
}

# thaw_above: let what is frozen above the container's cgroup go.
thaw_above() { if v2; then echo 0 >"$above/cgroup.freeze"; else echo THAWED >"$above/freezer.state"; fi; }

@test "an exec that was frozen on its way ends" {
	needs_root
	needs_cgroup freezer
	[[ -z ${OCI_RUN_TEST_SYSTEMD:-} ]] || skip 'the cgroup above is of systemd'
	config ".linux.cgroupsPath = \"/oci-run-tests-$id/inner\""
	running
	above=$(cgroup freezer)
	if v2; then echo 1 >"$above/cgroup.freeze"; else echo FROZEN >"$above/freezer.state"; fi
	waits_for_pause
	kill -TERM "$execs"
	given_up interrupted
	waits_for_pause
	oci-run pause "$id"
	given_up 'cannot exec in a paused container'
	thaw_above
	oci-run resume "$id"
	[[ $(oci-run exec "$id" echo hello) == hello ]]
	oci-run delete --force "$id"
	find /sys/fs/cgroup -depth -name "*$id*" -type d -exec rmdir {} \; 2>/dev/null || true
}

@test "a container that is killed as it is paused and entered is deleted" {
	needs_cgroup freezer
	local round racers
	program sleep 1000
	for round in {1..15}; do
		detached "$id"
		racers=()
		timeout -s KILL 20 "$OCI_RUN" --root "$state" exec "$id" sleep 1000 </dev/null >/dev/null 2>&1 3>&- & racers+=($!)
		sleep "0.00$((round % 8))"
		oci-run pause "$id" >/dev/null 2>&1 & racers+=($!)
		oci-run kill "$id" KILL >/dev/null 2>&1 & racers+=($!)
		wait "${racers[@]:1}" || true
		eventually is stopped "$id"
		run -0 oci-run delete "$id"
		output_is ''
		wait "${racers[0]}" || true
	done
}

@test "exec into a container that was not started yet" {
	program sleep 1000
	create "$id"
	run -0 oci-run exec "$id" echo early
	output_is early
}

@test "--cgroup leads to cgroups below the container's only" {
	needs_cgroup
	running
	run -255 oci-run exec --cgroup .. "$id" true
	output_has 'bad sub cgroup path'
	run -255 oci-run exec --cgroup a/../../b "$id" true
	output_has 'bad sub cgroup path'
	run -255 oci-run exec --cgroup nonexistent "$id" true
	output_has 'no such file or directory'
	run -255 oci-run exec --cgroup whatever:/ "$id" true
	output_has 'unknown controller'
	run -0 oci-run exec --cgroup / "$id" true
}

@test "exec where no memfd may be executed" {
	needs_root
	[[ -e /proc/sys/vm/memfd_noexec ]] || skip 'no sysctl vm.memfd_noexec here (Linux 6.3)'
	program sleep 1000
	# The sysctl is the pid namespace's.
	run -0 unshare --pid --fork --mount-proc bash -e -c '
		echo 2 >/proc/sys/vm/memfd_noexec
		"$0" --root "$1" run --detach "$2" </dev/null >/dev/null 2>&1
		"$0" --root "$1" --debug exec "$2" echo hello
		"$0" --root "$1" delete --force "$2"' "$OCI_RUN" "$state" "$id"
	output_has hello
	by_list exec || return 0
	output_has "exec: the helper is another start of oci-run: a batch of system calls can't be executed here"
}

@test "--debug says what an exec does" {
	running
	run -0 oci-run --debug exec "$id" true
	output_has level=debug
	run -0 oci-run --debug --log log exec "$id" true
	output_is ''
	grep level=debug log
}

@test "a hundred execs at once" {
	running
	local n pids=()
	for ((n = 0; n < 100; n++)); do
		"$OCI_RUN" --root "$state" exec "$id" sh -c "exit $n" </dev/null >/dev/null 2>>err 3>&- &
		pids+=($!)
	done
	for ((n = 0; n < 100; n++)); do
		wait "${pids[n]}" && code=0 || code=$?
		[[ $code == "$n" ]] || { echo "exec $n: $code"; cat err; return 1; }
	done
}

@test "a profile that kills what it doesn't know" {
	config '.linux.seccomp = {defaultAction: "SCMP_ACT_KILL_PROCESS", syscalls: [{action: "SCMP_ACT_ALLOW", names: ["execve", "exit_group",
		"brk", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "mprotect", "prlimit64", "readlinkat", "getrandom", "uname",
		"getuid", "geteuid", "getgid", "getegid", "nanosleep", "clock_nanosleep", "readlink", "ioctl", "prctl", "setuid", "setgid", "mmap", "munmap"]}]}'
	running
	run -0 oci-run exec "$id" true
	run -159 oci-run exec "$id" ls / # 128 + SIGSYS
}

@test "exec into a container that is full" {
	needs_cgroup pids
	config '.linux.resources.pids = {limit: 2}'
	program sh -c 'sleep 1000 & exec sleep 1000'
	detached "$id"
	run -0 oci-run exec "$id" echo hello
	output_is hello
	run -0 oci-run exec "$id" cat /proc/self/cgroup
	[[ $output == *pids*"$id"* || $output == 0::* ]]
}
