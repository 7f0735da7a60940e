#!/usr/bin/env bats
# Docker with the runtime under test, when something happens to the daemon, to a container or to the runtime itself; many
# containers at once; and the daemon with user namespaces for all.
# shellcheck disable=SC2016,SC2154 # what is quoted expands in the container; $stderr is from bats

load docker

setup_file() {
	configure_docker
	start_dockerd --live-restore
	load_images busybox
	docker run --rm --network host busybox true # makes what stays, such as /docker in the cgroups
	remember_world
}

teardown_file() { stop_daemon dockerd; }

# serving NAME: the container does what it did, and the daemon reaches it.
serving() {
	docker exec "$1" sh -c 'echo reached'
	has "$1" .State.Running true
}

@test "live restore: containers run on while the daemon stops and starts" {
	background kept busybox sh -c 'trap "exit 3" TERM; while :; do date +%s.%N >/beat; sleep 0.1; done'
	background ends busybox sh -c 'sleep 3; exit 5'
	local pid before
	pid=$(pid_of kept)
	stop_daemon dockerd
	running "$pid"
	before=$(<"/proc/$pid/root/beat")
	sleep 3
	[[ $(<"/proc/$pid/root/beat") != "$before" ]]
	start_dockerd --live-restore
	serving kept
	equal pid "$pid" "$(pid_of kept)"
	eventually has ends .State.Status exited
	# Docker 28 doesn't know with what one has ended meanwhile, whatever the runtime.
	(($(docker version -f '{{.Server.Version}}' | cut -d. -f1) >= 28)) || equal 'exit code' 5 "$(inspect ends .State.ExitCode)"
	docker stop -t 10 kept
	equal 'exit code' 3 "$(inspect kept .State.ExitCode)"
}

@test "live restore: the daemon is killed, and finds its containers" {
	background kept busybox sleep 1000
	background limited --memory 64m busybox sleep 1000
	stop_daemon dockerd KILL
	start_dockerd --live-restore
	serving kept
	docker update --memory 32m --memory-swap 32m limited
	equal memory $((32 << 20)) "$(value_of limited memory memory.limit_in_bytes memory.max)"
	docker pause kept
	docker unpause kept
	docker kill kept
	eventually has kept .State.ExitCode 137
}

@test "without live restore: the daemon's end is the containers', and its start that of those with a policy" {
	local pid
	stop_daemon dockerd
	start_dockerd
	background returning --restart always busybox sleep 1000
	background ending --network none busybox sleep 1000 # not the same one, see remove_everything
	pid=$(pid_of returning)
	within 60 stop_daemon dockerd # it gives them 10 s after SIGTERM
	gone "$pid"
	start_dockerd --live-restore
	eventually has returning .State.Running true
	serving returning
	equal 'exit code' 137 "$(inspect ending .State.ExitCode)"
}

@test "fifty containers at once" {
	local i pids=()
	for i in $(seq 50); do
		docker run -d --name "many$i" --network none --memory 64m busybox sh -c "echo I am $i; exec sleep 1000" >/dev/null 2>"error$i" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}" || true # by name: bats' own clock is a child as well
	cat error*
	equal running 50 "$(docker ps -q --filter name=many | wc -l)"
	for i in $(seq 50); do logged "many$i" "I am $i"; done
	docker ps -q --filter name=many | xargs -n 1 docker rm -f >/dev/null # see remove_everything
	equal running 0 "$(docker ps -aq --filter name=many | wc -l)"
}

@test "a container that is killed behind Docker's back is told as killed, and restarted if that was asked for" {
	background victim --network none busybox sleep 1000 # not the same one, see remove_everything
	background phoenix --restart on-failure busybox sleep 1000
	local pid
	pid=$(pid_of phoenix)
	kill -KILL "$(pid_of victim)" "$pid"
	eventually has victim .State.Status exited
	equal 'exit code' 137 "$(inspect victim .State.ExitCode)"
	eventually eval "has phoenix .State.Running true && (( \$(pid_of phoenix) != $pid ))"
	docker exec phoenix true
	docker start victim
	serving victim
}

@test "a shim that is killed: its container is gone, and its name free" {
	background orphan busybox sleep 1000
	local pid id
	pid=$(pid_of orphan) id=$(inspect orphan .Id)
	pkill -KILL -f "containerd-shim-runc-v2 .*-id $id "
	eventually has orphan .State.Running false
	eventually gone "$pid"
	docker rm -f orphan
	background orphan busybox sleep 1000
	serving orphan
}

# under_fire COMMAND PROGRAM ARG...: ten times (@ is which), while each runtime process with the command is shot at.
under_fire() {
	local command=$1 i killer
	shift
	"$sniper" "$RUNTIME" "$command" >killed 3>&- &
	killer=$!
	for i in $(seq 10); do
		timeout 60 "${@//@/$i}" >/dev/null 2>>errors || true
	done
	kill "$killer"
	wait "$killer" 2>/dev/null || true
	[[ -s killed ]] || { echo "no runtime process was hit during $command"; return 1; }
	echo "$command: $(wc -l <killed) hit"
}

# remove_forgotten: Docker 20.10 forgets a container that it could not start or delete, without a further word to the
# runtime. Then the runtime has to know it still, and delete it when it is told to.
remove_forgotten() {
	local id
	for id in $("$RUNTIME" --root /run/docker/runtime-runc/moby list -q); do
		"$RUNTIME" --root /run/docker/runtime-runc/moby state "$id" | jq -e '.status != ""'
		run -0 "$RUNTIME" --root /run/docker/runtime-runc/moby delete --force "$id"
		output_is ''
	done
}

@test "the runtime is killed in a create: Docker says so and works on" {
	under_fire create docker run -d --name shot@ busybox sleep 1000
	cat errors
	remove_everything
	# Docker's prestart hook outlives the create, and may bind the network namespace after Docker has cleaned up.
	umount /run/docker/netns/????????* 2>/dev/null || true
	nothing_is_left
	run -0 box busybox echo works
	output_is works
}

@test "the runtime is killed in a start: its container is there to be deleted, and Docker works on" {
	under_fire start docker run -d --name shot@ --network none busybox sleep 1000
	cat errors
	remove_everything
	remove_forgotten
	nothing_is_left
	run -0 box busybox echo works
	output_is works
}

@test "the runtime is killed in a kill or a delete: the container can still be removed" {
	local i
	for i in $(seq 10); do
		background "held$i" --network none busybox sleep 1000
		background "other$i" --network none busybox sleep 1000
	done
	under_fire delete docker rm -f held@
	under_fire kill docker kill other@
	remove_everything
	remove_forgotten
	nothing_is_left
	run -0 box busybox echo works
	output_is works
}

@test "the runtime is killed in an exec, an update, a pause: the container is as it was" {
	background host --memory 64m busybox sleep 1000
	under_fire exec docker exec host true
	under_fire update docker update --cpu-shares 5@ host
	# Where the runtime had frozen it before it was killed, Docker takes it for running, and refuses to unpause it.
	under_fire pause sh -c 'docker pause host; docker unpause host ||
		"$RUNTIME" --root /run/docker/runtime-runc/moby resume "$(docker inspect -f "{{.Id}}" host)"'
	serving host
	run -0 docker exec host sh -c 'ls /proc | grep -c "^[0-9]"'
	((output <= 4)) || { docker top host; false; } # sleep, sh, ls, grep
	docker update --cpu-shares 777 host
	[[ -e /sys/fs/cgroup/cgroup.controllers ]] || equal shares 777 "$(value_of host cpu cpu.shares -)"
}

@test "user namespaces for all containers" {
	stop_daemon dockerd
	useradd --system --no-create-home dockremap
	echo dockremap:200000:65536 | tee /etc/subuid >/etc/subgid
	start_dockerd --userns-remap dockremap
	load_images busybox
	background mapped -v data:/data busybox sh -c 'id -u; touch /data/file; exec sleep 1000'
	eventually logged mapped 0
	equal owner 200000 "$(stat -c %u "/proc/$(pid_of mapped)")"
	run -0 docker exec mapped cat /proc/self/uid_map
	output_has 200000
	equal 'owner of a file' 200000 "$(stat -c %u "/proc/$(pid_of mapped)/root/data/file")"
	run docker exec mapped mount -t tmpfs tmpfs /mnt
	((status != 0))
	equal host "$(readlink /proc/self/ns/user)" "$(box --userns host busybox readlink /proc/self/ns/user)"
	equal tmpfs 200000 "$(background scratch --tmpfs /scratch busybox sleep 1000; stat -c %u "/proc/$(pid_of scratch)/root/scratch")"
	remove_everything
	docker image rm -f busybox
	stop_daemon dockerd
	start_dockerd --live-restore
}

@test "configure: the daemon takes what it has written with a reload, and gives it up again" {
	[[ ${RUNTIME##*/} == oci-run ]] || skip "configure is a command of oci-run's"
	reloaded() { kill -HUP "$(</run/dockerd.pid)"; }
	lists() { docker info --format '{{json .Runtimes}}' | jq -e --arg name "$1" 'has($name)'; }
	background kept busybox sleep 1000
	cp /etc/docker/daemon.json before
	"$RUNTIME" configure docker --name again
	reloaded
	eventually lists again
	run -0 docker run --rm --runtime again busybox echo here
	output_is here
	"$RUNTIME" configure docker --name again --remove
	cmp /etc/docker/daemon.json before
	rm /etc/docker/daemon.json.before-oci-run
	reloaded
	eventually eval '! lists again'
	serving kept
	docker rm -f kept
}
