#!/usr/bin/env bats
# Docker with the runtime under test: a container's life, two services that find each other, limits, and each command that
# is the runtime's work in the end. docker_options.bats has what the options of docker run give a container,
# docker_daemon.bats what is about the daemon and about accidents.
# shellcheck disable=SC2016,SC2154 # what is quoted expands in the container; $stderr is from bats

load docker

setup_file() { setup_docker busybox nginx redis flask; }
teardown_file() { stop_daemon dockerd; }

@test "the documented lines make it a runtime of Docker's" {
	run -0 docker info -f '{{range $name, $runtime := .Runtimes}}{{$name}}={{$runtime.Path}} {{end}}'
	output_has "oci-run=$RUNTIME "
	background named --runtime oci-run busybox sleep 1000
	equal runtime oci-run "$(inspect named .HostConfig.Runtime)"
	run -0 "$RUNTIME" --root /run/docker/runtime-runc/moby state "$(inspect named .Id)"
	equal pid "$(pid_of named)" "$(jq .pid <<<"$output")"
}

# bats test_tags=core
@test "nginx: published port, files of the host, logs, reload, stop, start" {
	echo 'from the host' >dir/index.html
	mkdir conf
	background web -p 8080:80 -v "$PWD/dir:/srv/www:ro" -v "$PWD/conf:/etc/nginx/conf.d" nginx
	answers http://127.0.0.1:8080/ 'from the host'
	echo 'changed meanwhile' >dir/index.html
	answers http://127.0.0.1:8080/ 'changed meanwhile'
	run docker exec web sh -c 'echo x >/srv/www/index.html'
	((status != 0))
	output_has 'Read-only file system'
	eventually logged web '"GET / HTTP/1.1" 200'

	echo 'server { listen 81; return 200 "the second server"; }' >conf/second.conf
	docker kill -s HUP web
	eventually docker exec web wget -qO- http://127.0.0.1:81/
	equal 'second server' 'the second server' "$(docker exec web wget -qO- http://127.0.0.1:81/)"

	docker stop -t 10 web
	equal 'exit code' 0 "$(inspect web .State.ExitCode)" # SIGQUIT, the image's stop signal, ends it in order
	run curl -sS --max-time 2 http://127.0.0.1:8080/
	((status != 0))
	docker start web
	answers http://127.0.0.1:8080/ 'changed meanwhile'
	docker rm -f web
	run curl -sS --max-time 2 http://127.0.0.1:8080/
	((status != 0))
}

# bats test_tags=core
@test "flask and redis: found by name on a network, the count survives restarts and the container" {
	docker network create app
	docker volume create count
	background redis --network app -v count:/data redis
	background flask --network app -p 8081:5000 flask
	answers http://127.0.0.1:8081/ 'visit 1 '
	answers http://127.0.0.1:8081/ 'visit 2 '
	docker restart -t 2 flask
	answers http://127.0.0.1:8081/health ok
	answers http://127.0.0.1:8081/ 'visit 3 '
	docker rm -f redis
	background redis --network app -v count:/data redis
	eventually docker exec redis redis-cli ping
	answers http://127.0.0.1:8081/ 'visit 4 '
	run -0 docker exec flask cat /etc/resolv.conf
	output_has 127.0.0.11 # Docker's own name server, in the container's network namespace
}

# bats test_tags=core
@test "run: output, errors, exit code, environment, directory, host name" {
	run -3 --separate-stderr box -e GREETING=hello -w /some/where -h a-name busybox \
		sh -c 'echo $GREETING $(pwd) $(hostname); echo wrong >&2; exit 3'
	output_is 'hello /some/where a-name'
	equal stderr wrong "$stderr"
	equal stdin 'GIVEN' "$(echo given | box -i busybox tr a-z A-Z)"
}

@test "run: 30 MB through stdin and stdout" {
	head -c 30000000 /dev/urandom >data
	box -i busybox cat <data >copy
	cmp data copy
}

@test "run -it and exec -it: a terminal, its size, its echo" {
	run -0 terminal docker run --rm -it busybox sh -c 'tty; test -t 0 && test -t 1 && test -t 2 && echo is-a-terminal' </dev/null
	output_has /dev/pts/0
	output_has is-a-terminal
	run -0 terminal sh -c 'stty rows 33 cols 99; docker run --rm -it busybox sh -c "sleep 1; stty size"' </dev/null
	output_has '33 99'
	background shell -it busybox sh
	run -5 terminal docker exec -it shell sh -c 'tty; ls -l /proc/self/fd/0; exit 5' </dev/null
	output_has /dev/pts/1
	docker exec shell sh -c 'echo unaffected' | grep -x unaffected
}

@test "attach: what is typed arrives, what is written comes back" {
	background talk -i busybox sh -c 'while read -r line; do echo "got $line"; [ "$line" != end ] || exit 7; done'
	# (stdin stays open for longer: with its end Docker stops passing on the output.)
	run -7 docker attach talk < <(sleep 1; echo one; sleep 1; echo end; exec sleep 5 3>&-)
	output_has 'got one'
	output_has 'got end'
	eventually has talk .State.ExitCode 7
}

@test "logs: both streams, the last lines, followed to the end" {
	background writer busybox sh -c 'for i in 1 2 3; do echo line $i; done; echo wrong >&2; sleep 1; echo last'
	run -0 --separate-stderr docker logs -f writer
	output_is $'line 1\nline 2\nline 3\nlast'
	equal stderr wrong "$stderr"
	run -0 docker logs --tail 1 writer
	output_is last
}

@test "stop and kill: the signal arrives, and a death by a signal is told" {
	background polite busybox sh -c 'trap "echo ended in order; exit 4" TERM; while :; do sleep 0.1; done'
	background stubborn busybox sh -c 'trap "" TERM; while :; do sleep 0.1; done'
	background signalled busybox sh -c 'trap "echo usr1" USR1; while :; do sleep 0.1; done'
	sleep 0.5
	docker stop -t 10 polite
	equal 'exit code' 4 "$(inspect polite .State.ExitCode)"
	logged polite 'ended in order'
	docker stop -t 1 stubborn
	equal 'exit code' 137 "$(inspect stubborn .State.ExitCode)"
	docker kill -s USR1 signalled
	eventually logged signalled usr1
	docker kill signalled
	eventually has signalled .State.ExitCode 137
	run docker kill signalled
	((status != 0))
	output_has 'is not running'
}

@test "pause and unpause: nothing runs meanwhile, and a paused container can be removed" {
	background ticker busybox sh -c 'while :; do echo >>/ticks; sleep 0.01; done'
	eventually docker exec ticker test -s /ticks
	local pid before
	pid=$(pid_of ticker)
	docker pause ticker
	equal status paused "$(inspect ticker .State.Status)"
	[[ $(value_of ticker freezer freezer.state cgroup.events) == *FROZEN* || $(value_of ticker freezer freezer.state cgroup.events) == *'frozen 1'* ]]
	ticks() { stat -c %s "/proc/$pid/root/ticks"; }
	before=$(ticks)
	sleep 0.5
	equal ticks "$before" "$(ticks)"
	run docker exec ticker true
	((status != 0))
	output_has 'is paused'
	docker unpause ticker
	eventually eval '(($(ticks) > before))'
	docker pause ticker
	docker rm -f ticker
	gone "$pid"
}

# bats test_tags=core
@test "limits: memory, CPU, pids and block I/O are in the cgroup" {
	background limited --memory 64m --memory-swap 96m --memory-reservation 32m --cpus 0.5 --cpu-shares 512 --cpuset-cpus 0 \
		--pids-limit 50 busybox sleep 1000
	equal memory $((64 << 20)) "$(value_of limited memory memory.limit_in_bytes memory.max)"
	equal reservation $((32 << 20)) "$(value_of limited memory memory.soft_limit_in_bytes memory.low)"
	equal pids 50 "$(value_of limited pids pids.max pids.max)"
	equal cpuset 0 "$(value_of limited cpuset cpuset.cpus cpuset.cpus)"
	if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
		equal quota '50000 100000' "$(value_of limited cpu - cpu.max)"
		equal swap $((32 << 20)) "$(value_of limited memory - memory.swap.max)"
	else
		equal quota 50000 "$(value_of limited cpu cpu.cfs_quota_us -)"
		equal shares 512 "$(value_of limited cpu cpu.shares -)"
		equal swap $((96 << 20)) "$(value_of limited memory memory.memsw.limit_in_bytes -)"
	fi
	run -0 docker exec limited nproc
	output_is 1
}

@test "update: of a running container, and what it leaves as it was" {
	background limited --memory 64m --memory-swap 64m --cpu-shares 512 busybox sleep 1000
	docker update --memory 128m --memory-swap 256m --pids-limit 77 --cpus 1.5 --cpuset-cpus 1 limited
	equal memory $((128 << 20)) "$(value_of limited memory memory.limit_in_bytes memory.max)"
	equal pids 77 "$(value_of limited pids pids.max pids.max)"
	equal cpuset 1 "$(value_of limited cpuset cpuset.cpus cpuset.cpus)"
	if [[ ! -e /sys/fs/cgroup/cgroup.controllers ]]; then
		equal quota 150000 "$(value_of limited cpu cpu.cfs_quota_us -)"
		equal shares 512 "$(value_of limited cpu cpu.shares -)"
		equal swap $((256 << 20)) "$(value_of limited memory memory.memsw.limit_in_bytes -)"
	fi
	docker update --memory 64m --memory-swap 64m limited
	equal memory $((64 << 20)) "$(value_of limited memory memory.limit_in_bytes memory.max)"
	docker update --pids-limit -1 limited
	equal pids max "$(value_of limited pids pids.max pids.max)"
	run docker update --memory 1m limited # below what Docker allows
	((status != 0))
	docker update --restart always limited
	equal policy always "$(inspect limited .HostConfig.RestartPolicy.Name)"
}

@test "out of memory: reported as such" {
	local began
	began=$(date +%s)
	# The shim begins to listen for it when the container has started: not before /go may it happen.
	background greedy --memory 20m --memory-swap 20m busybox sh -c 'until test -e /go; do sleep 0.1; done; exec tail /dev/zero'
	docker exec greedy touch /go
	equal 'waited for' 137 "$(docker wait greedy)"
	eventually has greedy .State.OOMKilled true
	# A child that is killed doesn't take its container along.
	background survivor --memory 20m --memory-swap 20m busybox \
		sh -c 'until test -e /go; do sleep 0.1; done; tail /dev/zero; echo child $?; sleep 1000'
	docker exec survivor touch /go
	eventually logged survivor 'child 137'
	eventually has survivor .State.Running true
	oom_events() { docker events --since "$began" --until 0s --filter event=oom --format '{{.Actor.Attributes.name}}'; }
	eventually eval 'oom_events | grep -x greedy'
	eventually eval 'oom_events | grep -x survivor'
}

@test "pids limit: the next process is refused" {
	run box --pids-limit 10 busybox sh -c 'for i in $(seq 20); do sleep 2 & done; wait'
	output_has "can't fork"
}

@test "top and stats" {
	background busy --memory 64m busybox sh -c 'sleep 611 & sleep 612 & wait'
	run -0 docker top busy
	output_has 'sleep 611'
	output_has 'sleep 612'
	run -0 docker top busy -eo pid,args
	output_has 'sleep 611'
	output_lacks dockerd
	run -0 docker stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' busy
	output_has 'busy 3 '
	output_has '/ 64MiB'
}

# bats test_tags=core
@test "exec: code, environment, user, directory, detached, privileged" {
	background host busybox sleep 1000
	run -9 docker exec host sh -c 'exit 9'
	run -0 docker exec -e WHAT=given -u 1000:50 -w /tmp host sh -c 'echo $WHAT $(id -u):$(id -g) $(pwd) $HOME'
	output_is 'given 1000:50 /tmp /home/app'
	docker exec -d host sh -c 'echo detached >/tmp/done'
	eventually docker exec host grep -x detached /tmp/done
	equal stdin ABC "$(echo abc | docker exec -i host tr a-z A-Z)"
	run -0 docker exec --privileged host grep CapEff /proc/self/status
	local all=$output
	run -0 docker exec host grep CapEff /proc/self/status
	output_has 00000000a80425fb
	[[ $all != "$output" ]]
	run -143 docker exec host sh -c 'kill -TERM $$'
}

# exec_status_of_missing: Docker 20.10 takes whatever an exec can't execute for the same; 28 doesn't.
exec_status_of_missing() { (($(docker version -f '{{.Server.Version}}' | cut -d. -f1) >= 28)) && echo 127 || echo 126; }

# bats test_tags=core
@test "what can't be executed: 126, 127 and what is said" {
	run -127 box busybox nosuchcommand
	output_has 'exec: "nosuchcommand": executable file not found in $PATH'
	run -127 box busybox /no/such/command
	output_has 'no such file or directory'
	run -126 box busybox /etc/passwd
	output_has 'permission denied'
	run -126 box busybox /etc
	output_has 'permission denied'
	background host busybox sleep 1000
	run "-$(exec_status_of_missing)" docker exec host nosuchcommand
	output_has 'executable file not found in $PATH'
	run -126 docker exec host /etc/passwd
	output_has 'permission denied'
	run -0 docker exec host true
	touch file
	run box -v "$PWD/file:/etc" busybox true
	((status == 127 || status == 125))
	output_has 'not a directory'
	output_has 'Are you trying to mount a directory onto a file (or vice-versa)?'
}

@test "cp: into and out of a running and a stopped container" {
	background host busybox sh -c 'echo inside >/tmp/inside; sleep 1000'
	echo outside >outside
	docker cp outside host:/tmp/
	equal 'copied in' outside "$(docker exec host cat /tmp/outside)"
	docker cp host:/tmp/inside back
	equal 'copied out' inside "$(<back)"
	docker stop -t 0 host
	docker cp host:/tmp/outside again
	cmp outside again
}

@test "wait, rename, restart" {
	background waited busybox sh -c 'sleep 0.5; exit 12'
	equal 'waited for' 12 "$(docker wait waited)"
	docker rename waited renamed
	docker start renamed
	equal 'waited for' 12 "$(docker wait renamed)"
	background long busybox sleep 1000
	local pid
	pid=$(pid_of long)
	docker restart -t 0 long
	gone "$pid"
	running "$(pid_of long)"
}

@test "restart policies: so often on failure, not after a success" {
	background failing --restart on-failure:2 busybox false
	background fine --restart on-failure busybox true
	eventually has failing .RestartCount 2
	eventually has failing .State.Status exited
	equal 'exit code' 1 "$(inspect failing .State.ExitCode)"
	equal restarts 0 "$(inspect fine .RestartCount)"
}

@test "health: healthy, then not" {
	background patient --health-cmd 'test -e /tmp/well' --health-interval 0.2s --health-retries 2 --health-timeout 5s busybox \
		sh -c 'touch /tmp/well; sleep 1000'
	eventually has patient .State.Health.Status healthy
	docker exec patient rm /tmp/well
	eventually has patient .State.Health.Status unhealthy
}

@test "create and start: the output of the one that was waited for" {
	docker create --name made -i busybox sh -c 'read line; echo "got $line"; exit 4'
	equal status created "$(inspect made .State.Status)"
	run -4 docker start -ai made <<<word
	output_is 'got word'
	docker create --name wrong busybox nosuchcommand
	run docker start wrong
	((status != 0))
	output_has 'executable file not found in $PATH'
	equal status created "$(inspect wrong .State.Status)"
}

@test "a directory to work in that can't be" {
	background host busybox sleep 1000
	run docker exec -w /no/such host true
	((status == 126 || status == 127))
	output_has '/no/such'
	run docker exec -w /etc/passwd host true
	((status == 126 || status == 127))
	output_has 'not a directory'
	docker exec -w /tmp host pwd | grep -x /tmp
}

@test "events of a whole life, in their order" {
	local since
	since=$(date +%s)
	background lived busybox sleep 1000
	docker exec lived true
	docker pause lived
	docker unpause lived
	docker kill lived
	docker rm -f lived
	events() { docker events --since "$since" --until 0s --filter container=lived --format '{{.Action}}'; }
	eventually eval 'events | grep -x destroy'
	equal events 'create start exec_create exec_start exec_die pause unpause kill die destroy' "$(events | sed 's/:.*//' | xargs)"
}

@test "build: commands run in containers, with user, directory and environment" {
	cat >Dockerfile <<-'END'
		FROM busybox
		ENV WHAT=built
		WORKDIR /work
		RUN echo $WHAT in $(pwd) >result && id -u >>result
		USER 1000
		RUN id -u >/tmp/user
		COPY Dockerfile /copied
		CMD ["cat", "/work/result", "/tmp/user"]
	END
	DOCKER_BUILDKIT=0 docker build -q -t built .
	run -0 box built
	output_is $'built in /work\n0\n1000'
	printf 'FROM busybox\nRUN exit 41\n' >Dockerfile
	run -41 env DOCKER_BUILDKIT=0 docker build -t wrong .
	output_has 'returned a non-zero code: 41'
	docker image rm -f built
	docker image prune -f
}

@test "diff, commit, export" {
	background changed busybox sh -c 'echo new >/new; rm /etc/group; sleep 1000'
	eventually docker exec changed test -e /new
	run -0 docker diff changed
	output_has 'A /new'
	output_has 'D /etc/group'
	docker commit -p changed committed
	equal committed new "$(box committed cat /new)"
	docker export changed | tar -tf - | grep -x new
	docker rm -f changed
	docker image rm committed
}

@test "a terminal is resized while the container runs" {
	background sized -it busybox sh -c 'while :; do stty size; sleep 0.2; done'
	(sleep 1; stty -F /dev/null size 2>/dev/null || true) &
	# (Newer clients pass SIGTERM on to the container, whose first process ignores it.)
	terminal sh -c 'stty rows 40 cols 120; timeout -s KILL 2 docker attach --no-stdin sized || true' </dev/null >seen
	grep -q '40 120' seen
}
