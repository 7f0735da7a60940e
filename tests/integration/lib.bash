# What the sessions in this directory share. Each session gets, in a temporary directory of its own:
#
#   $bundle   a bundle, the working directory: config.json as `oci-run spec` writes it, without a terminal, and
#             rootfs/ with a static busybox
#   $state    where oci-run keeps its state (--root)
#   $id       a container's name that no other session has
#
# With OCI_RUN_TEST_SYSTEMD=1 systemd makes the cgroups (--systemd-cgroup). Each session
# is checked at its end: no container, process, cgroup or mount may be left of it.
# shellcheck shell=bash disable=SC2034,SC2154 # variables for the sessions; $status, $output and $stderr are from bats

bats_require_minimum_version 1.5.0

OCI_RUN=$(realpath "${OCI_RUN:-$BATS_TEST_DIRNAME/../../bin/oci-run}")

# What the caller has left: a umask, and an environment that programs here look at. Signals that it ignores can't be
# reset by a shell: tests/sessions does it.
umask 022
unset LC_ALL LANG LANGUAGE NOTIFY_SOCKET LISTEN_FDS LISTEN_PID LISTEN_FDNAMES POSIXLY_CORRECT CDPATH
export LC_ALL=C
export OCI_RUN_PROBES=${OCI_RUN_PROBES:-$BATS_RUN_TMPDIR} # by hand, what is asked is asked once for each `bats`

oci-run() { "$OCI_RUN" ${OCI_RUN_TEST_SYSTEMD:+--systemd-cgroup} --root "$state" "$@" 3>&-; }

setup() {
	session=$(mktemp -d "${BATS_TMPDIR:-/tmp}/session.XXXXXX")
	chmod 755 "$session"
	state=$session/state bundle=$session/bundle id=${session##*.}
	export OCI_RUN_SESSION=$session # marks each process that comes of it
	mounts_before=$(mounts)
	make_rootfs "$bundle/rootfs"
	cd "$bundle" || return
	make_config
}

teardown() {
	# Bats shows what is printed here if the session failed.
	local container left=0
	for container in $(oci-run list -q 2>/dev/null); do
		oci-run delete --force -- "$container" || true
	done
	cd / || return
	nothing_is_left || left=1
	rm -rf "$session"
	return "$left" # bats looks at nothing else
}

# make_rootfs DIRECTORY: busybox, a link for each of its applets, and the few files that a session looks at. The links take
# longer than most sessions, so they are made once for all and copied.
make_rootfs() {
	local applet busybox whole=$BATS_RUN_TMPDIR/rootfs
	if [[ ! -d $whole ]]; then
		busybox=$(command -v busybox) || skip 'no busybox here (Debian: apt-get install busybox-static)'
		mkdir -p "$whole.$BASHPID"/{bin,dev,etc,proc,root,sys,tmp}
		cp "$busybox" "$whole.$BASHPID/bin/busybox"
		for applet in $(busybox --list); do
			ln -s busybox "$whole.$BASHPID/bin/$applet" 2>/dev/null || true
		done
		echo 'root:x:0:0:root:/root:/bin/sh' >"$whole.$BASHPID/etc/passwd"
		echo 'root:x:0:' >"$whole.$BASHPID/etc/group"
		mv -T "$whole.$BASHPID" "$whole" 2>/dev/null || true # unless another one was there first
	fi
	mkdir -p "$1"
	cp -a "$whole/." "$1"
}

# make_config: what `oci-run spec` writes, changed so that sessions can run at the same time and read the output.
make_config() {
	if ((EUID == 0)); then
		oci-run spec
		[[ -n ${OCI_RUN_TEST_SYSTEMD:-} ]] || config ".linux.cgroupsPath = \"/oci-run-tests-$id\""
	else
		oci-run spec --rootless
		[[ -n ${OCI_RUN_TEST_SYSTEMD:-} ]] || ! delegated || config ".linux.cgroupsPath = \"oci-run-tests-$id\""
	fi
	config ".process.terminal = false | .process.env += [\"OCI_RUN_SESSION=$session\"]"
}

# config [JQ-OPTION...] FILTER: edit config.json.
config() {
	jq "$@" <config.json >config.json.new && mv config.json.new config.json
}

# program ARG...: what the container is to run.
program() {
	config '.process.args = $ARGS.positional' --args -- "$@"
}

# create [FLAG...] ID: oci-run create, with the container's output in the files out and err. (It keeps both open, so
# that they can't be the ones of `run`, which waits for their end.)
create() {
	oci-run create "$@" </dev/null >out 2>err || { local code=$?; cat err; return "$code"; }
}

# detached [FLAG...] ID: the same for oci-run run --detach.
detached() {
	oci-run run --detach "$@" </dev/null >out 2>err || { local code=$?; cat err; return "$code"; }
}

status_of() { oci-run state "$1" | jq -r .status; }
pid_of() { oci-run state "$1" | jq -r .pid; }

# eventually COMMAND...: it has to succeed within half a minute, for a busy machine; usually it does at once.
eventually() {
	local tries
	for ((tries = 0; tries < 600; tries++)); do
		if "$@" >/dev/null 2>&1; then return 0; fi
		sleep 0.05
	done
	echo "not within 30 s: $*"
	return 1
}

is() { [[ $(status_of "$2") == "$1" ]]; }         # is STATUS ID
says() { grep -qF -- "$1" out; }                  # says TEXT: the container has written it
gone() { ! kill -0 "$1" 2>/dev/null; }            # gone PID
output_has() { [[ $output == *"$1"* ]] || { printf 'no %q in the output:\n%s\n' "$1" "$output"; return 1; }; }
output_is() { [[ $output == "$1" ]] || { printf 'the output is not %q but:\n%s\n' "$1" "$output"; return 1; }; }

# by_list create|exec: are containers made or entered by a list of calls? Not a user's, and not if tests/sessions was told otherwise.
by_list() {
	local way=OCI_RUN_${1^^}
	((EUID == 0)) && [[ ${!way:-} != init ]]
}

needs_root() { ((EUID == 0)) || skip 'needs root'; }

# needs PROBE: something that tests/probes asks the machine for, once in a run.
needs() {
	local lacking code=0
	lacking=$("$BATS_TEST_DIRNAME/../probes" "$1") || code=$?
	((code < 2)) || { echo "$lacking"; return 1; }
	((code == 0)) || skip "$lacking"
}

v2() { [[ -e /sys/fs/cgroup/cgroup.controllers ]]; }

# beside: the cgroup in which a relative path begins on v2, that of this process' parent.
beside() { echo "/sys/fs/cgroup$(dirname "$(sed -n 's/^0:://p' /proc/self/cgroup)")"; }

# delegated: whose are the cgroups there? A user may have been given them.
delegated() { v2 && [[ -w $(beside)/cgroup.procs ]]; }

# makes_cgroups: who runs the session may.
makes_cgroups() { ((EUID == 0)) || [[ -n ${OCI_RUN_TEST_SYSTEMD:-} ]] || delegated; }

# cgroup CONTROLLER: the directory of the container's cgroup that has the controller.
cgroup() {
	local path=oci-run-tests-$id
	if [[ -n ${OCI_RUN_TEST_SYSTEMD:-} ]]; then
		path=system.slice/oci-run-$id.scope
		((EUID == 0)) || path=user.slice/user-$EUID.slice/user@$EUID.service/user.slice/oci-run-$id.scope
	elif ((EUID)); then
		echo "$(beside)/$path"
		return
	fi
	if v2; then echo "/sys/fs/cgroup/$path"; else echo "/sys/fs/cgroup/$1/$path"; fi
}

# value CONTROLLER V1-FILE V2-FILE: what a file of the container's cgroup says.
value() { if v2; then cat "$(cgroup "$1")/$3"; else cat "$(cgroup "$1")/$2"; fi; }

# has_controller NAME: by its name on v1, other than that of freezer and devices a word of cgroup.controllers on v2.
has_controller() {
	if ! v2; then
		[[ -e /sys/fs/cgroup/$1/cgroup.procs ]] # an empty directory is what cgroupfs-mount leaves
	elif [[ $1 != @(freezer|devices) ]]; then
		grep -qw -- "${1/blkio/io}" "$(highest)/cgroup.controllers"
	fi
}

# highest: the highest cgroup of v2 above this process that is the user's: what it has for him, nobody can keep from him.
highest() {
	local dir
	dir=$(beside)
	[[ -w $dir/cgroup.procs ]] || { echo /sys/fs/cgroup; return; }
	while [[ $dir != /sys/fs/cgroup && -w $(dirname "$dir")/cgroup.procs ]]; do dir=$(dirname "$dir"); done
	echo "$dir"
}

# in_order FILE: it lists, as /proc/PID/mountinfo does, the mounts of config.json in their order.
in_order() {
	jq -r '.mounts[].destination | sub("/+$"; "")' config.json | awk '
		NR == FNR { place[++places] = $5; next }
		{ do at++; while (at <= places && place[at] != $0) }
		at > places { print $0 " is not where it belongs"; exit 1 }' "$1" - || { cut -d" " -f5 "$1"; return 1; }
}

# needs_cgroup CONTROLLER...: who runs the session may make cgroups, and they have these.
needs_cgroup() {
	local controller
	makes_cgroups || skip 'needs root, systemd, or a cgroup that was delegated'
	for controller; do has_controller "$controller" || skip "no cgroup controller $controller here"; done
}

# mounts: those below the session's directory; other places may be somebody else's.
mounts() { cut -d' ' -f5 /proc/self/mountinfo | grep -F "$session" | sort; }

# processes: the pids of all that this session started, except for its own shell.
processes() {
	grep -lzxF "OCI_RUN_SESSION=$session" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3 | grep -vxF -e "$$" -e "$BASHPID" |
		while read -r pid; do
			[[ $(readlink "/proc/$pid/exe") == */bash || $(readlink "/proc/$pid/exe") == '' ]] || echo "$pid"
		done
}

nothing_is_left() {
	local left=0 found
	found=$(ls -A "$state" 2>/dev/null) && [[ -n $found ]] && left=1 && echo "left in $state: $found"
	no_processes || { left=1; echo 'left processes:'; processes | xargs -r ps -o pid,ppid,args -p; }
	found=$(find /sys/fs/cgroup -name "*$id*" 2>/dev/null) || true # it fails if another session's cgroup goes meanwhile
	[[ -z $found ]] || { left=1; echo "left cgroups: $found"; }
	[[ $(mounts) == "$mounts_before" ]] || { left=1; echo "left mounts:" "$(mounts)"; }
	return "$left"
}

no_processes() {
	local tries
	for ((tries = 0; tries < 100; tries++)); do
		[[ -n $(processes) ]] || return 0
		sleep 0.05 # a killed process may still be on its way
	done
	return 1
}
