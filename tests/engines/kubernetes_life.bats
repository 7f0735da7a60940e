#!/usr/bin/env bats
# A node of Kubernetes over time: probes, limits, init containers and sidecars, jobs, deployments, ports, applications of several pods,
# and what is left of it on the node.
# shellcheck disable=SC2016,SC2154 # what is in single quotes is for the container's shell or jq; kubernetes.bash sets the rest

load kubernetes

setup_file() { setup_cluster; }
teardown_file() { teardown_cluster; }

setup() {
	id=l$BATS_TEST_NUMBER
	scratch=$BATS_TEST_TMPDIR
}

teardown() { remove_all >/dev/null; }

# census: what an exec could leave on the node: what the world has, the dead, the shims' descriptors, the runtime's files.
census() {
	local pid
	world | sort
	echo "dead $(ps -eo stat= | awk '/^Z/' | wc -l)"
	echo "descriptors of shims $(for pid in $(pgrep containerd-shim); do ls "/proc/$pid/fd"; done | wc -l)"
	echo "files $(find /run/containerd/runc /run/containerd/io.containerd.runtime.v2.task -xdev | wc -l)"
}

same_census() { diff "$scratch/before" <(census); }

@test "exec probes each second for more than a minute leave nothing: processes, descriptors, mounts, cgroups, files" {
	run_pod '.spec.containers[0] += {
		livenessProbe: {exec: {command: ["sh", "-c", "echo live >>/tmp/live"]}, periodSeconds: 1, timeoutSeconds: 20},
		readinessProbe: {exec: {command: ["sh", "-c", "echo ready >>/tmp/ready"]}, periodSeconds: 1, timeoutSeconds: 20}}' sleep 1000
	within 60 in_pod test -s /tmp/live -a -s /tmp/ready
	census >"$scratch/before"
	begun=$(in_pod cat /tmp/live /tmp/ready | wc -l)
	sleep 75
	done=$(($(in_pod cat /tmp/live /tmp/ready | wc -l) - begun))
	echo "# $done probes in 75 s" >&3
	((done >= 60))
	within 60 same_census || { diff "$scratch/before" <(census); return 1; }
	equal restarts 0 "$(container .restartCount)"
}

@test "a liveness probe that fails ends the container and begins it again" {
	make_pod '.spec.restartPolicy = "Always" | .spec.containers[0].livenessProbe =
		{exec: {command: ["test", "-e", "/tmp/alive"]}, periodSeconds: 1, failureThreshold: 1, initialDelaySeconds: 3, timeoutSeconds: 20}' \
		sh -c 'touch /tmp/alive; sleep 5; rm /tmp/alive; sleep 1000'
	within 90 container_is .restartCount 1
	equal 'exit code' 137 "$(container .lastState.terminated.exitCode)"
	event 'Unhealthy: Liveness probe failed'
}

@test "an exec probe that takes too long has failed, and its process is ended" {
	make_pod '.spec.containers[0].readinessProbe = {exec: {command: ["sleep", "777"]}, periodSeconds: 2, timeoutSeconds: 1}' sleep 1000
	within 60 event 'Unhealthy: Readiness probe'
	equal ready false "$(container .ready)"
	pid=$(container_pid)
	kubectl delete pod "$id" --wait
	gone "$pid"
	eventually no_process 'sleep 777'
}

no_process() { ! pgrep -xf "$1" >/dev/null; }

@test "probes by HTTP and of a port; a startup probe holds the others back" {
	run_pod '.spec.containers[0] |= (.image = "docker.io/library/nginx:latest" | del(.command) |
		.startupProbe = {exec: {command: ["test", "-e", "/run/nginx.pid"]}, periodSeconds: 1, failureThreshold: 60, timeoutSeconds: 20} |
		.readinessProbe = {httpGet: {path: "/", port: 80}, periodSeconds: 1, timeoutSeconds: 20} |
		.livenessProbe = {tcpSocket: {port: 80}, periodSeconds: 1, timeoutSeconds: 20})'
	equal started true "$(container .started)"
	in_pod mv /srv/www/index.html /srv/www/other
	within 60 container_is .ready false
	equal restarts 0 "$(container .restartCount)"
}

@test "the hooks of a container's life, and its end: SIGTERM, and SIGKILL when the time is over" {
	run_pod '.spec.terminationGracePeriodSeconds = 60 | .spec.volumes = [{name: "out", hostPath: {path: "/run/tmp"}}] |
		.spec.containers[0] += {volumeMounts: [{name: "out", mountPath: "/out"}], lifecycle: {
			postStart: {exec: {command: ["sh", "-c", "echo begun >/out/hooks"]}}, preStop: {exec: {command: ["sh", "-c", "echo ends >>/out/hooks"]}}}}' \
		sh -c 'trap "echo TERM >>/out/hooks; exit 0" TERM; while :; do sleep 0.1; done'
	kubectl delete pod "$id" --wait
	equal hooks $'begun\nends\nTERM' "$(</run/tmp/hooks)"
	id+=deaf
	run_pod . sh -c 'trap "" TERM; while :; do sleep 0.1; done'
	pid=$(container_pid)
	begun=$SECONDS
	kubectl delete pod "$id" --wait
	((SECONDS - begun >= 2))
	gone "$pid"
}

@test "limits: what the cgroup has, and what it has after they are changed in place" {
	run_pod '.spec.containers[0].resources = {requests: {cpu: "100m", memory: "16Mi"}, limits: {cpu: "500m", memory: "64Mi"}}' sleep 1000
	pid=$(container_pid)
	[[ $(cgroup_of "$pid" memory) == */kubepods/burstable/pod"$(pod .metadata.uid)"/"$(container_id)" ]]
	equal memory 67108864 "$(cgroup_value "$pid" memory memory.limit_in_bytes memory.max)"
	if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
		equal 'CPU time' '50000 100000' "$(cgroup_value "$pid" cpu - cpu.max)"
	else
		equal quota 50000 "$(cgroup_value "$pid" cpu cpu.cfs_quota_us -)"
		equal shares 102 "$(cgroup_value "$pid" cpu cpu.shares -)"
	fi
	kubectl patch pod "$id" --subresource resize -p '{"spec": {"containers": [{"name": "main", "resources": {"limits": {"cpu": "250m", "memory": "96Mi"}}}]}}'
	within 60 resized || { kubectl describe pod "$id"; return 1; }
	equal memory 100663296 "$(cgroup_value "$pid" memory memory.limit_in_bytes memory.max)"
	equal restarts 0 "$(container .restartCount)"
}

resized() { [[ $(cgroup_value "$pid" cpu cpu.cfs_quota_us cpu.max) =~ ^25000 && $(container '.resources.limits.memory') == 96Mi ]]; }

@test "out of memory: OOMKilled, and 137" {
	# The shim begins to listen for it when the container has started: not before /go may it happen.
	make_pod '.spec.containers[0].resources = {limits: {memory: "32Mi"}}' \
		sh -c 'until test -e /go; do sleep 0.1; done; exec tail -c 200m /dev/zero'
	ready
	in_pod touch /go || true
	ended
	equal reason OOMKilled "$(container .state.terminated.reason)"
	equal 'exit code' 137 "$(container .state.terminated.exitCode)"
	kubectl describe pod "$id" | grep -F OOMKilled
}

@test "init containers in their order, then the rest; one that fails keeps the pod from beginning" {
	run says '.spec.volumes = [{name: "dir", emptyDir: {}}] |
		.spec.initContainers = [container("one"; ["sh", "-c", "echo one >>/dir/file"]), container("two"; ["sh", "-c", "echo two >>/dir/file"])] |
		(.spec.initContainers[], .spec.containers[]).volumeMounts = [{name: "dir", mountPath: "/dir"}]' cat /dir/file
	output_is $'one\ntwo'
	id+=bad
	make_pod '.spec.initContainers = [container("bad"; ["sh", "-c", "exit 7"])]' true
	ended
	equal phase Failed "$(pod .status.phase)"
	equal 'exit code' 7 "$(pod '.status.initContainerStatuses[0].state.terminated.exitCode')"
	kubectl get pod "$id" | grep -F Init:Error
}

@test "a sidecar begins before the rest, is begun again, and ends after it" {
	make_pod '.spec.volumes = [{name: "dir", emptyDir: {}}] | .spec.initContainers = [container("side";
			["sh", "-c", "trap \"echo side-ends; exit 0\" TERM; echo up >>/dir/side; while :; do sleep 0.1; done"]) + {restartPolicy: "Always"}] |
		(.spec.initContainers[], .spec.containers[]).volumeMounts = [{name: "dir", mountPath: "/dir"}] | .spec.terminationGracePeriodSeconds = 30' \
		sh -c 'cat /dir/side; until test "$(wc -l </dir/side)" = 2; do sleep 0.1; done; until test -e /dir/go; do sleep 0.1; done'
	ready
	kill -9 "$(pid_of "$(pod '.status.initContainerStatuses[0].containerID | sub("containerd://"; "")')")"
	within 60 in_says 2 sh -c 'wc -l </dir/side'
	in_pod touch /dir/go
	within 90 pod_is Succeeded
	[[ $(kubectl logs "$id") == up ]]
	equal 'restarts of the sidecar' 1 "$(pod '.status.initContainerStatuses[0].restartCount')"
	kubectl logs "$id" -c side | grep -xF side-ends
}

# job FILTER ARG...
job() {
	local filter=$1
	shift
	pod_json . "$@" | jq '{apiVersion: "batch/v1", kind: "Job", metadata: {name: .metadata.name}, spec: {template: {spec: .spec}}} | '"$filter" |
		kubectl apply -f -
}

@test "jobs: four of two at a time, and one that fails as often as it may" {
	job '.spec += {completions: 4, parallelism: 2}' sh -c 'echo done'
	kubectl wait --for=condition=Complete "job/$id" --timeout=150s
	[[ $(kubectl logs --selector "job-name=$id" --tail 10) == $'done\ndone\ndone\ndone' ]]
	id+=bad
	job '.spec.backoffLimit = 1' sh -c 'exit 3'
	kubectl wait --for=condition=Failed "job/$id" --timeout=150s
	equal failed 2 "$(kubectl get job "$id" -o jsonpath='{.status.failed}')"
}

# deployment REPLICAS FILTER ARG...
deployment() {
	local replicas=$1 filter=$2
	shift 2
	pod_json "$filter" "$@" | jq --argjson replicas "$replicas" '.spec.restartPolicy = "Always" | {apiVersion: "apps/v1", kind: "Deployment",
		metadata: {name: .metadata.name}, spec: {$replicas, selector: {matchLabels: .metadata.labels}, template: {metadata: {labels: .metadata.labels}, spec: .spec}}}' |
		kubectl apply -f -
}

pods_are() { (($(kubectl get pods --selector "app=$id" -o name | wc -l) == $1)); } # pods_are COUNT

@test "a deployment: up, down, and to another version pod by pod" {
	deployment 2 . sh -c 'echo first; sleep 1000'
	kubectl rollout status "deployment/$id" --timeout=90s
	kubectl scale "deployment/$id" --replicas 6
	kubectl rollout status "deployment/$id" --timeout=120s
	pods_are 6
	kubectl scale "deployment/$id" --replicas 2
	within 60 pods_are 2
	deployment 2 . sh -c 'echo second; sleep 1000'
	kubectl rollout status "deployment/$id" --timeout=120s
	within 60 pods_are 2
	[[ $(kubectl logs --selector "app=$id") == $'second\nsecond' ]]
	kubectl delete deployment "$id"
	within 60 pods_are 0
}

@test "nginx by a port of the host" {
	run_pod '.spec.containers[0] |= (.image = "docker.io/library/nginx:latest" | del(.command) | .ports = [{containerPort: 80, hostPort: 18080}])'
	answers "http://$(pod .status.podIP)/" 'welcome to nginx'
	answers "http://$node_address:18080/" 'welcome to nginx'
	kubectl delete pod "$id" --wait
	within 30 refused "http://$node_address:18080/"
}

refused() { ! curl -sS --max-time 5 "$1"; }

@test "flask and redis, a pod each: it counts, and goes on counting when flask's pod is another" {
	id+=-redis
	run_pod '.spec.containers[0] |= (.image = "docker.io/library/redis:latest" | del(.command))'
	address=$(pod .status.podIP)
	id=${id%-redis}
	deployment 1 '.spec += {hostAliases: [{ip: "'"$address"'", hostnames: ["redis"]}]} |
		.spec.containers[0] |= (.image = "docker.io/library/flask:latest" | del(.command) |
			.readinessProbe = {httpGet: {path: "/health", port: 5000}, periodSeconds: 1, timeoutSeconds: 20})'
	kubectl rollout status "deployment/$id" --timeout=120s
	before=$(visits)
	after=$(visits)
	((after == before + 1))
	kubectl rollout restart "deployment/$id"
	kubectl rollout status "deployment/$id" --timeout=120s
	(($(visits) > after))
}

# visits: how many there were, of the one pod that does not end.
visits() {
	local ip
	ip=$(kubectl get pods --selector "app=$id" -o json | jq -r '[.items[] | select(.metadata.deletionTimestamp == null)][0].status.podIP')
	curl -sS --max-time 20 "http://$ip:5000/" | grep -oE '[0-9]+' | head -n 1
}

@test "eviction by the API, and a node that is drained" {
	run_pod . sleep 1000
	pid=$(container_pid)
	jq -n --arg name "$id" '{apiVersion: "policy/v1", kind: "Eviction", metadata: {$name, namespace: "default"}}' |
		kubectl create --raw "/api/v1/namespaces/default/pods/$id/eviction" -f -
	kubectl wait --for=delete "pod/$id" --timeout=60s
	gone "$pid"
	deployment 3 . sleep 1000
	kubectl rollout status "deployment/$id" --timeout=120s
	kubectl drain node --ignore-daemonsets --timeout=120s
	kubectl uncordon node
	kubectl rollout status "deployment/$id" --timeout=120s
}

@test "the kubelet and containerd begin again: the pod goes on" {
	run_pod . sleep 1000
	pid=$(container_pid)
	started=$(awk '{print $22}' "/proc/$pid/stat")
	stop_daemon kubelet
	stop_daemon containerd
	start_containerd
	start_kubelet
	within 90 in_says hello echo hello
	ready
	equal restarts 0 "$(container .restartCount)"
	equal 'start time' "$started" "$(awk '{print $22}' "/proc/$pid/stat")"
}

@test "a container killed behind the engine's back is begun again" {
	run_pod '.spec.restartPolicy = "Always"' sleep 1000
	kill -9 "$(container_pid)"
	within 60 container_is .restartCount 1
	equal 'exit code' 137 "$(container .lastState.terminated.exitCode)"
	"$RUNTIME" --root "$tasks_root/k8s.io" delete --force "$(container_id)"
	within 90 container_is .restartCount 2
	ready
}

@test "fifty pods, deleted at once: nothing is left on the node" {
	deployment 50 . sleep 1000
	kubectl rollout status "deployment/$id" --timeout=240s
	[[ $("$RUNTIME" --root "$tasks_root/k8s.io" list -q | wc -l) == 100 ]]
	begun=$SECONDS
	kubectl delete deployment "$id"
	within 200 pods_are 0
	echo "# deleted in $((SECONDS - begun)) s" >&3
	within 150 nothing_of k8s.io
	nothing_is_left
}
