# What the sessions with Kubernetes share: a cluster of one node, whose pods ask for the RuntimeClass of contrib/kubernetes.
#
#   $id        a pod's name that no other session of the file has
#   $scratch   the session's own directory
#
# The node is the sandbox: the API's server, its store, the controllers, the scheduler and the kubelet are processes in it, and
# containerd has the runtime as the handler "oci-run". The daemon's own default is no runtime at all.
# shellcheck shell=bash disable=SC2034,SC2154 # variables for the sessions; $status and $output are from bats

load lib
load containerd

cluster=/run/cluster
export KUBECONFIG=$cluster/config
node_address=10.99.0.1

# What the kubelet writes at its start, for the whole machine: it gets files of its own in their places.
sysctls=(vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes)

# start_node: containerd as it is configured, and all the rest; and wait for the node to be ready.
start_node() {
	mkdir -p "$cluster"
	make_node_network
	mount --make-shared /var/lib/kubelet # what the kubelet mounts there for a pod, containerd is to see
	write_network
	start_containerd
	import_image k8s.io busybox pause nginx redis flask
	make_keys
	start_control
	start_kubelet
	within 120 kubectl wait --for=condition=Ready node/node --timeout=5s
	within 60 kubectl get serviceaccount default
}

# make_node_network: an address that is not loopback's, which the API's server and the kubelet both want.
make_node_network() {
	ip link add node0 type bridge
	ip address add "$node_address/24" dev node0
	ip link set node0 up
}

# make_keys: who may do what. The server makes its certificate itself, and it is its own authority.
make_keys() {
	openssl genrsa -out "$cluster/accounts.key" 2048 2>/dev/null
	echo 'sessions,admin,admin,system:masters' >"$cluster/tokens"
	cat >"$KUBECONFIG" <<-END
		{apiVersion: v1, kind: Config, current-context: sessions,
		contexts: [{name: sessions, context: {cluster: sessions, user: sessions}}],
		clusters: [{name: sessions, cluster: {server: "https://$node_address:6443", certificate-authority: $cluster/apiserver.crt}}],
		users: [{name: sessions, user: {token: sessions}}]}
	END
}

start_control() {
	daemon etcd etcd --data-dir "$cluster/etcd" --unsafe-no-fsync --log-level error \
		--listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
	eventually curl -fsS http://127.0.0.1:2379/health
	daemon kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 --cert-dir "$cluster" \
		--bind-address 0.0.0.0 --advertise-address "$node_address" --service-cluster-ip-range 10.97.0.0/24 \
		--token-auth-file "$cluster/tokens" --authorization-mode RBAC --allow-privileged \
		--service-account-issuer https://kubernetes.default.svc --service-account-key-file "$cluster/accounts.key" \
		--service-account-signing-key-file "$cluster/accounts.key" --kubelet-preferred-address-types InternalIP
	within 120 kubectl get --raw /readyz
	daemon kube-controller-manager kube-controller-manager --kubeconfig "$KUBECONFIG" --leader-elect=false \
		--service-account-private-key-file "$cluster/accounts.key" --root-ca-file "$cluster/apiserver.crt" --use-service-account-credentials=false
	daemon kube-scheduler kube-scheduler --kubeconfig "$KUBECONFIG" --leader-elect=false --authentication-skip-lookup
}

start_kubelet() {
	cat >"$cluster/kubelet.yaml" <<-END
		apiVersion: kubelet.config.k8s.io/v1beta1
		kind: KubeletConfiguration
		authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
		authorization: {mode: AlwaysAllow}
		containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
		cgroupDriver: cgroupfs
		failCgroupV1: false
		failSwapOn: false
		localStorageCapacityIsolation: false
		evictionHard: {memory.available: 64Mi}
		imageGCHighThresholdPercent: 100
		oomScoreAdj: 0
		syncFrequency: 2s
		nodeStatusUpdateFrequency: 5s
	END
	local file
	for file in "${sysctls[@]}"; do
		mkdir -p "$cluster/sysctls/${file%/*}"
		cat "/proc/sys/$file" >"$cluster/sysctls/$file"
	done
	# In a namespace of its own, so that in those of containers nothing covers a part of /proc: the kernel would refuse a user
	# namespace another /proc.
	# shellcheck disable=SC2016 # for the shell inside
	daemon kubelet unshare --mount --propagation unchanged bash -euc '
		for file in '"${sysctls[*]}"'; do mount --bind "$0/sysctls/$file" "/proc/sys/$file"; done
		exec kubelet --kubeconfig "$1" --config "$0/kubelet.yaml" --hostname-override node --node-ip "$2" --node-labels "$3"
	' "$cluster" "$KUBECONFIG" "$node_address" "${node_labels-oci-run=installed}"
}

# setup_cluster: the node, the class and a pod, so that the bridge and the kubelet's own cgroups are there.
setup_cluster() {
	configure_containerd
	ln -sf /bin/false /run/bin/runc
	start_node
	kubectl apply -f "$docs/../contrib/kubernetes/runtimeclass.yaml"
	id=first
	scratch=$BATS_FILE_TMPDIR
	make_pod . true
	eventually pod_is Succeeded
	remove_all
	within 150 nothing_of k8s.io
	remember_world
}

teardown_cluster() {
	local left=0 name
	if [[ -e /run/world ]]; then
		remove_all
		within 150 nothing_of k8s.io || { nothing_of k8s.io; left=1; }
		nothing_is_left || left=1
	fi
	for name in kubelet kube-scheduler kube-controller-manager kube-apiserver etcd containerd; do stop_daemon "$name"; done
	((left == 0)) || tail -n 20 /run/kubelet.log
	return "$left"
}

remove_all() { kubectl delete deployments,replicasets,daemonsets,jobs,pods --all --wait --timeout=120s; }

# pod_json FILTER [ARG...]: a pod with one container of busybox, "main", changed by the filter.
pod_json() {
	local filter=$1
	shift
	jq -n --arg name "$id" '
		def container(name; command): {name: name, image: "docker.io/library/busybox:latest", imagePullPolicy: "Never", command: command};
		{apiVersion: "v1", kind: "Pod", metadata: {name: $name, labels: {app: $name}}, spec: {
			runtimeClassName: "oci-run", restartPolicy: "Never", terminationGracePeriodSeconds: 2,
			containers: [container("main"; $ARGS.positional)]}} | '"$filter" --args -- "$@"
}

# make_pod FILTER [ARG...]
make_pod() { pod_json "$@" >"$scratch/$id.json" && kubectl apply -f "$scratch/$id.json"; }

# run_pod FILTER [ARG...]: and wait until it is ready.
run_pod() { make_pod "$@" && ready; }

ready() { kubectl wait --for=condition=Ready "pod/$id" --timeout=90s || { kubectl describe pod "$id"; return 1; }; }
ended() { within 90 pod_ended || { kubectl describe pod "$id"; return 1; }; }

pod() { kubectl get pod "$id" -o json | jq -r "$1"; } # pod FILTER
pod_is() { [[ $(pod .status.phase) == "$1" ]]; }      # pod_is PHASE
pod_ended() { [[ $(pod .status.phase) =~ ^(Succeeded|Failed)$ ]]; }
container() { pod ".status.containerStatuses[] | select(.name == \"${2:-main}\") | $1"; } # container FILTER [NAME]
container_is() { [[ $(container "$1" "${3:-main}") == "$2" ]]; }                          # container_is FILTER VALUE [NAME]
in_pod() { kubectl exec "$id" -- "$@"; }
in_says() { [[ $(in_pod "${@:2}") == "$1" ]]; }                     # in_says TEXT ARG...
container_id() { local name; name=$(container .containerID "$@"); echo "${name#containerd://}"; }
pid_of() { ctr -n k8s.io tasks ls | awk -v id="$1" '$1 == id {print $2}'; } # pid_of CONTAINER-ID
container_pid() { pid_of "$(container_id "$@")"; }
binary_of() { ctr -n k8s.io containers info "$1" | jq -r .Runtime.Options.value | base64 -d | grep -aoE '/[a-z/-]+' | head -n 1; } # what containerd calls
logged() { [[ $(kubectl logs "$id") == *"$1"* ]]; }
event() { kubectl get events --field-selector "involvedObject.name=$id" -o json | jq -e --arg text "$1" 'any(.items[]; .reason + ": " + .message | contains($text))'; }

# says FILTER [ARG...]: run to its end, and write what it wrote.
says() {
	make_pod "$@" >/dev/null
	ended >/dev/null
	kubectl logs "$id" -c main
}
