#!/usr/bin/env bats
# Under containerd, through ctr: the daemon asks what Docker's and Kubernetes' containers also come from.
# shellcheck disable=SC2016,SC2154 # what is in single quotes is for the container's shell; containerd.bash sets the rest

load lib
load containerd
load ctr

@test "run: output, environment, directory and nothing else on the terminal" {
	run run_container --rm --env COLOUR=blue --cwd /tmp "$image" "$id" \
		sh -c 'exec 2>&1; echo "$COLOUR in $PWD, home $HOME, pid $$"; echo apart >&2'
	output_is $'blue in /tmp, home /root, pid 1\napart'
}

@test "exit codes are the program's, and 128 and the signal" {
	run run_container --rm "$image" "$id" true
	((status == 0))
	run run_container --rm "$image" "$id" sh -c 'exit 7'
	((status == 7))
	detached "$image" "$id" sleep 1000
	ctr tasks kill -s SIGKILL "$id"
	eventually task_is STOPPED "$id"
	run remove_task "$id"
	((status == 137))
}

# (ctr 1.6 closes a container's stdin only when it ends itself, whatever the runtime: `cat` would wait for ever.)
@test "stdin reaches the program" {
	run run_container --rm "$image" "$id" head -n 2 <<<$'one\ntwo'
	output_is $'one\ntwo'
}

@test "detached: created, running, stopped, removed" {
	detached --pid-file "$scratch/pid" "$image" "$id" sleep 1000
	task_is RUNNING "$id"
	[[ $(task_pid "$id") == "$(<"$scratch/pid")" ]]
	[[ $(tr '\0' ' ' <"/proc/$(<"$scratch/pid")/cmdline") == 'sleep 1000 ' ]]
	[[ $(<"/proc/$(<"$scratch/pid")/cgroup") == *"/default/$id"* ]]
	ctr tasks kill -s SIGKILL "$id"
	eventually task_is STOPPED "$id"
	[[ ! -e /proc/$(<"$scratch/pid") ]]
	run remove_task "$id"
	((status == 137))
}

@test "output goes to the file of --log-uri" {
	run_container --detach --log-uri "file://$scratch/log" "$image" "$id" sh -c 'echo out; echo err >&2'
	eventually task_is STOPPED "$id"
	[[ $(sort "$scratch/log") == $'err\nout' ]]
}

@test "containers create, then tasks start, then attach" {
	echo 'read line; echo "$COLOUR $line"; exit 4' >"$scratch/program"
	ctr containers create --env COLOUR=blue --mount "type=bind,src=$scratch/program,dst=/program,options=bind:ro" \
		"$image" "$id" sh /program
	run ctr tasks start "$id" <<<hello
	output_is 'blue hello'
	((status == 4))
}

@test "attach: the output of a container that runs already" {
	mkfifo "$scratch/go"
	run_container --detach --fifo-dir "$scratch/fifos" --mount "type=bind,src=$scratch,dst=/scratch,options=rbind:rw" \
		"$image" "$id" sh -c 'cat /scratch/go; exit 5' </dev/null
	(sleep 0.5; echo attached >"$scratch/go") &
	run timeout 20 ctr tasks attach "$id"
	output_is attached
	((status == 5))
}

# sized_terminal ROWS COLUMNS COMMAND...
sized_terminal() {
	local rows=$1 columns=$2
	shift 2
	terminal sh -c "stty rows $rows cols $columns; $(printf '%q ' "$@")" </dev/null
}

@test "a terminal: size, input, exit code" {
	run sized_terminal 30 100 ctr run --runtime io.containerd.runc.v2 --runc-binary "$RUNTIME" --rm --tty "$image" "$id" \
		sh -c 'sleep 0.3; tty; stty size; test -t 0 && test -t 1 && test -t 2; exit $((40 + $?))'
	output_has /dev/pts/0
	output_has '30 100'
	((status == 40))
}

@test "exec: output, directory, user, environment, exit codes" {
	detached --env COLOUR=blue "$image" "$id" sleep 1000
	run task_exec --cwd /tmp --user 65534:65534 "$id" sh -c 'echo "$(id -u):$(id -g) $COLOUR $PWD"; exit 3'
	output_is '65534:65534 blue /tmp'
	((status == 3))
	run task_exec "$id" sh -c 'kill -9 $$'
	((status == 137))
	run task_exec "$id" cat <<<'through stdin'
	output_is 'through stdin'
	task_exec --detach "$id" sleep 999
	eventually holds "$id" 'sleep 999'
}

# holds ID COMMAND-LINE: a process of the container has it.
holds() { task_exec "$1" ps -o args | grep -xF "$2"; }

@test "exec with a terminal" {
	detached "$image" "$id" sleep 1000
	run sized_terminal 33 99 ctr tasks exec --tty --exec-id tty "$id" sh -c 'sleep 0.3; tty; stty size; exit 6'
	output_has /dev/pts/0
	output_has '33 99'
	((status == 6))
}

@test "exec of what isn't there: an error, and the container lives" {
	detached "$image" "$id" sleep 1000
	run task_exec "$id" nosuch
	((status != 0))
	output_has 'OCI runtime exec failed'
	output_has 'exec: "nosuch": executable file not found in $PATH'
	run task_exec --cwd /no/such "$id" true
	((status != 0))
	# ctr stops copying when it hears of the end, on a busy machine before it has begun.
	run task_exec "$id" sh -c 'echo here; sleep 0.2'
	output_is here
}

@test "kill: the named signal, and the program's own end" {
	run_container --detach --log-uri "file://$scratch/log" "$image" "$id" \
		sh -c 'trap "echo asked; exit 5" USR1; trap : TERM; echo ready; while :; do sleep 0.1; done'
	eventually grep -x ready "$scratch/log"
	ctr tasks kill -s SIGTERM "$id"
	ctr tasks kill -s SIGUSR1 "$id"
	eventually task_is STOPPED "$id"
	run remove_task "$id"
	((status == 5))
	[[ $(<"$scratch/log") == $'ready\nasked' ]]
	run ctr tasks kill "$id"
	((status != 0))
	output_has 'not found'
}

@test "kill --all reaches each process, also in somebody else's pid namespace" {
	detached --with-ns pid:/proc/1/ns/pid --env "MARK=$id" "$image" "$id" sh -c 'sleep 1000 & sleep 1000 & wait'
	eventually marked 3
	ctr tasks kill --all -s SIGKILL "$id"
	eventually task_is STOPPED "$id"
	eventually marked 0
}

@test "without a pid namespace of its own, the rest goes with the container's first process" {
	detached --with-ns pid:/proc/1/ns/pid --env "MARK=$id" "$image" "$id" sh -c 'sleep 1000 & sleep 1000 & wait'
	eventually marked 3
	kill -9 "$(task_pid "$id")"
	eventually task_is STOPPED "$id"
	eventually marked 0
}

@test "pause freezes it, resume lets it go on, and a paused one can be killed" {
	run_container --detach --log-uri "file://$scratch/log" "$image" "$id" sh -c 'while :; do echo; sleep 0.01; done'
	eventually test -s "$scratch/log"
	ctr tasks pause "$id"
	task_is PAUSED "$id"
	before=$(stat -c %s "$scratch/log")
	sleep 0.3
	[[ $(stat -c %s "$scratch/log") == "$before" ]]
	run task_exec "$id" true
	((status != 0))
	ctr tasks resume "$id"
	task_is RUNNING "$id"
	eventually bigger "$before"
	ctr tasks pause "$id"
	ctr tasks delete --force "$id" || (($? == 137))
}

bigger() { (($(stat -c %s "$scratch/log") > $1)); }

@test "ps lists the container's processes by their pids out here" {
	detached "$image" "$id" sh -c 'sleep 1000 & exec sleep 1001'
	eventually holds "$id" 'sleep 1000'
	pids=$(ctr tasks ps "$id" | awk 'NR > 1 {print $1}' | sort -n)
	[[ $(for pid in $pids; do tr '\0' ' ' <"/proc/$pid/cmdline"; done | tr -s ' ') == *'sleep 1001 '* ]]
	[[ $pids == "$(cgroup_value "$(task_pid "$id")" pids cgroup.procs cgroup.procs | sort -n)" ]]
}

@test "metrics: memory, pids and CPU time as they are" {
	detached "$image" "$id" sh -c 'head -c 8000000 /dev/zero >/dev/shm/fill; sleep 1000 & exec sleep 1001'
	eventually holds "$id" 'sleep 1001'
	metrics=$(ctr tasks metrics --format json "$id")
	if [[ ! -e /sys/fs/cgroup/cgroup.controllers ]]; then
		(($(jq -r .memory.usage.usage <<<"$metrics") > 8000000))
		(($(jq -r .pids.current <<<"$metrics") == 2))
		(($(jq -r .cpu.usage.total <<<"$metrics") > 0))
	else
		(($(jq -r .memory.usage <<<"$metrics") > 8000000))
		(($(jq -r .pids.current <<<"$metrics") == 2))
		(($(jq -r .CPU.usage_usec <<<"$metrics") > 0))
	fi
}

@test "mounts: bound read-only and writable, tmpfs with a size, with the directories made" {
	mkdir "$scratch/source"
	echo content >"$scratch/source/file"
	run run_container --rm \
		--mount "type=bind,src=$scratch/source,dst=/made/ro,options=rbind:ro" \
		--mount "type=bind,src=$scratch/source,dst=/made/rw,options=rbind:rw" \
		--mount "type=bind,src=$scratch/source/file,dst=/made/alone,options=bind:ro" \
		--mount type=tmpfs,src=tmpfs,dst=/made/tmp,options=size=64k:nosuid:noexec "$image" "$id" sh -c 'exec 2>&1
			cat /made/ro/file /made/alone
			touch /made/ro/no || touch /made/rw/yes
			grep " /made/tmp " /proc/mounts; 
			head -c 100k /dev/zero >/made/tmp/fill; stat -c %s /made/tmp/fill'
	output_has $'content\ncontent'
	output_has 'touch: /made/ro/no: Read-only file system'
	[[ $output == *tmpfs*nosuid*noexec*size=64k* ]]
	[[ ${lines[-1]} == 65536 ]]
	[[ -e $scratch/source/yes && ! -e $scratch/source/no ]]
}

@test "a root file system that isn't an image's" {
	unpack_rootfs "$scratch/rootfs"
	echo here >"$scratch/rootfs/etc/motd"
	run run_container --rm --rootfs "$scratch/rootfs" "$id" /bin/cat /etc/motd
	output_is here
}

@test "--read-only" {
	run run_container --rm --read-only "$image" "$id" sh -c 'exec 2>&1; touch /file; touch /dev/shm/file && echo shm'
	output_is $'touch: /file: Read-only file system\nshm'
}

@test "capabilities: the default set, more, fewer" {
	run run_container --rm "$image" "$id" grep -E 'Cap(Eff|Bnd)|NoNewPrivs' /proc/self/status
	output_is $'CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t1'
	run run_container --rm --cap-add CAP_NET_ADMIN --cap-drop CAP_CHOWN --allow-new-privs "$image" "$id" \
		sh -c 'grep -E "CapEff|NoNewPrivs" /proc/self/status; chown 1 /tmp'
	output_has $'CapEff:\t00000000a80435fa\nNoNewPrivs:\t0'
	output_has 'Operation not permitted'
}

@test "seccomp: the default profile, and a file's" {
	run run_container --rm --seccomp "$image" "$id" sh -c 'grep Seccomp: /proc/self/status; unshare -U true'
	output_has $'Seccomp:\t2'
	output_has 'Operation not permitted'
	echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}' >"$scratch/profile"
	run run_container --rm --seccomp --seccomp-profile "$scratch/profile" "$image" "$id" sh -c 'exec 2>&1; mkdir /made; echo still here'
	output_is $'mkdir: can\'t create directory \'/made\': Function not implemented\nstill here'
}

@test "limits of memory and CPU are in the cgroup's files" {
	detached --memory-limit 67108864 --cpu-shares 512 --cpu-quota 20000 --cpu-period 50000 "$image" "$id" sleep 1000
	pid=$(task_pid "$id")
	[[ $(cgroup_value "$pid" memory memory.limit_in_bytes memory.max) == 67108864 ]]
	if [[ ! -e /sys/fs/cgroup/cgroup.controllers ]]; then
		[[ $(cgroup_value "$pid" cpu cpu.shares -) == 512 ]]
		[[ $(cgroup_value "$pid" cpu cpu.cfs_quota_us -) == 20000 ]]
		[[ $(cgroup_value "$pid" cpu cpu.cfs_period_us -) == 50000 ]]
	else
		[[ $(cgroup_value "$pid" cpu - cpu.weight) == 20 ]]
		[[ $(cgroup_value "$pid" cpu - cpu.max) == '20000 50000' ]]
	fi
	detached --cpus 0.5 "$image" "$id-half" sleep 1000
	if [[ ! -e /sys/fs/cgroup/cgroup.controllers ]]; then
		[[ $(cgroup_value "$(task_pid "$id-half")" cpu cpu.cfs_quota_us -) == 50000 ]]
	else
		[[ $(cgroup_value "$(task_pid "$id-half")" cpu - cpu.max) == '50000 100000' ]]
	fi
}

@test "--cgroup: the named one" {
	detached --cgroup "/chosen/$id" "$image" "$id" sleep 1000
	[[ $(cgroup_of "$(task_pid "$id")" memory) == */chosen/$id ]]
	ctr tasks delete --force "$id" || true
	[[ -z $(find /sys/fs/cgroup/ -path "*/chosen/$id" -type d) ]]
	find /sys/fs/cgroup/ -depth -type d -name chosen -exec rmdir {} +
}

@test "out of memory: an event, and 137" {
	ctr events >"$scratch/events" 2>&1 3>&- &
	listener=$!
	# The shim begins to listen for it when the container has started: not before /go may it happen.
	detached --memory-limit 33554432 "$image" "$id" sh -c 'until test -e /go; do sleep 0.1; done; exec tail -c 200m /dev/zero'
	task_exec "$id" touch /go
	eventually task_is STOPPED "$id"
	run remove_task "$id"
	((status == 137))
	eventually grep -F "/tasks/oom {\"container_id\":\"$id\"}" "$scratch/events"
	kill "$listener"
}

@test "events of a whole life, in their order" {
	ctr events >"$scratch/events" 2>&1 3>&- &
	listener=$!
	sleep 0.3
	detached "$image" "$id" sleep 1000
	ctr tasks pause "$id"
	ctr tasks resume "$id"
	task_exec "$id" true
	ctr tasks kill -s SIGKILL "$id"
	eventually task_is STOPPED "$id"
	remove_task "$id" || true
	eventually grep -F /containers/delete "$scratch/events"
	# The shim of containerd 2 ends, whatever the runtime, before it has told of the delete, about every second time.
	[[ $documentation != containerd ]] || eventually grep -F /tasks/delete "$scratch/events"
	kill "$listener"
	[[ $(grep -oE '/tasks/[-a-z]+' "$scratch/events" | tr '\n' ' ') =~ \
		^'/tasks/create /tasks/start /tasks/paused /tasks/resumed /tasks/exec-added /tasks/exec-started /tasks/exit /tasks/exit '('/tasks/delete ')?$ ]]
}

@test "privileged: each capability, a writable /sys, the devices" {
	detached "$image" "$id-plain" sleep 1000
	run task_exec "$id-plain" touch /proc/sys/kernel/domainname
	((status != 0))
	run run_container --rm --privileged "$image" "$id" sh -c '
		grep -E "CapEff|Seccomp:" /proc/self/status; touch /sys/kernel && echo writable; grep -c " /proc/sys " /proc/mounts'
	output_has "CapEff:	$(awk '$1 == "CapBnd:" {print $2}' /proc/self/status)"
	output_has $'Seccomp:\t0'
	output_has writable
	[[ ${lines[-1]} == 0 ]]
}

@test "a device of the host, and only that one" {
	needs_device /dev/fuse
	run run_container --rm --device /dev/fuse "$image" "$id" sh -c 'exec 3<>/dev/fuse && echo opened; mknod /other c 1 11; exec 3</other'
	output_has opened
	output_has "can't open /other: Operation not permitted"
	((status != 0))
}

@test "a user namespace: mappings inside, the mapped owner outside" {
	detached --uidmap 0:100000:5000 --gidmap 0:200000:5000 "$image" "$id" sleep 1000 # each owner of a file of the image is in it
	pid=$(task_pid "$id")
	[[ $(awk '{print $1, $2, $3}' "/proc/$pid/uid_map") == '0 100000 5000' ]]
	[[ $(awk '{print $1, $2, $3}' "/proc/$pid/gid_map") == '0 200000 5000' ]]
	[[ $(stat -c %u:%g "/proc/$pid") == 100000:200000 ]]
	run task_exec "$id" sh -c 'id -u; touch /tmp/mine; stat -c %u:%g /tmp/mine; stat -c %u /bin; mount -t tmpfs x /mnt && echo mounted'
	echo "$output"
	[[ $output == $'0\n0:0\n0\n'* ]]
	[[ $output != *mounted* ]]
	[[ $(stat -c %u:%g "/proc/$pid/root/tmp/mine") == 100000:200000 ]]
}

@test "a network namespace that is there already" {
	ip netns add "$id"
	ip -n "$id" link add veth0 type veth peer name veth1
	ip -n "$id" addr add 192.0.2.7/24 dev veth0
	run run_container --rm --with-ns "network:/var/run/netns/$id" "$image" "$id" ip addr show veth0
	ip netns delete "$id"
	output_has 'inet 192.0.2.7/24'
	((status == 0))
}

@test "the host's network, and a network of CNI's" {
	run run_container --rm --net-host "$image" "$id" readlink /proc/self/ns/net
	output_is "$(readlink /proc/self/ns/net)"
	run run_container --rm --cni "$image" "$id" sh -c 'ip addr show eth0; ping -c 1 -W 2 10.88.0.1'
	output_has 'inet 10.88.0.'
	output_has '0% packet loss'
	((status == 0))
}

@test "without pivot_root" {
	run run_container --rm --no-pivot "$image" "$id" sh -c 'echo /bin /usr/sbin/containerd* /..; ls /.. | grep -c oci-run-engines'
	output_is $'/bin /usr/sbin/containerd* /..\n0'
}

@test "--runc-root: the state is there" {
	detached --runc-root "$scratch/root" "$image" "$id" sleep 1000
	[[ $("$RUNTIME" --root "$scratch/root/default" state "$id" | jq -r .status) == running ]]
	ctr tasks delete --force "$id" || true
	[[ -z $(ls -A "$scratch/root/default") ]]
}

@test "a config.json of one's own" {
	(cd "$scratch" && "$RUNTIME" spec)
	unpack_rootfs "$scratch/rootfs"
	jq --arg path "/default/$id" --arg rootfs "$scratch/rootfs" '.process.terminal = false | .process.args = ["hostname"] |
		.hostname = "chosen" | .root.path = $rootfs | .linux.cgroupsPath = $path' <"$scratch/config.json" >"$scratch/mine.json"
	run run_container --rm --config "$scratch/mine.json" "$id"
	output_is chosen
}

@test "what can't be started: the reason, and nothing left to trip over" {
	run run_container --rm "$image" "$id" nosuch
	((status == 1))
	output_has 'OCI runtime create failed'
	output_has 'exec: "nosuch": executable file not found in $PATH'
	run run_container --rm "$image" "$id" /no/such
	((status == 1))
	output_has 'exec: "/no/such": stat /no/such: no such file or directory'
	run run_container --rm "$image" "$id" /etc/passwd
	((status == 1))
	output_has 'exec: "/etc/passwd": permission denied'
	run run_container --rm "$image" "$id" echo retried
	output_is retried
}
