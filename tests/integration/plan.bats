#!/usr/bin/env bats
# plan: what a create would do, without doing it.

load lib

@test "plan makes nothing" {
	needs strace
	find "$session" -printf '%p %s\n' | sort >"$BATS_TEST_TMPDIR/before"
	strace --follow-forks --trace='?mkdir,?mkdirat,mount,?fsmount,?open_tree,?move_mount,?pivot_root,unshare,setns,?clone3,clone,fork,vfork,execve,openat,openat2,?creat,?rename,?renameat2,?unlinkat,?keyctl,setsid' \
		-o trace "$OCI_RUN" --root "$state" plan --bundle . "$id" >out
	# Threads of Go's runtime, the timer slack of one of them, what is opened for reading, and an openat2 of wrong arguments, which
	# asks whether a sandbox refuses it, are all that there is beside the program itself.
	run grep -vE 'CLONE_THREAD|/timerslack_ns|openat2\(-1, 0xf+,|O_RDONLY|O_PATH|execve\(|exited|SIG' trace
	output_is ''
	[[ $(grep -c 'execve(' trace) == 1 ]]
	[[ ! -e $state ]]
	rm trace out
	[[ $(find "$session" -printf '%p %s\n' | sort) == "$(<"$BATS_TEST_TMPDIR/before")" ]]
}

@test "what plan says of the process is what the container shows" {
	config '.process.args = ["sh", "-c", "cat /proc/self/status; sleep 1000"] | .process.user.umask = 23'
	oci-run plan --json --bundle . "$id" >plan.json
	[[ $(jq -r .id plan.json) == "$id" ]]
	[[ $(jq -r .process.umask plan.json) == 0027 ]]
	detached "$id"
	eventually says Umask
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		says "$set:"$'\t'"$(jq -r ".capabilities.$set" plan.json)"
	done
	says "Umask:"$'\t'0027
	# The mounts are those of the kernel, in the same order.
	jq -r '.mounts[].destination' plan.json >planned
	cut -d' ' -f5 "/proc/$(pid_of "$id")/mountinfo" | grep -xFf planned >made
	[[ $(uniq made) == "$(<planned)" ]] || { diff planned made; false; }
}

@test "what plan says of the cgroup is what its files have" {
	needs_cgroup memory cpu pids
	local path value
	config '.linux.resources = {memory: {limit: 67108864}, cpu: {shares: 512, quota: 50000, period: 100000}, pids: {limit: 100}}'
	program sleep 1000
	oci-run plan --json --bundle . "$id" >plan.json
	detached "$id"
	[[ $(jq '.cgroup.files | length' plan.json) -ge 4 ]]
	while IFS=$'\t' read -r path value; do
		[[ $(<"$path") == "$value" ]] || { echo "$path has $(<"$path"), not $value"; false; }
	done < <(jq -r '.cgroup.files[] | "\(.path)\t\(.value)"' plan.json)
	while read -r path; do [[ -d $path ]]; done < <(jq -r '.cgroup.directories[]' plan.json)
	if v2; then jq -e '.converted | index("/linux/resources/cpu/shares 512 becomes cpu.weight 59")' plan.json; fi
}

@test "plan shows a profile, hooks, mounts and what their sources lead to" {
	mkdir source
	ln -s source link
	config --arg source "$bundle/link" '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdirat", "mkdir"], action: "SCMP_ACT_ERRNO"},
			{names: ["no_such_call"], action: "SCMP_ACT_ERRNO"}, {names: ["personality"], action: "SCMP_ACT_ERRNO", args: [{index: 0, value: 1, op: "SCMP_CMP_EQ"}]}]}
		| .hooks = {poststop: [{path: "/bin/true"}], createRuntime: [{path: "/bin/echo", args: ["echo", "x"], timeout: 5}]}
		| .mounts += [{destination: "/data", type: "bind", source: $source, options: ["rbind", "ro", "nosuid", "rprivate"]}]'
	run -0 oci-run plan --bundle . "$id"
	output_has "/data: rbind of $bundle/link ($bundle/source), nosuid,ro,rprivate"
	output_has 'SCMP_ACT_ERRNO: 3 system calls, 1 of them with conditions'
	output_has 'not known to any Linux: no_such_call'
	output_has 'createRuntime, by create, once the mounts are made, in the runtime'"'"'s namespaces: /bin/echo ["echo" "x"], for 5 s at most'
	output_has 'setresuid(0, 0, 0)'
	output_has ': load the seccomp filter'
	[[ ${lines[-1]} == *'execve("/bin/sh"'* ]]
	[[ ${output%%poststop*} == *createRuntime* ]] # in their order
}

@test "plan says which way a create takes, and why" {
	oci-run plan --json --bundle . "$id" >plan.json
	oci-run --debug create --bundle . "$id" </dev/null >log 2>&1
	oci-run delete --force "$id"
	run cat log
	if by_list create; then
		jq -e '.way == "list" and (.steps | index("builder: mounts"))' plan.json
		output_has 'init is a list of calls'
	else
		jq -e '.way == "init" and (.steps | index("init: mounts"))' plan.json
		output_has "init is another start of oci-run: $(jq -r .why plan.json)"
	fi
	config '.hooks = {createContainer: [{path: "/bin/true"}]}'
	oci-run plan --json --bundle . "$id" | jq -e '.way == "init"'
}

@test "the calls that plan lists are those that the process makes" {
	by_list create || skip 'it is about what a list does'
	needs strace
	program true
	oci-run plan --json --bundle . "$id" | jq -r '.calls[].call | split("(")[0]' >planned
	strace --follow-forks --output-separately -o trace "$OCI_RUN" --root "$state" create --bundle . "$id" </dev/null >log 2>&1 3>&- &
	eventually is created "$id"
	oci-run delete --force "$id"
	wait # strace ends with the process
	# The process is the one that sets its user. What it begins with is the command's fork of it; and that its standard input is the
	# host's /dev/null, which the container's takes the place of (dup3), nobody knew when it was planned.
	grep -l '^setresuid(' trace.* >process
	[[ $(wc -l <process) == 1 ]]
	sed -n '/^setsid(/,$s/^\([a-z0-9_]*\)(.*/\1/p' "$(<process)" | grep -vx -e dup3 -e close >made
	[[ $(tail -n 1 made) == ppoll && $(wc -l <made) -gt 50 ]]
	# Each is there in its turn. What a plan has besides are calls that others go around.
	awk 'NR == FNR { planned[++calls] = $0; next } { do at++; while (at <= calls && planned[at] != $0) }
		at > calls { print FNR ": " $0 " is not planned there"; exit 1 }' planned made
	[[ $(($(sed '/^accept4$/q' planned | grep -vcx close) - $(wc -l <made))) -lt 8 ]]
}

@test "two plans of a bundle are equal, and those of two show what differs" {
	oci-run plan --json --bundle . >first
	oci-run plan --json --bundle . >second
	cmp first second
	oci-run plan --bundle . >first
	config '.process.user.umask = 63'
	oci-run plan --bundle . >second
	run diff first second
	output_has ', umask 0022'
	output_has ', umask 0077'
	[[ $(grep -c '^[<>]' <<<"$output") == 4 ]] # the umask, and the call that sets it
}

@test "create --dry-run says the same, and makes nothing" {
	oci-run plan --bundle . "$id" >planned
	oci-run create --dry-run --bundle . "$id" >dry
	cmp planned dry
	[[ ! -e $state ]]
}

@test "plan fails as create would" {
	config '.process.cwd = "x"'
	run -1 oci-run plan --bundle .
	output_has '/process/cwd: '
	run -1 oci-run plan --bundle /no/such/bundle
	output_has /no/such/bundle
	run -1 oci-run plan a b
	output_has 'one argument at most'
}
