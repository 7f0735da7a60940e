#!/usr/bin/env bats
# Podman, called by root: what Podman users do, with oci-run as their runtime.
# shellcheck disable=SC2016,SC2034,SC2154 # eval expands what is quoted; home is of podman.bash

load podman

setup_file() { setup_podman; }

# ---- life ------------------------------------------------------------------

# bats test_tags=core
@test "run: output, input, environment" { session_run; }
@test "run: exit statuses" { session_exit_status; }
@test "a program that isn't there or may not be executed: the messages" { session_not_found; }
@test "without configuration" { session_no_configuration; }
# bats test_tags=core
@test "exec" { session_exec; }
@test "--preserve-fds" { session_preserve_fds; }
@test "terminals" { session_tty; }
@test "attach" { session_attach; }
@test "logs" { session_logs; }
@test "stop" { session_stop; }
@test "kill" { session_kill; }
@test "wait" { session_wait; }
@test "restart, --restart" { session_restart; }
@test "create, init, start" { session_create_start; }
@test "events" { session_events; }
@test "top" { session_top; }
@test "cp" { session_cp; }
@test "health checks" { session_health; }
@test "--init" { session_init; }
@test "rm" { session_rm; }

@test "pause, unpause, rm -f of what is paused" {
	background c
	podman pause c
	status_is c paused
	equal frozen FROZEN "$(cgroup_value "$(pid_of c)" freezer freezer.state cgroup.freeze | sed s/1/FROZEN/)"
	run -255 podman exec c true
	run -125 podman pause c
	podman unpause c
	status_is c running
	podman exec c true
	podman pause c
	podman rm -f -t 0 c
}

@test "stats" {
	background c --memory 64m
	run -0 podman stats --no-stream --format '{{.MemUsage}} {{.PIDs}} {{.BlockIO}}' c
	output_has '/ 67.11MB'
	[[ ! $output =~ ^0B ]]
}

@test "logs and exit status of a container that is run again" {
	podman run --name c busybox sh -c 'test -e /once && exit 1; touch /once'
	run -1 podman start -a c
}

# ---- resources -------------------------------------------------------------

# value CONTROLLER V1-FILE [V2-FILE]: of container c.
value() { cgroup_value "$(pid_of c)" "$@"; }

# bats test_tags=core
@test "limits" {
	background c --memory 64m --memory-swap 96m --memory-reservation 32m --cpus 0.5 --cpu-shares 300 --cpuset-cpus 0 --pids-limit 50
	equal memory 67108864 "$(value memory memory.limit_in_bytes memory.max)"
	equal reservation 33554432 "$(value memory memory.soft_limit_in_bytes memory.low)"
	equal pids 50 "$(value pids pids.max pids.max)"
	equal cpuset 0 "$(value cpuset cpuset.cpus cpuset.cpus)"
	if [[ -e /sys/fs/cgroup/cpu ]]; then
		equal swap 100663296 "$(value memory memory.memsw.limit_in_bytes)"
		equal quota 50000 "$(value cpu cpu.cfs_quota_us)"
		equal shares 300 "$(value cpu cpu.shares)"
	fi
	run -0 podman exec c cat /proc/self/cgroup # an exec is in there too
	[[ $output =~ libpod- || $output =~ :/$'\n' ]]
	podman rm -f -t 0 c
	background c
	equal pids 2048 "$(value pids pids.max pids.max)" # Podman's default
}

@test "update" {
	background c --memory 64m --cpu-shares 300
	podman update --memory 48m --memory-reservation 24m --cpus 0.25 --cpuset-cpus 1 c
	equal memory 50331648 "$(value memory memory.limit_in_bytes memory.max)"
	equal reservation 25165824 "$(value memory memory.soft_limit_in_bytes memory.low)"
	equal cpuset 1 "$(value cpuset cpuset.cpus cpuset.cpus)"
	if [[ -e /sys/fs/cgroup/cpu ]]; then
		equal quota 25000 "$(value cpu cpu.cfs_quota_us)"
		equal shares 300 "$(value cpu cpu.shares)" # as it was
	fi
	run -125 podman update --cpuset-cpus 999 c
	podman exec c true
}

@test "out of memory" {
	run -137 podman run --memory 16m --memory-swap 16m --name c busybox dd if=/dev/zero of=/dev/null bs=64M count=1
	equal 'exit code' 137 "$(field c .State.ExitCode)"
	# The first process survives the end of another one.
	run -0 podman run --rm --memory 16m --memory-swap 16m busybox sh -c '(dd if=/dev/zero of=/dev/null bs=64M count=1); echo "status $?"'
	output_has 'status 137'
}

@test "--pids-limit" {
	run podman run --rm --pids-limit 5 busybox sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait'
	output_has "can't fork"
}

@test "devices" {
	needs_device /dev/fuse
	run -0 podman run --rm --device /dev/fuse:/dev/mine:r busybox sh -c ': </dev/mine'
	run -1 podman run --rm --device /dev/fuse:/dev/mine:r busybox sh -c ': >/dev/mine'
	output_has 'Operation not permitted'
	run -1 podman run --rm --cap-add mknod busybox sh -c 'mknod /mine c 10 229 && : </mine'
	output_has 'Operation not permitted'
	run -0 podman run --rm --cap-add mknod --device-cgroup-rule 'c 10:229 rm' busybox sh -c 'mknod /mine c 10 229 && : </mine'
	run -125 podman run --rm --device /dev/no-such busybox true
}

@test "a cgroup of one's own: --cgroup-parent, --cgroups=no-conmon" {
	background c --cgroup-parent /of-the-session
	[[ $(cgroup_of "$(pid_of c)" memory) == */of-the-session/libpod-* ]]
	podman rm -f -t 0 c
	run -0 podman run --rm --cgroups no-conmon busybox true
	find /sys/fs/cgroup -depth -type d -name of-the-session -exec rmdir {}/conmon {} \; 2>/dev/null || true
}

@test "--cgroups=disabled" { session_cgroups_disabled; }

# ---- what a container gets -------------------------------------------------

@test "--read-only, --tmpfs, --shm-size" { session_root_file_system; }
@test "volumes" { session_volumes; }
@test "--user, --group-add, --umask" { session_user; }
@test "--cap-add, --cap-drop" { session_capabilities; }
@test "seccomp profiles" { session_seccomp; }
@test "--security-opt no-new-privileges, mask, unmask" { session_security_options; }
@test "--privileged" { session_privileged; }
@test "--ulimit" { session_ulimits; }
@test "--sysctl" { session_sysctl; }
@test "--oom-score-adj" { session_oom_score; }
@test "--network none, host, container:, --dns" { session_networks; }
@test "--pid, --uts, --ipc, --cgroupns" { session_namespaces; }
@test "--userns=auto" { session_userns_auto; }

@test "--ipc=host" {
	[[ -d /dev/mqueue ]] || skip 'Podman binds /dev/mqueue for it, which this host has not'
	run -0 podman run --rm --ipc host busybox readlink /proc/self/ns/ipc
	equal 'ipc namespace' "$(readlink /proc/self/ns/ipc)" "$output"
}

@test "--uidmap" {
	run -0 podman run --rm --uidmap 0:100000:5000 --gidmap 0:200000:5000 busybox \
		sh -c 'cat /proc/self/uid_map /proc/self/gid_map; stat -c %u:%g /root; grep -c . /proc/mounts >/dev/null; echo 1 >/root/x'
	[[ ${lines[0]} =~ ^\ +0\ +100000\ +5000$ && ${lines[1]} =~ ^\ +0\ +200000\ +5000$ && ${lines[2]} == 0:0 ]]
	background c --uidmap 0:100000:5000
	equal owner 100000 "$(stat -c %u "/proc/$(pid_of c)")"
	run -0 podman exec c id -u
	output_is 0
}

# ---- more than one ---------------------------------------------------------

@test "pods" { session_pod; }
@test "pods without a container of their own" { session_pod_without_infra; }
@test "--sdnotify=container" { session_sdnotify; }
@test "play kube, generate kube" { session_kube; }
@test "build" { session_build; }
# bats test_tags=core
@test "nginx with a published port" { session_nginx; }
# bats test_tags=core
@test "flask and redis in a network with names" { session_flask; }
@test "the docker command by way of the API" { session_docker_command /run/podman.sock; }
@test "fifty at once" { session_many 50; }

# ---- of newer versions -----------------------------------------------------

@test "--systemd=always" { session_systemd; }
@test "secrets" { session_secrets; }
@test "devices by their names in CDI" { session_cdi; }
@test "an image as a volume" { session_image_volume; }
@test "what is mounted below a volume" { session_mounts_below; }
@test "update: what is not a limit" { session_update; }
@test "volumes whose owners are shifted" { session_idmapped_volume; }
@test "init containers" { session_init_containers; }

# ---- accidents -------------------------------------------------------------

@test "killed behind Podman's back" { session_killed_behind; }
@test "the runtime is killed in create" { session_create_killed; }

# ---- checkpoints -----------------------------------------------------------

needs_criu() { criu check >/run/criu.log 2>&1 || skip "CRIU does not work here: $(tail -n 1 /run/criu.log)"; }

# counting NAME: a container that counts in its memory.
counting() { podman run -d --name "$1" busybox sh -c 'i=0; while :; do i=$((i + 1)); echo "count $i"; sleep 0.1; done' >/dev/null; }
last_count() { podman logs --tail 1 "$1" | cut -d' ' -f2; }

# bats test_tags=core
@test "checkpoint, restore" {
	needs_criu
	counting c
	eventually logged c 'count 5'
	podman container checkpoint c
	status_is c exited
	local reached
	reached=$(last_count c)
	podman container restore c
	status_is c running
	podman exec c true
	eventually eval '(($(last_count c) > reached))'
	run -0 podman logs c
	equal 'beginnings' 1 "$(grep -cx 'count 1' <<<"$output")" # it went on
}

@test "checkpoint --leave-running" {
	needs_criu
	counting c
	eventually logged c 'count 3'
	podman container checkpoint --leave-running c
	status_is c running
	podman exec c true
}

@test "checkpoint --export, restore --import under another name" {
	needs_criu
	counting c
	podman exec c sh -c 'echo kept >/file'
	eventually logged c 'count 5'
	podman container checkpoint --export "$home/c.tar.gz" c
	podman rm -f -t 0 c
	podman container restore --import "$home/c.tar.gz" --name d
	status_is d running
	run -0 podman exec d cat /file
	output_is kept
	eventually eval '(($(last_count d) > 5))'
	run -0 podman logs d # what was logged before came along
	(($(grep -cx 'count 1' <<<"$output") <= 1))
	podman rm -f -t 0 d
	rm "$home/c.tar.gz"
}

@test "checkpoint --pre-checkpoint, --with-previous" {
	needs_criu
	criu check --feature mem_dirty_track >/run/criu.log 2>&1 || skip "this kernel does not track what was written to: $(tail -n 1 /run/criu.log)"
	counting c
	eventually logged c 'count 3'
	podman container checkpoint --pre-checkpoint --export "$home/pre.tar.gz" c
	status_is c running
	podman container checkpoint --with-previous --export "$home/c.tar.gz" c
	podman rm -f -t 0 c
	podman container restore --import-previous "$home/pre.tar.gz" --import "$home/c.tar.gz"
	eventually eval '(($(last_count c) > 3))'
	podman rm -f -t 0 c
	rm "$home"/{pre,c}.tar.gz
}

@test "checkpoint --tcp-established: the connection goes on" {
	needs_criu
	podman run -d --name c --network host busybox sh -c 'nc -l -p 7777 -e cat' >/dev/null
	exec 9<>/dev/null
	eventually eval 'exec 9<>/dev/tcp/127.0.0.1/7777'
	echo before >&9
	read -r -t 10 line <&9
	equal answer before "$line"
	podman container checkpoint --tcp-established c
	echo after >&9 || true
	podman container restore --tcp-established c
	read -r -t 20 line <&9
	equal answer after "$line"
	exec 9<&-
}
