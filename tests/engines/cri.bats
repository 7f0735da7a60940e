#!/usr/bin/env bats
# As a Kubernetes node does it: pods and containers by the CRI, which crictl asks of containerd. The pods ask for the handler
# "oci-run", as those of a RuntimeClass do; the daemon's own default is not a runtime at all, so nothing else can be what ran.
# shellcheck disable=SC2016,SC2154 # what is in single quotes is for the container's shell; containerd.bash sets the rest

load cri

@test "the handler is the document's, and an unknown one is refused" {
	[[ $(crictl info | jq -r '.config.containerd.runtimes["oci-run"].options.BinaryName') == "$RUNTIME" ]]
	make_pod
	[[ $(crictl inspectp "$pod" | jq -r '.info.runtimeHandler // .status.runtimeHandler') == oci-run ]]
	run make_pod '.metadata.name = "other"' unknown
	((status != 0))
	output_has 'no runtime for'
	output_has 'is configured'
}

# bats test_tags=core
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

# bats test_tags=core
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

# bats test_tags=core
@test "out of memory: OOMKilled, 137" {
	make_pod
	# The shim begins to listen for it when the container has started: not before /go may it happen.
	run_container main '.linux.resources = {memory_limit_in_bytes: 33554432}' \
		sh -c 'until test -e /go; do sleep 0.1; done; exec tail -c 200m /dev/zero'
	crictl exec "$container" touch /go
	eventually ended
	[[ $(inspect .status.exitCode) == 137 ]]
	[[ $(inspect .status.reason) == OOMKilled ]]
}

# bats test_tags=core
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
	# containerd 2 does not know it any more, whatever the runtime.
	[[ $documentation != containerd ]] || equal 'exit code' 9 "$(inspect .status.exitCode)"
}

longer() { (($(log_of "$1" | wc -l) > $2)); } # longer NAME LINES

# bats test_tags=core
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

# bats test_tags=core
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
		# In a pod's shim, containerd 2 calls no delete for a create that was killed, whatever the runtime.
		[[ $documentation == containerd ]] || "$RUNTIME" --root "$tasks_root/k8s.io" delete --force "$container"
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
	printf '%s\n' "$cri_plugin.containerd]" 'default_runtime_name = "oci-run"' >>/etc/containerd/config.toml
	start_containerd
	eventually crictl pods
	make_pod . ''
	[[ $(crictl inspectp "$pod" | jq -r '.info.runtimeHandler // .status.runtimeHandler') == '' ]]
	run says . echo hello
	output_is hello
	crictl rmp --force "$pod"
	stop_daemon containerd
	cp "$scratch/config.toml" /etc/containerd/config.toml
	start_containerd
	eventually crictl pods
}

# What docs/kubernetes.md has a DaemonSet do: its container, with two directories in the place of the node's.
@test "the image of make image puts the runtime on a node, without capabilities, and takes it out of the configuration again" {
	local node=$scratch/node archive=$docs/../bin/engines/oci-run.oci.tar name
	[[ -e $archive ]] || skip 'no bin/oci-run that an image could be made of'
	ctr -n k8s.io images import "$archive"
	name=localhost/oci-run:$(<"$docs/../VERSION")
	mkdir -p "$node/etc/containerd" "$node/usr/local/sbin"
	printf '%s\n' 'version = 2' '' '[plugins."io.containerd.grpc.v1.cri".cni]' '  bin_dir = "/usr/lib/cni" # ours' >"$node/etc/containerd/config.toml"
	cp "$node/etc/containerd/config.toml" "$scratch/before"
	make_pod
	run_container installer '.image.image = "'"$name"'" | del(.command) | .args = ["configure", "containerd", "--host", "/host", "--stay"] |
		.mounts = [["/etc/containerd", "/usr/local/sbin"][] | {host_path: "'"$node"'\(.)", container_path: "/host\(.)"}] |
		.linux.security_context += {readonly_rootfs: true, capabilities: {drop_capabilities: ["ALL"]}, no_new_privs: true}'
	eventually logged installer 'To use it'
	state_is RUNNING
	[[ $(log_of installer) == *'BinaryName = "/usr/local/sbin/oci-run"'* ]]
	"$node/usr/local/sbin/oci-run" --version
	# containerd reads what came of it.
	containerd --config "$node/etc/containerd/config.toml" config dump >"$scratch/dump"
	grep "BinaryName = [\"']/usr/local/sbin/oci-run[\"']" "$scratch/dump"
	grep "bin_dir.* = .*/usr/lib/cni" "$scratch/dump"
	# The preStop hook, and the end.
	crictl exec "$container" /oci-run configure containerd --host /host --remove
	cmp "$node/etc/containerd/config.toml" "$scratch/before"
	[[ -x $node/usr/local/sbin/oci-run ]]
	crictl stop --timeout 20 "$container"
	[[ $(inspect .status.exitCode) == 0 ]]
}
