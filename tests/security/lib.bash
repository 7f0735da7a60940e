# What the sessions of attacks share: all of the integration sessions' lib, and a canary.
#
#   $canary   a directory of the host beside the bundle that no container may reach or change
#   $racer    the attacker (tests/security/racer), for what has to be fast
#   $races    how many rounds a race gets: $OCI_RUN_RACES, 200 if that is not set (a quarter where it is one of several)
#
# With RUNTIME=/usr/sbin/runc the same attacks go against another runtime, to see that a session can fail at all. Where
# a session's head says "runc 1.1.5 fails this", that was seen.
# shellcheck shell=bash disable=SC2034,SC2154 # variables for the sessions; the ones of lib.bash

OCI_RUN=${RUNTIME:-${OCI_RUN:-$BATS_TEST_DIRNAME/../../bin/oci-run}}
load ../integration/lib

racer=$(realpath "${RACER:-$BATS_TEST_DIRNAME/../../bin/racer}")
races=${OCI_RUN_RACES:-200}

# session_setup, session_teardown: those of lib.bash, for sessions that have more to do there.
eval "session_$(declare -f setup); session_$(declare -f teardown)"

# A session that skips before it has set anything up has nothing to take down.
teardown() { [[ -z ${session:-} ]] || session_teardown; }

# make_canary: files with the names that runtimes have been made to write, delete or bind on the host.
make_canary() {
	canary=$session/canary
	mkdir -p "$canary"/{dir,pts,self/attr,shm}
	for name in file null ptmx console core dir/file pts/0 self/attr/exec; do
		echo precious >"$canary/$name"
	done
	chmod 755 "$canary"
	canary_before=$(canary_state)
}

# canary_state: every file with its type, mode, owner, content and the time of its last change.
canary_state() {
	find "$canary" -printf '%P %y %m %U:%G %s %C@ %l\n' | sort
	find "$canary" -type f -exec sha256sum {} + | sort
}

canary_untouched() { diff <(echo "$canary_before") <(canary_state) || { echo 'the canary has changed'; return 1; }; }

# refused WORDS: create fails and says so, it is undone, and the canary is as it was. (That nothing else is left, the
# end of the session finds.)
refused() {
	run -1 create "$id"
	output_has "$1"
	[[ -z $(ls -A "$state") ]]
	[[ -z ${canary:-} ]] || canary_untouched
}

# attempt: run the container, whatever comes of it, without harm. The output is in $output.
attempt() {
	run oci-run run "$@" "$id"
	[[ -z ${canary:-} ]] || canary_untouched
}

# mount_on DESTINATION SOURCE TYPE OPTION...: add a mount to config.json.
mount_on() {
	config --arg to "$1" --arg from "$2" --arg type "$3" \
		'.mounts += [{"destination": $to, "source": $from, "type": $type, "options": $ARGS.positional}]' --args -- "${@:4}"
}

# swapping A B: exchange the two all the time, until `swapped`.
swapping() {
	"$racer" swap "$1" "$2" 3>&- &
	swapper=$!
}

swapped() {
	kill -0 "$swapper" || { echo 'the racer has given up'; return 1; }
	kill "$swapper"
	wait "$swapper" 2>/dev/null || true
}

# rounds COMMAND...: do it $races times.
rounds() {
	local round
	for ((round = 0; round < races; round++)); do
		"$@" || { echo "round $round: $*"; return 1; }
	done
}

# once: run the container and add what it says to the file races.out. That it fails is fine.
once() { "$OCI_RUN" --root "$state" run "$id" </dev/null >>races.out 2>>races.err 3>&- || true; }

# own_copy: from here on the runtime under attack is a copy, for the case that the attack succeeds.
own_copy() {
	cp "$OCI_RUN" "$session/runtime"
	OCI_RUN=$session/runtime
	runtime_before=$(sha256sum <"$OCI_RUN")
}

runtime_untouched() { [[ $(sha256sum <"$OCI_RUN") == "$runtime_before" ]] || { echo 'the runtime has been overwritten'; return 1; }; }

# background ID: a container for the racer or a shell to attack from, started and running. Its output is in the file out.
background() {
	detached "$@"
	eventually is running "${*: -1}"
}

# on_oci_run: what follows is about oci-run's own files and options, not about what every runtime has to withstand.
on_oci_run() { [[ -z ${RUNTIME:-} ]] || skip "RUNTIME=$RUNTIME is not oci-run"; }

# all_capabilities: the container's process gets all that there are.
all_capabilities() {
	config --argjson all "$(capability_names)" '.process.capabilities |= map_values($all) | .process.capabilities.ambient = []'
}

# capability_names: the capabilities that the runtime knows and the caller can give, as a list. (runc refuses the others.)
capability_names() {
	local grantable
	grantable=$(setpriv --dump | sed -n 's/^Capability bounding set: //p')
	"$OCI_RUN" features | jq -c --arg names "$grantable" \
		'($names | ascii_upcase | split(",") | map("CAP_" + .)) as $grantable | .linux.capabilities - (.linux.capabilities - $grantable)'
}

# in_user_namespace: the container gets a user namespace, and all capabilities in it.
in_user_namespace() {
	config '.linux.namespaces += [{"type": "user"}]
		| .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings'
	all_capabilities
}

# join KIND PID: the container joins a namespace of a process, instead of getting one of its own. (runc 1.1 wants mappings
# with a user namespace that is joined, though it has its own.)
join() {
	local name=$1
	[[ $1 != mount ]] || name=mnt
	[[ $1 != network ]] || name=net
	config --arg kind "$1" --arg path "/proc/$2/ns/$name" \
		'.linux.namespaces |= map(select(.type != $kind)) + [{"type": $kind, "path": $path}]'
	[[ $1 != user || -n ${RUNTIME:-} ]] || config 'del(.linux.uidMappings, .linux.gidMappings)'
}
