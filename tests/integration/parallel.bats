#!/usr/bin/env bats
# Many at a time.

load lib

# life NAME: a container from create to delete.
life() {
	local name=$1
	oci-run create --pid-file "$session/pids/$name" "$name" </dev/null >"$session/out.$name" 2>&1 &&
		oci-run start "$name" && oci-run kill "$name" KILL && oci-run delete --force "$name"
}

@test "200 containers, 8 at a time" {
	program sleep 1000
	if ((EUID == 0)); then
		config 'del(.linux.cgroupsPath)'
	fi
	mkdir "$session/pids"
	failed=$(
		for ((worker = 0; worker < 8; worker++)); do
			for ((i = 0; i < 25; i++)); do
				life "$id-$worker-$i" 2>&1 || echo "$id-$worker-$i: $(cat "$session/out.$id-$worker-$i")"
			done &
		done
		wait
	)
	echo "$failed"
	[[ -z $failed ]]
	run -0 oci-run list -q
	output_is ''
	[[ $(find /sys/fs/cgroup -ignore_readdir_race -name "$id-*") == '' ]]
}

@test "of many creations of one name exactly one succeeds" {
	program sleep 1000
	for ((i = 0; i < 8; i++)); do
		(oci-run create "$id" </dev/null >/dev/null 2>&1 && echo won >>"$session/winners") &
	done
	wait
	[[ $(wc -l <"$session/winners") == 1 ]]
	is created "$id"
}

@test "of many starts exactly one succeeds" {
	program sleep 1000
	create "$id"
	for ((i = 0; i < 8; i++)); do
		(oci-run start "$id" 2>/dev/null && echo won >>"$session/winners") &
	done
	wait
	[[ $(wc -l <"$session/winners") == 1 ]]
}

@test "list doesn't wait for a creation" {
	config '.hooks.createRuntime = [{"path": "/bin/sleep", "args": ["sleep", "60"]}]'
	program true
	"$OCI_RUN" --root "$state" create "$id" </dev/null >out 2>err 3>&- &
	eventually test -d "$state/$id"
	timeout 30 "$OCI_RUN" --root "$state" list
	eventually pkill -P $! sleep # the hook, which would outlive a creation that is killed
	wait $! || true
	oci-run delete --force "$id"
}
