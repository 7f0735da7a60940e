# What the sessions by way of the CRI share: a daemon whose pods ask for the handler "oci-run", and crictl's configuration.
# shellcheck shell=bash disable=SC2034,SC2154,SC2016 # variables for the sessions; $status and $output are from bats

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
		"$cri_plugin.containerd.runtimes.hasty]" \
		'runtime_type = "io.containerd.runc.v2"' \
		"$cri_plugin.containerd.runtimes.hasty.options]" \
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
