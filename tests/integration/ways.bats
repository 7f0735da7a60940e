#!/usr/bin/env bats
# The two ways of a create and of an exec, a list of system calls and another oci-run init, make the same process, and the same
# errors. A build for tests takes the second way if OCI_RUN_CREATE or OCI_RUN_EXEC says so (make bin/oci-run-crash).

load lib

setup_file() {
	OCI_RUN_CRASHY=$(realpath "${OCI_RUN:-$BATS_TEST_DIRNAME/../../bin/oci-run}")-crash
	[[ -x $OCI_RUN_CRASHY ]] || skip "no $OCI_RUN_CRASHY here (make bin/oci-run-crash)"
	export OCI_RUN_CRASHY
}

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
	for n in cgroup ipc mnt net pid time user uts; do readlink ns/$n; done; cut -d " " -f 18,19,41 stat; ionice 2>/dev/null'

# same ARG...: an exec with these options is the same, whichever way it goes.
same() {
	local code=0 other=0
	"$OCI_RUN_CRASHY" --root "$state" exec "$@" </dev/null >first 2>&1 3>&- || code=$?
	OCI_RUN_EXEC=init "$OCI_RUN_CRASHY" --root "$state" exec "$@" </dev/null >second 2>&1 3>&- || other=$?
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
	OCI_RUN_CREATE=$way "$OCI_RUN_CRASHY" --root "$state" "$@" </dev/null >"$way" 2>&1 3>&- || code=$?
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
		OCI_RUN_CREATE=$way "$OCI_RUN_CRASHY" --root "$state" create "$id" </dev/null >>"$way" 2>&1 3>&- || echo "create: exit status $?" >>"$way"
		"$OCI_RUN_CRASHY" --root "$state" start "$id" >>"$way" 2>&1 3>&- || echo "start: exit status $?" >>"$way"
		! "$OCI_RUN_CRASHY" --root "$state" state "$id" >/dev/null 2>&1 3>&- || eventually is stopped "$id"
		strip "$way"
		"$OCI_RUN_CRASHY" --root "$state" delete --force "$id" 3>&-
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
	program sh -c 'cat <&3; ls /proc/self/fd'
	local way
	for way in list init; do
		echo "of the caller" >three
		exec 4<three
		by "$way" run --preserve-fds 2 "$id" 3<three
		exec 4<&-
	done
	alike
	by list run --preserve-fds 7 "$id"
	by init run --preserve-fds 7 "$id"
	alike
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
