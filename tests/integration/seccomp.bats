#!/usr/bin/env bats
# linux.seccomp: what a profile says is what the container gets, in create, run and exec.

load lib

# profile JSON: the container's profile.
profile() { config ".linux.seccomp = $1"; }

# needed lists the system calls of a static busybox that starts, writes and ends, and execve.
needed='["execve", "exit", "exit_group", "brk", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64",
	"readlink", "readlinkat", "getrandom", "mprotect", "mmap", "munmap", "write", "writev", "getuid", "getgid", "geteuid",
	"getegid", "setuid", "setgid", "ioctl", "prctl", "fstat", "newfstatat", "uname", "close", "rt_sigprocmask", "rt_sigaction"]'

@test "without a profile there is no filter" {
	program grep Seccomp: /proc/self/status
	config 'del(.linux.seccomp)'
	run -0 oci-run run "$id"
	output_is $'Seccomp:\t0'
}

@test "a call gets the profile's errno, and EPERM without one" {
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["mkdir", "mkdirat", "no_such_call"], "action": "SCMP_ACT_ERRNO"},
		{"names": ["link", "linkat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 100}]}'
	program sh -c 'mkdir /tmp/x; ln /etc/passwd /tmp/y; grep Seccomp: /proc/self/status'
	run -0 oci-run run "$id"
	output_has "can't create directory '/tmp/x': Operation not permitted"
	output_has 'Network is down'
	output_has $'Seccomp:\t2'
}

@test "with and without no_new_privs, for any user" {
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 100}]}'
	program mkdir /tmp/x
	for nnp in true false; do
		for uid in 0 1; do
			((EUID == 0 || uid == 0)) || continue
			config ".process.noNewPrivileges = $nnp | .process.user.uid = $uid"
			run -1 oci-run run "$id"
			output_has 'Network is down'
		done
	done
}

@test "arguments are tested" {
	# chmod's mode is its second argument, and fchmodat's its third.
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["chmod"], "action": "SCMP_ACT_ERRNO", "errnoRet": 100, "args": [{"index": 1, "value": 511, "valueTwo": 448, "op": "SCMP_CMP_MASKED_EQ"}]},
		{"names": ["fchmodat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 100, "args": [{"index": 2, "value": 511, "valueTwo": 448, "op": "SCMP_CMP_MASKED_EQ"}]}]}'
	config '.root.readonly = false'
	program sh -c 'chmod 755 /tmp && echo first && chmod 700 /tmp'
	run -1 oci-run run "$id"
	output_is $'first\nchmod: /tmp: Network is down'
}

@test "a killed container says so" {
	for action in SCMP_ACT_KILL SCMP_ACT_KILL_THREAD SCMP_ACT_KILL_PROCESS SCMP_ACT_TRAP; do
		profile '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "'$action'"}]}'
		program mkdir /tmp/x
		config '.process.rlimits = [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]'
		run -159 oci-run run "$id"
	done
}

@test "a profile may forbid all that the program does not need" {
	[[ $(uname -m) == x86_64 ]] || skip 'the list of calls is that of x86_64'
	program echo out
	for action in SCMP_ACT_KILL SCMP_ACT_KILL_PROCESS SCMP_ACT_TRAP SCMP_ACT_ERRNO; do
		for nnp in true false; do
			config ".process.noNewPrivileges = $nnp"
			profile '{"defaultAction": "'$action'", "syscalls": [{"names": '"$needed"', "action": "SCMP_ACT_ALLOW"}]}'
			run -0 timeout 10 "$OCI_RUN" --root "$state" run "$id"
			output_is out
		done
	done
}

@test "a program that the profile keeps from being executed is an error of start and run" {
	[[ $(uname -m) == x86_64 ]] || skip 'the list of calls is that of x86_64'
	printf '#!/nowhere\n' >rootfs/bin/broken
	chmod 755 rootfs/bin/broken
	# Without execve; and with it, but without what it takes to say why it failed.
	for action in SCMP_ACT_KILL SCMP_ACT_KILL_PROCESS SCMP_ACT_TRAP SCMP_ACT_ERRNO; do
		for calls in 'true - ["execve"]' 'broken + []'; do
			read -r name sign list <<<"$calls"
			profile '{"defaultAction": "'$action'", "syscalls": [{"names": ('"$needed $sign $list"' | . - ["exit_group", "sendmsg", "write"]), "action": "SCMP_ACT_ALLOW"}]}'
			program "/bin/$name"
			create "$id"
			run -1 timeout 10 "$OCI_RUN" --root "$state" start "$id"
			output_has 'the seccomp profile'
			is stopped "$id"
			oci-run delete "$id"
			run -1 timeout 10 "$OCI_RUN" --root "$state" run "$id"
			output_has 'the seccomp profile'
		done
	done
}

@test "and one of exec" {
	[[ $(uname -m) == x86_64 ]] || skip 'the list of calls is that of x86_64'
	printf '#!/nowhere\n' >rootfs/bin/broken
	chmod 755 rootfs/bin/broken
	for action in SCMP_ACT_KILL SCMP_ACT_ERRNO; do
		profile '{"defaultAction": "'$action'", "syscalls": [{"names": ('"$needed"' - ["write", "exit_group"] + ["clock_nanosleep", "nanosleep"]), "action": "SCMP_ACT_ALLOW"}]}'
		program sleep 100
		detached "$id"
		run -255 timeout 10 "$OCI_RUN" --root "$state" exec "$id" /bin/broken
		output_has 'the seccomp profile'
		run -255 timeout 10 "$OCI_RUN" --root "$state" exec --detach "$id" /bin/broken
		output_has 'the seccomp profile'
		oci-run delete --force "$id"
	done
}

@test "exec is filtered as well" {
	[[ $(uname -m) == x86_64 ]] || skip 'the list of calls is that of x86_64'
	program sleep 100
	profile '{"defaultAction": "SCMP_ACT_KILL", "syscalls": [
		{"names": '"$needed"', "action": "SCMP_ACT_ALLOW"}, {"names": ["clock_nanosleep", "nanosleep"], "action": "SCMP_ACT_ALLOW"}]}'
	detached "$id"
	run -0 timeout 10 "$OCI_RUN" --root "$state" exec "$id" echo out
	output_is out
	run -159 timeout 10 "$OCI_RUN" --root "$state" exec "$id" mkdir /tmp/x
	oci-run delete --force "$id"
}

@test "the debug log has the flags" {
	program true
	for flags in 'del(.linux.seccomp.flags) 4' '.linux.seccomp.flags=[] 0' '.linux.seccomp.flags=["SECCOMP_FILTER_FLAG_LOG"] 2'; do
		profile '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}'
		config "${flags% *}"
		run -0 oci-run --debug run "$id"
		output_has "\"seccomp filter flags: ${flags##* }\""
	done
}

@test "what is wrong in a profile is named" {
	while IFS='|' read -r pointer words text; do
		profile "$text"
		run -1 create "$id"
		output_has "$pointer"
		output_has "$words"
	done <<-'END'
		/linux/seccomp/syscalls/0/action|KILL|{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "KILL"}]}
		/linux/seccomp/architectures/0|VAX|{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["VAX"]}
		/linux/seccomp/flags/0|NOFLAG|{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["NOFLAG"]}
		/linux/seccomp/syscalls/0/errnoRet|no errno|{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_KILL", "errnoRet": 1}]}
		/linux/seccomp/syscalls/0/args/0/op|EQ|{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_KILL", "args": [{"index": 0, "value": 0, "op": "EQ"}]}]}
		/linux/seccomp/syscalls/0/names/0|SCMP_ACT_NOTIFY cannot be used for the write syscall|{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x", "syscalls": [{"names": ["write"], "action": "SCMP_ACT_NOTIFY"}]}
		/linux/seccomp/syscalls/0/action|needs listenerPath|{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_NOTIFY"}]}
	END
}

@test "an agent that is not there is an error, and nothing is left" {
	for socket in "$session/none" @oci-run-no-agent; do
		profile '{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "'"$socket"'", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}'
		run -1 oci-run run "$id"
		output_has 'failed to connect with seccomp agent'
		nothing_is_left
	done
}

@test "an agent that nobody needs is not looked for" {
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/none", "listenerMetadata": "x"}'
	program true
	run -0 oci-run run "$id"
}
