# What the sessions under containerd share: a daemon configured with the lines that docs/engines.md gives.
#
#   $id        a container's name that no other session of the file has
#   $scratch   the session's own directory
#   $image     busybox, once import_image has been called
# shellcheck shell=bash disable=SC2034,SC2154 # variables for the sessions; $status and $output are from bats

image=docker.io/library/busybox:latest
tasks_root=/run/containerd/runc # the runtime's --root is the namespace's directory there

case $(containerd --version) in
*' 1.'* | *' v1.'*)
	documentation=containerd
	cri_plugin='[plugins."io.containerd.grpc.v1.cri"'
	cni_directory='bin_dir = "/usr/lib/cni"'
	pods_image=()
	;;
*)
	documentation='containerd 2'
	cri_plugin='[plugins."io.containerd.cri.v1.runtime"'
	cni_directory='bin_dirs = ["/usr/lib/cni"]'
	pods_image=('[plugins."io.containerd.cri.v1.images".pinned_images]' 'sandbox = "registry.k8s.io/pause:3.6"')
	;;
esac

# configure_containerd [LINE...]: the document's lines, the session's own, and what only the sessions want: not to lower
# oom_score_adj, which not every machine's root may, Debian's directory of CNI's plugins, and the image of pods that there is.
# ctr containers create of containerd 1.6 has no option for the runtime; it is what the daemon finds as "runc".
configure_containerd() {
	mkdir -p /etc/containerd /run/bin
	ln -sf "$RUNTIME" /run/bin/runc
	local lines
	lines=$(documented "$documentation" /etc/containerd/config.toml)
	[[ $lines == *"$RUNTIME"* ]]
	printf '%s\n' "$lines" "$cri_plugin]" 'restrict_oom_score_adj = true' "$cri_plugin.cni]" "$cni_directory" "${pods_image[@]}" "$@" \
		>/etc/containerd/config.toml
}

# start_containerd: the daemon, and wait until it answers.
start_containerd() {
	PATH=/run/bin:$PATH daemon containerd containerd
	eventually ctr version
}

# import_image NAMESPACE NAME...
import_image() {
	local namespace=$1 name
	shift
	for name; do ctr --namespace "$namespace" images import "$images/$name.tar"; done
}

# unpack_rootfs DIRECTORY: busybox without an engine.
unpack_rootfs() {
	mkdir -p "$1"
	tar -xOf "$images/busybox.tar" --wildcards '*/layer.tar' | tar -xC "$1"
}

# run_container [FLAG...] IMAGE ID [ARG...]: ctr run with the runtime.
run_container() { ctr run --runtime io.containerd.runc.v2 --runc-binary "$RUNTIME" "$@"; }

detached() { run_container --detach --null-io "$@"; }

# task_exec [FLAG...] ID ARG...: ctr tasks exec.
task_exec() { ctr tasks exec --exec-id "exec-$RANDOM$RANDOM" "$@"; }

task_status() { ctr tasks ls | awk -v id="$1" '$1 == id {print $3}'; }
task_pid() { ctr tasks ls | awk -v id="$1" '$1 == id {print $2}'; }
task_is() { [[ $(task_status "$2") == "$1" ]]; } # task_is STATUS ID

# remove_task ID: with everything that belongs to it; the exit status is the container's, of which ctr only writes.
remove_task() {
	local said
	said=$(ctr tasks delete "$1" 2>&1) || { echo "$said"; return 99; }
	ctr containers delete "$1"
	[[ ! $said =~ exit\ code\ ([0-9]+) ]] || return "${BASH_REMATCH[1]}"
}

# nothing_of NAMESPACE: containerd and the runtime have no container there, and no shim, mount or cgroup is left.
nothing_of() {
	local left=0 found
	[[ -z $(ctr -n "$1" containers ls -q) ]] || { left=1; echo "containers left: $(ctr -n "$1" containers ls -q)"; }
	[[ -z $(ctr -n "$1" tasks ls -q) ]] || { left=1; echo "tasks left: $(ctr -n "$1" tasks ls)"; }
	eventually no_shims "$1" || { left=1; pgrep -af -- "-namespace $1 "; }
	found=$(ls -A "$tasks_root/$1" 2>/dev/null) && [[ -n $found ]] && left=1 && echo "the runtime's state is left: $found"
	found=$(grep -F "/run/containerd/io.containerd.runtime.v2.task/$1" /proc/self/mountinfo) && left=1 && echo "mounts left: $found"
	found=$(find /sys/fs/cgroup/ -path "*/$1/*" -type d 2>/dev/null) && [[ -n $found ]] && left=1 && echo "cgroups left: $found"
	return "$left"
}

no_shims() { ! pgrep -f -- "containerd-shim.*-namespace $1 " >/dev/null; }

# write_network: CNI's configuration: a bridge, addresses, ports of the host; what ctr --cni and the CRI both read.
write_network() {
	mkdir -p /etc/cni/net.d
	cat >/etc/cni/net.d/10-sessions.conflist <<-'END'
		{
			"cniVersion": "0.4.0",
			"name": "sessions",
			"plugins": [
				{
					"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
					"ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}
				},
				{"type": "portmap", "capabilities": {"portMappings": true}}
			]
		}
	END
}
