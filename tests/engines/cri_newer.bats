#!/usr/bin/env bats
# bats file_tags=core
# As a Kubernetes node of today does it, with containerd 2: what the CRI did not have in 1.6. With an older one all of it is
# skipped.
# shellcheck disable=SC2012,SC2016,SC2154 # names in /proc are numbers; what is in single quotes is for the container's shell; containerd.bash sets the rest

load cri

eval "$(declare -f setup | sed '1s/setup/setup_session/')"
setup() {
	[[ $documentation == 'containerd 2' ]] || skip "$(containerd --version | cut -d' ' -f1,3): it is of containerd 2"
	setup_session
}

@test "the node's status has what the handler is able to" {
	run -0 crictl info
	jq '[.. | objects | select(.name? == "oci-run" and .features?)][0].features' <<<"$output" >"$scratch/features"
	equal features $'true\ntrue' "$(jq -r '.recursive_read_only_mounts, .user_namespaces' "$scratch/features")"
}

# A pod as `hostUsers: false` makes it: user ids of its own, and volumes with the owners that they have on the host.
user_namespace='{mode: 0, uids: [{host_id: 100000, container_id: 0, length: 65536}], gids: [{host_id: 200000, container_id: 0, length: 65536}]}'

@test "a pod with users of its own: mappings, owners of files, volumes" {
	make_pod ".linux.security_context.namespace_options.userns_options = $user_namespace"
	mkdir "$scratch/volume"
	echo given >"$scratch/volume/file"
	run_container main ".linux.security_context.namespace_options.userns_options = $user_namespace | .mounts = [
		{container_path: \"/volume\", host_path: \"$scratch/volume\", uidMappings: [{host_id: 100000, container_id: 0, length: 65536}],
		gidMappings: [{host_id: 200000, container_id: 0, length: 65536}]}]" sleep 1000
	pid=$(container_pid)
	equal 'user map' '0 100000 65536' "$(awk '{print $1, $2, $3}' "/proc/$pid/uid_map")"
	equal 'group map' '0 200000 65536' "$(awk '{print $1, $2, $3}' "/proc/$pid/gid_map")"
	equal owner 100000:200000 "$(stat -c %u:%g "/proc/$pid")"
	run crictl exec --sync "$container" sh -c 'id -u; stat -c %u /bin; touch /tmp/mine; stat -c %u /tmp/mine; ping -c 1 127.0.0.1 >/dev/null && echo pings'
	output_has $'0\n0\n0\npings'
	run crictl exec --sync "$container" stat -c %u:%g /volume/file
	output_is 0:0
	crictl exec --sync "$container" touch /volume/new
	equal 'owner on the host' 0:0 "$(stat -c %u:%g "$scratch/volume/new")"
	run_container second ".linux.security_context.namespace_options.userns_options = $user_namespace" sleep 1000
	equal 'user namespace' "$(readlink "/proc/$pid/ns/user")" "$(readlink "/proc/$(container_pid)/ns/user")"
	crictl stop --timeout 0 "$container"
}

@test "read-only mounts to the bottom" {
	make_pod
	mkdir -p "$scratch/deep/below"
	mount -t tmpfs tmpfs "$scratch/deep/below"
	run says ".mounts = [{container_path: \"/deep\", host_path: \"$scratch/deep\", readonly: true, recursive_read_only: true}]" \
		sh -c 'exec 2>&1; touch /deep/below/x || touch /deep/x'
	output_is $'touch: /deep/below/x: Read-only file system\ntouch: /deep/x: Read-only file system'
	run says ".mounts = [{container_path: \"/deep\", host_path: \"$scratch/deep\", readonly: true}]" \
		sh -c 'exec 2>&1; touch /deep/below/x && echo below; touch /deep/x'
	output_is $'below\ntouch: /deep/x: Read-only file system'
	umount "$scratch/deep/below"
}

@test "an image as a volume" {
	make_pod
	run says '.mounts = [{container_path: "/image", readonly: true, image: {image: "docker.io/library/nginx:latest"}}]' \
		sh -c 'exec 2>&1; cat /image/srv/www/index.html; touch /image/x'
	output_is $'welcome to nginx\ntouch: /image/x: Read-only file system'
}

@test "devices by their names in CDI" {
	mkdir -p /etc/cdi
	cat >/etc/cdi/sessions.json <<-END
		{
			"cdiVersion": "0.6.0", "kind": "sessions.example/device",
			"devices": [{"name": "one", "containerEdits": {
				"env": ["ONE=1"],
				"deviceNodes": [{"path": "/dev/cdi-null", "hostPath": "/dev/null", "type": "c", "major": 1, "minor": 3, "permissions": "rw"}],
				"hooks": [{"hookName": "createContainer", "path": "/bin/sh", "args": ["sh", "-c", "cat >$scratch/hooked"]}]
			}}]
		}
	END
	make_pod
	run says '.CDI_devices = [{name: "sessions.example/device=one"}]' sh -c 'echo $ONE; echo x >/dev/cdi-null && test -c /dev/cdi-null && echo device'
	output_is $'1\ndevice'
	equal 'what the hook was told' creating "$(jq -r .status "$scratch/hooked")"
	run create_container bad '.CDI_devices = [{name: "sessions.example/device=two"}]' true
	((status != 0))
	output_has 'unresolvable CDI devices'
	rm /etc/cdi/sessions.json
}

@test "supplementary groups: those of the image too, or only the named" {
	make_pod
	run says '.linux.security_context += {run_as_user: {value: 1000}, supplemental_groups: [4242], supplemental_groups_policy: 0}' id -G
	output_has 4242
	run says '.linux.security_context += {run_as_user: {value: 1000}, run_as_group: {value: 50}, supplemental_groups: [4242],
		supplemental_groups_policy: 1}' id -G
	output_is '50 4242'
}

@test "resized in place: limits up and down while it runs, the pod's cgroup untouched" {
	make_pod
	run_container main '.linux.resources = {cpu_period: 100000, cpu_quota: 50000, memory_limit_in_bytes: 67108864}' sleep 1000
	pid=$(container_pid)
	for memory in 134217728 50331648; do
		crictl update --memory "$memory" --cpu-quota 80000 --cpu-share 512 "$container"
		equal memory "$memory" "$(cgroup_value "$pid" memory memory.limit_in_bytes memory.max)"
	done
	equal 'start time' "$(awk '{print $22}' "/proc/$pid/stat")" "$(awk '{print $22}' "/proc/$(container_pid)/stat")"
	run crictl update --memory 4096 "$container"
	crictl exec "$container" true
}

@test "an exec probe each 0.2 s for ten seconds: no process and no descriptor too many" {
	make_pod
	run_container main . sleep 1000
	local shim before
	shim=$(pgrep -f -- "containerd-shim-runc-v2 .*-id $pod ")
	crictl exec --sync "$container" true
	count() { echo "$(ls "/proc/$shim/fd" | wc -l) $(crictl exec --sync "$container" sh -c 'ls /proc | grep -c "^[0-9]"')"; }
	# shellcheck disable=SC2034 # eval uses it
	before=$(count)
	for _ in {1..50}; do crictl exec --sync "$container" sh -c 'exit 0'; done
	within 10 eval '[[ $(count) == "$before" ]]'
}
