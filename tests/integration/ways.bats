#!/usr/bin/env bats
# The two ways of a create and of an exec, a list of system calls and another oci-run init, make the same process, and the same
# errors. A build for tests takes the second way if OCI_RUN_CREATE or OCI_RUN_EXEC says so (make bin/oci-run-crash).

load lib

setup_file() {
	OCI_RUN_CRASHY=$(realpath "${OCI_RUN:-$BATS_TEST_DIRNAME/../../bin/oci-run}")-crash
	[[ -x $OCI_RUN_CRASHY ]] || skip "no $OCI_RUN_CRASHY here (make bin/oci-run-crash)"
	export OCI_RUN_CRASHY
}

# What the following may have: a command in front of oci-run's, its options for all commands, and what fds 3 and 4 are.
outer=(env) global=() three=/dev/null

# running: a container to go into, with directories and files that not everybody may use.
running() {
	needs_root
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO"}]}'
	mkdir -p rootfs/secret/dir rootfs/opt
	chmod 700 rootfs/secret
	chown 1000 rootfs/secret
	printf 'no program\n' >rootfs/opt/only
	chmod 644 rootfs/opt/only
	mkdir rootfs/opt/directory
	program sleep 1000
	detached "$id"
}

# look: what a process can say of itself. The status is its child's: its own may show it within fork(), with all signals blocked.
look='cd /proc/self; grep -vE "^(Name|Pid|PPid|Tgid|NSpid|NSpgid|NSsid|NStgid|Vm|Rss|FDSize|SigQ|voluntary|nonvoluntary|State|x86)" /proc/self/status
	cat limits oom_score_adj personality cgroup; echo "$PWD $OLDPWD"; env | sort; umask; ls /proc/self/fd
	for n in cgroup ipc mnt net pid time user uts; do readlink ns/$n; done; cut -d " " -f 18,19,40,41 stat; ionice 2>/dev/null
	cut -d " " -f 2 numa_maps 2>/dev/null | sort -u; cat attr/current attr/apparmor/current 2>/dev/null'

# same ARG...: an exec with these options is the same, whichever way it goes.
same() {
	local code=0 other=0
	OCI_RUN_EXEC=list "${outer[@]}" "$OCI_RUN_CRASHY" "${global[@]}" --root "$state" exec "$@" </dev/null >first 2>&1 3<"$three" 4<"$three" || code=$?
	OCI_RUN_EXEC=init "${outer[@]}" "$OCI_RUN_CRASHY" "${global[@]}" --root "$state" exec "$@" </dev/null >second 2>&1 3<"$three" 4<"$three" || other=$?
	sed -Ei 's/^time="[^"]*" //; s#/proc/[0-9]+/#/proc/PID/#' first second
	[[ $code == "$other" ]] || { echo "$*: exit status $code, $other"; cat first second; return 1; }
	diff first second || { echo "$*"; return 1; }
}

# made: what a container's first process can say of itself, its mounts and its /dev.
made=$look'
	cut -d " " -f 4- mountinfo | sed -E "s#[0-9]+:[0-9]+#DEV#; s#/oci-run-tests-[^ ]*#/CGROUP#; s#(shared|master|propagate_from):[0-9]+#\1#g"
	ls -ln /dev /dev/pts /dev/shm /proc/self/fd/ 2>&1 | sed -E "s/[A-Z][a-z]{2} +[0-9]+ [0-9:]+//; s/-> (pipe|socket):.*//; s#/proc/[0-9]+/#/proc/PID/#g"
	hostname; cat /proc/sys/kernel/domainname /proc/1/sessionid; id; ls /sys/class/net; ip link 2>/dev/null | grep -v link/'

# by WAY ARG...: oci-run, with a create by "list" or "init". Its output, without what can't be the same, is in the file WAY.
by() {
	local way=$1 code=0
	shift
	OCI_RUN_CREATE=$way "${outer[@]}" "$OCI_RUN_CRASHY" "${global[@]}" --root "$state" "$@" </dev/null >"$way" 2>&1 3<"$three" 4<"$three" || code=$?
	echo "exit status $code" >>"$way"
	strip "$way"
}

# strip FILE: it loses what can't be the same twice: time, pids, and which namespaces these are that aren't the host's.
strip() {
	local link hosts=()
	for link in /proc/self/ns/*; do hosts+=(-e "s/$(readlink "$link" | sed 's/[][]/\\&/g')/HOST/"); done
	sed -Ei "${hosts[@]}" -e 's/^time="[^"]*" //; s#/proc/[0-9]+/#/proc/PID/#; s/^([a-z]+):\[[0-9]+\]$/\1 of its own/; s/[A-Z][a-z]{2} +[0-9]+ [0-9:]+//' "$1"
}

# alike: what both ways gave is the same.
alike() { diff list init || { echo "not the same: $*"; return 1; }; }

# runs FILTER: a container with this change of config.json is the same, run, or created and started, whichever way it goes.
runs() {
	local way
	cp config.json config.before
	config "$1"
	for way in list init; do by "$way" run "$id"; done
	alike "run: $1"
	cp list ran
	for way in list init; do
		echo >"$way"
		OCI_RUN_CREATE=$way "${outer[@]}" "$OCI_RUN_CRASHY" --root "$state" create "$id" </dev/null >>"$way" 2>&1 3<"$three" 4<"$three" || echo "create: exit status $?" >>"$way"
		"$OCI_RUN_CRASHY" --root "$state" start "$id" >>"$way" 2>&1 3<"$three" 4<"$three" || echo "start: exit status $?" >>"$way"
		! "$OCI_RUN_CRASHY" --root "$state" state "$id" >/dev/null 2>&1 3>&- || eventually is stopped "$id"
		strip "$way"
		"$OCI_RUN_CRASHY" --root "$state" delete --force "$id" 3<"$three" 4<"$three"
	done
	alike "create and start: $1"
	mv config.before config.json
}

# makes FILTER: and what its process says of itself, too; it has said something.
makes() {
	config --arg look "$made" '.process.args = ["sh", "-c", $look]'
	runs "$1"
	[[ $(wc -l <ran) -gt 60 && $(wc -l <list) -gt 60 ]] || { cat ran list; return 1; }
}

# fails TEXT FILTER: that is the error, whichever way it goes.
fails() {
	program true
	runs "$2"
	grep -qF -- "$1" list || { echo "no $1 in:"; cat list; return 1; }
}

@test "a container is the same" {
	needs_root
	ln -s proc/self/mounts rootfs/mtab
	mkdir rootfs/{mnt,b,p2} # the first container would make them for the second
	local filter
	for filter in . '.root.readonly = false' 'del(.linux.seccomp) | .linux.maskedPaths = [] | .linux.readonlyPaths = []' \
		'.hostname = "box" | .domainname = "dom" | .linux.sysctl = {"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1"}' \
		'del(.linux.namespaces[] | select(.type == "network"))' 'del(.linux.namespaces[] | select(.type == "ipc" or .type == "uts")) | del(.hostname)' \
		'del(.linux.namespaces[] | select(.type == "pid"))' '.linux.namespaces |= (map(select(.type != "cgroup")) + [{type: "cgroup"}])' \
		'del(.linux.namespaces[] | select(.type == "cgroup"))' \
		'del(.mounts[] | select(.type == "cgroup"))' '.linux.rootfsPropagation = "rshared"' '.linux.rootfsPropagation = "rslave"' \
		'.mounts += [{destination: "/mnt", type: "tmpfs", source: "none", options: ["ro", "size=1m"]}, {destination: "/b", type: "bind", source: "/tmp", options: ["rbind", "ro"]}]' \
		'.mounts[0].options = ["nosuid", "noexec", "hidepid=invisible"]' '.mounts += [{destination: "/p2", type: "proc", source: "proc", options: ["ro", "subset=pid"]}]' \
		'.linux.maskedPaths += ["/proc/self/environ", "/mtab", "/proc/thread-self/stat", "/proc/self/nosuch"] | .linux.readonlyPaths += ["/proc/self/attr"]' \
		'.linux.devices = [{path: "/dev/zz", type: "c", major: 1, minor: 5, fileMode: 438, uid: 7, gid: 8}]'; do
		makes "$filter"
	done
}

@test "its process is the same" {
	needs_root
	mkdir -p rootfs/secret/dir
	chmod 700 rootfs/secret
	chown 1000 rootfs/secret
	local filter
	for filter in '.process.user = {uid: 1000, gid: 1001, umask: 63, additionalGids: [7, 8]} | .process.cwd = "/secret/dir"' \
		'.process.cwd = "/made/on/the/way"' '.process.env = ["PATH=/nonexistent:/bin", "HOME=/x"]' '.process.user.uid = 3 | .process.noNewPrivileges = false' \
		'.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}, {type: "RLIMIT_NPROC", soft: 500, hard: 600}, {type: "RLIMIT_CORE", soft: 0, hard: 0}]' \
		'.process.capabilities = {}' 'del(.process.capabilities)' '.process.oomScoreAdj = 500' \
		'.process.capabilities = {bounding: ["CAP_KILL"], permitted: ["CAP_KILL"], effective: ["CAP_KILL"], inheritable: ["CAP_KILL"], ambient: ["CAP_KILL"]} | .process.user.uid = 9' \
		'.process.scheduler = {policy: "SCHED_BATCH", nice: 5} | .process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 6}' \
		'.linux.personality = {domain: "LINUX32"}' '.linux.memoryPolicy = {mode: "MPOL_INTERLEAVE", nodes: "0"}' \
		'.annotations = {"run.oci.keep_original_groups": "1"}' \
		'.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["sethostname", "mkdir"], action: "SCMP_ACT_ERRNO"}]}' \
		'.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir"], action: "SCMP_ACT_ERRNO"}]} | .process.noNewPrivileges = false | .process.user.uid = 5'; do
		makes "$filter"
	done
}

@test "with hooks and limits it is the same" {
	needs_root
	needs_cgroup memory pids
	cat >hook <<-'END'
		#!/bin/sh
		grep -o '"status":"[a-z]*"' >>"$1"
		ls /proc/self/fd | wc -l >>"$1"
		readlink /proc/self/ns/mnt | grep -cxF "$(readlink /proc/$PPID/ns/mnt)" >>"$1"
	END
	chmod 755 hook
	local kind way
	for kind in prestart createRuntime poststart poststop; do
		makes ".hooks.$kind = [{path: \"$bundle/hook\", args: [\"hook\", \"$bundle/said\"]}]"
		[[ -s said ]]
		(($(sort -u said | wc -l) == 3)) || { cat said; return 1; }
		rm said
	done
	makes '.linux.resources = {memory: {limit: 33554432}, pids: {limit: 50}, devices: [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 1, minor: 3, access: "rwm"}]}'
	fails 'hook' '.hooks.createRuntime = [{path: "/bin/false"}]'
}

@test "what a user can do wrong is the same" {
	needs_root
	mkdir -p rootfs/opt/dir
	printf 'no program\n' >rootfs/opt/only
	printf '#!/no/such/interpreter\n' >rootfs/opt/script
	chmod 755 rootfs/opt/script
	printf 'neither script nor program\n' >rootfs/opt/text
	chmod 755 rootfs/opt/text
	ln -s /nowhere rootfs/link
	ln -s /proc/self/attr rootfs/attr
	fails 'executable file not found' '.process.args = ["nosuch"]'
	fails 'no such file' '.process.args = ["/no/such"]'
	fails 'permission denied' '.process.args = ["/opt"]'
	fails 'permission denied' '.process.args = ["/opt/only"]'
	fails 'has no execute bit' '.process.args = ["only"] | .process.env = ["PATH=/opt:/bin"]'
	fails 'interpreter' '.process.args = ["/opt/script"]'
	fails 'interpreter' '.process.args = ["script"] | .process.env = ["PATH=/bin:/opt"]'
	fails 'exec format error' '.process.args = ["/opt/text"]'
	fails 'interpreter' '.process.args = ["/opt/script"] | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW"}'
	fails 'chdir to cwd' '.process.cwd = "/etc/passwd"'
	fails 'magic link' '.process.cwd = "/proc/self/fd/1"'
	fails 'set groups' '.process.user.additionalGids = [4294967294] | .process.capabilities = {} | .process.user.uid = 1 | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW"} | .process.args = ["/no/such"] | .process.cwd = "/nowhere/../etc/passwd/x"' ||
		fails 'cwd' '.process.cwd = "/nowhere/../etc/passwd/x"'
	fails 'RLIMIT_NOFILE' '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 4000000000, hard: 4000000000}]'
	fails 'bogus' '.mounts[0].options = ["bogus"]'
	fails 'hidepid' '.mounts[0].options = ["hidepid=nonsense"]'
	fails 'ordinary directory' '.mounts[0].destination = "/link"'
	fails 'no filesystem' '.mounts += [{destination: "/mnt", type: "nosuchfs", source: "x"}]'
	fails 'bind source' '.mounts += [{destination: "/mnt", type: "bind", source: "/no/such", options: ["bind"]}]'
	fails 'inside /proc' '.mounts += [{destination: "/proc/1", type: "tmpfs", source: "x"}]'
	fails 'device' '.linux.devices = [{path: "/dev/null", type: "c", major: 1, minor: 5}]'
	fails 'sysctl' '.linux.sysctl = {"net.ipv4.nosuch": "1"}'
	fails 'inside /proc' '.mounts += [{destination: "/attr", type: "tmpfs", source: "x"}]'
	fails 'masked' '.linux.maskedPaths = ["/"]'
	fails 'root' '.root.path = "/no/such"'
	fails 'scheduler' '.process.scheduler = {policy: "SCHED_DEADLINE", runtime: 1, deadline: 1, period: 1}'
}

# A terminal: the engine's end of it comes over the console socket, and the process leads its session.
@test "on a terminal it is the same" {
	needs_root
	local way
	config '.process.terminal = true'
	config --arg look "tty; stat -c %u \$(tty); stty size 2>/dev/null; ls -l /dev/console; cut -d' ' -f5,6,7 /proc/self/stat; $look" '.process.args = ["sh", "-c", $look]'
	command -v script >/dev/null || skip 'no script(1) here'
	for way in list init; do
		OCI_RUN_CREATE=$way script -qec "$OCI_RUN_CRASHY --root $state run $id" /dev/null </dev/null 2>&1 3>&- | tr -d '\0\r' | sed 's/^^[@D]//' >"$way"
		strip "$way"
	done
	alike
	grep -q /dev/pts/0 list
}

@test "with the caller's keyring or one of its own it is the same" {
	needs_root
	[[ -r /proc/keys ]] || skip 'no /proc/keys here'
	config '.linux.maskedPaths = []'
	program sh -c "grep -c ' _ses.$id:' /proc/keys"
	local way
	for way in list init; do by "$way" run "$id"; done
	alike
	for way in list init; do by "$way" run --no-new-keyring "$id"; done
	alike
}

@test "with descriptors that are preserved it is the same" {
	needs_root
	program sh -c 'cat <&3; cat <&4; ls /proc/self/fd'
	local way
	echo 'of the caller' >three
	three=three
	for way in list init; do by "$way" run --preserve-fds 2 "$id"; done
	alike
	[[ $(grep -c 'of the caller' list) == 2 ]] || { cat list; return 1; }
	for way in list init; do by "$way" run --preserve-fds 1 "$id"; done
	alike
	[[ $(grep -c 'of the caller' list) == 1 ]] || { cat list; return 1; }
	for way in list init; do by "$way" run --preserve-fds 7 "$id"; done
	alike
	grep -q -- '--preserve-fds 7: fd 5 is not open' list
	running
	same --preserve-fds 2 "$id" sh -c 'cat <&3; cat <&4; ls /proc/self/fd'
	[[ $(grep -c 'of the caller' first) == 2 ]] || { cat first; return 1; }
	same --preserve-fds 1 "$id" sh -c 'cat <&3; cat <&4; ls /proc/self/fd'
	same --preserve-fds 7 "$id" true
}

# One of v1 would need a share of the realtime first (cpu.rt_runtime_us), so there is no cgroup here.
@test "with a realtime policy and a deadline it is the same" {
	needs_root
	global=(--cgroup-manager disabled)
	config 'del(.linux.cgroupsPath) | .process.capabilities[] |= . + ["CAP_SYS_NICE"]'
	config --arg look "$look" '.process.args = ["sh", "-c", $look]'
	cp config.json plain.json
	local way filter policy n=0
	while IFS='|' read -r policy filter; do
		jq "$filter" plain.json >config.json
		for way in list init; do by "$way" run "$id"; done
		alike "$filter"
		grep -qE "^$policy\$" list || { cat list; return 1; }
		jq '.process' config.json >"process-$n.json"
		n=$((n + 1))
	done <<-'END'
		-8 0 7 1|.process.scheduler = {policy: "SCHED_FIFO", priority: 7, flags: ["SCHED_FLAG_RESET_ON_FORK"]}
		-100 0 99 2|.process.scheduler = {policy: "SCHED_RR", priority: 99}
		20 0 0 5|.process.scheduler = {policy: "SCHED_IDLE"}
		-101 0 0 6|.process.scheduler = {policy: "SCHED_DEADLINE", runtime: 10000000, deadline: 30000000, period: 40000000, flags: ["SCHED_FLAG_RESET_ON_FORK"]}
	END
	cp plain.json config.json
	fails priority '.process.scheduler = {policy: "SCHED_FIFO", priority: 700}'
	program sleep 1000
	oci-run "${global[@]}" run --detach "$id" </dev/null >/dev/null 2>&1
	[[ $n == 4 ]]
	for filter in process-*.json; do
		same --process "$filter" "$id"
		[[ $(wc -l <first) -gt 60 ]]
	done
	jq '.process | .scheduler = {policy: "SCHED_FIFO", priority: 700}' config.json >process.json
	same --process process.json "$id"
}

@test "with the caller's groups it is the same" {
	needs_root
	outer=(setpriv "--groups=5,6,77")
	makes '.annotations = {"run.oci.keep_original_groups": "1"} | .process.user = {uid: 3, gid: 4}'
	grep -q '^Groups:.*77' ran || { cat ran; return 1; }
	makes '.process.user = {uid: 3, gid: 4, additionalGids: [8]}' # and without them
	run ! grep -q '^Groups:.*77' ran
	config '.annotations = {"run.oci.keep_original_groups": "1"}'
	running
	same --user 3:4 "$id" sh -c "$look"
	grep -q '^Groups:.*77' first || { cat first; return 1; }
}

@test "with a memory policy it is the same" {
	needs_root
	[[ -e /proc/self/numa_maps ]] || skip 'no memory policies here (CONFIG_NUMA)'
	local node
	node=$(tr ',-' '\n' </sys/devices/system/node/online | head -n 1)
	for filter in '{mode: "MPOL_BIND", nodes: $node}' '{mode: "MPOL_INTERLEAVE", nodes: $node, flags: ["MPOL_F_STATIC_NODES"]}' '{mode: "MPOL_LOCAL", nodes: ""}'; do
		makes ".linux.memoryPolicy = (\"$node\" as \$node | $filter)"
		grep -qE "^(bind(=static|=relative)?:$node|interleave=static:$node|local)\$" ran || { cat ran; return 1; }
	done
	fails memoryPolicy '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "1000"}'
	config ".linux.memoryPolicy = {mode: \"MPOL_BIND\", nodes: \"$node\"}"
	running
	same "$id" sh -c "$look"
	grep -q "^bind:$node\$" first || { cat first; return 1; }
}

# What the kernel here has is seen in what a process is told of its own label; without a security module, in what is said of one.
@test "with a label of a security module it is the same" {
	needs_root
	local filter profile='' key='' denied=no
	config '.linux.maskedPaths = []'
	mkdir -p rootfs/opt
	echo content >rootfs/opt/denied
	for filter in '.process.selinuxLabel = "system_u:system_r:nosuch_t:s0"' '.process.apparmorProfile = "no-such-profile"' '.linux.mountLabel = "system_u:object_r:nosuch_t:s0"'; do
		program true
		runs "$filter"
	done
	if grep -qxF 'oci-run-tests (enforce)' /sys/kernel/security/apparmor/profiles 2>/dev/null; then # that of the guest (tests/vm/run)
		profile=oci-run-tests key=apparmorProfile denied=yes
	elif [[ -r /sys/kernel/security/apparmor/profiles ]]; then
		profile=$(grep -vE '[/{*]' /sys/kernel/security/apparmor/profiles | sed -n 's/ (\(unconfined\|complain\))$//p' | head -n 1) key=apparmorProfile
	elif [[ -d /sys/fs/selinux ]]; then
		profile=$(tr -d '\0' </proc/self/attr/current) key=selinuxLabel
	fi
	[[ -z $profile ]] || makes ".process.$key = \"$profile\""
	[[ -z $profile ]] || grep -qF "$profile" ran || { cat ran; return 1; }
	if [[ $denied == yes ]]; then
		program cat /opt/denied
		runs ".process.$key = \"$profile\""
		grep -q 'Permission denied' ran || { cat ran; return 1; }
		runs .
		grep -qx content ran || { cat ran; return 1; }
	fi
	running
	for filter in '.selinuxLabel = "system_u:system_r:nosuch_t:s0"' '.apparmorProfile = "no-such-profile"' ".$key = \"$profile\""; do
		[[ $filter != .\ * ]] || continue
		jq --arg look "$look" '.process | .args = ["sh", "-c", $look]' config.json | jq "$filter" >process.json
		same --process process.json "$id"
	done
	same --apparmor no-such-profile "$id" true
	same --process-label system_u:system_r:nosuch_t:s0 "$id" true
	[[ -n $profile ]] || skip 'the errors are; there is neither AppArmor with a profile nor SELinux here'
	same --process process.json "$id"
	grep -qF "$profile" first || { cat first; return 1; }
	[[ $denied == yes ]] || return 0
	same --apparmor "$profile" "$id" cat /opt/denied
	grep -q 'Permission denied' first || { cat first; return 1; }
}

@test "with a filter that bites it is the same" {
	needs_root
	local action names
	for names in '"execve"' '"execve", "exit_group", "exit", "write", "sendto", "sendmsg"'; do
		for action in SCMP_ACT_ERRNO SCMP_ACT_KILL_PROCESS SCMP_ACT_KILL_THREAD SCMP_ACT_TRAP; do
			fails exec ".linux.seccomp = {defaultAction: \"SCMP_ACT_ALLOW\", syscalls: [{names: [$names], action: \"$action\"}]}"
		done
	done
	fails seccomp '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir"], action: "SCMP_ACT_NOSUCH"}]}'
	config --arg look 'mkdir /tmp/x; echo "status $?"; hostname y; echo "status $?"' '.process.args = ["sh", "-c", $look]'
	runs '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 122},
		{names: ["sethostname"], action: "SCMP_ACT_KILL_PROCESS"}]}'
	grep -q 'uota exceeded' ran || { cat ran; return 1; }
	grep -q 'status 159' ran # SIGSYS
}

@test "an exec's process under a filter that bites is the same" {
	needs_root
	local action
	for action in SCMP_ACT_ERRNO SCMP_ACT_KILL_PROCESS SCMP_ACT_TRAP; do
		config ".process.args = [\"sleep\", \"1000\"] | .linux.seccomp = {defaultAction: \"SCMP_ACT_ALLOW\",
			syscalls: [{names: [\"mkdir\", \"mkdirat\", \"exit_group\", \"exit\", \"sendto\", \"sendmsg\"], action: \"$action\"}]}"
		detached "$id"
		same "$id" sh -c 'echo begins; mkdir /tmp/z; echo "status $?"; kill -9 $$'
		grep -q begins first
		same "$id" /no/such
		same --user 4:5 "$id" /etc/passwd
		oci-run delete --force "$id"
	done
}

@test "an exec into a cgroup of the container's is the same" {
	needs_root
	needs_cgroup memory pids
	running
	local line path file
	while IFS=: read -r _ line path; do # a child in each hierarchy
		path=/sys/fs/cgroup/${line:-unified}$path
		path=${path/name=/}
		[[ -d $path ]] || path=${path/\/unified/}
		[[ $path != *oci-run-tests-* ]] || mkdir -p "$path/sub"
		for file in cpuset.cpus cpuset.mems; do # empty in a new cgroup v1
			[[ ! -e $path/cgroup.clone_children || ! -e $path/$file ]] || cat "$path/$file" >"$path/sub/$file"
		done
	done <"/proc/$(pid_of "$id")/cgroup"
	same --cgroup sub "$id" sh -c "$look"
	grep -q '/sub$' first || { cat first; return 1; }
	same --cgroup / "$id" sh -c "$look"
	same --cgroup nonexistent "$id" true
	same --cgroup .. "$id" true
	same --cgroup whatever:/ "$id" true
}

@test "an exec on a terminal is the same" {
	needs_root
	command -v script >/dev/null || skip 'no script(1) here'
	running
	local way args
	printf "%s\n" "tty; stat -c %u \$(tty); stty size; ls -l /dev/console; cut -d' ' -f5,6,7 /proc/self/stat; $look" >rootfs/look
	for args in '' '--user 7:8' '--cwd /tmp'; do
		for way in list init; do
			OCI_RUN_EXEC=$way script -qec "$OCI_RUN_CRASHY --root $state exec --tty $args $id sh /look" /dev/null </dev/null 2>&1 3>&- | tr -d '\0\r' | sed 's/^^[@D]//' >"$way"
			strip "$way"
			sed -Ei 's/^[0-9]+ [0-9]+ [0-9]+$/session and terminal/; s/^SigQ.*//' "$way"
		done
		alike "$args"
		[[ $(wc -l <list) -gt 60 ]] || { cat list; return 1; }
	done
}

# waiting WAY: a container that waits for its start, and the pid of its process.
waiting() {
	OCI_RUN_CREATE=$1 "$OCI_RUN_CRASHY" --root "$state" create "$id" </dev/null >out 2>err 3>&-
	pid=$(pid_of "$id")
}

@test "a container that waits for its start has nothing of oci-run but the list and the start channel" {
	needs_root
	local pid
	waiting list
	[[ $(readlink "/proc/$pid/exe") == '/memfd:oci-run:batch (deleted)' ]]
	! grep -vE ' (/memfd:oci-run:batch \(deleted\)|\[(stack|heap|vdso|vvar|vvar_vclock|vsyscall|uprobes)\])$| 0 +$' "/proc/$pid/maps" || { cat "/proc/$pid/maps"; return 1; }
	find "/proc/$pid/fd" -type l -printf '%f %l\n' | sort -n >fds
	[[ $(grep -c . fds) == 5 && $(grep -cE '^([3-9]|[0-9]{2,}) socket:' fds) == 1 && $(grep -c ' anon_inode:\[signalfd\]$' fds) == 1 ]] || { cat fds; return 1; }
	[[ $(readlink "/proc/$pid/root") == / && $(readlink "/proc/$pid/cwd") == / ]]
	[[ $(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l) == 1 ]]
	oci-run start "$id"
	eventually is stopped "$id"
	oci-run delete "$id"
}

@test "a container that waits for its start ends by the signals that end a program" {
	needs_root
	local pid way signal
	for way in init list; do
		for signal in HUP INT QUIT TERM; do
			waiting "$way"
			oci-run kill "$id" "$signal"
			eventually is stopped "$id"
			run -0 oci-run delete "$id"
		done
	done
	config '.linux.namespaces -= [{type: "pid"}]' # where the process is not the first of a pid namespace
	waiting list
	oci-run kill "$id" TERM
	eventually is stopped "$id"
	run -0 oci-run delete "$id"
}

# What is told of a program after the start comes over the start channel, and so does a start that was killed.
@test "a start that was killed on its way leaves a container that can be started, or a stopped one" {
	needs_root
	local pid
	for step in connect announce; do
		program sleep 1000
		waiting list
		OCI_RUN_CRASH=$step run "$OCI_RUN_CRASHY" --root "$state" start "$id" 3>&-
		if [[ $step == connect ]]; then
			is created "$id"
			oci-run start "$id"
			is running "$id"
		else
			eventually is stopped "$id"
		fi
		oci-run delete --force "$id"
	done
}

@test "which way was taken, and why, is said with --debug" {
	needs_root
	run -0 "$OCI_RUN_CRASHY" --root "$state" --debug run "$id" 3>&-
	output_has 'create: init is a list of calls'
	local why filter
	while IFS='|' read -r why filter; do
		cp config.json config.before
		config "$filter"
		run "$OCI_RUN_CRASHY" --root "$state" --debug run "$id" 3>&-
		output_has "create: init is another start of oci-run: $why"
		mv config.before config.json
	done <<-'END'
		there is a user namespace|.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings
		what is copied to "/etc" counts as the container's memory|.mounts += [{destination: "/etc", type: "tmpfs", source: "x", options: ["tmpcopyup"]}]
		createContainer hooks run in the container's namespaces|.hooks.createContainer = [{path: "/bin/true"}]
		startContainer hooks run in the container's namespaces|.hooks.startContainer = [{path: "/bin/true"}]
		there is no mount namespace|del(.linux.namespaces[] | select(.type == "mount")) | del(.mounts, .linux.maskedPaths, .linux.readonlyPaths) | .root.readonly = false
	END
	OCI_RUN_CREATE=init run -0 "$OCI_RUN_CRASHY" --root "$state" --debug run "$id" 3>&-
	output_has 'create: init is another start of oci-run: a test wants it'
	run "$OCI_RUN_CRASHY" --root "$state" --debug run --no-pivot "$id" 3>&-
	output_has 'create: init is another start of oci-run: the root is not pivoted'
}

@test "an exec's process is the same" {
	running
	same "$id" sh -c "$look"
	[[ $(wc -l <first) -gt 60 ]]
	same --user 1000:1001 --additional-gids 7 --additional-gids 8 --cwd /tmp --env A=b "$id" sh -c "$look"
	same --user 1000 --cap CAP_NET_RAW --cap CAP_SYS_CHROOT --no-new-privs=false "$id" sh -c "$look"
	same --no-new-privs=false --cap CAP_NET_RAW "$id" sh -c "$look"
	same --user 1000 --cwd /secret/dir "$id" sh -c "$look"
	same --env PATH=/nonexistent:/opt::/bin --cwd /bin "$id" sh -c "$look"
	same --env PATH=/opt: --cwd /bin "$id" sh -c "$look"
}

@test "an exec's process of a file is the same" {
	running
	local filter
	for filter in '.user = {uid: 7, gid: 8, umask: 63} | .rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}, {type: "RLIMIT_NPROC", soft: 50, hard: 60}]' \
		'.capabilities = {}' 'del(.capabilities)' 'del(.capabilities) | .user.uid = 1000 | .noNewPrivileges = false' \
		'.capabilities = {bounding: ["CAP_KILL"], permitted: ["CAP_KILL"], effective: ["CAP_KILL"], inheritable: ["CAP_KILL"], ambient: ["CAP_KILL"]} | .user.uid = 9' \
		'.oomScoreAdj = 500' '.scheduler = {policy: "SCHED_BATCH", nice: 5}' '.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 6}' \
		'.execCPUAffinity = {initial: "0", final: "0"}' '.execCPUAffinity = {initial: "0"}' '.env = ["HOME=/x", "PATH=/bin"]' '.user.additionalGids = [1, 2, 3]'; do
		jq --arg look "$look" '.process | .args = ["sh", "-c", $look] | '"$filter" config.json >process.json
		same --process process.json "$id"
	done
}

@test "an exec's errors are the same" {
	running
	same "$id" nosuch
	same "$id" /no/such
	same "$id" /opt
	same "$id" /opt/only
	same "$id" only
	same --env PATH=/opt "$id" only
	same --env PATH=/opt "$id" directory
	same --env PATH=/opt: "$id" directory
	same --env PATH=: --cwd /opt "$id" nosuch
	same --env PATH=. --cwd /opt "$id" only
	same --env PATH=. --cwd /nonexistent "$id" true
	same --user 1000 "$id" /root/x
	same --user 2000 --cwd /secret/dir "$id" true
	same --cwd /nonexistent "$id" true
	same --cwd /etc/passwd "$id" true
	same --cwd /proc/self/fd/1 "$id" true
	same --cwd /proc/1/cwd "$id" true
	same --user 4294967294 "$id" true
	same --preserve-fds 3 "$id" true
	jq '.process | .args = ["true"] | .rlimits = [{type: "RLIMIT_NOFILE", soft: 4000000000, hard: 4000000000}]' config.json >process.json
	same --process process.json "$id"
	jq '.process | .args = ["true"] | .oomScoreAdj = -1000' config.json >process.json
	same --process process.json "$id"
	printf '#!/no/such/interpreter\n' >rootfs/opt/script
	chmod 755 rootfs/opt/script
	same "$id" /opt/script
}

# In the container's pid namespace a Go program can't make threads, which one of some hundred init processes wanted to.
@test "the second way of an exec is taken a thousand times" {
	running
	export OCI_RUN_EXEC=init OCI_RUN_CRASHY state id
	# shellcheck disable=SC2016 # for the shells of xargs
	seq 1000 | xargs -P 12 -I{} sh -c '"$OCI_RUN_CRASHY" --root "$state" exec "$id" true </dev/null || echo "status $?"' >said 2>&1
	[[ ! -s said ]] || { head -n 20 said; return 1; }
}

# The kernel can't tell whether ".." is safe while anybody on the machine renames files, and asks to try again (openat2(2), EAGAIN).
@test "neither way of an exec minds others who rename files" {
	running
	ln -s "$(yes ../tmp/ | head -n 500 | tr -d '\n')" rootfs/opt/link # long enough to be met
	local i way renamers=() said=$session/said
	mkdir "$session/elsewhere"
	for i in 1 2; do
		# shellcheck disable=SC2016 # for that shell
		busybox sh -c 'cd "$1"; : >"$2"; while [ -e "$2" ]; do mv "$2" "$2.new"; mv "$2.new" "$2"; done' sh "$session/elsewhere" "file$i" 3>&- &
		renamers+=($!)
	done
	for way in batch init; do
		for ((i = 0; i < 100; i++)); do
			OCI_RUN_EXEC=$way "$OCI_RUN_CRASHY" --root "$state" exec --cwd /opt/link "$id" true </dev/null >>"$said" 2>&1 3>&- || true
		done
	done
	kill "${renamers[@]}"
	wait "${renamers[@]}" 2>/dev/null || true
	[[ ! -s $said ]] || { sort "$said" | uniq -c; return 1; }
}

@test "plan takes the way of a create where the list's file can't be had" {
	needs_root
	needs strace
	program true
	local errno inject=(timeout 60 strace -f -qq -e trace=memfd_create -o strace.out -e)
	for errno in EACCES EIO; do # EACCES: sysctl vm.memfd_noexec
		# A run: strace waits for all that it follows, so for a created container's init too.
		"${inject[@]}" "inject=memfd_create:error=$errno:when=1" "$OCI_RUN_CRASHY" --root "$state" --debug run "$id" </dev/null >created 2>&1 3>&- || true
		"${inject[@]}" "inject=memfd_create:error=$errno:when=1" "$OCI_RUN_CRASHY" --root "$state" plan --json --bundle . "$id" >planned 2>&1 3>&- || true
		if [[ $errno == EACCES ]]; then
			grep -qF "create: init is another start of oci-run: $(jq -r .why planned)" created || { cat created planned; return 1; }
			jq -e '.way == "init"' planned
		else
			grep -q 'memfd_create.*input/output error' planned || { cat planned; return 1; }
			grep -qF "$(grep -o 'memfd_create.*error' planned)" created || { cat created planned; return 1; }
		fi
	done
}

@test "the reason why an exec failed is found each time, on a busy machine too" {
	running
	printf '#!/no/such/interpreter\n' >rootfs/opt/script
	chmod 755 rootfs/opt/script
	local i busy=() said=$session/said
	for i in 1 2 3 4; do
		timeout 60 sh -c 'while :; do :; done' 3>&- &
		busy+=($!)
	done
	for ((i = 0; i < 100; i++)); do # by a thread outside of the container, whichever thread has made that
		OCI_RUN_EXEC=init "$OCI_RUN_CRASHY" --root "$state" exec "$id" /opt/script </dev/null 2>&1 3>&- | grep -v '/no/such/interpreter' >>"$said" || true
	done
	kill "${busy[@]}"
	wait "${busy[@]}" 2>/dev/null || true
	[[ ! -s $said ]] || { sort "$said" | uniq -c; return 1; }
}
