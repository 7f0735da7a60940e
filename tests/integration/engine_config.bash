# What makes a bundle's config.json of one that an engine has written (engines/*.json).
#
# In them stand @BUNDLE@ for the bundle, with @BUNDLE@/sources for the engine's own files, @HOOK@ for a hook, and
# @NS:type@ for a namespace to join, for which another container is made here.
# shellcheck shell=bash disable=SC2154 # variables of lib.bash

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
