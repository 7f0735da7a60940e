#!/usr/bin/env bats
# The config.json files that engines really write (engines/*.json, from Docker 20.10 and 28, Podman 4.3 and 5, containerd
# 1.6 through ctr and CRI, CRI-O), with another root and program: each creates, starts, runs, is killed and deleted.

load lib
load engine_config

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
