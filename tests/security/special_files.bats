#!/usr/bin/env bats
# What the runtime reads of a container's files, /etc/passwd and a program that could not be executed, is a FIFO or a device
# that the container has chosen, or becomes one between two looks. To open a device may have effects, and the runtime's
# exec is outside of the container's device rules.
#
# runc 1.1.5 fails the first: it hangs.

load lib

# trap_at PATH: a FIFO, and the file sprung appears when somebody opens it for reading, be it for a moment only.
trap_at() {
	mkfifo "$1"
	chmod 755 "$1"
	(: >"$1"; touch "$session/sprung") 3>&- &
	trapped=$1 trapper=$!
}

# quiet: nobody has opened the FIFO, up to now.
quiet() {
	sleep 0.2
	kill "$trapper" 2>/dev/null || true
	wait "$trapper" 2>/dev/null || true
	[[ ! -e $session/sprung ]] || { echo "$trapped was opened"; return 1; }
}

# ways COMMAND...: with each of the two ways of an exec.
ways() {
	"$@"
	[[ -x $OCI_RUN-crash ]] || return 0
	OCI_RUN_EXEC=init OCI_RUN=$OCI_RUN-crash "$@"
}

hits() { "$OCI_RUN" --root "$state" exec "$id" "$@" </dev/null >>hits.out 2>>hits.err 3>&-; }

@test "/etc/passwd is a FIFO, in create and in exec" {
	needs_root
	rm rootfs/etc/passwd
	trap_at rootfs/etc/passwd
	program sh -c 'echo "$HOME"'
	attempt
	output_is /
	program sleep 1000
	background "$id"
	ways hits sh -c 'echo "$HOME"'
	diff <(sort -u hits.out) <(echo /)
	quiet
}

@test "/etc/passwd is exchanged for a FIFO all the time" {
	needs_root
	trap_at rootfs/etc/trap
	program sleep 1000
	background "$id"
	swapping rootfs/etc/passwd rootfs/etc/trap
	many() {
		local i
		for ((i = 0; i < races / 2; i++)); do hits true; done
	}
	ways many
	swapped
	quiet
}

@test "a program that can't be executed is exchanged for a FIFO all the time" {
	needs_root
	printf '#!/no/such/interpreter\n' >rootfs/script
	chmod 755 rootfs/script
	trap_at rootfs/trap
	program sleep 1000
	background "$id"
	swapping rootfs/script rootfs/trap
	many() {
		local i
		for ((i = 0; i < races / 2; i++)); do ! hits /script || return; done
	}
	ways many
	program /script
	rounds not_started
	swapped
	quiet
	grep -q 'interpreter." is missing in the container' hits.err || { sort hits.err | uniq -c; return 1; }
}

not_started() { ! "$OCI_RUN" --root "$state" run "$id-b" </dev/null >/dev/null 2>>races.err 3>&-; }

@test "a container without /proc has its HOME nevertheless" {
	needs_root
	config '.mounts |= map(select(.destination != "/proc")) | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
	program sh -c 'echo "$HOME"'
	attempt
	output_is /root
}

@test "/proc that is not a procfs is not taken for one" {
	needs_root
	config '.mounts |= map(select(.destination != "/proc")) | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
	mkdir -p rootfs/proc/thread-self/fd
	local fd
	for ((fd = 3; fd < 20; fd++)); do
		echo 'root:x:0:0:root:/elsewhere:/bin/sh' >"rootfs/proc/thread-self/fd/$fd"
	done
	program sh -c 'echo "$HOME"'
	attempt
	output_is /root
}
