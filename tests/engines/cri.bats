#!/usr/bin/env bats
# As a Kubernetes node does it: pods and containers by the CRI, which crictl asks of containerd. The pods ask for the handler
# "oci-run", as those of a RuntimeClass do; the daemon's own default is not a runtime at all, so nothing else can be what ran.
# shellcheck disable=SC2016,SC2154 # what is in single quotes is for the container's shell; containerd.bash sets the rest

load lib
load containerd

setup_file() {
	command -v crictl >/dev/null || skip 'no crictl here (tests/engines/packages builds it)'
	printf '%s: unix:///run/containerd/containerd.sock\n' runtime-endpoint image-endpoint >/etc/crictl.yaml
	echo 'timeout: 20' >>/etc/crictl.yaml
	cat >/run/hasty <<-END
		#!/bin/bash
		# The runtime, killed with SIGKILL after the time in /run/hasty-after, but only while it creates.
		[[ " \$* " != *" create "* || ! -e /run/hasty-after ]] ||
			exec timeout --foreground -s KILL "\$(</run/hasty-after)" "$RUNTIME" "\$@"
		exec "$RUNTIME" "\$@"
	END
	chmod 755 /run/hasty
	configure_containerd \
		'[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.hasty]' \
		'runtime_type = "io.containerd.runc.v2"' \
		'[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.hasty.options]' \
		'BinaryName = "/run/hasty"'
	ln -sf /bin/false /run/bin/runc
	write_network
	start_containerd
	import_image k8s.io busybox pause nginx redis flask
	make_pod # so that the bridge is there
	crictl rmp --force "$pod"
	remember_world
}

teardown_file() {
	local left=0
	[[ ! -e /run/world ]] || nothing_is_left || left=1
	stop_daemon containerd
	return "$left"
}

setup() {
	id=p$BATS_TEST_NUMBER
	scratch=$BATS_TEST_TMPDIR
}

teardown() {
	rm -f /run/hasty-after
	crictl rmp --force --all
	find /sys/fs/cgroup/ -depth -path '*/kubepods*' -type d -exec rmdir {} +
	nothing_of k8s.io
}

# make_pod [FILTER] [HANDLER]: $pod is its id; the filter changes its configuration.
make_pod() {
	scratch=${scratch:-$BATS_FILE_TMPDIR}
	jq -n --arg name "${id:-first}" --arg logs "$scratch/logs" '{
		metadata: {name: $name, namespace: "sessions", uid: $name, attempt: 0}, log_directory: $logs,
		linux: {cgroup_parent: "/kubepods/besteffort/pod\($name)", security_context: {namespace_options: {pid: 1}}}
	} | '"${1:-.}" >"$scratch/pod.json"
	pod=$(crictl runp --runtime "${2-oci-run}" "$scratch/pod.json")
}

# create_container NAME FILTER [ARG...]: $container is its id; of busybox, if the filter says nothing else.
create_container() {
	local name=$1 filter=$2
	shift 2
	jq -n --arg name "$name" '{metadata: {name: $name}, image: {image: "docker.io/library/busybox:latest"},
		command: $ARGS.positional, log_path: "\($name).log",
		linux: {security_context: {namespace_options: {pid: 1}}}} | '"$filter" --args -- "$@" >"$scratch/$name.json"
	container=$(crictl create "$pod" "$scratch/$name.json" "$scratch/pod.json")
}

run_container() { create_container "$@" && crictl start "$container" >/dev/null; }

inspect() { crictl inspect "$container" | jq -r "$1"; }
state_is() { [[ $(inspect .status.state) == "CONTAINER_$1" ]]; }
ended() { state_is EXITED; }
container_pid() { inspect .info.pid; }
pod_ip() { crictl inspectp "$pod" | jq -r .status.network.ip; }
log_of() { cut -d' ' -f4- <"$scratch/logs/$1.log"; }                    # log_of NAME
logged() { [[ $(log_of "$1") == *"$2"* ]]; }                              # logged NAME TEXT
namespace_of() { crictl exec "$1" readlink "/proc/self/ns/$2"; }          # namespace_of CONTAINER KIND

# says FILTER [ARG...]: run to its end, and write what it wrote; $code is its exit code.
says() {
	run_container says "$@"
	eventually ended
	code=$(inspect .status.exitCode)
	log_of says
	crictl rm "$container" >/dev/null
	rm -f "$scratch/logs/says.log"
	return "$code"
}

@test "the handler is the document's, and an unknown one is refused" {
	[[ $(crictl info | jq -r '.config.containerd.runtimes["oci-run"].options.BinaryName') == "$RUNTIME" ]]
	make_pod
	[[ $(crictl inspectp "$pod" | jq -r .info.runtimeHandler) == oci-run ]]
	run make_pod '.metadata.name = "other"' unknown
	((status != 0))
	output_has 'no runtime for'
	output_has 'is configured'
}

@test "a life: created, running, stopped, removed, each as the kubelet sees it" {
	make_pod
	[[ $(crictl inspectp "$pod" | jq -r .status.state) == SANDBOX_READY ]]
	create_container life . sh -c 'trap "exit 3" TERM; echo begun; while :; do sleep 0.1; done'
	state_is CREATED
	crictl start "$container"
	state_is RUNNING
	eventually logged life begun
	pid=$(container_pid)
	[[ $(cgroup_of "$pid" memory) == *"/kubepods/besteffort/pod$id/$container" ]]
	crictl stop --timeout 10 "$container"
	state_is EXITED
	gone "$pid"
	[[ $(inspect .status.exitCode) == 3 && $(inspect .status.reason) == Error ]]
	crictl rm "$container"
	run crictl inspect "$container"
	((status != 0))
	pid=$(crictl inspectp "$pod" | jq -r .info.pid)
	crictl stopp "$pod"
	[[ $(crictl inspectp "$pod" | jq -r .status.state) == SANDBOX_NOTREADY ]]
	gone "$pid"
	crictl rmp "$pod"
	[[ -z $(crictl pods -q) ]]
}

@test "exit codes and reasons: 0 is Completed, stopped in vain is 137" {
	make_pod
	run_container fine . true
	eventually ended
	[[ $(inspect .status.exitCode) == 0 && $(inspect .status.reason) == Completed ]]
	run_container deaf . sleep 1000
	crictl stop --timeout 1 "$container"
	[[ $(inspect .status.exitCode) == 137 ]]
}

@test "exec, synchronous: output, exit code, and an end at the timeout" {
	make_pod
	run_container main . sleep 1000
	run crictl exec --sync "$container" sh -c 'echo out; echo err >&2; id -u'
	output_has $'out\n0'
	output_has err
	run crictl exec --sync "$container" sh -c 'exit 3'
	((status != 0))
	output_has 3
	run crictl exec --sync "$container" nosuch
	((status != 0))
	output_has 'exec: "nosuch": executable file not found in $PATH'
	run crictl exec --sync --timeout 1 "$container" sleep 999
	((status != 0))
	output_has 'timeout 1s exceeded'
	eventually lacks_process 'sleep 999'
	state_is RUNNING
}

lacks_process() { ! crictl exec "$container" ps -o args | grep -xF "$1"; } # lacks_process COMMAND-LINE

@test "exec, streaming: stdin, stdout, exit code, and a terminal" {
	make_pod
	run_container main . sleep 1000
	run crictl exec --interactive "$container" cat <<<'through stdin'
	output_is 'through stdin'
	run crictl exec "$container" sh -c 'exit 4'
	((status != 0))
	output_has 'exit code 4'
	run terminal crictl exec --interactive --tty "$container" sh -c 'tty; echo "pid $$"' </dev/null
	output_has /dev/pts/
	((status == 0))
}

@test "attach: what is typed reaches the container, what it says comes back" {
	make_pod
	run_container main '.stdin = true | .stdin_once = true' sh -c 'while read -r line; do echo "got $line"; done; echo end'
	run timeout 20 crictl attach --stdin "$container" <<<$'one\ntwo'
	output_has $'got one\ngot two'
	eventually ended
	[[ $(log_of main) == $'got one\ngot two\nend' ]]
}

@test "a container with a terminal" {
	make_pod
	run_container main '.tty = true' sh -c 'tty; test -t 0 && test -t 1'
	eventually ended
	[[ $(inspect .status.exitCode) == 0 ]]
	[[ $(log_of main) == /dev/pts/0* ]]
}

@test "logs: both streams, told apart" {
	make_pod
	run_container main . sh -c 'echo out; echo err >&2'
	eventually ended
	[[ $(cut -d' ' -f2- "$scratch/logs/main.log" | sort) == $'stderr F err\nstdout F out' ]]
	run crictl logs "$container"
	output_has out
	output_has err
}

@test "stats: memory and CPU time of a container, as they are" {
	make_pod
	run_container main . sh -c 'head -c 8000000 /dev/zero >/dev/shm/fill; while :; do :; done'
	eventually uses .memory.workingSetBytes.value 8000000
	eventually uses .cpu.usageCoreNanoSeconds.value 100000000
	[[ $(crictl stats --output json "$container" | jq -r '.stats[0].attributes.id') == "$container" ]]
}

uses() { (($(crictl stats --output json "$container" | jq -r ".stats[0]$1") > $2)); } # uses FIELD MORE-THAN

@test "update: what it names changes, the rest stays" {
	make_pod
	run_container main '.linux.resources = {cpu_period: 100000, cpu_quota: 50000, cpu_shares: 512, memory_limit_in_bytes: 67108864}' \
		sleep 1000
	pid=$(container_pid)
	equal memory 67108864 "$(cgroup_value "$pid" memory memory.limit_in_bytes memory.max)"
	crictl update --cpu-quota 30000 --memory 100663296 "$container"
	equal memory 100663296 "$(cgroup_value "$pid" memory memory.limit_in_bytes memory.max)"
	crictl update --cpuset-cpus 0 "$container"
	equal cpuset 0 "$(cgroup_value "$pid" cpuset cpuset.cpus cpuset.cpus)"
	if [[ ! -e /sys/fs/cgroup/cgroup.controllers ]]; then
		equal quota 30000 "$(cgroup_value "$pid" cpu cpu.cfs_quota_us -)"
		equal period 100000 "$(cgroup_value "$pid" cpu cpu.cfs_period_us -)"
		equal shares 512 "$(cgroup_value "$pid" cpu cpu.shares -)"
		crictl update --cpu-share 256 --cpu-period 50000 "$container"
		equal shares 256 "$(cgroup_value "$pid" cpu cpu.shares -)"
		equal period 50000 "$(cgroup_value "$pid" cpu cpu.cfs_period_us -)"
	else
		equal 'CPU time' '30000 100000' "$(cgroup_value "$pid" cpu - cpu.max)"
		equal weight 20 "$(cgroup_value "$pid" cpu - cpu.weight)"
	fi
}

@test "two containers of a pod share its network, IPC and host name, not the processes" {
	make_pod '.hostname = "podname"'
	run_container one . sh -c 'echo shared >/dev/shm/file; while :; do echo from-one | nc -l -p 7000; done'
	one=$container
	run_container two . sleep 1000
	two=$container
	for kind in net ipc uts; do
		equal "$kind" "$(namespace_of "$one" "$kind")" "$(namespace_of "$two" "$kind")"
	done
	for kind in pid mnt; do
		[[ $(namespace_of "$one" "$kind") != "$(namespace_of "$two" "$kind")" ]]
	done
	eventually crictl exec "$two" test -s /dev/shm/file
	eventually crictl exec "$two" sh -c 'nc 127.0.0.1 7000 </dev/null | grep from-one'
	[[ $(crictl exec "$two" hostname) == podname ]]
	[[ $(crictl exec "$two" ps -o pid=,args= | awk '$1 == 1 {print $2}') == sleep ]]
}

@test "processes shared in a pod: each sees the other's, the first is the pod's" {
	make_pod '.linux.security_context.namespace_options.pid = 0'
	run_container one '.linux.security_context.namespace_options.pid = 0' sleep 1001
	run_container two '.linux.security_context.namespace_options.pid = 0' sleep 1002
	run crictl exec "$container" ps -o pid,args
	output_has 'sleep 1001'
	output_has 'sleep 1002'
	[[ $(awk '$1 == 1 {print $2}' <<<"$output") == /pause ]]
	pid=$(container_pid)
	crictl stop --timeout 1 "$container"
	gone "$pid"
}

@test "a debugging container in another one's processes" {
	make_pod
	run_container main . sleep 1001
	run_container debug ".linux.security_context.namespace_options = {pid: 3, target_id: \"$container\"}" sleep 1002
	run crictl exec "$container" ps -o pid,args
	[[ $(awk '$1 == 1 {print $3}' <<<"$output") == 1001 ]]
	output_has 'sleep 1002'
}

@test "the host's network, processes and IPC" {
	make_pod '.linux.security_context.namespace_options = {network: 2, pid: 2, ipc: 2}'
	run_container main '.linux.security_context.namespace_options = {network: 2, pid: 2, ipc: 2}' sleep 1000
	for kind in net pid ipc; do
		equal "$kind" "$(readlink "/proc/self/ns/$kind")" "$(namespace_of "$container" "$kind")"
	done
	crictl exec "$container" ps -o args | grep -x containerd
}

@test "sysctls of the pod, and only of the pod" {
	before=$(</proc/sys/net/ipv4/ip_unprivileged_port_start)
	make_pod '.linux.sysctls = {"net.ipv4.ip_unprivileged_port_start": "77", "kernel.shm_rmid_forced": "1"}'
	run_container main . sleep 1000
	[[ $(crictl exec "$container" cat /proc/sys/net/ipv4/ip_unprivileged_port_start) == 77 ]]
	[[ $(crictl exec "$container" cat /proc/sys/kernel/shm_rmid_forced) == 1 ]]
	[[ $(</proc/sys/net/ipv4/ip_unprivileged_port_start) == "$before" ]]
}

@test "resolv.conf is the pod's" {
	make_pod '.dns_config = {servers: ["192.0.2.53"], searches: ["sessions.example"], options: ["ndots:5"]}'
	run says . cat /etc/resolv.conf
	output_is $'search sessions.example\nnameserver 192.0.2.53\noptions ndots:5'
}

@test "user, group, further groups" {
	make_pod
	run says '.linux.security_context += {run_as_user: {value: 1000}, run_as_group: {value: 50}, supplemental_groups: [4242]}' id
	output_has 'uid=1000(app) gid=50(staff)'
	output_has 4242
	run says '.linux.security_context.run_as_username = "app"' sh -c 'id -u; echo $HOME'
	output_is $'1000\n/home/app'
}

@test "capabilities: the default set, less, more, none" {
	make_pod
	run says . grep CapEff /proc/self/status
	output_is $'CapEff:\t00000000a80425fb'
	run says '.linux.security_context.capabilities = {add_capabilities: ["NET_ADMIN"], drop_capabilities: ["CHOWN"]}' \
		grep CapEff /proc/self/status
	output_is $'CapEff:\t00000000a80435fa'
	run says '.linux.security_context.capabilities = {drop_capabilities: ["ALL"]}' grep CapBnd /proc/self/status
	output_is $'CapBnd:\t0000000000000000'
}

@test "seccomp: RuntimeDefault, Unconfined, Localhost" {
	make_pod
	run says '.linux.security_context.seccomp = {profile_type: 0} | .linux.security_context.capabilities = {add_capabilities: ["SYS_ADMIN"]}' \
		sh -c 'grep Seccomp: /proc/self/status; keyctl 2>/dev/null; unshare -m true && echo may'
	output_is $'Seccomp:\t2\nmay'
	run says '.linux.security_context.seccomp = {profile_type: 0}' sh -c 'exec 2>&1; unshare -U true'
	output_has 'Operation not permitted'
	run says '.linux.security_context.seccomp = {profile_type: 1}' sh -c 'exec 2>&1; grep Seccomp: /proc/self/status; unshare -U true && echo may'
	output_is $'Seccomp:\t0\nmay'
	echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}' >"$scratch/profile.json"
	run says ".linux.security_context.seccomp = {profile_type: 2, localhost_ref: \"$scratch/profile.json\"}" sh -c 'exec 2>&1; mkdir /made'
	output_has 'Function not implemented'
}

@test "privileged: everything allowed, nothing masked" {
	make_pod '.linux.security_context.privileged = true'
	run says '.linux.security_context.privileged = true' \
		sh -c 'grep -E "CapEff|Seccomp:" /proc/self/status; touch /sys/kernel && echo writable; grep -c "/proc/[a-z]" /proc/mounts; ls -d /dev/fuse'
	output_is "CapEff:	$(awk '$1 == "CapBnd:" {print $2}' /proc/self/status)
Seccomp:	0
writable
0
/dev/fuse"
}

@test "a read-only root, and no new privileges" {
	make_pod
	run says '.linux.security_context += {readonly_rootfs: true, no_new_privs: true}' \
		sh -c 'exec 2>&1; grep NoNewPrivs /proc/self/status; touch /file; touch /dev/shm/file && echo shm'
	output_is $'NoNewPrivs:\t1\ntouch: /file: Read-only file system\nshm'
	run says '.linux.security_context.no_new_privs = false' grep NoNewPrivs /proc/self/status
	output_is $'NoNewPrivs:\t0'
}

@test "masked and read-only paths" {
	make_pod
	run says '.linux.security_context += {masked_paths: ["/proc/version", "/proc/sysvipc", "/no/such"], readonly_paths: ["/proc/sys"]}' \
		sh -c 'exec 2>&1; wc -c </proc/version; ls /proc/sysvipc | wc -l; echo 0 >/proc/sys/net/ipv4/ip_forward; :'
	output_has $'0\n0\n'
	output_has 'Read-only file system'
}

@test "mounts: read-only, writable, and what is mounted later in either direction" {
	make_pod '.linux.security_context.privileged = true'
	mkdir -p "$scratch/source"
	mount -t tmpfs tmpfs "$scratch/source"
	mount --make-shared "$scratch/source"
	mkdir "$scratch/source/"{later,theirs}
	run_container main ".linux.security_context.privileged = true | .mounts = [
		{container_path: \"/ro\", host_path: \"$scratch/source\", readonly: true},
		{container_path: \"/slave\", host_path: \"$scratch/source\", propagation: 1},
		{container_path: \"/shared\", host_path: \"$scratch/source\", propagation: 2}]" sleep 1000
	run crictl exec "$container" touch /ro/file
	((status != 0))
	output_has 'Read-only file system'
	crictl exec "$container" touch /slave/file
	[[ -e $scratch/source/file ]]
	mount -t tmpfs tmpfs "$scratch/source/later"
	touch "$scratch/source/later/arrived"
	crictl exec "$container" test -e /slave/later/arrived
	crictl exec "$container" mount -t tmpfs tmpfs /shared/theirs
	crictl exec "$container" touch /shared/theirs/left
	[[ -e $scratch/source/theirs/left ]]
	crictl rm --force "$container"
	umount -R "$scratch/source"
}

@test "limits are in the cgroup's files" {
	make_pod
	run_container main '.linux.resources = {cpu_period: 50000, cpu_quota: 20000, cpu_shares: 512, cpuset_cpus: "0",
		memory_limit_in_bytes: 67108864, oom_score_adj: 500}' sleep 1000
	pid=$(container_pid)
	equal memory 67108864 "$(cgroup_value "$pid" memory memory.limit_in_bytes memory.max)"
	equal cpuset 0 "$(cgroup_value "$pid" cpuset cpuset.cpus cpuset.cpus)"
	equal oom_score_adj 500 "$(<"/proc/$pid/oom_score_adj")"
	if [[ ! -e /sys/fs/cgroup/cgroup.controllers ]]; then
		equal quota 20000 "$(cgroup_value "$pid" cpu cpu.cfs_quota_us -)"
		equal period 50000 "$(cgroup_value "$pid" cpu cpu.cfs_period_us -)"
		equal shares 512 "$(cgroup_value "$pid" cpu cpu.shares -)"
	else
		equal 'CPU time' '20000 50000' "$(cgroup_value "$pid" cpu - cpu.max)"
		equal weight 20 "$(cgroup_value "$pid" cpu - cpu.weight)"
	fi
}

@test "out of memory: OOMKilled, 137" {
	make_pod
	run_container main '.linux.resources = {memory_limit_in_bytes: 33554432}' tail -c 200m /dev/zero
	eventually ended
	[[ $(inspect .status.exitCode) == 137 ]]
	[[ $(inspect .status.reason) == OOMKilled ]]
}

@test "a device of the host" {
	make_pod
	run says '.devices = [{container_path: "/dev/mine", host_path: "/dev/fuse", permissions: "rw"}]' \
		sh -c 'exec 3<>/dev/mine && echo opened; ls /dev/fuse 2>/dev/null; exit 0'
	output_is opened
}

@test "what can't be started: the reason, StartError and 128" {
	make_pod
	for program in 'nosuch: executable file not found in $PATH' '/no/such: stat /no/such: no such file or directory' \
		'/etc/passwd: permission denied'; do
		create_container "bad${program//[^a-z]/}" . "${program%%:*}"
		run crictl start "$container"
		((status != 0))
		equal state CONTAINER_EXITED "$(inspect .status.state)"
		equal 'exit code' 128 "$(inspect .status.exitCode)"
		equal reason StartError "$(inspect .status.reason)"
		output=$(inspect .status.message)
		output_has "OCI runtime create failed: "
		output_has "exec: \"${program%%:*}\":${program#*:}"
	done
	(($(crictl ps --all --quiet | wc -l) == 3))
	run_container good . sleep 1000
	state_is RUNNING
}

@test "the daemon restarts: pod and container go on, one that ended meanwhile is known" {
	make_pod
	run_container short . sh -c 'sleep 1; exit 9'
	short=$container
	run_container main . sh -c 'while :; do date; sleep 0.2; done'
	pid=$(container_pid)
	started=$(awk '{print $22}' "/proc/$pid/stat")
	stop_daemon containerd KILL
	sleep 1.2
	start_containerd
	eventually crictl pods
	state_is RUNNING
	equal pid "$pid" "$(container_pid)"
	equal 'start time' "$started" "$(awk '{print $22}' "/proc/$pid/stat")"
	[[ $(crictl exec "$container" echo inside) == inside ]]
	count=$(log_of main | wc -l)
	eventually longer main "$count"
	crictl update --memory 67108864 "$container"
	equal memory 67108864 "$(cgroup_value "$pid" memory memory.limit_in_bytes memory.max)"
	crictl stop --timeout 1 "$container"
	gone "$pid"
	container=$short
	ended
	equal 'exit code' 9 "$(inspect .status.exitCode)"
}

longer() { (($(log_of "$1" | wc -l) > $2)); } # longer NAME LINES

@test "nginx: on the pod's address, by a port of the host, and forwarded" {
	make_pod '.port_mappings = [{container_port: 80, host_port: 18080, protocol: 0}]'
	run_container nginx '.image.image = "docker.io/library/nginx:latest" | del(.command)'
	answers "http://$(pod_ip)/" 'welcome to nginx'
	answers http://10.88.0.1:18080/ 'welcome to nginx'
	crictl port-forward "$pod" 18081:80 >"$scratch/forward" 2>&1 3>&- &
	forward=$!
	answers http://127.0.0.1:18081/ 'welcome to nginx'
	kill "$forward"
	crictl stop --timeout 5 "$container" # with SIGQUIT, which the image asks for
	equal 'exit code' 0 "$(inspect .status.exitCode)"
}

@test "flask and redis in one pod: it counts, and goes on counting when flask is replaced" {
	make_pod
	run_container redis '.image.image = "docker.io/library/redis:latest" | del(.command)'
	run_container flask '.image.image = "docker.io/library/flask:latest" | del(.command) | .envs = [{key: "REDIS_HOST", value: "127.0.0.1"}]'
	url=http://$(pod_ip):5000/
	eventually curl -sS --max-time 2 "$url"
	before=$(curl -sS --max-time 5 "$url" | grep -oE '[0-9]+' | head -n 1)
	after=$(curl -sS --max-time 5 "$url" | grep -oE '[0-9]+' | head -n 1)
	((after == before + 1))
	crictl rm --force "$container"
	run_container flask2 '.image.image = "docker.io/library/flask:latest" | del(.command) | .envs = [{key: "REDIS_HOST", value: "127.0.0.1"}]'
	eventually curl -sS --max-time 2 "$url"
	(($(curl -sS --max-time 5 "$url" | grep -oE '[0-9]+' | head -n 1) > after))
}

@test "ten pods of five containers, made and removed at the same time" {
	pids=()
	for n in {1..10}; do
		pod_of_five "$n" >"$scratch/out.$n" 2>&1 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || { cat "$scratch"/out.*; return 1; }; done
	[[ $(crictl ps --quiet --state Running | wc -l) == 50 ]]
	[[ $("$RUNTIME" --root "$tasks_root/k8s.io" list -q | wc -l) == 60 ]]
	(($(crictl pods --quiet | xargs -n 1 crictl inspectp | jq -r .status.network.ip | sort -u | wc -l) == 10))
	crictl pods --quiet | xargs -n 1 -P 10 crictl rmp --force
	[[ -z $(crictl pods --quiet) && -z $(crictl ps --all --quiet) ]]
}

# pod_of_five NUMBER
pod_of_five() {
	local n
	id=$id-$1
	scratch=$scratch/$1
	mkdir "$scratch"
	make_pod
	for n in {1..5}; do run_container "c$n" . sleep 1000 || return; done
}

@test "killed behind the engine's back: container, then sandbox" {
	make_pod
	run_container main . sleep 1000
	kill -9 "$(container_pid)"
	eventually ended
	equal 'exit code' 137 "$(inspect .status.exitCode)"
	run_container second . sleep 1000
	"$RUNTIME" --root "$tasks_root/k8s.io" delete --force "$container"
	eventually ended
	kill -9 "$(crictl inspectp "$pod" | jq -r .info.pid)"
	eventually not_ready
}

not_ready() { [[ $(crictl inspectp "$pod" | jq -r .status.state) == SANDBOX_NOTREADY ]]; }

@test "the runtime is killed in the middle of create: StartError, nothing left, a retry works" {
	make_pod . hasty
	killed=0
	for time in 0.001 0.003 0.005 0.007 0.009 0.012; do
		echo "$time" >/run/hasty-after
		create_container "try$time" '.envs = [{key: "MARK", value: "hasty"}]' sleep 1000
		crictl start "$container" || killed=$((killed + 1))
		rm /run/hasty-after
		crictl rm --force "$container"
		eventually unmarked
		equal 'the containers that the runtime has' "$pod" "$("$RUNTIME" --root "$tasks_root/k8s.io" list -q)"
		run_container "retry$time" . sleep 1000
		state_is RUNNING
		crictl rm --force "$container"
	done
	((killed > 0))
}

unmarked() { ! grep -lzxF MARK=hasty /proc/[0-9]*/environ 2>/dev/null; }

@test "as the default: pods that ask for no handler" {
	run crictl runp <(jq -n '{metadata: {name: "none", namespace: "sessions", uid: "none", attempt: 0}, linux: {}}')
	((status != 0)) # what is called runc here is not a runtime
	stop_daemon containerd
	cp /etc/containerd/config.toml "$scratch/config.toml"
	printf '%s\n' '[plugins."io.containerd.grpc.v1.cri".containerd]' 'default_runtime_name = "oci-run"' >>/etc/containerd/config.toml
	start_containerd
	eventually crictl pods
	make_pod . ''
	[[ $(crictl inspectp "$pod" | jq -r .info.runtimeHandler) == '' ]]
	run says . echo hello
	output_is hello
	crictl rmp --force "$pod"
	stop_daemon containerd
	cp "$scratch/config.toml" /etc/containerd/config.toml
	start_containerd
	eventually crictl pods
}
