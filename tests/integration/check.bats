#!/usr/bin/env bats
# check: all that is the matter with a bundle, at once.

load lib
load engine_config

# findings: what check finds in config.json, a line each: severity, pointer, message.
findings() {
	oci-run check --json --bundle . >found.json || [[ $? == 1 ]]
	jq -r '.findings[] | "\(.severity)\t\(.pointer)\t\(.message)"' found.json
}

@test "check finds nothing in what engines write" {
	needs_root
	needs_cgroup memory cpu cpuset pids blkio # which are asked for there
	local file found failed=0
	for file in "$BATS_TEST_DIRNAME"/engines/*.json; do
		adapt "$file"
		program sh -c true
		make_sandbox
		found=$(findings)
		[[ -z $found ]] || { failed=1; echo "${file##*/}:"; echo "$found"; }
		rm -rf rootfs/dev-null
		[[ ! -e sandbox ]] || oci-run delete --force "$id-sandbox"
		rm -rf sandbox
	done
	((failed == 0))
}

# rows CONFIG: those of the table that are about a configuration.
rows() { grep -P "^$1\t" "$BATS_TEST_DIRNAME/check/faults.tsv"; }

@test "check finds each planted fault, and nothing else" {
	needs_root
	needs_cgroup memory cpu cpuset pids blkio
	local name severity pointer text filter found failed=0
	while read -r name; do
		adapt "$BATS_TEST_DIRNAME/engines/$name.json"
		program sh -c true
		mv config.json adapted.json
		while IFS=$'\t' read -r _ severity pointer text filter; do
			jq "$filter" adapted.json >config.json
			found=$(findings)
			[[ $(wc -l <<<"$found") == 1 && $found == "$severity"$'\t'"$pointer"$'\t'*"$text"* ]] ||
				{ failed=1; printf '%s\nnot just: %s %s: %s\nbut:\n%s\n' "$filter" "$severity" "$pointer" "$text" "$found"; }
		done < <(rows "$name")
	done < <(sed '/^#/d; /^$/d' "$BATS_TEST_DIRNAME/check/faults.tsv" | cut -f1 | sort -u)
	((failed == 0))
}

@test "check lists all faults of a document in order of place" {
	needs_root # a user lacks a user namespace there, too
	cat >config.json <<-'END'
		{
		  "ociVersion": "1.0.2",
		  "process": {
		    "args": ["sh"],
		    "cwd": "relative",
		    "env": ["A", "B=1", "=C"],
		    "rlimits": [{"type": "RLIMIT_COR", "soft": 0, "hard": 0}, {"soft": 2, "hard": 1}]
		  },
		  "root": {"path": 5},
		  "mounts": [{"destination": "/proc", "type": "proc"}, {"source": "x"}, {"destination": "/a", "type": "none", "option": []}],
		  "linux": {"namespaces": [{"type": "mnt"}, {"type": "pid"}, {"type": "pid"}], "resources": {"memory": {"limit": "64M"}}},
		  "extra": {}
		}
	END
	run -1 oci-run check --bundle .
	output_is 'config.json:5:12: /process/cwd: "relative" is not an absolute path
config.json:6:13: /process/env/0: environment variable has no '"'='"'
config.json:6:25: /process/env/2: environment variable has no name
config.json:7:26: /process/rlimits/0/type: invalid rlimit type "RLIMIT_COR" (did you mean "RLIMIT_CORE"?)
config.json:7:63: /process/rlimits/1/type: is missing
config.json:9:20: /root/path: is a number, must be a string
config.json:10:56: /mounts/1/destination: is missing
config.json:10:103: /mounts/2/type: "none" is not a filesystem; a bind mount has the option bind or rbind
config.json:10:111: /mounts/2/option: unknown property (did you mean "options"?)
config.json:11:37: /linux/namespaces/0/type: namespace type "mnt" is not known (did you mean "mount"?)
config.json:11:71: /linux/namespaces/2/type: namespace type "pid" appears twice
config.json:11:114: /linux/resources/memory/limit: is a string, must be an integer of 64 bits
config.json:12:3: warning: /extra: unknown property
12 faults, 1 warning'
	# As engines write it, in one line, there are no lines to count.
	jq -c . config.json >one-line.json
	run -1 oci-run check --config one-line.json
	output_has 'one-line.json: /process/cwd: "relative" is not an absolute path'
	output_has '12 faults, 1 warning'
}

@test "check fails for warnings only if it is to be strict" {
	oci-run check --bundle . --strict
	config '.process.env += ["A=1", "A=2"]'
	run -0 oci-run check --bundle .
	output_has 'no faults, 1 warning'
	run -2 oci-run check --bundle . --strict
	config '.process.cwd = "x"'
	run -1 oci-run check --bundle . --strict
}

@test "check makes nothing" {
	needs strace
	config '.linux.resources.memory = {limit: 33554432} | .process.args = ["no-such-program"]'
	run -1 strace --follow-forks --trace='?mkdir,?mkdirat,mount,?fsopen,?open_tree,unshare,?clone3,clone,fork,vfork,execve,openat,openat2,?creat' -o trace \
		"$OCI_RUN" --root "$state" check --bundle .
	# Threads of Go's runtime, the timer slack of one of them, and what is opened for reading, are all that there is beside
	# the program itself.
	run grep -vE 'CLONE_THREAD|/timerslack_ns|O_RDONLY|O_PATH|execve\(|exited|SIG|CLONE_PIDFD' trace
	output_is ''
	[[ $(grep -c 'execve(' trace) == 1 ]]
	[[ ! -e $state ]]
}

@test "check without a bundle tells what the host has" {
	run -0 oci-run check
	output_has "$(uname -r)"
	output_has 'cgroups: '
	output_has 'seccomp: '
	run -0 oci-run check --json
	jq -e --arg kernel "$(uname -r) $(uname -m)" --argjson uid "$EUID" '.kernel == $kernel and .uid == $uid and (.namespaces | length) == 8 and
		(.cgroups.mode | . == "v1" or . == "v2" or . == "hybrid") and (.seccompActions | index("errno"))' <<<"$output"
}

@test "check says which ids are not the user's" {
	((EUID)) || skip 'root may map any'
	config '.linux.uidMappings = [{containerID: 0, hostID: 4000000000, size: 65536}]'
	run -1 oci-run check --bundle .
	if [[ $output != *newuidmap* ]]; then
		output_has '/linux/uidMappings/0: the ids 4000000000-4000065535 are not all uid'
	fi
}

@test "check says what a user can do to get limits" {
	((EUID)) || skip 'root may set any'
	! makes_cgroups || skip 'this user has been given cgroups'
	config '.linux.resources = {memory: {limit: 33554432}}'
	run -1 oci-run check --bundle .
	output_has '/linux/resources/memory'
	if v2; then output_has 'Delegate=cpu cpuset io memory pids'; else output_has 'systemd.unified_cgroup_hierarchy=1'; fi
}

@test "check and plan print nothing that a terminal acts on" {
	config '.["\u001b[2Jx"] = 1 | .process.env += ["A=\u001b[31mred"]'
	run -0 oci-run check --bundle .
	output_has 'warning: /\x1b[2Jx: unknown property'
	run -0 oci-run plan --bundle .
	output_has 'environment A=\x1b[31mred'
	[[ $output != *$'\e'* ]]
}

@test "check and plan make no directory for containers" {
	((EUID)) || skip 'of a user'
	mkdir "$session/runtime"
	XDG_RUNTIME_DIR=$session/runtime "$OCI_RUN" check --bundle . >/dev/null
	XDG_RUNTIME_DIR=$session/runtime "$OCI_RUN" plan --bundle . >/dev/null
	XDG_RUNTIME_DIR=$session/runtime "$OCI_RUN" create --dry-run --bundle . "$id" >/dev/null
	[[ -z $(ls -A "$session/runtime") ]]
}
