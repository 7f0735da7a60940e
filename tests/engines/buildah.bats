#!/usr/bin/env bats
# Buildah, called by root: it calls the runtime itself, without a conmon, and asks for the state until the container has
# ended. BUILDAH_RUNTIME names the runtime, as docs/engines.md says. (Outputs are looked at apart from stderr, because of the
# warning that is explained there.)
# shellcheck disable=SC2016,SC2154 # what is quoted expands in the container; home is of podman.bash, $stderr of bats

load podman

setup_file() {
	setup_podman # Buildah and Podman have one storage
	remember_world
}

setup() {
	export BUILDAH_RUNTIME=$RUNTIME
	mkdir -p "$BATS_TEST_TMPDIR/context"
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	buildah rm -a >/dev/null
	cd / || return
	nothing_is_left
}

# Buildah 1.43 sets 1048576 files and processes otherwise, which not every machine's root may.
limits=(--ulimit nofile=1000:1000 --ulimit nproc=1000:1000)

# from [FLAG...]: a working container of busybox; $container is its name.
from() { container=$(buildah from "${limits[@]}" "$@" busybox); }

in_container() { buildah run "$container" -- "$@"; }

@test "run: output, errors, input, exit code" {
	from
	run -3 --separate-stderr in_container sh -c 'echo out; echo wrong >&2; exit 3'
	output_is out
	[[ $stderr == *wrong* ]]
	equal stdin GIVEN "$(echo given | buildah run "$container" -- tr a-z A-Z)"
	run -0 --separate-stderr in_container sh -c 'head -c 3000000 /dev/zero | tr "\0" x' # many pipes full
	equal length 3000000 "${#output}"
}

@test "run: what one command writes, the next one finds; nothing runs on" {
	from
	in_container sh -c 'echo kept >/kept; sleep 1000 &'
	run -0 --separate-stderr in_container cat /kept
	output_is kept
	run -0 --separate-stderr in_container ps -o args
	output_lacks 'sleep 1000'
	equal 'what the runtime knows' '' "$("$RUNTIME" list -q)"
}

@test "run: a terminal" {
	from
	run -0 terminal buildah run --tty "$container" -- sh -c 'tty; test -t 0 && test -t 1 && test -t 2 && echo is-a-terminal' </dev/null
	output_has /dev/pts/0
	output_has is-a-terminal
}

@test "run: user, directory, environment, host name, capabilities" {
	from
	run -0 --separate-stderr buildah run --user 1000:50 --workingdir /tmp --env WHAT=given --hostname a-name "$container" -- \
		sh -c 'echo $(id -u):$(id -g) $(pwd) $WHAT $(hostname)'
	output_is '1000:50 /tmp given a-name'
	run -0 --separate-stderr buildah run --cap-drop CAP_CHOWN "$container" -- sh -c 'chown 1 /tmp || echo refused'
	output_has refused
}

@test "run: mounts" {
	from
	echo content >context/file
	run -0 --separate-stderr buildah run --volume "$PWD/context:/v:ro" "$container" -- sh -c 'exec 2>&1; cat /v/file; touch /v/new || true'
	output_has content
	output_has 'Read-only file system'
	buildah run --mount "type=bind,source=$PWD/context,destination=/v,rw" "$container" -- touch /v/new
	buildah run --volume "$PWD/context:/v" "$container" -- touch /v/own
	[[ -e context/own ]] # of what is written to the other, newer Buildahs keep nothing
	run -0 --separate-stderr buildah run --mount type=tmpfs,destination=/t,tmpfs-size=1m "$container" -- grep ' /t ' /proc/mounts
	output_has size=1024k
}

@test "run: no network" {
	from
	run -0 --separate-stderr buildah run --network none "$container" -- ls /sys/class/net
	output_is lo
}

@test "run: limits are in the cgroup and in the process" {
	from --memory 64m --memory-swap 64m --ulimit nofile=100:200
	if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
		run -0 --separate-stderr in_container sh -c 'cat /sys/fs/cgroup/memory.max; ulimit -Sn; ulimit -Hn'
	else
		run -0 --separate-stderr in_container sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes; ulimit -Sn; ulimit -Hn'
	fi
	output_is $'67108864\n100\n200'
}

@test "run: what can't be executed" {
	from
	run in_container nosuchprogram
	((status != 0))
	output_has 'executable file not found in $PATH'
	run in_container /etc/passwd
	((status != 0))
	output_has 'permission denied'
	run -0 --separate-stderr in_container echo still-works
	output_is still-works
}

@test "bud: stages, users, directories, arguments; a command that fails ends it" {
	echo copied >context/file
	cat >context/Containerfile <<-'END'
		FROM busybox AS first
		ARG WORD=none
		RUN echo "built $WORD by $(id -u)" >/made && chown 1000:1000 /made
		FROM busybox
		COPY --from=first /made /
		COPY file /
		USER app
		WORKDIR /home/app
		RUN id -un >who && test -O who
		RUN --mount=type=tmpfs,target=/scratch grep -q ' /scratch ' /proc/mounts
		CMD ["sh", "-c", "cat /made /file who"]
	END
	buildah bud "${limits[@]}" --quiet --network none --build-arg WORD=here --tag built context
	run -0 podman run --rm built
	output_is $'built here by 0\ncopied\napp'
	buildah rmi built >/dev/null
	printf 'FROM busybox\nRUN exit 9\n' >context/Containerfile
	run buildah bud "${limits[@]}" --network none --no-cache context
	((status != 0))
	output_has 'exit status 9'
}

@test "commit: of what was run" {
	from
	in_container sh -c 'echo made >/made'
	buildah config --cmd 'cat /made' "$container"
	buildah commit --quiet "$container" committed
	run -0 podman run --rm committed
	output_is made
	buildah rmi committed >/dev/null
}

@test "configure: the runtime of containers.conf is used where the environment names none" {
	[[ ${RUNTIME##*/} == oci-run ]] || skip "configure is a command of oci-run's"
	local conf=/etc/containers/containers.conf.d/oci-run.conf
	unset BUILDAH_RUNTIME
	cp "$conf" before
	ln -s "$RUNTIME" /run/configured-runtime
	"$RUNTIME" configure buildah --default --name configured --binary /run/configured-runtime
	from
	run --separate-stderr in_container cat /proc/self/cgroup
	echo "$status $output $stderr"
	((status == 0))
	rm /run/configured-runtime # nothing else is used
	run in_container true
	((status != 0))
	output_has configured
	cp before "$conf"
	rm -f /etc/containers/oci-run.conf.before-oci-run
}
