# What the sessions with Docker share: one daemon for a file's sessions, configured with the lines of docs/engines.md.
# The runtime under test is Docker's default one as well, so that each command uses it (docker build can't name another).
# shellcheck shell=bash disable=SC2034,SC2094,SC2154 # variables for the sessions; $status and $output are from bats

load lib

# start_dockerd [FLAG...]: and wait until it answers.
start_dockerd() {
	daemon dockerd dockerd --default-runtime oci-run "$@"
	within 60 docker version || { tail -n 20 /run/dockerd.log; return 1; }
}

# configure_docker: /etc/docker/daemon.json as it is documented.
configure_docker() {
	mkdir -p /etc/docker
	documented Docker /etc/docker/daemon.json >/etc/docker/daemon.json
	grep -qF "$RUNTIME" /etc/docker/daemon.json || { echo 'docs/engines.md has no lines for Docker'; return 1; }
}

# setup_docker IMAGE...: for a file's sessions.
setup_docker() {
	configure_docker
	start_dockerd
	load_images "$@"
	docker run --rm --network host busybox true # makes what stays, such as /docker in the cgroups
	remember_world
}

load_images() {
	local image
	for image; do docker load -qi "$images/$image.tar"; done
}

setup() {
	mkdir -p "$BATS_TEST_TMPDIR/dir"
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	# Bats shows what is printed here if the session failed.
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || tail -n 5 /run/dockerd.log
	remove_everything
	cd / || return
	cut -d' ' -f5 /proc/self/mountinfo | grep "^$BATS_TEST_TMPDIR/" | tac | xargs -r umount -l
	nothing_is_left
}

# remove_everything: one container after the other. Of those that leave a network at the same time, Docker 20.10 takes two locks in
# different order, and hangs for good now and then (moby/libnetwork#2649, mended after Debian's 20.10.24).
remove_everything() {
	docker ps -aq | xargs -r -n 1 docker rm -f -v >/dev/null
	docker network prune -f >/dev/null
	docker volume prune -f >/dev/null
}

# box [FLAG...] COMMAND...: run in a busybox that is removed afterwards.
box() { docker run --rm "$@"; }

# background NAME [FLAG...] IMAGE [COMMAND...]: a container that goes on running.
background() {
	local name=$1
	shift
	docker run -d --name "$name" "$@" >/dev/null
}

inspect() { docker inspect -f "{{$2}}" "$1"; }                # inspect NAME FIELD
pid_of() { inspect "$1" .State.Pid; }                         # pid_of NAME
has() { [[ $(inspect "$1" "$2") == "$3" ]]; }                 # has NAME FIELD VALUE
logged() { docker logs "$1" 2>&1 | grep -qF -- "$2"; }        # logged NAME TEXT
value_of() { local name=$1; shift; cgroup_value "$(pid_of "$name")" "$@"; } # value_of NAME CONTROLLER FILE FILE
