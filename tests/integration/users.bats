#!/usr/bin/env bats
# Who the program runs as, and what it may do.

load lib

# status_field NAME: a line of /proc/self/status, from inside.
status_field() { sed -n "s/^$1:[[:space:]]*//p" <<<"$output"; }

@test "uid, gid and additional gids" {
	needs_root
	config '.process.user = {"uid": 1000, "gid": 1001, "additionalGids": [5, 42]}'
	program sh -c 'id -u; id -g; id -G; sed -n "s/^Groups:.//p" /proc/self/status'
	run -0 oci-run run "$id"
	[[ ${lines[0]} == 1000 && ${lines[1]} == 1001 ]]
	[[ ${lines[3]} =~ ^5\ 42\ *$ ]]
}

@test "no group of the caller is kept" {
	needs_root
	program sed -n 's/^Groups:.//p' /proc/self/status
	run -0 setpriv --groups 10,20,30 "$OCI_RUN" --root "$state" run "$id"
	[[ ${output// /} == '' ]]
}

@test "groups of the caller are kept if an annotation says so" {
	needs_root
	config '.annotations = {"run.oci.keep_original_groups": "1"} | .process.user.additionalGids = [5]'
	program sleep 1000
	setpriv --groups 10,20,30 "$OCI_RUN" --root "$state" create "$id" </dev/null >out 2>err 3>&-
	oci-run start "$id"
	[[ $(sed -n 's/^Groups:.//p' "/proc/$(pid_of "$id")/status") =~ ^10\ 20\ 30\ *$ ]]
	run -0 setpriv --groups 40 "$OCI_RUN" --root "$state" exec "$id" sed -n 's/^Groups:.//p' /proc/self/status
	[[ $output =~ ^40\ *$ ]]
}

@test "HOME follows the user" {
	needs_root
	echo 'someone:x:1000:1000::/home/someone:/bin/sh' >>rootfs/etc/passwd
	config '.process.user = {"uid": 1000, "gid": 1000}'
	program sh -c 'echo $HOME'
	run -0 oci-run run "$id"
	output_is /home/someone
	config '.process.user = {"uid": 2000, "gid": 2000}'
	run -0 oci-run run "$id"
	output_is /
}

@test "HOME is found by way of init too, whatever is protected in /proc" {
	program sh -c 'echo $HOME'
	for hooks in '{}' '{"createContainer": [{"path": "/bin/true"}]}'; do
		for path in /proc/self/task /proc/thread-self /proc/self; do
			config --argjson hooks "$hooks" --arg path "$path" '.hooks = $hooks | .linux.readonlyPaths = [$path]'
			run -0 oci-run run "$id"
			[[ $output == /root ]] || { echo "$hooks $path: $output"; return 1; }
		done
	done
}

@test "the umask is 0022, or the configuration's" {
	program sh -c umask
	run -0 oci-run run "$id"
	output_is 0022
	config '.process.user.umask = 63'
	run -0 oci-run run "$id"
	output_is 0077
}

@test "capabilities are those of the configuration" {
	config '.process.capabilities = {"bounding": ["CAP_KILL", "CAP_CHOWN"], "effective": ["CAP_CHOWN"],
		"permitted": ["CAP_KILL", "CAP_CHOWN"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]}'
	program cat /proc/self/status
	run -0 oci-run run "$id"
	[[ $(status_field CapBnd) == 0000000000000021 ]]
	[[ $(status_field CapPrm) == 0000000000000021 ]]
	[[ $(status_field CapInh) == 0000000000000020 ]]
	[[ $(status_field CapAmb) == 0000000000000020 ]]
}

# no_capabilities: the output is the status of a process without any, nor the way to some.
no_capabilities() {
	for set in Inh Prm Eff Bnd Amb; do
		[[ $(status_field "Cap$set") == 0000000000000000 ]]
	done
}

@test "no capabilities at all" {
	config '.process.capabilities = {}'
	program cat /proc/self/status
	run -0 oci-run run "$id"
	no_capabilities
}

@test "a configuration that doesn't speak of capabilities gives none, nor does an exec" {
	local change
	for change in 'del(.process.capabilities)' '.process.capabilities = null' 'del(.process.capabilities) | .process.noNewPrivileges = false'; do
		config "$change"
		program cat /proc/self/status
		run -0 oci-run run "$id"
		no_capabilities
		program sleep 1000
		detached "$id"
		run -0 oci-run exec "$id" cat /proc/self/status
		no_capabilities
		jq '.process | .args = ["cat", "/proc/self/status"]' config.json >process.json
		run -0 oci-run exec --process process.json "$id"
		no_capabilities
		run -0 oci-run exec --cap CAP_KILL "$id" cat /proc/self/status
		[[ $(status_field CapBnd) == 0000000000000020 ]]
		oci-run delete --force "$id"
	done
}

@test "a user that isn't root has no capabilities unless they are ambient" {
	needs_root
	config '.process.user = {"uid": 1000, "gid": 1000}'
	program cat /proc/self/status
	run -0 oci-run run "$id"
	for set in Inh Prm Eff Amb; do
		[[ $(status_field "Cap$set") == 0000000000000000 ]]
	done
}

@test "no_new_privs is set, or not" {
	program cat /proc/self/status
	run -0 oci-run run "$id"
	[[ $(status_field NoNewPrivs) == 1 ]]
	config '.process.noNewPrivileges = false'
	run -0 oci-run run "$id"
	[[ $(status_field NoNewPrivs) == 0 ]]
}

@test "oom_score_adj is set, or left as it is" {
	program cat /proc/self/oom_score_adj
	run -0 oci-run run "$id"
	output_is "$(cat /proc/self/oom_score_adj)"
	config '.process.oomScoreAdj = 555'
	run -0 oci-run run "$id"
	output_is 555
}

@test "a seccomp profile is in effect" {
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 121}]} | .root.readonly = false'
	program mkdir /dir
	run -1 oci-run run "$id"
	output_has 'Remote I/O error' # 121
}

@test "nice and the scheduler's policy" {
	config '.process.scheduler = {"policy": "SCHED_BATCH", "nice": 5}'
	program sh -c 'cut -d" " -f19,41 /proc/self/stat'
	run -0 oci-run run "$id"
	output_is '5 3'
}
