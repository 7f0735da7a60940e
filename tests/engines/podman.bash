# What the sessions under Podman share: its storage and configuration in the sandbox. The engine is configured with the
# lines that docs/engines.md gives, and calls conmon, which calls the runtime.
#
# What is alike for root and an ordinary user is in the files that are loaded below: each function there that begins with
# session_ is a session, which podman.bats and podman_rootless.bats call.
#
#   $home   the configuration and storage of whoever calls podman; removed with the sandbox
# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2153,SC2317 # variables for the sessions; $status and $output are from bats

load lib
load podman_life
load podman_options
load podman_several
load podman_accidents
load podman_newer

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
			env -i PATH="$PATH" HOME="$home" USER="$user" XDG_RUNTIME_DIR="/run/user/$uid" PODMAN_IGNORE_CGROUPSV1_WARNING=1 \
			"${exported[@]}" "$@" 3>&- 4>&-)
	fi
}

podman() { as_user /usr/bin/podman "$@"; }

# Podman 5 says with each command that version 1 of cgroups is not for long.
export PODMAN_IGNORE_CGROUPSV1_WARNING=1
exported=()
uid=4242

# setup_podman: what it starts may keep the file open that its output goes to.
setup_podman() { prepare_podman >/run/setup.log 2>&1 || { cat /run/setup.log; return 1; }; }

prepare_podman() {
	mount --make-rshared / # as hosts have it; an ordinary user's Podman warns otherwise
	useradd --system --no-create-home containers # for --userns=auto; newer shadow libraries want the user to be there
	echo 'containers:2000000:1000000' | tee -a /etc/subuid >>/etc/subgid
	[[ $home == /root ]] || make_user
	local conf=/etc/containers
	[[ $home == /root ]] || conf=$home/.config/containers
	mkdir -p "$conf/containers.conf.d"
	documented Podman /etc/containers/containers.conf.d/oci-run.conf >"$conf/containers.conf.d/oci-run.conf"
	if [[ $home != /root ]]; then
		printf '[storage]\ndriver = "overlay"\n' >"$conf/storage.conf"
		chown -R "$user:" "$home"
	fi
	podman load -q -i "$images/busybox.tar" || return
	podman run --rm busybox true || return # makes the network, and the user's namespaces
	eventually eval '! pgrep -x conmon' # Podman 5 removes it in the background
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
