#!/usr/bin/env bats
# The list of mounts is read while it changes, or cut short, so that some are not made private: mounts of the container
# show up on the host, and those of the host stay busy (runc #2404, #4417, #4425).
#
# runc 1.1.5 fails "the container's mounts don't reach a host whose root is shared".

load lib

setup() {
	needs_root
	session_setup
	# A corner of the host with many mounts, which are shared and come and go. All of it is in a namespace of our own.
	unshare --mount --propagation private sleep 1000 3>&- &
	corner=$!
	eventually test "$(readlink /proc/self/ns/mnt)" != "$(readlink "/proc/$corner/ns/mnt")"
	mkdir "$session/many"
	in_corner sh -c 'mount -t tmpfs tmpfs "$0" && mount --make-rshared "$0"
		for i in $(seq 300); do mkdir "$0/$i"; mount --bind "$0/$i" "$0/$i"; done' "$session/many"
}

teardown() {
	[[ -n ${session:-} ]] || return 0
	kill "${churn:-}" "$corner" 2>/dev/null || true
	wait "${churn:-}" "$corner" 2>/dev/null || true
	session_teardown
}

in_corner() { nsenter --mount="/proc/$corner/ns/mnt" --wd="$bundle" "$@" 3>&-; }

@test "a host with many mounts, which change all the time, has the same ones afterwards" {
	# Without the function, whose shell would be what $! names.
	nsenter --mount="/proc/$corner/ns/mnt" sh -c 'while :; do mount --bind "$0/1" "$0/2"; umount "$0/2"; done' "$session/many" 3>&- &
	churn=$!
	mkdir rootfs/v
	mount_on /v "$session/many" bind rbind rslave
	program true
	config '.mounts += [{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]'
	before=$(in_corner cut -d' ' -f5 /proc/self/mountinfo | grep -v "/many/2$" | sort)
	for ((i = 0; i < races / 4; i++)); do
		in_corner "$OCI_RUN" --root "$state" run "$id" </dev/null
	done
	kill "$churn"
	wait "$churn" 2>/dev/null || true
	after=$(in_corner cut -d' ' -f5 /proc/self/mountinfo | grep -v "/many/2$" | sort)
	diff <(echo "$before") <(echo "$after")
}

@test "the container's mounts don't reach a host whose root is shared" {
	in_corner mount --make-rshared /
	mkdir rootfs/v
	for propagation in private rprivate slave rslave; do
		cp config.json config.json.whole
		mount_on /v "$session/many" bind rbind "$propagation"
		config --arg p "$propagation" '.linux.rootfsPropagation = $p'
		mount_on /v/1 tmpfs tmpfs
		program sh -c 'mount -t tmpfs tmpfs /v/3; true'
		config '.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"])'
		before=$(in_corner cut -d' ' -f5 /proc/self/mountinfo | sort)
		run in_corner "$OCI_RUN" --root "$state" run "$id"
		diff <(echo "$before") <(in_corner cut -d' ' -f5 /proc/self/mountinfo | sort)
		mv config.json.whole config.json
	done
}
