# What the sessions with real engines share. They run inside tests/engines/sandbox, a file at a time:
#
#   $RUNTIME   the runtime under test: an absolute path, which an engine gets as a user would give it, without a wrapper
#   $images    the directory of the images' archives (tests/engines/images): busybox.tar, nginx.tar, …
#
# A file's setup_file starts its engine (daemon) and remembers the world (remember_world); its teardown_file asks for the
# same world again (nothing_is_left) and stops the engine.
# shellcheck shell=bash disable=SC2034,SC2154 # variables for the sessions; $status and $output are from bats

bats_require_minimum_version 1.5.0

[[ -n ${OCI_RUN_SANDBOX:-} ]] || { echo 'run it with tests/engines/run' >&2; exit 1; }
images=$(realpath "${OCI_RUN_IMAGES:-$BATS_TEST_DIRNAME/../../bin/engines}")
sniper=$(realpath "$BATS_TEST_DIRNAME/../../bin/engines/sniper") # kills the runtime: sniper PROGRAM WORD
docs=$(realpath "$BATS_TEST_DIRNAME/../../docs")

# daemon NAME COMMAND...: in the background, with its output in /run/NAME.log and its pid in /run/NAME.pid.
daemon() {
	local name=$1
	shift
	"$@" >>"/run/$name.log" 2>&1 </dev/null 3>&- &
	echo $! >"/run/$name.pid"
	disown $!
}

# stop_daemon NAME [SIGNAL]: and wait for its end.
stop_daemon() {
	local pid
	pid=$(<"/run/$1.pid") || return 0
	kill -s "${2:-TERM}" "$pid" 2>/dev/null || return 0
	within 20 gone "$pid"
}

# within SECONDS COMMAND...: it has to succeed in that time.
within() {
	local seconds=$1 end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS <= end)) || { echo "not within $seconds s: $*"; return 1; }
		sleep 0.1
	done
}

eventually() { within 30 "$@"; }
gone() { ! kill -0 "$1" 2>/dev/null || [[ $(ps -o stat= -p "$1") == Z* ]]; }
running() { ! gone "$1"; }

output_has() { [[ $output == *"$1"* ]] || { printf 'no %q in the output:\n%s\n' "$1" "$output"; return 1; }; }
output_lacks() { [[ $output != *"$1"* ]] || { printf '%q is in the output:\n%s\n' "$1" "$output"; return 1; }; }
output_is() { [[ $output == "$1" ]] || { printf 'the output is not %q but:\n%s\n' "$1" "$output"; return 1; }; }
# equal WHAT EXPECTED ACTUAL
equal() { [[ $3 == "$2" ]] || { printf '%s is %q, not %q\n' "$1" "$3" "$2"; return 1; }; }

# answers URL TEXT: within 45 s, what is served there has the text in it. A request that the server has counted must not be
# given up, and a question to a name server that was lost is asked again after 5 s: hence the long time for one.
answers() { within 45 answer_has "$1" "$2" || { curl -sS --max-time 2 "$1" 2>&1; return 1; }; }
answer_has() { curl -sS --max-time 20 "$1" | grep -qF -- "$2"; }

# cgroup_of PID V1-CONTROLLER: the directory of the process's cgroup; on a host with v2 alone, of its only one.
cgroup_of() {
	if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
		echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$1/cgroup")"
	else
		echo "/sys/fs/cgroup/$2$(sed -nE "s/^[0-9]+:([^:]*,)?$2(,[^:]*)?://p" "/proc/$1/cgroup")"
	fi
}

# cgroup_value PID V1-CONTROLLER V1-FILE V2-FILE: the content of the file that the host has.
cgroup_value() {
	local file=$3
	[[ ! -e /sys/fs/cgroup/cgroup.controllers ]] || file=$4
	cat "$(cgroup_of "$1" "$2")/$file"
}

# documented SECTION FILE: the lines that docs/engines.md gives for that file, with the runtime's path; they stand in
# the first code block after the file's name, below the section's heading.
documented() {
	awk -v section="## $1" -v file="\`$2\`" '
		/^## / { inside = $0 == section }
		inside && index($0, file) { wanted = 1 }
		inside && wanted && /^```/ { if (block) exit; block = 1; next }
		block' "$docs/engines.md" | sed "s|/usr/local/sbin/oci-run|$RUNTIME|g"
}

# needs_device PATH: what the session gives a container; not every host has it.
needs_device() { [[ -c $1 ]] || skip "no $1 here"; }

# terminal COMMAND...: with a terminal of its own, as if typed by a user; stdin is what is typed.
terminal() { script --quiet --return --command "$(printf '%q ' "$@")" /dev/null; }

# world: what an engine could leave in the sandbox: containers' processes, cgroups, mounts, network devices, the
# runtime's state, network namespaces.
world() {
	local pid
	for pid in $(ps -eo pid=); do
		[[ ! /proc/$pid/ns/mnt -ef /proc/self/ns/mnt && -e /proc/$pid/exe ]] && echo "process $(ps -o args= -p "$pid")"
	done
	find /sys/fs/cgroup/ -mindepth 1 -type d -regextype posix-extended -regex '.*[0-9a-f]{12}.*' -printf 'cgroup %P\n' 2>/dev/null
	cut -d' ' -f5 /proc/self/mountinfo | sed 's/^/mount /'
	ip -o link | awk -F '[ @:]+' '{ print "device", $2 }'
	find /run -regextype posix-extended -regex '/run/(oci-run|runc|crun|.*/runtime-runc/[^/]*|containerd/runc/[^/]*|netns)/[^/]*' \
		-printf 'state %p\n'
}

remember_world() { world | sort >/run/world; }

# nothing_is_left: the world is as it was remembered, or becomes so within 10 s.
nothing_is_left() {
	within 10 same_world || { diff /run/world <(world | sort) | grep '^[<>]'; return 1; }
}

same_world() { diff /run/world <(world | sort); }
