# What Podman does with a container from its start to its end, alike for root and an ordinary user (podman.bash).
# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2153,SC2317 # variables for the sessions; $status and $output are from bats

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

# output_has_words WORDS: of the runtime, about the program; those of oci-run follow its name and the field, other runtimes say more before.
output_has_words() { if [[ ${RUNTIME##*/} == oci-run ]]; then output_has "oci-run: config.json: /process/args/0: $1"; else output_has "$1"; fi; }

session_not_found() {
	run -127 podman run --rm busybox nosuchprogram
	output_has 'OCI runtime attempted to invoke a command that was not found'
	output_has_words 'exec: "nosuchprogram": executable file not found in $PATH:'
	run -127 podman run --rm busybox /no/such
	output_has_words 'exec: "/no/such": stat /no/such: no such file or directory: OCI runtime attempted'
	run -126 podman run --rm busybox /etc/passwd
	output_has_words 'exec: "/etc/passwd": permission denied'
	output_has 'OCI permission denied'
	run -126 podman run --rm busybox /etc
	output_has 'OCI permission denied'
	run -126 podman run --rm -w /etc/passwd busybox true
	output_has 'not a directory'
	run podman ps -aq
	output_is ''
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
