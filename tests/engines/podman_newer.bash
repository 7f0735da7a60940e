# What newer Podmans than Debian 12's ask of a runtime, alike for root and an ordinary user (podman.bash). Each session says
# which version it needs, and is skipped with an older one.
# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2153,SC2317 # variables for the sessions; $status and $output are from bats

# needs_podman MAJOR: the first version that the session is known to work with.
needs_podman() {
	local version
	version=$(podman --version)
	version=${version##* }
	((${version%%.*} >= $1)) || skip "Podman $version; the session is for $1 and newer"
}

# session_systemd: what an init that is systemd finds.
session_systemd() {
	needs_podman 5
	run -0 podman run --rm --systemd always busybox sh -c '
		for d in /run /run/lock /tmp /var/log/journal; do grep -q " $d tmpfs rw" /proc/mounts && echo "$d"; done
		echo "$container"'
	output_is $'/run\n/run/lock\n/tmp\n/var/log/journal\npodman' || output_is $'/run\n/run/lock\n/tmp\n/var/log/journal\noci'
	podman run -d --name c --systemd always busybox sleep 1000
	equal 'stop signal' 37 "$(podman inspect --format '{{.Config.StopSignal}}' c | sed 's/SIGRTMIN+3/37/')"
	run -0 podman exec c sh -c 'grep -E " /sys/fs/cgroup[^ ]* cgroup" /proc/mounts | grep -c " rw," >/dev/null && echo writable'
	output_is writable
}

session_secrets() {
	needs_podman 5
	printf 'a secret word' >"$home/word"
	[[ $home == /root ]] || chown "$user:" "$home/word"
	podman secret create word "$home/word" >/dev/null
	run -0 podman run --rm --secret word --secret word,type=env,target=WORD --secret word,target=/mine,uid=1000,gid=50,mode=0400 busybox \
		sh -c 'cat /run/secrets/word; echo; echo "$WORD"; stat -c "%u:%g %a" /mine'
	output_is $'a secret word\na secret word\n1000:50 400'
	podman secret rm word >/dev/null
	rm -f "$home/word"
}

session_cdi() {
	needs_podman 5
	local directory=/etc/cdi
	mkdir -p "$directory"
	echo 'by way of CDI' >/run/cdi-file
	cat >"$directory/sessions.json" <<-'END'
		{
			"cdiVersion": "0.6.0", "kind": "sessions.example/device",
			"containerEdits": {"env": ["FROM_CDI=all"]},
			"devices": [{"name": "one", "containerEdits": {
				"env": ["ONE=1"],
				"deviceNodes": [{"path": "/dev/cdi-null", "hostPath": "/dev/null", "type": "c", "major": 1, "minor": 3, "permissions": "rw"}],
				"mounts": [{"hostPath": "/run/cdi-file", "containerPath": "/from-cdi", "options": ["ro", "nosuid", "nodev", "bind"]}]
			}}]
		}
	END
	# config.json has no room for a name on the host, by which the device would be bound for a user.
	[[ $home == /root ]] || sed -i '/deviceNodes/d' "$directory/sessions.json"
	run -0 podman run --rm --device sessions.example/device=one busybox \
		sh -c 'echo $FROM_CDI $ONE; cat /from-cdi; if test -c /dev/cdi-null; then echo x >/dev/cdi-null && echo device; fi'
	if [[ $home == /root ]]; then output_is $'all 1\nby way of CDI\ndevice'; else output_is $'all 1\nby way of CDI'; fi
	run ! podman run --rm --device sessions.example/device=two busybox true
	output_has 'unresolvable CDI devices'
	rm -r "$directory"
}

session_image_volume() {
	needs_podman 5
	podman load -q -i "$images/nginx.tar"
	run -0 podman run --rm --mount type=image,source=nginx,destination=/image busybox cat /image/srv/www/index.html
	output_is 'welcome to nginx'
	run -1 podman run --rm --mount type=image,source=nginx,destination=/image busybox touch /image/x
	output_has 'Read-only file system'
	run -0 podman run --rm --mount type=image,source=nginx,destination=/image,rw=true busybox sh -c 'touch /image/x && echo own'
	output_is own
	run -0 podman run --rm --mount type=image,source=nginx,destination=/image,subpath=/srv/www busybox cat /image/index.html
	output_is 'welcome to nginx'
}

# What is mounted below a volume: read-only at the top alone, or left out.
session_mounts_below() {
	needs_podman 5
	local dir=$home/deep
	as_user mkdir -p "$dir/below"
	mount -t tmpfs tmpfs "$dir/below"
	chmod 777 "$dir/below"
	run -0 podman run --rm -v "$dir:/v:ro" busybox sh -c 'touch /v/below/x && echo below; touch /v/x || echo not at the top'
	output_has below
	output_has 'not at the top'
	run -0 podman run --rm --mount "type=bind,source=$dir,destination=/v,bind-nonrecursive" busybox ls /v/below
	output_is ''
	umount "$dir/below"
	rm -r "$dir"
}

session_update() {
	needs_podman 5
	background c
	podman update --restart on-failure:3 c >/dev/null
	equal policy on-failure "$(field c .HostConfig.RestartPolicy.Name)"
	podman update --health-cmd 'true' --health-interval 1h c >/dev/null
	run -0 podman healthcheck run c
	podman update --env MORE=yes c >/dev/null
	podman restart -t 0 c
	run -0 podman exec c sh -c 'echo "$MORE"'
	output_is yes
}

session_userns_nomap_keep_id() {
	needs_podman 5
	run -0 podman run --rm --userns keep-id:uid=200,gid=210 busybox sh -c 'id -u; id -g; touch /tmp/x; stat -c %u:%g /tmp/x'
	output_is $'200\n210\n200:210'
	run -0 podman run --rm --userns nomap busybox sh -c 'id -u; cat /proc/self/uid_map'
	[[ ${lines[0]} == 0 && ${lines[1]} =~ ^\ +0\ +1\ +65536$ || ${lines[1]} =~ ^\ +0\ +3000000\ +65536$ ]]
}

# Volumes whose owners are shifted by the mount, where the file system can.
session_idmapped_volume() {
	needs_podman 5
	local dir=/var/lib/containers/shifted
	mkdir -p "$dir"
	echo mine >"$dir/file"
	run -0 podman run --rm --userns auto:size=2000 -v "$dir:/v:idmap" busybox sh -c 'stat -c %u:%g /v/file; touch /v/new'
	output_is 0:0
	equal 'owner on the host' 0:0 "$(stat -c %u:%g "$dir/new")"
	run -0 podman run --rm --userns auto:size=2000 -v "$dir:/v" busybox stat -c %u:%g /v/file
	output_is 65534:65534
	rm -r "$dir"
}

session_init_containers() {
	needs_podman 5
	podman pod create --name p >/dev/null
	podman create --pod p --init-ctr once --name first -v made:/made busybox sh -c 'echo prepared >/made/file' >/dev/null
	podman create --pod p --name main -v made:/made busybox sh -c 'cat /made/file; sleep 1000' >/dev/null
	podman pod start p >/dev/null
	eventually logged main prepared
	run -125 podman inspect first
	podman pod rm -f -t 0 p >/dev/null
}

session_network_pasta() {
	needs_podman 5
	run -0 podman run --rm --network pasta:--ipv4-only busybox ip -o link
	output_has 'lo:'
	[[ $output =~ [2-9]:\  ]]
}
