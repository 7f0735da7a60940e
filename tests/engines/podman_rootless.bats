#!/usr/bin/env bats
# Podman, called by an ordinary user with subordinate ids and no systemd: its runtime is root in a user namespace and
# may not write to the host's cgroups.
# shellcheck disable=SC2154 # variables of podman.bash

load podman

setup_file() {
	needs_device /dev/net/tun # for slirp4netns
	needs_device /dev/fuse
	setup_podman
}

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
@test "--cgroups=disabled" { session_cgroups_disabled; }

# bats test_tags=core
@test "ids: the user is root, or keeps its own" {
	run -0 podman run --rm busybox cat /proc/self/uid_map
	[[ ${lines[0]} =~ ^\ +0\ +$uid\ +1$ && ${lines[1]} =~ ^\ +1\ +3000000\ +65536$ ]]
	run -0 podman run --rm --userns keep-id busybox sh -c 'id -u; id -un'
	output_is "$uid"$'\n'"$user"
	run -0 podman run --rm --userns keep-id -v "$home:/mine" busybox sh -c 'touch /mine/kept'
	equal owner "$uid" "$(stat -c %u "$home/kept")"
	run -0 podman run --rm --uidmap 0:1:1000 busybox cat /proc/self/uid_map
	[[ ${lines[0]} =~ ^\ +0\ +3000000\ +1000$ || ${lines[0]} =~ ^\ +0\ +1\ +1000$ ]]
}

@test "devices are the host's, bound" {
	run -0 podman run --rm --device /dev/zero:/dev/nought busybox sh -c 'head -c 3 /dev/nought | wc -c; echo x >/dev/null'
	output_is 3
	run -0 podman run --rm busybox sh -c 'ls /dev'
	output_is $'fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero'
}

@test "limits are left out where the user has no cgroup to set them in" {
	[[ ! -e /sys/fs/cgroup/cgroup.controllers ]] || skip 'cgroup v2 can be delegated'
	run -0 podman run --rm --memory 64m busybox echo runs
	output_has 'Resource limits are not supported'
	output_has runs
}

@test "pods" { session_pod; }
@test "pods without a container of their own" { session_pod_without_infra; }
@test "--sdnotify=container" { session_sdnotify; }
@test "play kube, generate kube" { session_kube; }
@test "build" { session_build; }
# bats test_tags=core
@test "nginx with a published port" { session_nginx; }
# bats test_tags=core
@test "flask and redis in a network with names" { session_flask; }
@test "the docker command by way of the API" { session_docker_command "/run/user/$uid/podman.sock"; }
@test "twenty at once" { session_many 20; }
@test "killed behind Podman's back" { session_killed_behind; }
@test "the runtime is killed in create" { session_create_killed; }
@test "--systemd=always" { session_systemd; }
@test "secrets" { session_secrets; }
@test "devices by their names in CDI" { session_cdi; }
@test "an image as a volume" { session_image_volume; }
@test "what is mounted below a volume" { session_mounts_below; }
@test "update: what is not a limit" { session_update; }
@test "--userns=keep-id:uid=,gid=, nomap" { session_userns_nomap_keep_id; }
@test "init containers" { session_init_containers; }
@test "--network pasta" { session_network_pasta; }
