#!/usr/bin/env bats
# Docker with the runtime under test: what each option of docker run that is the runtime's work in the end gives a
# container.
# shellcheck disable=SC2016,SC2154 # what is quoted expands in the container; $output is from bats

load docker

setup_file() { setup_docker busybox; }
teardown_file() { stop_daemon dockerd; }

@test "files: read-only root, tmpfs, volumes, single files, shared memory" {
	run box --read-only --tmpfs /scratch:size=1m,mode=1777 busybox sh -c 'touch /scratch/ok && echo fits; touch /no'
	((status != 0))
	output_has fits
	output_has 'Read-only file system'
	run -0 box --tmpfs /scratch:size=1m busybox df -k /scratch
	output_has ' 1024 '
	docker volume create kept
	box -v kept:/kept busybox sh -c 'echo data >/kept/file'
	equal volume data "$(box -v kept:/kept:ro busybox cat /kept/file)"
	echo one >onefile
	equal file one "$(box -v "$PWD/onefile:/etc/made/onefile:ro" busybox cat /etc/made/onefile)"
	run -0 box --shm-size 8m busybox df -k /dev/shm
	output_has ' 8192 '
	run -0 box --mount type=bind,source="$PWD/dir",target=/mnt,readonly busybox grep ' /mnt ' /proc/mounts
	output_has ro
}

@test "files: mounts that come later reach a container that asked for it" {
	mount -t tmpfs tmpfs dir
	mount --make-shared dir
	background slave -v "$PWD/dir:/mnt:rslave" busybox sleep 1000
	background shared -v "$PWD/dir:/mnt:rshared" --privileged busybox sleep 1000
	background alone -v "$PWD/dir:/mnt" busybox sleep 1000
	mkdir dir/later dir/inner
	mount -t tmpfs tmpfs dir/later
	touch dir/later/seen
	docker exec slave test -e /mnt/later/seen
	docker exec shared test -e /mnt/later/seen
	run docker exec alone test -e /mnt/later/seen
	((status != 0))
	docker exec shared mount -t tmpfs tmpfs /mnt/inner
	mountpoint -q dir/inner
	docker exec slave grep ' /mnt/inner ' /proc/mounts
	remove_everything
	umount -R dir
}

@test "user: numbers, names, groups, home" {
	run -0 box --user app --group-add staff busybox sh -c 'id -u; id -g; id -G; echo $HOME'
	output_is $'1000\n1000\n1000 50\n/home/app'
	run -0 box --user 4242:4243 busybox sh -c 'id -u; id -g; echo $HOME'
	output_is $'4242\n4243\n/'
	run box --user nosuchuser busybox true
	((status == 125 || status == 126))
	output_has nosuchuser
}

@test "capabilities: Docker's set, one more, one less, none, all" {
	effective() { box "$@" busybox sed -n 's/^CapEff:\t//p' /proc/self/status; }
	equal default 00000000a80425fb "$(effective)"
	equal added 00000000a82425fb "$(effective --cap-add SYS_ADMIN)"
	equal dropped 00000000a80425fa "$(effective --cap-drop CHOWN)"
	equal none 0000000000000000 "$(effective --cap-drop ALL)"
	equal one 0000000000000001 "$(effective --cap-drop ALL --cap-add CHOWN)"
	equal 'as a user' 0000000000000000 "$(effective --user 1000)"
	# All that this root has, of those that Docker 20.10 knows (up to CAP_AUDIT_READ, 37) or a newer one.
	local all privileged
	all=$((0x$(sed -n 's/^CapBnd:\t//p' /proc/self/status)))
	privileged=$((0x$(effective --privileged)))
	((privileged == all || privileged == (all & 0x3fffffffff)))
	run box --cap-drop CHOWN busybox chown 1 /etc/passwd
	((status != 0))
}

@test "seccomp: the default profile, none, one's own" {
	field() { sed -n "s/^$1:\t//p"; }
	equal default 2 "$(box busybox cat /proc/self/status | field Seccomp)"
	equal none 0 "$(box --security-opt seccomp=unconfined busybox cat /proc/self/status | field Seccomp)"
	run box busybox unshare -m true
	((status != 0))
	output_has 'Operation not permitted'
	echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}' >own.json
	run box --security-opt seccomp=own.json busybox mkdir /x
	((status != 0))
	output_has 'No space left on device'
}

@test "no new privileges" {
	equal on $'NoNewPrivs:\t1' "$(box --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status)"
	equal off $'NoNewPrivs:\t0' "$(box busybox grep NoNewPrivs /proc/self/status)"
}

@test "masked and read-only paths" {
	run -0 box busybox sh -c 'cat /proc/kcore /proc/keys 2>/dev/null | wc -c; ls /proc/acpi /sys/firmware 2>/dev/null | grep -v : | wc -w'
	output_is $'0\n0'
	run box busybox sh -c 'echo 0 >/proc/sys/kernel/printk'
	((status != 0))
	output_has 'Read-only file system'
	run -0 box --security-opt systempaths=unconfined busybox sh -c 'grep -c " /proc/" /proc/mounts || true'
	output_is 0
}

@test "init: the first process is docker-init, which waits for orphans" {
	background started --init busybox sh -c '(sleep 0.1 & exec true) ; sleep 1000'
	run -0 docker exec started cat /proc/1/cmdline
	output_has docker-init
	sleep 0.5
	run -0 docker exec started sh -c 'cat /proc/[0-9]*/stat | grep -c " Z " || true'
	output_is 0
	docker stop -t 5 started # tini passes SIGTERM on, to a shell that has no handler
	equal 'exit code' 143 "$(inspect started .State.ExitCode)"
	run -6 terminal docker run --rm --init -it busybox sh -c 'tty; exit 6' </dev/null
	output_has /dev/pts/0
}

@test "limits of a process, devices, kernel parameters" {
	needs_device /dev/kmsg
	run -0 box --ulimit nofile=100:200 --ulimit core=0 busybox sh -c 'ulimit -Sn; ulimit -Hn; ulimit -c'
	output_is $'100\n200\n0'
	run box --cap-add SYSLOG --device /dev/kmsg:/dev/other:r busybox sh -c ': </dev/other && echo readable; : >/dev/other'
	((status != 0))
	output_has readable
	output_has 'Operation not permitted'
	run box busybox sh -c 'mknod /tmp/disk b 8 0 && cat /tmp/disk'
	((status != 0))
	output_has 'Operation not permitted'
	run -0 box --sysctl net.ipv4.ip_forward=0 --sysctl kernel.msgmax=9000 busybox sh -c 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax'
	output_is $'0\n9000'
	equal 'oom_score_adj' 500 "$(box --oom-score-adj 500 busybox cat /proc/self/oom_score_adj)"
}

@test "a limit above the hard one: refused if the privilege is missing, else set" {
	local hard=$(($(ulimit -Hn) + 1000))
	if setpriv --dump | grep -i 'capability bounding set' | grep -q sys_resource; then
		equal limit "$hard" "$(box --ulimit "nofile=$hard:$hard" busybox sh -c 'ulimit -Hn')"
	else
		run box --ulimit "nofile=$hard:$hard" busybox true
		((status != 0))
		output_has 'operation not permitted'
	fi
}

@test "networks: none, the host's, another container's" {
	run -0 box --network none busybox ls /sys/class/net
	output_is lo
	equal host "$(readlink /proc/self/ns/net)" "$(box --network host busybox readlink /proc/self/ns/net)"
	background first busybox sh -c 'mkdir /www; echo neighbour >/www/index.html; httpd -f -p 8000 -h /www'
	eventually box --network container:first busybox wget -qO- http://127.0.0.1:8000/
	equal neighbour neighbour "$(box --network container:first busybox wget -qO- http://127.0.0.1:8000/)"
}

@test "namespaces: the host's and another container's" {
	background first --ipc shareable --hostname first busybox sleep 4242
	local type
	for type in pid ipc; do
		equal "$type of the first" "$(readlink "/proc/$(pid_of first)/ns/$type")" \
			"$(box "--$type" container:first busybox readlink "/proc/self/ns/$type")"
	done
	run -0 box --pid container:first busybox ps -o args
	output_has 'sleep 4242'
	for type in pid ipc uts; do
		equal "$type of the host" "$(readlink "/proc/self/ns/$type")" "$(box "--$type" host busybox readlink "/proc/self/ns/$type")"
		[[ $(box busybox readlink "/proc/self/ns/$type") != "$(readlink "/proc/self/ns/$type")" ]]
	done
	# Without a pid namespace of its own, what a container's first process leaves behind has to be looked for.
	background sharing --pid host busybox sh -c 'sleep 777777 & sleep 1000'
	eventually pgrep -xf 'sleep 777777'
	docker stop -t 0 sharing
	eventually eval '! pgrep -xf "sleep 777777"'
}

@test "cgroups: a namespace of its own, the host's, another parent" {
	run -0 box --cgroupns private busybox cat /proc/self/cgroup
	output_lacks docker
	run -0 box --cgroupns host busybox cat /proc/self/cgroup
	output_has :/docker/
	background elsewhere --cgroup-parent /another busybox sleep 1000
	[[ $(cgroup_of "$(pid_of elsewhere)" memory) == */another/$(inspect elsewhere .Id) ]]
	run -0 box --memory 64m busybox cat /proc/mounts
	output_has /sys/fs/cgroup
	if [[ ! -e /sys/fs/cgroup/cgroup.controllers ]]; then
		run -0 box --memory 64m busybox cat /sys/fs/cgroup/memory/memory.limit_in_bytes
		output_is $((64 << 20))
		run box busybox mkdir /sys/fs/cgroup/memory/x
		((status != 0))
		output_has 'Read-only file system'
	fi
	docker rm -f elsewhere
	find /sys/fs/cgroup -depth -type d -name another -exec rmdir {} +
}

@test "privileged: every device, every capability, mounting" {
	run -0 box --privileged busybox sh -c 'mount -t tmpfs tmpfs /mnt && echo mounted; ls /dev | wc -l; cat /dev/kmsg >/dev/null & sleep 0.1; kill $!' 
	output_has mounted
	equal seccomp $'Seccomp:\t0' "$(box --privileged busybox grep -w Seccomp /proc/self/status)"
}
