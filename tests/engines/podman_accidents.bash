# Podman when a container, its conmon or the runtime is killed, alike for root and an ordinary user (podman.bash).
# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2153,SC2317 # variables for the sessions; $status and $output are from bats

session_killed_behind() {
	background c
	kill -KILL "$(pid_of c)"
	eventually status_is c exited
	equal 'exit code' 137 "$(field c .State.ExitCode)"
	podman start c
	status_is c running
	# conmon too: nobody is left to collect the exit code, but the container has to go
	local pid conmon id
	pid=$(pid_of c)
	id=$(field c .Id)
	conmon=$(field c .State.ConmonPid)
	kill -KILL "$conmon"
	podman rm -f -t 0 c
	eventually gone "$pid"
	run -0 podman run --rm --name c busybox echo again
	output_is again
	# Without a conmon Podman 4 calls no delete, whatever the runtime; what the runtime keeps is for its user to remove.
	run -0 runtime list -q
	if [[ $(podman --version) == *' 4.'* ]]; then output_is "$id"; else output_is ''; fi
	run -0 runtime delete --force "$id"
	output_is ''
}

# A conmon whose runtime is killed in the middle of create; what create left has to go with podman rm -f.
session_create_killed() {
	local runtime=/run/killed/oci-run delay
	mkdir -p /run/killed
	cat >"$runtime" <<-END
		#!/bin/bash
		case " \$* " in *' create '*) ;; *) exec $RUNTIME "\$@" ;; esac
		$RUNTIME "\$@" &
		sleep "\$(cat /run/killed/delay)"
		kill -KILL \$!
		wait \$!
	END
	chmod 755 /run/killed "$runtime"
	for delay in 0.001 0.002 0.003 0.004 0.005 0.006 0.008 0.010 0.012 0.015; do
		echo "$delay" >/run/killed/delay
		run podman --runtime "$runtime" run -d --name c busybox sleep 1000
		podman --runtime "$runtime" rm -f -t 0 c
		run -0 podman run --rm --name c busybox echo again
		output_is again
	done
	rm -rf /run/killed
}
