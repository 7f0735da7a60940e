#!/usr/bin/env bats
# linux.netDevices. Each session has a network namespace of its own in the host's place: oci-run is run there.

load lib

# host: a network namespace in the host's place, held by a process ($host is its pid), with a pair of devices a0 and b0.
host() {
	needs_root
	command -v ip >/dev/null || skip 'no ip command here (Debian: apt-get install iproute2)'
	unshare --net sleep 1000 3>&- &
	host=$!
	eventually unshared "$host"
	in_host ip link add a0 type veth peer name b0
	in_host ip link set a0 mtu 1400 address 02:00:5e:00:53:01 up
	in_host ip address add 192.0.2.1/24 dev a0
	in_host ip address add 192.0.2.9/32 dev a0 valid_lft 100 preferred_lft 50
	in_host ip address add 198.51.100.1/32 dev a0 scope link
	in_host ip address add 2001:db8::1/64 dev a0 nodad
	program sleep 1000
}

unshared() { [[ $(readlink "/proc/$1/ns/net") != "$(readlink /proc/self/ns/net)" ]]; }
in_host() { nsenter --target "$host" --net "$@"; }
in_container() { nsenter --target "$(pid_of "$id")" --net "$@"; }
created() { in_host "$OCI_RUN" --root "$state" create "$id" </dev/null >out 2>err 3>&-; }

# devices: their names and addresses; whether there is a carrier takes the kernel a moment.
devices() { in_host ip -brief address | tr -s ' ' | cut -d' ' -f1,3-; }

# fails TEXT: a create fails with it, and all devices are as they were.
fails() {
	local before
	before=$(devices)
	run -1 created
	grep -F -- "$1" err || { cat err; return 1; }
	[[ $(devices) == "$before" ]] || { printf '%s\n' "before: $before" "now: $(devices)"; return 1; }
}

@test "a device moves, with its permanent global addresses, and is up" {
	host
	config '.linux.netDevices = {"a0": {}}'
	created
	run -0 in_container ip address show a0
	output_has ',UP'
	output_has 'mtu 1400'
	output_has 02:00:5e:00:53:01
	output_has 'inet 192.0.2.1/24'
	output_has 'inet6 2001:db8::1/64'
	[[ $output != *192.0.2.9* && $output != *198.51.100.1* ]]
	run -1 in_host ip link show a0
	kill "$host"
}

@test "a device gets another name" {
	host
	config '.linux.netDevices = {"a0": {"name": "eth7"}, "b0": {"name": "net%d"}}'
	created
	run -0 in_container ip -brief link
	output_has eth7
	output_has net0
	kill "$host"
}

@test "a device moves into a namespace that exists, and stays there" {
	host
	unshare --net sleep 1000 3>&- &
	there=$!
	eventually unshared "$there"
	config --arg path "/proc/$there/ns/net" '(.linux.namespaces[] | select(.type == "network")).path = $path | .linux.netDevices = {"a0": {}}'
	created
	oci-run delete --force "$id"
	nsenter --target "$there" --net ip address show a0 | grep -F 192.0.2.1/24
	kill "$host" "$there"
}

@test "a device moves into the network namespace of a user namespace" {
	host
	chown -R 100000:100000 rootfs
	config '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
		| .linux.gidMappings = .linux.uidMappings | .linux.netDevices = {"a0": {}}'
	created
	in_container ip address show a0 | grep -F 192.0.2.1/24
	kill "$host"
}

@test "a name that is taken is an error, and nothing has moved" {
	host
	config '.linux.netDevices = {"a0": {"name": "eth0"}, "b0": {"name": "lo"}}'
	fails '/linux/netDevices/b0: network device'
	config '.linux.netDevices = {"a0": {"name": "eth0"}, "b0": {"name": "eth0"}}'
	fails '/linux/netDevices/b0'
	kill "$host"
}

@test "a device that isn't there, or can't be moved, is an error, and nothing has moved" {
	host
	config '.linux.netDevices = {"a0": {}, "c0": {}}'
	fails '/linux/netDevices/c0: network device'
	config '.linux.netDevices = {"a0": {}, "lo": {"name": "lo7"}}'
	fails '/linux/netDevices/lo: move network device'
	kill "$host"
}

@test "devices are moved back if the creation fails later" {
	host
	config '.linux.netDevices = {"a0": {}, "b0": {"name": "eth0"}} | .hooks.createRuntime = [{"path": "/bin/false"}]'
	fails createRuntime
	kill "$host"
}

@test "devices need a network namespace to move to" {
	host
	config '.linux.netDevices = {"a0": {}} | del(.linux.namespaces[] | select(.type == "network"))'
	fails /linux/netDevices
	config --arg path "/proc/$host/ns/net" '.linux.namespaces += [{"type": "network", "path": $path}]'
	fails "the container's network namespace is the runtime's"
	kill "$host"
}

@test "names that can't be are found in the config" {
	host
	for name in a/b 'a b' 'eth%s' 'eth%d%d' . sixteenletterslong; do
		config --arg name "$name" '.linux.netDevices = {"a0": {"name": $name}}'
		fails /linux/netDevices/a0/name
	done
	kill "$host"
}

@test "an ordinary user can't move devices" {
	((EUID != 0)) || skip 'for a user'
	config '.linux.namespaces += [{"type": "network"}] | .linux.netDevices = {"lo": {"name": "lo7"}}'
	run -1 oci-run run "$id"
	output_has '/linux/netDevices: network devices are not supported for rootless containers'
}
