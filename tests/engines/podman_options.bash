# What the options of podman run give a container, alike for root and an ordinary user (podman.bash).
# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2153,SC2317 # variables for the sessions; $status and $output are from bats

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

session_oom_score() {
	run -0 podman run --rm --oom-score-adj 500 busybox cat /proc/self/oom_score_adj
	output_is 500
}
