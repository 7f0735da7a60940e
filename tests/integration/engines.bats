#!/usr/bin/env bats
# The config.json files that engines really write (engines/*.json, from Docker 20.10 and 28, Podman 4.3 and 5, containerd
# 1.6 through ctr and CRI, CRI-O), with another root and program: each creates, starts, runs, is killed and deleted.
#
# In them stand @BUNDLE@ for the bundle, with @BUNDLE@/sources for the engine's own files, @HOOK@ for a hook, and
# @NS:type@ for a namespace to join, for which another container is made here.

load lib

# adapt FILE: an engine's config.json becomes the bundle's.
adapt() {
	local source
	sed -e "s|@BUNDLE@|$bundle|g; s|@HOOK@|$bundle/hook|g" "$1" >config.json
	printf '#!/bin/sh\ncat >>%s/hooked\n' "$bundle" >hook
	chmod 755 hook
	jq -r '.mounts[]?.source // empty' config.json | grep "^$bundle/sources" | while read -r source; do
		case ${source##*/} in
		resolv.conf | hostname | hosts | onefile | docker-init | passwd | group) install -D /dev/null "$source" ;;
		*) mkdir -p "$source" ;;
		esac
	done
	mkdir -p "rootfs/$(jq -r .process.cwd config.json)"
	owner=$(jq -r 'def host(list): [list[]? | select(.containerID == 0) | .hostID][0] // 0;
		"\(host(.linux.uidMappings)):\(host(.linux.gidMappings))"' config.json)
	chown -hR "$owner" rootfs
	# Lowering it takes CAP_SYS_RESOURCE, which not every machine's root has.
	config '.linux.cgroupsPath = $path | if .process.oomScoreAdj? < 0 then .process.oomScoreAdj = 0 else . end |
		.process.env += ["OCI_RUN_SESSION=\($session)"]' --arg path "/oci-run-tests-$id" --arg session "$session"
}

# make_sandbox: a container whose namespaces the config joins, as a pod's containers do.
make_sandbox() {
	local type pid file=sandbox/config.json
	grep -q '@NS:' config.json || return 0
	mkdir -p sandbox/rootfs
	cp -a rootfs/bin sandbox/rootfs/
	mkdir -p sandbox/rootfs/{dev,proc,sys}
	chown -hR "$owner" sandbox/rootfs
	(cd sandbox && oci-run spec)
	jq --slurpfile of config.json --arg path "/oci-run-tests-$id-sandbox" --arg session "$session" '
		.process.terminal = false | .process.args = ["sleep", "1000"] | .linux.cgroupsPath = $path |
		.process.env += ["OCI_RUN_SESSION=\($session)"] |
		if ($of[0].linux.namespaces | any(.type == "user")) then
			.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = $of[0].linux.uidMappings |
			.linux.gidMappings = $of[0].linux.gidMappings | .mounts |= map(select(.type != "cgroup"))
		else . end' "$file" >"$file.new"
	mv "$file.new" "$file"
	oci-run run --detach --bundle sandbox "$id-sandbox" </dev/null >sandbox/out 2>&1
	pid=$(pid_of "$id-sandbox")
	for type in network:net ipc:ipc uts:uts pid:pid user:user; do
		sed -i "s|@NS:${type%:*}@|/proc/$pid/ns/${type#*:}|" config.json
	done
}

# life: from create to delete.
life() {
	create --pid-file "$bundle/pid" "$id"
	[[ $(<pid) == "$(pid_of "$id")" ]]
	is created "$id"
	in_order "/proc/$(<pid)/mountinfo"
	[[ $(oci-run state "$id" | jq -S '.annotations // {}') == "$(jq -S '.annotations // {}' config.json)" ]]
	oci-run start "$id"
	eventually says 'the program runs'
	is running "$id"
	oci-run kill "$id" KILL
	eventually is stopped "$id"
	oci-run delete "$id"
}

engine() {
	needs_root
	adapt "$BATS_TEST_DIRNAME/engines/$1.json"
	make_sandbox
	program sh -c 'echo the program runs; exec sleep 1000'
	if [[ $(jq .process.terminal config.json) == true ]]; then
		program sh -c 'tty && echo the program runs'
		script --quiet --return --command "'$OCI_RUN' --root '$state' run '$id'" /dev/null </dev/null >out
		says 'the program runs'
	else
		life
	fi
	[[ ! -e $bundle/sandbox ]] || oci-run delete --force "$id-sandbox"
	grep -q "$bundle/hook\"" config.json || return 0
	jq -e .pid hooked >/dev/null
}

@test "cri-containerd-container" { engine cri-containerd-container; }

@test "cri-containerd-limits" { engine cri-containerd-limits; }

@test "cri-containerd-sandbox" { engine cri-containerd-sandbox; }

@test "crio-container" { engine crio-container; }

@test "crio-limits" { engine crio-limits; }

@test "crio-sandbox" { engine crio-sandbox; }

@test "crio-seccomp" { engine crio-seccomp; }

@test "crio-userns" { engine crio-userns; }

@test "ctr-plain" { engine ctr-plain; }

@test "ctr-seccomp" { engine ctr-seccomp; }

@test "docker-20-plain" { engine docker-20-plain; }

@test "docker-28-devices" { engine docker-28-devices; }

@test "docker-28-host-network" { engine docker-28-host-network; }

@test "docker-28-init-volume" { engine docker-28-init-volume; }

@test "docker-28-limits" { engine docker-28-limits; }

@test "docker-28-plain" { engine docker-28-plain; }

@test "docker-28-privileged" { engine docker-28-privileged; }

@test "docker-28-tty" { engine docker-28-tty; }

@test "docker-28-userns" { engine docker-28-userns; }

@test "podman-4-plain" { engine podman-4-plain; }

@test "podman-5-plain" { engine podman-5-plain; }

@test "podman-5-pod-member" { engine podman-5-pod-member; }

@test "podman-5-userns" { engine podman-5-userns; }
