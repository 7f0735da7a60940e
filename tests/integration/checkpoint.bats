#!/usr/bin/env bats
# Checkpoint and restore, by CRIU. Cgroup properties are left alone (--manage-cgroups-mode ignore), except where they are
# the subject: with them CRIU may change the mount options of the host's cgroup file system (criu #3029).

load lib

needs_criu() {
	needs_root
	needs criu
}

# counting: the container counts, ten times each second, in a variable: in its memory and nowhere else. Its output is a
# pipe: a file of the host's can't be dumped.
counting() {
	program sh -c 'n=0; while :; do n=$((n + 1)); echo "count $n"; sleep 0.1; done'
	: >out
	"$OCI_RUN" --root "$state" run --detach "$id" </dev/null 2>&1 3>&- | cat >>out 3>&- &
	eventually says 'count 3'
}

checkpoint() { oci-run checkpoint --image-path images --work-path work --manage-cgroups-mode ignore "$@"; }

# restored [FLAG...]: like detached; the container goes on writing to out.
restored() {
	"$OCI_RUN" --root "$state" restore --detach --image-path images --work-path work --manage-cgroups-mode ignore "$@" "$id" \
		</dev/null 2>&1 3>&- | cat >>out 3>&- &
	eventually is running "$id"
}

last() { tail -1 out | cut -d' ' -f2; }
went_on() { (($(last) > $1)); }

@test "a restored container goes on where it was, with new pipes" {
	needs_criu
	counting
	checkpoint "$id"
	run -1 oci-run state "$id"
	output_has 'does not exist'
	[[ -e images/inventory.img && -e work/dump.log ]]
	before=$(last)
	restored --pid-file pid
	[[ $(cat pid) == "$(pid_of "$id")" ]]
	eventually went_on "$((before + 2))"
	grep -qx "count $((before + 1))" out
	(($(grep -cx 'count 1' out) == 1))
	grep -q "$id" "/proc/$(cat pid)/cgroup"
}

@test "a restored container can be used like any other" {
	needs_criu
	counting
	for _ in 1 2; do
		checkpoint "$id"
		restored
		[[ $(oci-run exec "$id" echo hello) == hello ]]
		oci-run pause "$id"
		is paused "$id"
		oci-run resume "$id"
	done
	oci-run kill "$id" KILL
	eventually is stopped "$id"
	oci-run delete "$id"
}

@test "a container can be left running, or be paused" {
	needs_criu
	counting
	oci-run pause "$id"
	checkpoint --leave-running "$id"
	is paused "$id"
	oci-run resume "$id"
	checkpoint --leave-running "$id"
	is running "$id"
	eventually went_on "$(last)"
	rm -r images
	checkpoint "$id"
}

@test "cgroups are restored too, unless they are to be ignored" {
	needs_criu
	counting
	oci-run checkpoint --image-path images "$id"
	oci-run restore --detach --image-path images "$id" </dev/null 2>&1 | cat >>out &
	eventually is running "$id"
	grep -q "$id" "/proc/$(pid_of "$id")/cgroup"
}

@test "in the foreground, restore exits as the container does" {
	needs_criu
	config '.root.readonly = false'
	program sh -c 'trap "exit 7" TERM; echo ready >/tmp/ready; while :; do sleep 0.1; done'
	oci-run run --detach "$id" </dev/null >/dev/null 2>&1
	eventually test -e rootfs/tmp/ready
	checkpoint "$id"
	"$OCI_RUN" --root "$state" restore --image-path images --work-path work --manage-cgroups-mode ignore "$id" </dev/null >/dev/null 2>&1 3>&- &
	restore=$!
	eventually is running "$id"
	kill -TERM "$restore"
	code=0
	wait "$restore" || code=$?
	((code == 7))
	run -1 oci-run state "$id"
}

@test "binds, masked files, devices and nested mounts are restored" {
	needs_criu
	mkdir -p volume rootfs/real
	ln -s /real/dir rootfs/link
	echo given >volume/file
	config --arg volume "$bundle/volume" '.mounts += [
			{"destination": "/link", "source": $volume, "options": ["bind"]},
			{"destination": "/bound", "source": ($volume + "/file"), "options": ["bind", "ro"]},
			{"destination": "/scratch", "type": "tmpfs", "source": "tmpfs"}]
		| .linux.maskedPaths += ["/etc/passwd", "/root"] | .linux.devices = [{"path": "/dev/ours", "type": "c", "major": 1, "minor": 3}]'
	counting
	oci-run exec "$id" sh -c 'echo kept >/scratch/file'
	look='cat /link/file /bound /scratch/file /etc/passwd; ls /root; cat /dev/ours; echo no >/bound'
	before=$(oci-run exec "$id" sh -c "$look" 2>&1 || true)
	checkpoint "$id"
	rmdir rootfs/scratch
	restored
	output=$(oci-run exec "$id" sh -c "$look" 2>&1 || true)
	output_is "$before"
	output_has $'given\ngiven\nkept\n'
	output_has 'Read-only'
	# What was mounted to restore it is nowhere else.
	run ! grep -F criu-root /proc/self/mountinfo
	[[ ! -e $state/$id/criu-root ]]
}

@test "a container in a user namespace is restored in one" {
	needs_criu
	chown -R 100000:100000 rootfs
	config '.linux.namespaces += [{"type": "user"}]
		| .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 1000}] | .linux.gidMappings = .linux.uidMappings'
	counting
	checkpoint "$id"
	before=$(last)
	restored
	eventually went_on "$((before + 2))"
	[[ $(oci-run exec "$id" cat /proc/self/uid_map | tr -s ' ') == ' 0 100000 1000' ]]
	# CRIU has put it into a time namespace, in which the clocks go on.
	[[ $(oci-run exec "$id" readlink /proc/self/ns/time) == "$(readlink "/proc/$(pid_of "$id")/ns/time")" ]]
}

@test "the runtime's hooks run in a restore" {
	needs_criu
	config --arg out "$bundle/hook" '.hooks = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "cat >\($out)"]}],
		"poststop": [{"path": "/bin/sh", "args": ["sh", "-c", "cat >\($out).stop"]}]}'
	counting
	rm hook
	checkpoint "$id"
	[[ $(jq -r .status hook.stop) == stopped ]]
	restored
	[[ $(jq -r .id hook) == "$id" && $(jq .pid hook) == "$(pid_of "$id")" ]]
}

@test "an error of criu's names its log and quotes it" {
	needs_criu
	counting
	checkpoint "$id"
	: >images/inventory.img
	run -1 oci-run --log log --log-format json restore --detach --image-path images --work-path work "$id"
	message=$(jq -r 'select(.level == "error").msg' log)
	[[ $(sed -n 1p <<<"$message") == 'criu failed: type RESTORE errno '* ]]
	[[ $(sed -n 2p <<<"$message") == "log file: $bundle/work/restore.log" ]]
	[[ $(sed -n 3p <<<"$message") == 'Error ('* ]]
	run -1 oci-run state "$id"
	output_has 'does not exist'
}

# CRIU interrupts a sleep, which ends busybox's; hence one after the other.
asleep() { program sh -c 'while :; do sleep 0.1; done'; }

@test "a failed checkpoint leaves the container running" {
	needs_criu
	asleep
	detached "$id" # whose output is a file of the host's
	run -1 checkpoint "$id"
	output_has 'criu failed: type DUMP errno '
	output_has 'Error ('
	is running "$id"
}

@test "a failed checkpoint leaves earlier images as they were" {
	needs_root
	command -v criu >/dev/null || skip 'no criu here (Debian: apt-get install criu)'
	asleep
	detached "$id" # whose output is a file of the host's, which can't be dumped
	mkdir images
	echo earlier >images/descriptors.json
	echo precious >target
	run -1 checkpoint "$id"
	[[ $(<images/descriptors.json) == earlier ]]
	ln -sf ../target images/descriptors.json
	run -1 checkpoint "$id"
	[[ $(<target) == precious ]]
	left=$(find images -mindepth 1 ! -name '*.img')
	[[ $left == images/descriptors.json ]] # beside CRIU's own images
	rm images/descriptors.json
	mkdir images/descriptors.json
	run -1 checkpoint "$id"
	output_has 'images/descriptors.json'
	output_has 'is a directory'
	is running "$id"
}

@test "only a container that runs can be checkpointed" {
	needs_root
	program true
	create "$id"
	run -1 oci-run checkpoint "$id"
	output_has 'cannot checkpoint a container in the created state'
	oci-run pause "$id"
	run -1 oci-run checkpoint "$id"
	output_has 'cannot checkpoint a container in the created state'
	oci-run resume "$id"
	oci-run start "$id"
	eventually is stopped "$id"
	run -1 oci-run checkpoint "$id"
	output_has 'cannot checkpoint a container that has stopped'
	[[ ! -e checkpoint ]]
}

@test "options that can't be honoured are refused by name" {
	needs_root
	program sleep 100
	detached "$id"
	while read -r option value; do
		run -1 oci-run checkpoint --image-path images "--$option=$value" "$id"
		output_has "--$option"
	done <<-END
		manage-cgroups-mode loose
		empty-ns mount
		page-server 10.0.0.1
		page-server 10.0.0.1:70000
		status-fd 1
		parent-path /absolute
		parent-path ../missing
	END
	oci-run delete --force "$id"
	run -1 oci-run restore --no-pivot "$id"
	output_has '--no-pivot'
	run -1 oci-run restore --image-path nowhere --detach "$id"
	output_has nowhere
}

@test "engines find out what there is" {
	oci-run checkpoint --help
	run -1 oci-run restore --lsm-mount-context
	output_has 'flag needs an argument'
	[[ $(oci-run features | jq -r '.annotations["org.opencontainers.runc.checkpoint.enabled"]') == true ]]
}

@test "criu is found without a PATH" {
	PATH=/usr/sbin:/usr/bin:/sbin:/bin needs_criu
	counting
	PATH='' checkpoint --leave-running "$id"
}
