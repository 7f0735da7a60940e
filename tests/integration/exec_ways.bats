#!/usr/bin/env bats
# The two ways of an exec, a batch of system calls and a second oci-run init, make the same process, and the same errors. A build for
# tests takes the second way if OCI_RUN_EXEC says so (make bin/oci-run-crash).

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

# look: what a process can say of itself.
look='cd /proc/self; grep -vE "^(Name|Pid|PPid|Tgid|NSpid|NSpgid|NSsid|NStgid|Vm|Rss|FDSize|SigQ|voluntary|nonvoluntary|State|x86)" status
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

@test "the process is the same" {
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

@test "the process of a file is the same" {
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

@test "the errors are the same" {
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
@test "the second way is taken a thousand times" {
	running
	export OCI_RUN_EXEC=init OCI_RUN_CRASHY state id
	# shellcheck disable=SC2016 # for the shells of xargs
	seq 1000 | xargs -P 12 -I{} sh -c '"$OCI_RUN_CRASHY" --root "$state" exec "$id" true </dev/null || echo "status $?"' >said 2>&1
	[[ ! -s said ]] || { head -n 20 said; return 1; }
}

# The kernel can't tell whether ".." is safe while anybody on the machine renames files, and asks to try again (openat2(2), EAGAIN).
@test "neither way minds others who rename files" {
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
