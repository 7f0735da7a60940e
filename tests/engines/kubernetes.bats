#!/usr/bin/env bats
# A node of Kubernetes, as a user of kubectl sees it: pods of the RuntimeClass of contrib/kubernetes, what they are given, and what is said
# of those that can't be started.
# shellcheck disable=SC2016,SC2154 # what is in single quotes is for the container's shell or jq; kubernetes.bash sets the rest

load kubernetes

setup_file() { setup_cluster; }
teardown_file() { teardown_cluster; }

setup() {
	id=k$BATS_TEST_NUMBER
	scratch=$BATS_TEST_TMPDIR
}

teardown() { remove_all >/dev/null; }

@test "the class's handler is the runtime: pod and container are its own, and without the class there is no pod" {
	run_pod . sleep 1000
	equal binary "$RUNTIME" "$(binary_of "$(container_id)")"
	[[ $("$RUNTIME" --root "$tasks_root/k8s.io" list -q | wc -l) == 2 ]]
	"$RUNTIME" --root "$tasks_root/k8s.io" list -q | grep -xF "$(container_id)"
	id+=none
	make_pod 'del(.spec.runtimeClassName)' sleep 1000 # to /bin/false
	eventually event FailedCreatePodSandBox
}

@test "exec: output, exit code, standard input, a terminal, a program that isn't there" {
	run_pod . sleep 1000
	run --separate-stderr kubectl exec "$id" -- sh -c 'echo out; echo err >&2; exit 3'
	((status == 3))
	equal stdout out "$output"
	[[ $stderr == err* ]]
	run kubectl exec -i "$id" -- sh -c 'read -r line; echo "got $line"' <<<'through stdin'
	output_is 'got through stdin'
	[[ $(head -c 3000000 /dev/zero | kubectl exec -i "$id" -- sh -c 'wc -c') == 3000000 ]]
	run terminal kubectl exec -it "$id" -- sh -c 'tty; stty size; exit 4' </dev/null
	((status == 4))
	output_has /dev/pts/
	run kubectl exec "$id" -- nosuch
	((status != 0))
	output_has 'exec: "nosuch": executable file not found in $PATH'
	in_says 1000 sh -c 'tr "\0" " " </proc/1/cmdline | cut -d" " -f2'
}

@test "attach: what is typed reaches the container, what it says comes back" {
	run_pod '.spec.containers[0] += {stdin: true, stdinOnce: true}' \
		sh -c 'while read -r line; do echo "got $line"; done; echo end; exit 5'
	run timeout 60 kubectl attach -i "$id" <<<$'one\ntwo'
	output_has $'got one\ngot two'
	ended
	equal 'exit code' 5 "$(container .state.terminated.exitCode)"
	[[ $(kubectl logs "$id") == $'got one\ngot two\nend' ]]
}

@test "a container with a terminal" {
	run says '.spec.containers[0] += {stdin: true, tty: true}' sh -c 'tty; test -t 0 && test -t 1 && echo terminal'
	output_has /dev/pts/0
	output_has terminal
}

@test "logs: both streams, those of before a restart, and as they come" {
	make_pod '.spec.restartPolicy = "OnFailure" | .spec.volumes = [{name: "dir", emptyDir: {}}] |
		.spec.containers[0].volumeMounts = [{name: "dir", mountPath: "/dir"}]' \
		sh -c 'if test -e /dir/lived; then echo second; exec sleep 1000; fi; touch /dir/lived; echo first; echo err >&2; exit 1'
	within 60 container_is .restartCount 1
	within 60 logged second
	run kubectl logs "$id" --previous
	output_has first
	output_has err
	output_lacks second
	id+=follow
	run_pod . sh -c 'for n in 1 2 3 4 5; do echo "line $n"; sleep 0.5; done'
	run timeout 60 kubectl logs --follow "$id"
	output_is $'line 1\nline 2\nline 3\nline 4\nline 5'
}

@test "cp: a tree into the container and out of it" {
	run_pod . sleep 1000
	mkdir -p "$scratch/in/below"
	echo content >"$scratch/in/below/file"
	head -c 2000000 /dev/urandom >"$scratch/in/large"
	kubectl cp "$scratch/in" "$id:/tmp/in"
	[[ $(in_pod cat /tmp/in/below/file) == content ]]
	kubectl cp "$id:tmp/in" "$scratch/out"
	diff -r "$scratch/in" "$scratch/out"
}

@test "port-forward" {
	run_pod '.spec.containers[0] |= (.image = "docker.io/library/nginx:latest" | del(.command))'
	kubectl port-forward "pod/$id" 18081:80 >"$scratch/forward" 2>&1 3>&- &
	forward=$!
	answers http://127.0.0.1:18081/ 'welcome to nginx'
	kill "$forward"
}

@test "the metrics that top is made of: memory and CPU time of a container, as they are" {
	run_pod . sh -c 'head -c 8000000 /dev/zero >/dev/shm/fill; while :; do :; done'
	within 90 uses container_memory_working_set_bytes 8000000
	within 90 uses container_cpu_usage_seconds_total 0.1
}

uses() { # uses METRIC MINIMUM
	kubectl get --raw /api/v1/nodes/node/proxy/metrics/resource | awk -v series="$1{container=\"main\",namespace=\"default\",pod=\"$id\"}" -v minimum="$2" '
		$1 == series && $2 > minimum { found = 1 } END { exit !found }'
}

@test "volumes: of a configuration, a secret, memory, the pod itself, one file of them, and an account's token" {
	kubectl create configmap "$id" --from-literal key=value --from-literal other=more
	kubectl create secret generic "$id" --from-literal word=hush
	run_pod '.spec.volumes = [{name: "map", configMap: {name: $name}}, {name: "secret", secret: {secretName: $name, defaultMode: 256}},
			{name: "memory", emptyDir: {medium: "Memory"}}, {name: "dir", emptyDir: {}},
			{name: "pod", downwardAPI: {items: [{path: "name", fieldRef: {fieldPath: "metadata.name"}}]}}] |
		.spec.containers[0].env = [{name: "FROM_MAP", valueFrom: {configMapKeyRef: {name: $name, key: "key"}}}] |
		.spec.containers[0].volumeMounts = [{name: "map", mountPath: "/map"}, {name: "map", mountPath: "/etc/one", subPath: "other"},
			{name: "secret", mountPath: "/secret", readOnly: true}, {name: "memory", mountPath: "/memory"},
			{name: "dir", mountPath: "/dir"}, {name: "dir", mountPath: "/dir-read-only", readOnly: true}, {name: "pod", mountPath: "/pod"}]' \
		sleep 1000
	in_says value cat /map/key
	in_says more cat /etc/one
	in_says hush cat /secret/word
	in_says value sh -c 'echo $FROM_MAP'
	in_says "$id" cat /pod/name
	[[ $(in_pod stat -f -c %T /memory) == tmpfs ]]
	in_pod sh -c 'echo written >/dir/file'
	in_says written cat /dir-read-only/file
	run in_pod sh -c 'echo no >/dir-read-only/file'
	((status != 0))
	in_pod test -s /var/run/secrets/kubernetes.io/serviceaccount/token
	kubectl patch configmap "$id" -p '{"data": {"key": "changed"}}'
	within 120 in_says changed cat /map/key
}

@test "the security context: user, groups, capabilities, a filter, no new privileges, nothing to write to" {
	run says '.spec.securityContext = {runAsUser: 1000, runAsGroup: 50, fsGroup: 2000, supplementalGroups: [3000], seccompProfile: {type: "RuntimeDefault"}} |
		.spec.volumes = [{name: "dir", emptyDir: {}}] | .spec.containers[0].volumeMounts = [{name: "dir", mountPath: "/dir"}] |
		.spec.containers[0].securityContext = {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: ["ALL"], add: ["NET_BIND_SERVICE"]}}' \
		sh -c 'id -u; id -g; id -G; grep -E "^(CapBnd|NoNewPrivs|Seccomp):" /proc/self/status; touch /file; touch /dir/file && stat -c %g /dir/file'
	output_has $'1000\n50\n'
	for group in 50 2000 3000; do [[ " ${lines[2]} " == *" $group "* ]]; done
	output_has $'CapBnd:\t0000000000000400'
	output_has $'NoNewPrivs:\t1'
	output_has $'Seccomp:\t2'
	output_has 'Read-only file system'
	equal 'group of the file' 2000 "${lines[-1]}"
}

@test "privileged, with the host's network and processes" {
	run_pod '.spec += {hostNetwork: true, hostPID: true} | .spec.containers[0].securityContext = {privileged: true}' sleep 1000
	for kind in net pid; do
		equal "$kind" "$(readlink "/proc/self/ns/$kind")" "$(in_pod readlink "/proc/self/ns/$kind")"
	done
	in_says "$(grep CapEff "/proc/$(</run/containerd.pid)/status")" grep CapEff /proc/self/status
	in_pod sh -c 'mkdir /m && mount -t tmpfs tmpfs /m && umount /m'
}

@test "processes shared in a pod, sysctls, a host name" {
	run_pod '.spec += {shareProcessNamespace: true, hostname: "named", securityContext: {sysctls: [{name: "net.ipv4.ip_local_port_range", value: "20000 30000"}]}} |
		.spec.containers += [container("second"; ["sleep", "1002"])]' sleep 1001
	in_says named hostname
	in_says $'20000\t30000' cat /proc/sys/net/ipv4/ip_local_port_range
	run in_pod ps -o pid,args
	output_has 'sleep 1001'
	output_has 'sleep 1002'
	[[ $(awk '$1 == 1 {print $2}' <<<"$output") == /pause ]]
}

@test "a debugging container in another one's processes" {
	run_pod . sleep 1001
	kubectl debug "$id" --image docker.io/library/busybox:latest --image-pull-policy Never --target main --container debugger -- sleep 1002
	eventually debugger_runs
	run kubectl exec "$id" -c debugger -- ps -o pid,args
	[[ $(awk '$1 == 1 {print $3}' <<<"$output") == 1001 ]]
	output_has 'sleep 1002'
}

debugger_runs() { [[ $(pod '.status.ephemeralContainerStatuses[0].state.running != null') == true ]]; }

@test "hostUsers: false: the pod's root is nobody on the node, and its volumes are its own" {
	make_pod '.spec.hostUsers = false | .spec.volumes = [{name: "dir", emptyDir: {}}] |
		.spec.containers[0].volumeMounts = [{name: "dir", mountPath: "/dir"}]' sleep 1000
	ready
	run in_pod cat /proc/self/uid_map
	[[ $output =~ ^\ +0\ +([0-9]+)\ +65536$ ]]
	outside=${BASH_REMATCH[1]}
	((outside >= 65536))
	equal user "$outside" "$(stat -c %u "/proc/$(container_pid)")"
	[[ ! /proc/$(container_pid)/ns/user -ef /proc/self/ns/user ]]
	in_says 0 sh -c 'touch /dir/file && stat -c %u /dir/file'
	in_says 0 stat -c %u /bin/busybox
	in_pod sh -c 'mkdir /m && ! mount -t tmpfs tmpfs /m'
}

# start_error FILTER ARG...: the message that the user finds; it is in what describe writes too.
start_error() {
	id=k$BATS_TEST_NUMBER-$RANDOM
	make_pod "$@"
	within 90 container_is '.state | .terminated.reason // .waiting.reason // "" | . != "" and . != "ContainerCreating"' true
	said=$(container '.state | .terminated.message // .waiting.message')
	reason=$(container '.state | .terminated.reason // .waiting.reason')
	code=$(container '.state.terminated.exitCode')
	echo "# $reason, $code: $said" >&3
	kubectl describe pod "$id" | grep -qF -- "${said:0:60}"
}

# expect REASON CODE TEXT
expect() {
	equal reason "$1" "$reason"
	equal 'exit code' "$2" "$code"
	output=$said output_has "$3"
}

@test "what can't be started: the reason, in status.message and in kubectl describe" {
	start_error . nosuch
	expect StartError 128 'exec: "nosuch": executable file not found in $PATH'
	start_error . /no/such
	expect StartError 128 'exec: "/no/such": stat /no/such: no such file or directory'
	start_error . /etc/passwd
	expect StartError 128 'exec: "/etc/passwd": permission denied'
	start_error '.spec.containers[0].workingDir = "/etc/passwd"' true
	expect StartError 128 'not a directory'
	start_error '.spec.volumes = [{name: "dir", hostPath: {path: "/etc"}}] |
		.spec.containers[0].volumeMounts = [{name: "dir", mountPath: "/bin", subPath: "passwd"}]' true
	expect StartError 128 'not a directory'
	start_error '.spec.securityContext = {runAsNonRoot: true}' true
	expect CreateContainerConfigError null 'container has runAsNonRoot and image will run as root'
	start_error '.spec.containers[0].env = [{name: "A", valueFrom: {configMapKeyRef: {name: "nosuch", key: "a"}}}]' true
	expect CreateContainerConfigError null 'configmap "nosuch" not found'
	id=k$BATS_TEST_NUMBER-good
	run says . echo good
	output_is good
}
