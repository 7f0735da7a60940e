#!/usr/bin/env bats
# What container engines take for granted: the command lines that they give, the environment in which they give them, the files and
# the output that they parse, the words that they look for in errors, and what they write into config.json.
#
# The tables are in contract/*.tsv, which explain their columns. What takes a caller of another kind, one that reaps the container's
# orphans, dies, or has a terminal, is in tests/terminal/engine_test.go; whole config.json files of engines are replayed by engines.bats.

load lib

table() { sed '/^#/d; /^$/d' "$BATS_TEST_DIRNAME/contract/$1.tsv"; }

# for_us AS: a line of a table is for the user that runs it.
for_us() { [[ $1 == all ]] || ((EUID == 0)); }

# fill COMMAND: its words, in the array words.
fill() {
	local line=$1 pair
	for pair in "ROOT=$state" "LOG=$bundle/log" "BUNDLE=$bundle" "PIDFILE=$bundle/pid" "IMAGES=$bundle/images" "WORK=$bundle/work" \
		"PROCESS=$bundle/process.json" "COMMAND=$bundle/command.json" "RESOURCES=$bundle/resources.json" "ID=$id"; do
		line=${line//"@${pair%%=*}@"/"${pair#*=}"}
	done
	read -ra words <<<"$line"
}

# engine COMMAND: runs it with the streams of an engine. Its exit status is left in code, its output in the files said and, for a
# container's own, err and out.
engine() {
	local words
	fill "$1"
	rm -f log pid
	code=0
	if [[ -n ${piped:-} && $1 == *@BUNDLE@* ]]; then # CRIU can't dump files of the host's as a container's output
		"$OCI_RUN" "${words[@]}" </dev/null 2>said 3>&- > >(cat >>out) || code=$?
	else
		"$OCI_RUN" "${words[@]}" <resources.json >said 2>&1 3</dev/null || code=$?
	fi
	log_is_right "$1"
	pid_file_is_right "$1"
}

# log_is_right COMMAND: with --log, there is a log: empty, or one JSON object, which is the error; its text is left in message.
log_is_right() {
	[[ $1 == *'--log @LOG@'* ]] || return 0
	[[ -e log ]] || { echo "no log of: $1"; return 1; }
	if ((code == 0 || code == 7)); then
		[[ ! -s log ]] || { echo "logged by: $1"; cat log; return 1; }
		return
	fi
	message=$(jq -ers 'if length == 1 and (.[0] | (keys - ["id", "command", "pointer", "path", "errno", "warnings"]) == ["level", "msg", "time"] and .level == "error" and
		(.time | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$"))) then .[0].msg else empty end' log) ||
		{ echo "the log of: $1"; cat log; return 1; }
}

# pid_file_is_right COMMAND: a pid and nothing more if the command succeeded, otherwise no file.
pid_file_is_right() {
	[[ $1 == *@PIDFILE@* ]] || return 0
	if ((code != 0)); then
		[[ ! -e pid ]] || { echo "a pid file of: $1"; return 1; }
		return
	fi
	[[ $(od -An -c pid) =~ ^[0-9\ ]+$ ]] && kill -0 "$(cat pid)" || { echo "the pid file of: $1"; od -c pid; return 1; }
}

# is_now STATUS: soon.
is_now() {
	case $1 in
	-) ;;
	absent) [[ $(oci-run state "$id" 2>&1) == *"does not exist"* ]] ;;
	*) eventually is "$1" "$id" ;;
	esac
}

# said_is OUTPUT: as the tables have it.
said_is() {
	case $1 in
	-) [[ ! -s said ]] ;;
	'jq '*) jq -e --arg id "$id" --arg bundle "$bundle" --arg pid "${pid:-}" "${1#jq }" said >/dev/null ;;
	'has '*) grep -qF -- "${1#has }" said ;;
	esac || { echo "said, instead of: $1"; cat said; return 1; }
}

# files: those that the tables speak of.
files() {
	jq '.process | .args = ["sleep", "1000"]' config.json >process.json
	jq '.process | .args = ["sh", "-c", "exit 7"]' config.json >command.json
	echo '{"cpu": {"shares": 0, "quota": 0, "period": 0}, "memory": {"limit": 0}, "blockIO": {"weight": 0}}' >resources.json
}

# life ENGINE: replays the lines of commands.tsv that are the engine's. Where the engine gives no --root, neither do we.
life() {
	local code=0 name as want after output command replayed=0
	files
	while IFS=$'\t' read -r name as want after output command; do
		[[ $name == "$1" ]] && for_us "$as" || continue
		command=$(with_root "$command")
		engine "$command"
		[[ $code == "$want" ]] || { echo "exit status $code, not $want: $command"; cat said; [[ ! -e log ]] || cat log; return 1; }
		said_is "$output" || { echo "by: $command"; return 1; }
		is_now "$after" || { echo "not $after after: $command"; return 1; }
		replayed=$((replayed + 1))
	done < <(table commands)
	((replayed > 0))
}

# with_root COMMAND: where it names no root, the default one is used; root's is everybody's, so that root is given another.
with_root() {
	if [[ $1 == *--root* || $1 == --version || $1 == features ]] || ((EUID != 0)); then
		echo "$1"
	else
		echo "--root @ROOT@ $1"
	fi
}

# as_a_user: the default root of a user is the one that lib.bash looks after.
as_a_user() {
	((EUID != 0)) || return 0
	export XDG_RUNTIME_DIR=$session
	state=$session/oci-run
}

@test "containerd" {
	program sleep 1000
	life containerd
}

@test "Podman" {
	as_a_user
	program sleep 1000
	life podman
}

@test "CRI-O" {
	program sleep 1000
	life cri-o
}

@test "Buildah" {
	as_a_user
	config 'del(.linux.cgroupsPath)'
	program true
	life buildah
}

@test "BuildKit" {
	as_a_user
	program sh -c 'exit 7'
	life buildkit
}

@test "go-runc" {
	program sleep 1000
	life go-runc
}

@test "CRIU" {
	needs_root
	needs criu
	# Left alone with cgroups, CRIU may change the mount options of the host's cgroup file system (criu #3029).
	echo manage-cgroups=ignore >criu.conf
	config '.annotations["org.criu.config"] = $bundle + "/criu.conf"' --arg bundle "$bundle"
	program sleep 1000
	local piped=yes
	files
	: >out
	engine '--root @ROOT@ create --bundle @BUNDLE@ @ID@'
	life criu
}

# reach STATE: from where there is no container.
reach() {
	if [[ $1 == absent ]]; then return; fi
	"$OCI_RUN" --root "$state" create "$id" </dev/null >/dev/null 2>&1 3>&-
	case $1 in running | paused | stopped) oci-run start "$id" ;; esac
	case $1 in
	paused) oci-run pause "$id" ;;
	stopped) oci-run kill "$id" 9 && eventually is stopped "$id" ;;
	esac
}

# kind_is BECOMES: the message has the words of its kind, and none of another, by which Docker and Podman choose an exit status.
kind_is() {
	local words='permission denied|operation not permitted|is a directory|executable file not found|no such file or directory|not a directory|open executable'
	case $1 in
	126) ! grep -Eiq "${words#*|*|*|}" said ;;
	127) ! grep -Eiq "$(cut -d'|' -f1-3 <<<"$words")" said ;;
	125) ! grep -Eiq "$words" said || grep -q /no/such/bundle said ;;
	esac || { echo "the words of another kind than $1:"; cat said; return 1; }
}

# fails STATE: replays the lines of errors.tsv that begin in the state; a container that a line left as it was serves the next.
fails() {
	local as from program becomes want text command now=absent code=0 replayed=0
	files
	program sleep 1000
	cp config.json usual.json
	cp process.json usual-process.json
	while IFS=$'\t' read -r as from program want becomes text command; do
		[[ $from == "$1" ]] && for_us "$as" || continue
		cp usual.json config.json
		cp usual-process.json process.json
		[[ $now == "$from" ]] || reach "$from"
		[[ $program == - ]] || { program "$program" && jq --arg program "$program" '.args = [$program]' usual-process.json >process.json; }
		engine "--root @ROOT@ --log @LOG@ --log-format json $command"
		[[ $code == "$want" ]] || { echo "exit status $code, not $want: $command"; cat said; return 1; }
		if ((want == 0)); then
			said_is - || { echo "by: $command"; return 1; }
			oci-run delete --force "$id"
			now=absent
		else
			now=$from
			text=${text//@ID@/$id}
			said_is "has ${text//@IMAGES@/$bundle/images}" || { echo "by: $command"; return 1; }
			kind_is "$becomes" || { echo "by: $command"; return 1; }
			[[ $message == "$(<said)" ]] || { echo "not the message of the log:"; cat said log; return 1; }
		fi
		replayed=$((replayed + 1))
	done < <(table errors)
	((replayed > 0))
}

@test "what is said of no container" { fails absent; }

@test "what is said of a container that is created" { fails created; }

@test "what is said of a container that runs" { fails running; }

@test "what is said of a container that has stopped" { fails stopped; }

@test "what is said of a container that is paused" {
	needs_root
	fails paused
}

@test "the same where all cgroups are v2" {
	needs_root
	[[ ! -e /sys/fs/cgroup/cgroup.controllers ]] || skip 'they are anyway'
	grep -q cgroup2 /proc/filesystems || skip 'no cgroup v2 here'
	# In a mount namespace of its own, /sys/fs/cgroup is v2's hierarchy, with the controllers that v1 has left it.
	unshare --mount --propagation private bash -c '
		umount --recursive /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec bats --filter "that is paused" "$@"' \
		bash "$BATS_TEST_DIRNAME/contract.bats" 3>&-
}

@test "a file that is mounted over a directory" {
	config '.mounts += [{"destination": "/etc", "type": "bind", "source": ($bundle + "/config.json"), "options": ["bind"]}]' --arg bundle "$bundle"
	local code=0
	files
	engine '--root @ROOT@ --log @LOG@ --log-format json create --bundle @BUNDLE@ --pid-file @PIDFILE@ @ID@'
	[[ $code == 1 ]]
	said_is 'has not a directory'
	kind_is 127
}

@test "what engines parse" {
	local as command filter code=0 pid
	config '.annotations = {"org.example.colour": "blue", "io.kubernetes.cri.sandbox-id": "0123"}'
	program sleep 1000
	files
	detached "$id"
	pid=$(pid_of "$id")
	while IFS=$'\t' read -r as command filter; do
		for_us "$as" || continue
		engine "--root @ROOT@ $command"
		[[ $code == 0 ]] || { echo "exit status $code: $command"; cat said; return 1; }
		said_is "jq $filter" || { echo "by: $command"; return 1; }
	done < <(table formats)
	# Docker splits these lines, and go-runc wants the words of the first to begin it.
	run -0 "$OCI_RUN" --version
	[[ ${lines[0]} =~ ^[a-z-]+\ version\ [0-9]+\.[0-9]+ && ${lines[1]} =~ ^commit:\ [^\ ]+$ && ${lines[2]} =~ ^spec:\ 1\.[0-9]+\.[0-9]+ ]]
}

# hierarchies: in how many a process is.
hierarchies() { grep -c . /proc/self/cgroup; }

# configured ABOUT: runs what configs.tsv says.
configured() {
	local about as script text filter replayed=0
	mkdir -p source upper work rootfs/shm rootfs/mnt rootfs/real
	echo host >source/file
	ln -s ../real rootfs/etc/alias
	cp config.json usual.json
	while IFS=$'\t' read -r about as script text filter; do
		[[ $about == "$1" ]] && for_us "$as" || continue
		script=${script//\$ID/$id}
		jq --arg bundle "$bundle" --arg id "$id" --arg script "$script" "$filter | .process.args = [\"sh\", \"-c\", \$script]" usual.json >config.json
		run oci-run run "$id"
		[[ $status == 0 && $output == "$(printf '%b' "${text/@HIERARCHIES@/$(hierarchies)}")" ]] || { printf '%s\nis not %s, of: %s\n%s\n' "$output" "$text" "$script" "$filter"; return 1; }
		replayed=$((replayed + 1))
	done < <(table configs)
	((replayed > 0))
}

@test "versions of the specification" { configured version; }

@test "namespaces as engines ask for them" { configured namespaces; }

@test "mounts as engines ask for them" { configured mounts; }

@test "processes as engines describe them" { configured process; }

@test "seccomp profiles as engines write them" { configured seccomp; }

@test "cgroups as engines name them" {
	configured cgroups
	find /sys/fs/cgroup -ignore_readdir_race -depth -name "*$id-pod" -exec rmdir {} + # the engine's own
}

@test "annotations of engines" { configured annotations; }

@test "the environment of an engine may be empty, or have XDG_RUNTIME_DIR only" {
	program sleep 1000
	files
	local line
	for line in "create --bundle $bundle $id" "start $id" "state $id" "exec --process process.json --detach $id" "kill $id KILL" "delete --force $id"; do
		if [[ $line == kill* ]]; then oci-run exec "$id" killall sleep || true; fi
		read -ra words <<<"$line"
		env -i "$OCI_RUN" --root "$state" "${words[@]}" </dev/null >said 2>&1 3>&- || { echo "$line:"; cat said; return 1; }
		[[ $line == state* || ! -s said ]] || { echo "$line:"; cat said; return 1; }
	done
	((EUID != 0)) || return 0
	for line in "create --bundle $bundle $id" "start $id" "kill $id KILL" "delete --force $id"; do
		read -ra words <<<"$line"
		env -i XDG_RUNTIME_DIR="$session" "$OCI_RUN" "${words[@]}" </dev/null >said 2>&1 3>&- || { echo "$line:"; cat said; return 1; }
		[[ ! -s said ]] || { echo "$line:"; cat said; return 1; }
	done
}

@test "without --root, root's containers are in /run/oci-run" {
	needs_root
	program sleep 1000
	# On a /run of its own, so that nobody else's containers are touched.
	unshare --mount --propagation private sh -euc '
		mount -t tmpfs run /run
		"$0" create --bundle "$1" "$2" </dev/null >/dev/null 2>&1
		XDG_RUNTIME_DIR=/run/user/0 "$0" state "$2" >/dev/null
		test -e "/run/oci-run/$2/state.json"
		env -i XDG_RUNTIME_DIR=/run/user/0 "$0" delete --force "$2"
		! test -e "/run/oci-run/$2"' "$OCI_RUN" "$bundle" "$id" 3>&-
}

@test "a log is appended to, and made even if the command line is wrong" {
	echo '{"level":"info","msg":"an earlier one","time":"2026-01-02T15:04:05Z"}' >log
	run -1 oci-run --log log --log-format json state "$id"
	run -1 oci-run --log log --log-format json state --nonsense "$id"
	[[ $(jq -rs 'map(.level) | join(" ")' log) == 'info error error' ]]
	run -1 oci-run --log other --log-format json --nonsense state "$id"
	[[ $(jq -r .level other) == error ]]
}

# Engines parse stdout and stderr as one.
@test "a warning goes to the log, not between what engines parse" {
	config '.process.capabilities[] |= . + ["CAP_OF_TOMORROW"]'
	program sleep 1000
	oci-run --log log --log-format json create "$id" </dev/null >said 2>&1
	[[ ! -s said ]]
	jq -e 'select(.level == "warning").msg | contains("CAP_OF_TOMORROW")' log
	for verb in state start 'kill -a' 'delete --force'; do
		# shellcheck disable=SC2086 # with its option
		oci-run $verb "$id" >said 2>err
		[[ ! -s err ]]
	done
	program nosuchcmd
	run -1 oci-run --log log2 --log-format json create "$id" # which fails, so that nobody keeps its output open
	jq -es 'length == 1 and .[0].level == "error"' log2
}

# of CONTROLLER FILE: what the container's cgroup says.
of() { cat "/sys/fs/cgroup/$1/oci-run-tests-$id/$2"; }

limits() { echo "$(of memory memory.limit_in_bytes) $(of memory memory.soft_limit_in_bytes) $(of cpu cpu.shares) $(of cpu cpu.cfs_quota_us) $(of cpu cpu.cfs_period_us) $(of pids pids.max) $(of cpuset cpuset.cpus)"; }

@test "in an update, what is 0 or absent stays as it is" {
	needs_root
	[[ -e /sys/fs/cgroup/memory/tasks && -e /sys/fs/cgroup/pids/tasks && -e /sys/fs/cgroup/cpuset/tasks ]] || skip 'no cgroup v1 here'
	config '.linux.resources = {"memory": {"limit": 67108864, "reservation": 33554432}, "cpu": {"shares": 512, "quota": 50000, "period": 100000, "cpus": "0", "mems": "0"}, "pids": {"limit": 20}}'
	program sleep 1000
	detached "$id"
	before=$(limits)
	[[ $before == '67108864 33554432 512 50000 100000 20 0' ]]
	for resources in '{}' '{"memory": {}, "cpu": {}, "pids": {}, "blockIO": {}}' \
		'{"memory": {"limit": 0, "swap": 0, "reservation": 0}, "cpu": {"shares": 0, "period": 0, "quota": 0, "cpus": "", "mems": ""}, "blockIO": {"weight": 0}, "devices": null}'; do
		run -0 oci-run update --resources=- "$id" <<<"$resources"
		output_is ''
		[[ $(limits) == "$before" ]]
	done
	echo '{"cpu": {"shares": 256}}' >resources.json
	oci-run update --resources=resources.json "$id"
	oci-run update --resources "$bundle/resources.json" "$id"
	[[ $(limits) == '67108864 33554432 256 50000 100000 20 0' ]]
}
