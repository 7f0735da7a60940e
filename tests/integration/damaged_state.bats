#!/usr/bin/env bats
# A container's directory with a file that is not as it was written. Each command answers in time, none takes what lives for
# dead, and delete --force ends it.

load lib

damages=(missing empty garbage truncated nul version directory fifo link socket)

# damage FILE HOW
damage() {
	case $2 in
	missing) rm "$1" ;;
	empty) rm "$1" && : >"$1" ;;
	garbage) rm "$1" && echo '}{' >"$1" ;;
	truncated) if [[ -S $1 ]]; then rm "$1"; else truncate -s 50 "$1"; fi ;;
	nul) rm "$1" && head -c 500 /dev/zero >"$1" ;;
	version) if [[ -S $1 ]]; then rm "$1"; else sed -i 's/"version":1/"version":2/; s/filter 1/filter 2/' "$1"; fi ;;
	directory) rm "$1" && mkdir "$1" && touch "$1/file" ;;
	fifo) rm "$1" && mkfifo "$1" ;;
	link) mv "$1" "$session/moved" && ln -s "$session/moved" "$1" ;;
	another) chmod 0000 "$1" && { ((EUID)) || chown 65534:65534 "$1"; } ;; # somebody else's, whom only root can read
	socket) rm "$1" && python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$1" ;;
	esac
}

# lives PID: it runs, and is not a zombie.
lives() { grep -qs '^State:.[^ZX]' "/proc/$1/status"; }

# promptly ARG...: the command ends, well or badly.
promptly() {
	local code=0
	timeout 5 "$OCI_RUN" ${OCI_RUN_TEST_SYSTEMD:+--systemd-cgroup} --root "$state" "$@" >>"$session/said" 2>&1 3>&- || code=$?
	((code < 124 || code == 255)) || { echo "$*: exit status $code"; return 1; }
}

# ends PID: delete --force does.
ends() {
	run timeout 20 "$OCI_RUN" ${OCI_RUN_TEST_SYSTEMD:+--systemd-cgroup} --root "$state" delete --force "$id" 3>&-
	((status == 0)) || { echo "delete --force: exit status $status: $output"; return 1; }
	! lives "$1" || { echo "process $1 lives: $output"; return 1; }
	nothing_is_left
	rm -f "$session/moved"
}

filter() { config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["swapon"], action: "SCMP_ACT_ERRNO"}]}'; }

@test "a running container, each file damaged in each way: no command hangs or ends it, delete --force does" {
	program sleep 1000
	filter
	local file how pid verb words
	for file in state.json config.json recovery.json seccomp.bpf; do
		for how in "${damages[@]}" another; do
			[[ $how != socket ]] || command -v python3 >/dev/null || continue
			echo "# $file $how" >>"$session/said"
			detached "$id"
			pid=$(pid_of "$id")
			damage "$state/$id/$file" "$how"
			for verb in "state $id" list "start $id" "kill $id 0" "exec $id true" "ps --format json $id" "pause $id" "resume $id" \
				"update --pids-limit 100 $id" "events --stats $id" "delete $id"; do
				read -ra words <<<"$verb"
				promptly "${words[@]}" || { echo "$file $how"; return 1; }
			done
			lives "$pid" || { echo "$file $how: no process $pid"; cat "$session/said"; return 1; }
			run oci-run state "$id"
			[[ $output != *stopped* ]]
			ends "$pid" || { echo "$file $how"; return 1; }
		done
	done
}

@test "a created container, each file damaged in each way: delete --force ends it" {
	program sleep 1000
	filter
	local file how pid
	for file in state.json config.json recovery.json seccomp.bpf start.sock; do
		for how in "${damages[@]}" another; do
			[[ $how != socket ]] || command -v python3 >/dev/null || continue
			create "$id"
			pid=$(pid_of "$id")
			damage "$state/$id/$file" "$how"
			promptly state "$id"
			promptly list
			lives "$pid"
			ends "$pid" || { echo "$file $how"; return 1; }
		done
	done
}

@test "a container without a record is ended by the cgroup of its config.json, paused or not" {
	needs_cgroup freezer
	program sleep 1000
	for how in "${damages[@]}"; do
		[[ $how != socket ]] || command -v python3 >/dev/null || continue
		detached "$id"
		pid=$(pid_of "$id")
		[[ $how != garbage ]] || oci-run pause "$id"
		rm "$state/$id/recovery.json"
		damage "$state/$id/state.json" "$how"
		run -1 oci-run state "$id"
		output_has 'its record is unreadable'
		output_has 'delete --force'
		run -1 oci-run delete "$id"
		lives "$pid"
		ends "$pid" || { echo "$how"; return 1; }
		if [[ $how == version ]]; then output_has 'the part of its record that each version has'; else output_has 'config.json'; fi
	done
}

@test "without linux.cgroupsPath too, wherever that is" {
	needs_cgroup freezer
	program sleep 1000
	config 'del(.linux.cgroupsPath)'
	detached "$id"
	pid=$(pid_of "$id")
	rm "$state/$id/recovery.json"
	: >"$state/$id/state.json"
	ends "$pid"
}

@test "of a stopped container nothing is left either" {
	program true
	for keep in yes no; do
		detached "$id"
		eventually is stopped "$id"
		[[ $keep == yes ]] || rm "$state/$id/recovery.json"
		: >"$state/$id/state.json"
		oci-run delete --force "$id"
		nothing_is_left
	done
}

@test "its poststop hooks run" {
	program sleep 1000
	config --arg out "$bundle/ran" '.hooks.poststop = [{"path": "/bin/sh", "args": ["sh", "-c", "cat >>\($out)"]}]'
	for keep in yes no; do
		detached "$id"
		[[ $keep == yes ]] || { makes_cgroups || continue; rm "$state/$id/recovery.json"; }
		: >"$state/$id/state.json"
		oci-run delete --force "$id"
		[[ $(jq -r .id ran) == "$id" ]]
		rm ran
	done
}

@test "another container that has come to the same cgroup is left alone" {
	needs_cgroup freezer
	program true
	detached "$id"
	eventually is stopped "$id"
	program sleep 1000
	detached "$id.other"
	pid=$(pid_of "$id.other")
	: >"$state/$id/state.json"
	for keep in yes no; do
		[[ $keep == yes ]] || { rm -f "$state/$id/recovery.json"; }
		cp -a "$state/$id" saved
		oci-run delete --force "$id"
		lives "$pid"
		[[ ! -e $state/$id ]]
		cp -a saved "$state/$id"
		rm -r saved
	done
	oci-run delete --force "$id"
	is running "$id.other"
	oci-run delete --force "$id.other"
}

@test "and that of another --root, too" {
	needs_cgroup freezer
	program true
	detached "$id"
	eventually is stopped "$id"
	touch "$session/then"
	program sleep 1000
	sleep 1.5
	"$OCI_RUN" --root "$session/elsewhere" run --detach "$id" </dev/null >out 2>err 3>&-
	pid=$("$OCI_RUN" --root "$session/elsewhere" state "$id" | jq .pid)
	: >"$state/$id/state.json"
	run -1 oci-run delete --force "$id"
	output_has 'began after it was made'
	lives "$pid"
	"$OCI_RUN" --root "$session/elsewhere" delete --force "$id"
	oci-run delete --force "$id"
}

@test "what can't be ended keeps its directory, and delete --force fails" {
	program sleep 1000
	detached "$id"
	pid=$(pid_of "$id")
	cp -a "$state/$id" saved
	for name in state config recovery; do : >"$state/$id/$name.json"; done
	run -1 oci-run delete --force "$id"
	output_has 'its processes are unknown'
	lives "$pid"
	[[ -d $state/$id ]]
	cp -a saved/. "$state/$id"
	oci-run delete --force "$id"
}

@test "a container without a cgroup and a record is not lost" {
	program sleep 1000
	config 'del(.linux.cgroupsPath, .linux.resources)'
	disabled() { "$OCI_RUN" --root "$state" --cgroup-manager disabled "$@" 3>&-; }
	disabled run --detach "$id" </dev/null >out 2>err
	pid=$(pid_of "$id")
	cp -a "$state/$id" saved
	: >"$state/$id/state.json"
	oci-run delete --force "$id"
	run ! lives "$pid"
	disabled run --detach "$id" </dev/null >out 2>err
	pid=$(pid_of "$id")
	cp "$state/$id/state.json" saved/
	: >"$state/$id/state.json"
	rm "$state/$id/recovery.json"
	run -1 oci-run delete --force "$id"
	output_has "process $pid"
	lives "$pid"
	cp saved/state.json "$state/$id/"
	oci-run delete --force "$id"
}

@test "a directory of nothing but a damaged record is removed, and nothing else" {
	mkdir -p "$state/$id"
	mkfifo "$state/$id/state.json"
	promptly list
	promptly state "$id"
	run -0 timeout 5 "$OCI_RUN" --root "$state" delete --force "$id" 3>&-
	output_has 'its record is unreadable'
	mkdir -p "$state/$id"
	echo '{}' >"$state/$id/state.json"
	echo precious >"$state/$id/file"
	run -1 oci-run delete --force "$id"
	output_has 'it has a file'
	[[ $(<"$state/$id/file") == precious ]]
	rm -r "${state:?}/$id"
}

@test "a directory that can't be read is deleted by force, which says so and takes nothing else along" {
	((EUID)) || skip 'root reads every directory'
	program sleep 1000
	detached "$id"
	local pid
	pid=$(pid_of "$id")
	mkdir -p other/file && ln -s "$bundle/other" "$state/link"
	chmod 0 "$state/$id" other
	run -1 oci-run delete "$id"
	output_has 'permission denied'
	run -0 oci-run delete --force "$id"
	output_has 'its directory could not be read, because it had mode 0000'
	eventually gone "$pid" # once its parent has noticed
	[[ ! -e $state/$id ]]
	run oci-run delete --force link
	[[ $(stat -c %a other) == 0 ]]
	chmod 755 other && rm "$state/link"
}
