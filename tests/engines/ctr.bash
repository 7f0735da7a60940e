# What the sessions that use ctr share: each file has a daemon of its own, and each session ends with nothing left.
# shellcheck shell=bash disable=SC2034,SC2154 # variables for the sessions; containerd.bash sets the rest

setup_file() {
	configure_containerd
	start_containerd
	import_image default busybox
	write_network
	# The first of each makes what stays: the bridge, and the directory of the namespaces' names.
	run_container --rm --cni "$image" first true
	ip netns add first && ip netns delete first
	remember_world
}

teardown_file() {
	local left=0
	[[ ! -e /run/world ]] || nothing_is_left || left=1
	stop_daemon containerd
	return "$left"
}

setup() {
	id=c$BATS_TEST_NUMBER
	scratch=$BATS_TEST_TMPDIR
}

teardown() {
	local other
	for other in $(ctr tasks ls -q); do
		ctr tasks resume "$other" || true
		ctr tasks delete --force "$other" || true
	done >/dev/null 2>&1
	for other in $(ctr containers ls -q); do ctr containers delete "$other"; done
	nothing_of default
}

# marked COUNT: so many processes have the container's mark in their environment.
marked() { (($(grep -lzxF "MARK=$id" /proc/[0-9]*/environ 2>/dev/null | wc -l) == $1)); }
