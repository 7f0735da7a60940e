#!/usr/bin/env bats
# The objects of contrib/kubernetes, on a node that has runc alone: the DaemonSet brings oci-run, a pod of the class runs in it, a new
# image brings another binary, and after the DaemonSet the node's configuration is as it was.
# shellcheck disable=SC2016,SC2034,SC2154 # kubernetes.bash sets and uses the rest

load kubernetes

objects=$docs/../contrib/kubernetes
binary=/usr/local/sbin/oci-run

setup_file() {
	[[ $RUNTIME == "$binary" ]] || skip "the runtime is $RUNTIME; what the image has is oci-run"
	rm "$binary"
	mkdir -p /etc/containerd /run/bin
	ln -sf /usr/sbin/runc /run/bin/runc
	printf '%s\n' 'version = 2 # ours' '' "$cri_plugin]" 'restrict_oom_score_adj = true' "$cri_plugin.cni]" "$cni_directory" \
		"${pods_image[@]}" >/etc/containerd/config.toml
	cp /etc/containerd/config.toml /run/before.toml
	node_labels='' start_node
	for image in oci-run oci-run-next; do ctr -n k8s.io images import "$docs/../bin/engines/$image.oci.tar"; done
}

teardown_file() { [[ ! -e $cluster ]] || teardown_cluster; }

setup() {
	id=i$BATS_TEST_NUMBER
	scratch=$BATS_TEST_TMPDIR
}

pending() { pod_is Pending && event FailedScheduling; }
installer() { kubectl -n kube-system get pods -l oci-run-engine=containerd -o "jsonpath=$1"; } # installer PATH
installers_are() { (($(kubectl -n kube-system get pods -l oci-run-engine=containerd -o name | wc -l) == $1)); }
handler_is_there() { grep -qF "BinaryName = \"$binary\"" /etc/containerd/config.toml; }

restart_containerd() {
	stop_daemon containerd
	start_containerd
	kubectl wait --for=condition=Ready node/node --timeout=90s
}

@test "a node without a label gets nothing, and a pod of the class has no node" {
	kubectl apply -f "$objects/daemonset-containerd.yaml" -f "$objects/daemonset-crio.yaml" -f "$objects/runtimeclass.yaml"
	make_pod . sleep 1000
	eventually pending
	installers_are 0
	[[ ! -e $binary ]]
}

@test "a labelled node gets the binary and the handler" {
	kubectl label node node oci-run-install=containerd
	within 60 installers_are 1
	kubectl -n kube-system rollout status daemonset/oci-run-containerd --timeout=90s
	within 60 handler_is_there
	cmp "$binary" "$docs/../bin/oci-run"
	cmp /etc/containerd/config.toml.before-oci-run /run/before.toml
	run kubectl -n kube-system logs -l oci-run-engine=containerd --tail=-1
	output_has "BinaryName = \"$binary\""
	output_has 'To use it'
	pods_wait # for a restart and the node's second label
}

pods_wait() { id=i1 pod_is Pending; }

@test "after a restart of containerd and a second label the pod runs in it" {
	restart_containerd
	kubectl label node node oci-run=installed
	id=i1
	ready
	"$binary" --root "$tasks_root/k8s.io" list -q | grep -xF "$(container_id)"
	equal binary "$binary" "$(binary_of "$(container_id)")"
	in_says inside echo inside
}

@test "a pod of the DaemonSet that is ended is begun again, and changes nothing" {
	cp /etc/containerd/config.toml "$scratch/config.toml"
	kubectl -n kube-system delete pods -l oci-run-engine=containerd --wait
	within 60 installers_are 1
	kubectl -n kube-system rollout status daemonset/oci-run-containerd --timeout=90s
	within 60 handler_is_there
	cmp /etc/containerd/config.toml "$scratch/config.toml"
}

@test "another image in the DaemonSet: its binary takes the place of the former, and the pod goes on" {
	id=i1
	pid=$(container_pid)
	kubectl -n kube-system set image daemonset/oci-run-containerd oci-run=localhost/oci-run:next
	kubectl -n kube-system rollout status daemonset/oci-run-containerd --timeout=90s
	within 60 cmp "$binary" "$docs/../bin/engines/oci-run-next"
	within 60 handler_is_there
	in_says inside echo inside
	equal restarts 0 "$(container .restartCount)"
	equal process "$pid" "$(container_pid)"
	id=i1-another # containerd was not restarted
	run_pod . sleep 1000
	kubectl delete pod "$id" --wait
}

@test "after a deletion the configuration is as it was" {
	kubectl delete pod i1 --wait
	kubectl label node node oci-run-
	kubectl delete -f "$objects/daemonset-containerd.yaml" -f "$objects/daemonset-crio.yaml" -f "$objects/runtimeclass.yaml" --wait
	within 90 installers_are 0
	cmp /etc/containerd/config.toml /run/before.toml
	[[ -x $binary ]] # docs/kubernetes.md: a pod that still ran could not be stopped without it
	restart_containerd
	[[ $(containerd config dump) != *oci-run* ]]
	make_pod 'del(.spec.runtimeClassName)' true # runc still does its work
	ended
	equal phase Succeeded "$(pod .status.phase)"
}
