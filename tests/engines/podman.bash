# What the sessions under Podman share: its storage and configuration in the sandbox, and the sessions themselves for
# what is alike for root and an ordinary user. Each function that begins with session_ is one; podman.bats and
# podman_rootless.bats call them. The engine is configured with the lines that docs/engines.md gives, and calls conmon,
# which calls the runtime.
#
#   $home   the configuration and storage of whoever calls podman; removed with the sandbox
# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2153,SC2317 # variables for the sessions; $status and $output are from bats

load lib

user=podman-user
if [[ $BATS_TEST_FILENAME == *_rootless.bats ]]; then
	home=/var/lib/containers/$user # no overlay, and not below /run, which Podman replaces where it makes networks
else
	home=/root
fi

# as_user COMMAND...: whoever the file's sessions are for; a user gets what a login gives, but no systemd. In its home,
# because Debian's conmon reports an OOM by a file in whatever its working directory is, where Podman doesn't look.
as_user() {
	if [[ $home == /root ]]; then
		(cd "$home" && exec "$@" 3>&- 4>&-)
	else
		(cd "$home" && exec setpriv --reuid "$user" --regid "$user" --init-groups --inh-caps=-all \
			env -i PATH="$PATH" HOME="$home" USER="$user" XDG_RUNTIME_DIR="/run/user/$uid" "${exported[@]}" "$@" 3>&- 4>&-)
	fi
}

podman() { as_user /usr/bin/podman "$@"; }

exported=()
uid=4242

# setup_podman: what it starts may keep the file open that its output goes to.
setup_podman() { prepare_podman >/run/setup.log 2>&1 || { cat /run/setup.log; return 1; }; }

prepare_podman() {
	mount --make-rshared / # as hosts have it; an ordinary user's Podman warns otherwise
	echo 'containers:2000000:1000000' | tee -a /etc/subuid >>/etc/subgid # for --userns=auto
	[[ $home == /root ]] || make_user
	local conf=/etc/containers
	[[ $home == /root ]] || conf=$home/.config/containers
	mkdir -p "$conf"
	documented Podman /etc/containers/containers.conf >"$conf/containers.conf"
	if [[ $home != /root ]]; then
		printf '[storage]\ndriver = "overlay"\n' >"$conf/storage.conf"
		chown -R "$user:" "$home"
	fi
	podman load -q -i "$images/busybox.tar" || return
	podman run --rm busybox true || return # makes the network, and the user's namespaces
	remember_world
}

# make_user: an ordinary one with subordinate ids, who may open what udev lets everybody open.
make_user() {
	local device
	useradd --no-create-home --home-dir "$home" --shell /bin/bash --uid "$uid" "$user"
	printf '%s:3000000:65536\n' "$user" | tee /etc/subuid >/etc/subgid
	mkdir -p "$home"
	install -d -m 700 -o "$user" -g "$user" "/run/user/$uid"
	for device in "fuse 10 229" "net/tun 10 200"; do
		read -r device major minor <<<"$device"
		mknod -m 666 "/run/${device#*/}" c "$major" "$minor"
		mount --bind "/run/${device#*/}" "/dev/$device"
	done
}

teardown() {
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || { printf 'last output: %s\n' "${output:-}" && podman ps -a --pod; }
	podman pod rm -af -t 0 >/dev/null
	podman rm -af -t 0 >/dev/null
	podman network prune -f >/dev/null
	podman volume prune -f >/dev/null
	# In these two hierarchies Podman 4 leaves its pods' cgroups, whatever the runtime.
	find /sys/fs/cgroup/{systemd,unified}/libpod_parent -mindepth 1 -maxdepth 1 -type d ! -name conmon ! -name 'libpod-*' -exec rmdir {} \; 2>/dev/null || true
	nothing_is_left
}

# runtime ARG...: called by hand, as whoever it is that Podman calls it as.
runtime() {
	if [[ $home == /root ]]; then "$RUNTIME" "$@" 3>&-; else podman unshare "$RUNTIME" "$@"; fi
}

# field NAME FORMAT: of podman inspect.
field() { podman inspect --format "{{$2}}" "$1"; }
status_is() { [[ $(field "$1" .State.Status) == "$2" ]]; }
pid_of() { field "$1" .State.Pid; }

# background NAME [FLAG...]: a container that does nothing until it gets SIGTERM.
background() {
	local name=$1
	shift
	podman run -d --name "$name" "$@" busybox sh -c 'trap "exit 0" TERM; while :; do sleep 0.1; done' >/dev/null
}

# logged NAME TEXT: it has written that.
logged() { podman logs "$1" 2>&1 | grep -qF -- "$2"; }

# What Podman keeps for all of a user's networks is not a session's.
eval "$(declare -f world | sed '1s/world/whole_world/')"
world() { whole_world | grep -v '^process .*slirp4netns .*/rootless-netns-'; }

# ---- life ------------------------------------------------------------------

session_run() {
	run -0 --separate-stderr podman run --rm -e GREETING=hello -w /tmp --hostname box busybox \
		sh -c 'echo "$GREETING $(pwd) $(hostname)"; echo problem >&2'
	output_is 'hello /tmp box'
	equal stderr problem "$stderr"
	run -0 podman run --rm -i busybox tr a-z A-Z <<<'standard input'
	output_is 'STANDARD INPUT'
	run -0 podman run --rm busybox sh -c 'head -c 3000000 /dev/zero | tr "\0" x' # many pipes full
	equal length 3000000 "${#output}"
	run -0 podman run --rm -a stderr busybox sh -c 'echo one; echo two >&2'
	output_is two
}

session_exit_status() {
	run -3 podman run --rm busybox sh -c 'exit 3'
	run -137 podman run --rm --pid host busybox sh -c 'kill -9 $$'
	run -137 podman run --rm --init busybox sh -c 'kill -9 $$'
	run -143 podman run --rm --init busybox sh -c 'kill $$'
	podman run --name ended busybox sh -c 'exit 42' || true
	equal 'exit code' 42 "$(field ended .State.ExitCode)"
	run -125 podman run --rm --no-such-flag busybox true
}

session_not_found() {
	run -127 podman run --rm busybox nosuchprogram
	output_has 'OCI runtime attempted to invoke a command that was not found'
	output_has 'oci-run: exec: "nosuchprogram": executable file not found in $PATH:'
	run -127 podman run --rm busybox /no/such
	output_has 'oci-run: exec: "/no/such": stat /no/such: no such file or directory: OCI runtime attempted'
	run -126 podman run --rm busybox /etc/passwd
	output_has 'oci-run: exec: "/etc/passwd": permission denied'
	output_has 'OCI permission denied'
	run -126 podman run --rm busybox /etc
	output_has 'OCI permission denied'
	run -126 podman run --rm -w /etc/passwd busybox true
	output_has 'not a directory'
	run podman ps -aq
	output_is ''
}

# The words of another runtime are its own; what they make Podman do is the same.
session_not_found_statuses() {
	run -127 podman run --rm busybox nosuchprogram
	run -127 podman run --rm busybox /no/such
	run -126 podman run --rm busybox /etc/passwd
	run -126 podman run --rm busybox /etc
}

# Without a line of configuration Podman shows the runtime's stderr, and has to find the same words in it.
session_no_configuration() {
	exported=(CONTAINERS_CONF=/dev/null)
	local CONTAINERS_CONF=/dev/null
	export CONTAINERS_CONF
	run -0 podman --runtime "$RUNTIME" run --rm busybox echo hello
	output_is hello
	run -127 podman --runtime "$RUNTIME" run --rm busybox nosuchprogram
	run -127 podman --runtime "$RUNTIME" run --rm busybox /no/such
	run -126 podman --runtime "$RUNTIME" run --rm busybox /etc/passwd
	podman --runtime "$RUNTIME" run -d --name c busybox sleep 1000
	run -127 podman --runtime "$RUNTIME" exec c nosuchprogram
	equal runtime "$RUNTIME" "$(field c .OCIRuntime)"
	podman --runtime "$RUNTIME" rm -f -t 0 c
	run -0 podman --runtime "$RUNTIME" info --format '{{.Host.OCIRuntime.Version}}'
	output_has 'spec: '
}

session_exec() {
	background c -e ONE=1
	run -0 podman exec -e TWO=2 -w /tmp c sh -c 'echo $ONE $TWO $(pwd)'
	output_is '1 2 /tmp'
	run -7 podman exec c sh -c 'exit 7'
	run -137 podman exec c sh -c 'kill -9 $$'
	run -127 podman exec c nosuchprogram
	output_has 'executable file'
	run -127 podman exec c /no/such
	run -126 podman exec c /etc/passwd
	run -126 podman exec c /etc
	run -127 podman exec -w /no/such c true
	run -0 podman exec -u app c sh -c 'id -un; id -gn; echo $HOME'
	output_is $'app\napp\n/home/app'
	run -0 podman exec -u 7:8 c sh -c 'id -u; id -g'
	output_is $'7\n8'
	run -0 podman exec -i c cat <<<'through a pipe'
	output_is 'through a pipe'
	run -0 podman exec --privileged c grep CapEff /proc/self/status
	output_lacks 00000000a80425fb
	podman exec -d c sh -c 'echo detached >/tmp/detached'
	eventually podman exec c grep detached /tmp/detached
	podman exec c true # none of it is left
	run -0 podman exec c ps -o args
	output_lacks detached
	podman stop -t 5 c
	run -255 podman exec c true
	output_has 'container state improper'
}

session_preserve_fds() {
	in_fds() { as_user sh -c 'exec /usr/bin/podman "$@" 3<"$HOME/three" 4<"$HOME/four"' sh "$@"; }
	echo three >"$home/three"
	echo four >"$home/four"
	run -0 in_fds run --rm --preserve-fds 2 busybox sh -c 'cat <&3; cat <&4; ls /proc/self/fd | wc -l'
	output_has $'three\nfour\n6' # 0 to 4, and that of ls
	background c
	run -0 in_fds exec --preserve-fds 2 c sh -c 'cat <&3; cat <&4'
	output_has $'three\nfour'
	run ! in_fds exec c sh -c 'cat <&3'
}

session_tty() {
	in_terminal() { terminal_as_user 'stty rows 31 cols 99;' "$@" | tr -d '\r'; }
	run -0 in_terminal run --rm -it busybox sh -c 'tty; stty size'
	output_has /dev/pts/0
	output_has '31 99'
	background c
	run -0 in_terminal exec -it c sh -c 'tty; stty size; id -u'
	output_has /dev/pts/
	output_has '31 99'
	run -0 podman run --rm -t busybox test -t 1
	run -1 podman run --rm busybox test -t 1
}

# terminal_as_user SHELL-WORDS PODMAN-ARG...: in a terminal of its own.
terminal_as_user() {
	local before=$1 command
	shift
	printf -v command '%q ' /usr/bin/podman "$@"
	as_user script --quiet --return --command "$before $command" /dev/null </dev/null
}

session_attach() {
	podman run -d --name c busybox sh -c 'sleep 3; echo at last; exit 5' >/dev/null
	run podman attach c </dev/null # its exit status is 0, whatever the runtime
	output_has 'at last'
	run -0 podman wait c
	output_is 5
	podman run -d -i --name d busybox sh -c 'read line; echo "got $line"' >/dev/null
	run -0 podman attach d <<<word
	output_has 'got word'
}

session_logs() {
	podman run --name c busybox sh -c 'echo out; echo err >&2; printf unfinished'
	run -0 --separate-stderr podman logs c
	output_is $'out\nunfinished'
	equal stderr err "$stderr"
	run -0 podman logs --tail 1 c
	[[ $output != *out* ]]
	run -0 cat "$(field c .HostConfig.LogConfig.Path)" # k8s-file: time, stream, full or part, text
	output_has 'stdout F out'
	output_has 'stderr F err'
	output_has 'stdout P unfinished'
	podman run -d --name d busybox sh -c 'sleep 1; echo late' >/dev/null
	run -0 podman logs -f d
	output_is late
	podman run --log-driver none --name e busybox echo unlogged
	run podman logs e
	output_lacks unlogged
}

session_stop() {
	background c
	podman stop -t 10 c
	equal 'exit code' 0 "$(field c .State.ExitCode)"
	podman run -d --name deaf busybox sleep 1000 # the first process of a pid namespace ignores SIGTERM
	run -0 podman stop -t 1 deaf
	output_has 'resorting to SIGKILL'
	equal 'exit code' 137 "$(field deaf .State.ExitCode)"
	podman run -d --name own --stop-signal USR1 busybox sh -c 'trap "exit 9" USR1; while :; do sleep 0.1; done'
	eventually podman exec own true
	sleep 0.3
	podman stop -t 10 own
	equal 'exit code' 9 "$(field own .State.ExitCode)"
}

session_kill() {
	podman run -d --name c busybox sh -c 'trap "echo usr1" USR1; echo ready; while :; do sleep 0.1; done'
	eventually logged c ready
	podman kill -s USR1 c
	eventually logged c usr1
	podman kill -s SIGRTMIN+1 c # SIGRTMIN+1 without a handler ends all but the first of a pid namespace
	status_is c running
	podman kill c
	run -0 podman wait c
	output_is 137
	run -125 podman kill c
	output_has 'can only kill running containers'
}

session_wait() {
	podman run -d --name c busybox sh -c 'sleep 1; exit 6'
	run -0 podman wait c
	output_is 6
	run -0 podman wait c
	output_is 6
}

session_restart() {
	background c
	local first
	first=$(pid_of c)
	podman restart -t 5 c
	status_is c running
	[[ $(pid_of c) != "$first" ]]
	gone "$first"
	podman run -d --name again --restart on-failure:2 busybox sh -c 'exit 3'
	eventually status_is again exited
	eventually restarted_twice
}

restarted_twice() { [[ $(field again .RestartCount) == 2 ]]; }

session_create_start() {
	podman create --name c busybox sh -c 'echo started; exit 4'
	status_is c created
	run -4 podman start -a c
	output_is started
	run -4 podman start -a c # once more
	podman create --name i busybox sleep 1000
	podman init i
	status_is i initialized || status_is i created
	local pid
	pid=$(pid_of i)
	running "$pid"
	podman start i
	equal pid "$pid" "$(pid_of i)"
	status_is i running
	podman create --name bad busybox nosuchprogram
	run -125 podman start bad
	output_has 'OCI runtime attempted to invoke a command that was not found'
	podman create --name never busybox true
	podman init never
	podman rm -f never
}

session_events() {
	local since
	since=$(date +%s)
	background c
	podman exec c true
	podman kill c
	podman wait c || true
	podman rm c
	run -0 podman events --stream=false --since "$since" --filter container=c --format '{{.Status}}'
	local event
	for event in create init start exec kill died remove; do
		grep -qx "$event" <<<"$output" || { printf 'no event %s:\n%s\n' "$event" "$output"; return 1; }
	done
}

session_top() {
	background c
	podman exec -d c sleep 1234
	run -0 podman top c pid hpid args
	output_has 'sleep 1234'
	local pid
	pid=$(pid_of c)
	[[ $output =~ (^|$'\n')1\ +$pid\  ]]
	run -0 podman top c -o pid,args # with ps(1)
	output_has 'sleep 1234'
}

session_cp() {
	background c
	echo 'from outside' >"$home/file"
	podman cp "$home/file" c:/tmp/file
	run -0 podman exec c cat /tmp/file
	output_is 'from outside'
	podman exec c sh -c 'mkdir /tmp/d && echo inside >/tmp/d/x'
	podman cp c:/tmp/d "$home/d"
	equal content inside "$(cat "$home/d/x")"
	podman cp "$home/file" c:/dev/shm/file # a mount of the container's own
	run -0 podman exec c cat /dev/shm/file
	podman stop -t 5 c
	podman cp "$home/d/x" c:/stopped
	run -0 podman cp c:/stopped -
	output_has inside
	rm -rf "$home/d" "$home/file"
}

session_health() {
	background c --health-cmd 'test -e /healthy' --health-interval disable --health-retries 1
	run -1 podman healthcheck run c
	equal health unhealthy "$(field c .State.Health.Status)"
	podman exec c touch /healthy
	run -0 podman healthcheck run c
	equal health healthy "$(field c .State.Health.Status)"
}

session_init() {
	run -0 podman run --rm --init busybox sh -c 'cat /proc/1/comm; echo $$'
	[[ ${lines[0]} != sh && ${lines[1]} != 1 ]]
	run -0 podman run --rm --init --init-path /usr/bin/tini-static busybox cat /proc/1/cmdline
	output_has /run/podman-init
}

session_rm() {
	background c
	run podman rm c
	((status == 2)) && output_has 'cannot remove container'
	podman rm -f -t 0 c
	run -1 podman container exists c
}

# ---- what a container gets -------------------------------------------------

session_root_file_system() {
	run -1 podman run --rm --read-only busybox touch /etc/new
	output_has 'Read-only file system'
	run -0 podman run --rm --read-only busybox touch /tmp/new /run/new
	run -1 podman run --rm --read-only --read-only-tmpfs=false busybox touch /tmp/new
	run -0 podman run --rm --tmpfs /scratch:size=1m,mode=1770,noexec busybox sh -c 'grep " /scratch " /proc/mounts; stat -c %a /scratch'
	output_has size=1024k
	output_has noexec
	output_has 1770
	run -0 podman run --rm --tmpfs /etc:rw busybox cat /etc/group # tmpcopyup
	output_has app:x:1000:
	run -0 podman run --rm --shm-size 3m busybox df -k /dev/shm
	output_has ' 3072 '
}

session_volumes() {
	local dir=$home/volume
	as_user mkdir -p "$dir"
	as_user sh -c 'echo content >"$1/file"' sh "$dir"
	run -0 podman run --rm -v "$dir:/v" busybox sh -c 'cat /v/file; echo written >/v/new'
	output_is content
	equal content written "$(cat "$dir/new")"
	run -1 podman run --rm -v "$dir:/v:ro" busybox touch /v/other
	output_has 'Read-only file system'
	run -0 podman run --rm -v "$dir/file:/etc/one:ro" busybox cat /etc/one
	output_is content
	podman run --rm -v named:/data busybox sh -c 'echo kept >/data/x'
	run -0 podman run --rm -v named:/data busybox cat /data/x
	output_is kept
	run -0 podman run --rm -v named:/home busybox ls /home # not filled twice
	output_is x
	run -0 podman run --rm --mount type=tmpfs,destination=/t,tmpfs-size=2m busybox grep ' /t ' /proc/mounts
	output_has size=2048k
	run -0 podman run --rm -v "$dir:/v:U" -u 1000 busybox touch /v/mine
	background c -v "$dir:/v"
	run -0 podman run --rm --volumes-from c busybox cat /v/file
	output_is content
	run ! podman run --rm -v /etc/passwd:/etc busybox true
	output_has 'not a directory'
	rm -rf "$dir"
}

session_user() {
	run -0 podman run --rm --user app busybox sh -c 'id; echo $HOME'
	output_is $'uid=1000(app) gid=1000(app) groups=1000(app)\n/home/app'
	run -0 podman run --rm --user 7:8 --group-add 50 --umask 0027 busybox sh -c 'id -u; id -g; id -G; umask'
	output_is $'7\n8\n8 50\n0027'
	run -0 podman run --rm --user 4321 busybox sh -c 'grep 4321 /etc/passwd; id -g'
	output_has ':4321:0:'
	run ! podman run --rm --user nobodyelse busybox true
	output_has 'unable to find user nobodyelse'
}

session_capabilities() {
	caps() { podman run --rm "$@" busybox grep -E 'Cap(Eff|Bnd)' /proc/self/status; }
	local all
	all=$(grep CapBnd /proc/self/status | cut -f2)
	run -0 caps --cap-drop all
	output_is $'CapEff:\t0000000000000000\nCapBnd:\t0000000000000000'
	run -0 caps --cap-drop all --cap-add chown,net_raw
	output_is $'CapEff:\t0000000000002001\nCapBnd:\t0000000000002001'
	run -0 caps --cap-drop setfcap
	output_lacks 80
	run -0 caps --user 1000
	output_has $'CapEff:\t0000000000000000'
	run -0 caps --user 1000 --cap-add chown # ambient
	output_has $'CapEff:\t0000000000000001'
	run -1 podman run --rm --cap-drop chown busybox chown 7 /tmp
	run -0 podman run --rm busybox chown 7 /tmp
}

session_seccomp() {
	run -0 podman run --rm busybox grep Seccomp: /proc/self/status
	output_is $'Seccomp:\t2'
	run -0 podman run --rm --security-opt seccomp=unconfined busybox grep Seccomp: /proc/self/status
	output_is $'Seccomp:\t0'
	jq -n '{defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
		syscalls: [{names: ["mkdir", "mkdirat", "no_such_call"], action: "SCMP_ACT_ERRNO", errnoRet: 28}]}' >"$home/profile.json"
	run -1 podman run --rm --security-opt "seccomp=$home/profile.json" busybox mkdir /d
	output_has 'No space left on device'
	run -0 podman run --rm busybox mkdir /d
	run -1 podman run --rm busybox unshare -m true # the default profile
	output_has 'Operation not permitted'
	run -125 podman run --rm --security-opt seccomp=/no/such busybox true
}

session_security_options() {
	run -0 podman run --rm --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status
	output_is $'NoNewPrivs:\t1'
	run -0 podman run --rm busybox grep NoNewPrivs /proc/self/status
	output_is $'NoNewPrivs:\t0'
	run -0 podman run --rm busybox sh -c 'head -c 1 /proc/keys | wc -c; grep -c " /proc/sys " /proc/mounts; ls -A /sys/firmware | wc -l'
	output_is $'0\n1\n0'
	run -0 podman run --rm --security-opt unmask=ALL busybox sh -c 'grep -c " /proc/" /proc/mounts || true'
	output_is 0
	run -1 podman run --rm --security-opt unmask=/proc/keys busybox grep ' /proc/keys ' /proc/mounts
	run -0 podman run --rm --security-opt mask=/etc/passwd:/var busybox sh -c 'wc -c </etc/passwd; ls /var'
	output_is 0 # and an empty directory
}

session_privileged() {
	run -0 podman run --rm --privileged busybox sh -c 'grep Seccomp: /proc/self/status; grep -c " /proc/" /proc/mounts; ls /dev | wc -l'
	[[ ${lines[0]} == $'Seccomp:\t0' && ${lines[1]} == 0 ]]
	((lines[2] > 20))
}

session_ulimits() {
	run -0 podman run --rm --ulimit nofile=99:100 --ulimit nproc=1000:1001 --ulimit core=0 --ulimit fsize=4096:8192 busybox \
		sh -c 'ulimit -Sn; ulimit -Hn; ulimit -Sc; grep -E "processes|file size" /proc/self/limits'
	[[ ${lines[0]} == 99 && ${lines[1]} == 100 && ${lines[2]} == 0 ]]
	[[ $output =~ processes\ +1000\ +1001 && $output =~ size\ +4096\ +8192\ +bytes ]]
}

session_sysctl() {
	run -0 podman run --rm --sysctl net.ipv4.ip_unprivileged_port_start=80 --sysctl kernel.msgmax=4096 busybox \
		cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax
	output_is $'80\n4096'
	run -125 podman run --rm --sysctl kernel.pid_max=4096 busybox true
	run -125 podman run --rm --network host --sysctl net.ipv4.ip_forward=1 busybox true
}

session_networks() {
	run -0 podman run --rm --network none busybox ls /sys/class/net
	output_is lo
	run -0 podman run --rm --network host busybox readlink /proc/self/ns/net
	equal 'network namespace' "$(readlink /proc/self/ns/net)" "$output"
	background c
	run -0 podman run --rm --network container:c busybox readlink /proc/self/ns/net
	equal 'network namespace' "$(readlink "/proc/$(pid_of c)/ns/net")" "$output"
	run -0 podman run --rm --network host --privileged busybox ls -d /sys/class/net/lo
	run -0 podman run --rm --dns 192.0.2.7 --add-host peer:192.0.2.8 busybox cat /etc/resolv.conf /etc/hosts
	output_has 'nameserver 192.0.2.7'
	output_has 192.0.2.8
}

session_namespaces() {
	own() { podman run --rm "${@:2}" busybox readlink "/proc/self/ns/$1"; }
	local kind
	background c --ipc shareable
	for kind in pid uts ipc; do
		run -0 own "$kind" "--$kind" container:c
		equal "$kind namespace" "$(readlink "/proc/$(pid_of c)/ns/$kind")" "$output"
		run -0 own "$kind"
		[[ $output != "$(readlink "/proc/self/ns/$kind")" ]]
	done
	for kind in pid uts; do
		run -0 own "$kind" "--$kind" host
		equal "$kind namespace" "$(readlink "/proc/self/ns/$kind")" "$output"
	done
	run -0 own cgroup --cgroupns host
	equal 'cgroup namespace' "$(readlink /proc/self/ns/cgroup)" "$output"
	run -0 own cgroup --cgroupns private
	[[ $output != "$(readlink /proc/self/ns/cgroup)" ]]
	run -0 podman run --rm --cgroupns private busybox cat /proc/self/cgroup
	[[ ! $output =~ libpod ]]
}

session_userns_auto() {
	run -0 podman run --rm --userns auto:size=2000 busybox sh -c 'cat /proc/self/uid_map; id -u; touch /root/mine; stat -c %u /root/mine'
	[[ ${lines[0]} =~ \ 2000$ && ${lines[1]} == 0 && ${lines[2]} == 0 ]]
	run -0 podman run --rm --userns auto busybox sh -c 'mount | grep -c " /proc "'
}

session_cgroups_disabled() {
	local own
	own=$(as_user grep ^0:: /proc/self/cgroup)
	run -0 podman run --rm --cgroups disabled busybox grep ^0:: /proc/self/cgroup
	output_is "$own"
	background c --cgroups disabled
	run -0 podman exec c grep ^0:: /proc/self/cgroup
	output_is "$own"
	podman stop -t 5 c
	equal 'exit code' 0 "$(field c .State.ExitCode)"
}

# ---- more than one ---------------------------------------------------------

session_pod() {
	podman pod create --name p --hostname podhost
	podman run -d --pod p --name server busybox sh -c 'mkdir /www; echo pod >/www/index.html; exec httpd -f -p 8000 -h /www'
	eventually podman run --rm --pod p busybox wget -q -O - http://127.0.0.1:8000/
	run -0 podman run --rm --pod p busybox hostname
	output_is podhost
	run -0 podman run --rm --pod p busybox readlink /proc/self/ns/ipc
	equal 'ipc namespace' "$(readlink "/proc/$(pid_of server)/ns/ipc")" "$output"
	run -0 podman run --rm --pod p busybox sh -c 'echo shared >/dev/shm/x'
	run -0 podman exec server cat /dev/shm/x
	output_is shared
	podman pod stop -t 1 p
	status_is server exited
	podman pod start p
	eventually status_is server running
	run -0 podman pod ps --format '{{.Status}}'
	output_is Running
	podman pod rm -f -t 0 p
	run podman ps -aq
	output_is ''
}

session_kube() {
	cat >"$home/pod.yaml" <<-'END'
		apiVersion: v1
		kind: Pod
		metadata:
		  name: two
		spec:
		  hostname: kube-host
		  restartPolicy: Never
		  containers:
		  - name: server
		    image: localhost/busybox:latest
		    command: ["sh", "-c", "echo $GREETING >/tmp/index.html; exec httpd -f -p 8080 -h /tmp"]
		    env:
		    - {name: GREETING, value: from kube}
		    securityContext:
		      readOnlyRootFilesystem: false
		      allowPrivilegeEscalation: false
		  - name: client
		    image: localhost/busybox:latest
		    command: ["sleep", "1000"]
		    workingDir: /tmp
	END
	sed -i "s|localhost/busybox|$(podman image inspect --format '{{index .RepoTags 0}}' busybox | sed 's/:.*//')|" "$home/pod.yaml"
	podman play kube "$home/pod.yaml"
	eventually podman exec two-client wget -q -O - http://127.0.0.1:8080/
	run -0 podman exec two-client wget -q -O - http://127.0.0.1:8080/
	output_is 'from kube'
	run -0 podman exec two-server grep NoNewPrivs /proc/self/status
	output_has 1
	run -0 podman exec two-client sh -c 'hostname; pwd'
	output_is $'kube-host\n/tmp'
	run -0 podman generate kube two
	output_has 'kind: Pod'
	podman play kube --down "$home/pod.yaml"
	run podman ps -aq
	output_is ''
}

session_build() {
	local dir=$home/build
	as_user mkdir -p "$dir"
	cat >"$dir/Containerfile" <<-'END'
		FROM busybox AS first
		ARG WORD=none
		RUN echo "built $WORD by $(id -u)" >/made
		RUN ["/bin/sh", "-c", "chown 1000:1000 /made"]
		FROM busybox
		COPY --from=first /made /made
		USER app
		WORKDIR /home/app
		RUN id -un >who && test -O who
		CMD ["sh", "-c", "cat /made who"]
	END
	podman build -q --network none --build-arg WORD=here -t built "$dir"
	run -0 podman run --rm built
	output_is $'built here by 0\napp'
	podman rmi built >/dev/null
	printf 'FROM busybox\nRUN exit 9\n' >"$dir/Containerfile"
	run -9 podman build --network none --no-cache "$dir"
	output_has 'exit status 9'
	podman image prune -f >/dev/null
	rm -rf "$dir"
}

session_nginx() {
	podman load -q -i "$images/nginx.tar"
	podman run -d --name web -p 8081:80 nginx
	answers http://127.0.0.1:8081/ 'welcome to nginx'
	run -0 podman exec web nginx -s reload
	answers http://127.0.0.1:8081/ 'welcome to nginx'
	eventually logged web 'GET / HTTP'
	podman stop -t 10 web # by SIGQUIT
	equal 'exit code' 0 "$(field web .State.ExitCode)"
}

# A web application that finds its database by name: Debian's netavark asks aardvark-dns.
session_flask() {
	podman load -q -i "$images/redis.tar"
	podman load -q -i "$images/flask.tar"
	podman network create web
	podman run -d --name redis --network web -v counted:/data redis
	podman run -d --name app --network web -p 8082:5000 --hostname application flask
	answers http://127.0.0.1:8082/ 'visit 1 on application'
	answers http://127.0.0.1:8082/ 'visit 2 on application'
	podman stop -t 10 redis # the count is in the volume
	podman start redis
	eventually podman exec redis redis-cli ping
	answers http://127.0.0.1:8082/ 'visit 3 on application'
	podman rm -f -t 0 app redis
	podman network rm web
}

session_docker_command() {
	local socket=$1
	docker() { as_user env DOCKER_HOST="unix://$socket" DOCKER_API_VERSION=1.41 /usr/bin/docker "$@"; }
	as_user /usr/bin/podman system service --time 0 "unix://$socket" >"$home/service.log" 2>&1 </dev/null &
	echo $! >/run/service.pid
	eventually test -S "$socket"
	run -0 docker info --format '{{.Name}}'
	run -0 docker run --rm busybox echo 'by way of the API'
	output_has 'by way of the API'
	docker run -d --name c busybox sleep 1000
	run -5 docker exec c sh -c 'exit 5'
	run -0 docker exec c echo inside
	output_is inside
	run -0 docker inspect --format '{{.State.Status}}' c
	output_is running
	run -0 docker top c
	output_has 'sleep 1000'
	docker kill c
	run -0 docker wait c
	output_is 137
	docker rm c
	stop_service
}

# stop_service: and the conmons of execs, which keep their exit status for five minutes, for an API client who may ask.
stop_service() {
	local pid
	pid=$(</run/service.pid)
	kill "$(pgrep -P "$pid" podman || echo "$pid")"
	eventually gone "$pid"
	pkill -KILL -f '^/usr/bin/conmon .* --exit-delay ' || true
}

# session_many NUMBER: started at once, and alive at the same time.
session_many() {
	local names
	mapfile -t names < <(seq -f 'many-%g' "$1")
	printf '%s\n' "${names[@]}" | as_user xargs -P 4 -I@ podman create --name @ --network none busybox \
		sh -c 'echo "this is @"; trap "exit 0" TERM; while :; do sleep 0.5; done' >/dev/null
	podman start "${names[@]}" >/dev/null
	equal 'running containers' "$1" "$(podman ps -q | wc -l)"
	equal 'what they wrote' "$1" "$(podman logs "${names[@]}" | sort -u | grep -c 'this is many-')"
	podman kill -s TERM "${names[@]}" >/dev/null
	podman wait "${names[@]}" >/run/many
	equal 'containers that exited with 0' "$1" "$(grep -cx 0 /run/many)"
}

# ---- accidents -------------------------------------------------------------

session_killed_behind() {
	background c
	kill -KILL "$(pid_of c)"
	eventually status_is c exited
	equal 'exit code' 137 "$(field c .State.ExitCode)"
	podman start c
	status_is c running
	# conmon too: nobody is left to collect the exit code, but the container has to go
	local pid conmon id
	pid=$(pid_of c)
	id=$(field c .Id)
	conmon=$(field c .State.ConmonPid)
	kill -KILL "$conmon"
	podman rm -f -t 0 c
	eventually gone "$pid"
	run -0 podman run --rm --name c busybox echo again
	output_is again
	# Without a conmon Podman 4 calls no delete, whatever the runtime; what the runtime keeps is for its user to remove.
	run -0 runtime list -q
	output_is "$id"
	run -0 runtime delete --force "$id"
	output_is ''
}

# A conmon whose runtime is killed in the middle of create; what create left has to go with podman rm -f.
session_create_killed() {
	local runtime=/run/killed/oci-run delay
	mkdir -p /run/killed
	cat >"$runtime" <<-END
		#!/bin/bash
		case " \$* " in *' create '*) ;; *) exec $RUNTIME "\$@" ;; esac
		$RUNTIME "\$@" &
		sleep "\$(cat /run/killed/delay)"
		kill -KILL \$!
		wait \$!
	END
	chmod 755 /run/killed "$runtime"
	for delay in 0.001 0.002 0.003 0.004 0.005 0.006 0.008 0.010 0.012 0.015; do
		echo "$delay" >/run/killed/delay
		run podman --runtime "$runtime" run -d --name c busybox sleep 1000
		podman --runtime "$runtime" rm -f -t 0 c
		run -0 podman run --rm --name c busybox echo again
		output_is again
	done
	rm -rf /run/killed
}
