#!/usr/bin/env bats
# Mounts: what the container sees, with which options, and that a rootfs full of traps changes nothing.

load lib

# mount_on DESTINATION SOURCE TYPE OPTION...: add a mount to config.json.
mount_on() {
	config --arg to "$1" --arg from "$2" --arg type "$3" \
		'.mounts += [{"destination": $to, "source": $from, "type": $type, "options": $ARGS.positional}]' --args -- "${@:4}"
}

@test "a directory is bind-mounted" {
	mkdir data && echo hello >data/file
	mount_on /mnt "$bundle/data" bind rbind
	config '.root.readonly = false'
	program cat /mnt/file
	run -0 oci-run run "$id"
	output_is hello
}

@test "a file is bind-mounted, where there was none" {
	echo hello >file
	mount_on /etc/deep/below/file "$bundle/file" bind bind
	config '.root.readonly = false'
	program cat /etc/deep/below/file
	run -0 oci-run run "$id"
	output_is hello
}

@test "a relative source is relative to the bundle" {
	mkdir data && echo hello >data/file
	mkdir rootfs/mnt
	mount_on /mnt data bind bind
	program cat /mnt/file
	mkdir elsewhere && cd elsewhere
	run -0 oci-run run --bundle .. "$id"
	output_is hello
}

@test "ro is read-only, for binds too" {
	mkdir data rootfs/mnt
	mount_on /mnt "$bundle/data" bind rbind ro
	program touch /mnt/file
	run -1 oci-run run "$id"
	output_has 'Read-only file system'
}

@test "options are what the kernel shows" {
	mkdir data rootfs/mnt
	# A user namespace may not change the access times of the mounts that it inherits.
	options=(ro nosuid nodev noexec)
	((EUID != 0)) || options+=(noatime)
	mount_on /mnt "$bundle/data" bind bind "${options[@]}"
	program grep ' /mnt ' /proc/self/mountinfo
	run -0 oci-run run "$id"
	for option in "${options[@]}"; do
		[[ ,$(cut -d' ' -f6 <<<"$output"), == *,$option,* ]]
	done
}

@test "rro is read-only for the mounts below as well" {
	needs_root
	mkdir -p data/below rootfs/mnt
	mount -t tmpfs tmpfs data/below
	mount_on /mnt "$bundle/data" bind rbind rro
	program touch /mnt/below/file
	run -1 oci-run run "$id"
	umount data/below
	output_has 'Read-only file system'
}

@test "a tmpfs has its size and mode" {
	mkdir rootfs/mnt
	mount_on /mnt tmpfs tmpfs size=64k mode=0711
	program sh -c 'stat -c %a /mnt; df -k /mnt | tail -1'
	run -0 oci-run run "$id"
	[[ ${lines[0]} == 711 ]]
	[[ ${lines[1]} =~ ^tmpfs\ +64\  ]]
}

@test "tmpcopyup takes along what was there" {
	mkdir rootfs/full
	echo hello >rootfs/full/file
	mount_on /full tmpfs tmpfs tmpcopyup
	program cat /full/file
	run -0 oci-run run "$id"
	output_is hello
}

@test "copy-symlink makes a link again that it would otherwise follow" {
	echo secret >target && ln -s "$bundle/target" link && ln -s /somewhere rootfs/etc/there && echo file >rootfs/etc/file
	config '.root.readonly = false'
	mount_on /etc/made/link "$bundle/link" bind bind ro copy-symlink
	mount_on /etc/made/target "$bundle/target" bind bind copy-symlink # no link: mounted as ever
	program sh -c 'readlink /etc/made/link; cat /etc/made/target'
	run -0 oci-run run "$id"
	output_is "$bundle/target"$'\nsecret'
	run -0 oci-run run "$id" # it is there already
	output_is "$bundle/target"$'\nsecret'

	local at
	for at in 'there is a symbolic link to \"/somewhere\"' 'file is a regular file'; do
		config --arg at "/etc/${at%% *}" '.mounts[-2].destination = $at'
		run -1 --separate-stderr oci-run run "$id"
		[[ $stderr == *'/mounts/'*'file exists (\"/etc/'"${at/ /'\" in the container '}"')'* ]]
	done
}

@test "copy-symlink makes its link in the rootfs, wherever a link of the image leads" {
	mkdir outside && ln -s "$bundle/outside" rootfs/trap && ln -s nowhere link
	config '.root.readonly = false'
	mount_on /trap/link "$bundle/link" bind bind copy-symlink
	program true
	run -0 oci-run run "$id"
	[[ -z $(ls -A outside) && $(readlink "rootfs$bundle/outside/link") == nowhere ]]
}

@test "src-nofollow and dest-nofollow mount a link, and on a link" {
	echo outer >data && ln -s "$bundle/data" link
	echo inner >rootfs/etc/inner && ln -s inner rootfs/etc/link
	config '.root.readonly = false'
	mount_on /etc/link "$bundle/data" bind bind
	program sh -c 'readlink /etc/link; cat /etc/inner'
	run -0 oci-run run "$id" # on what the link leads to
	output_is $'inner\nouter'

	config '.mounts[-1].options += ["dest-nofollow"]'
	program sh -c 'readlink /etc/link; cat /etc/link /etc/inner; ls -l /etc/link | cut -c1'
	run -0 oci-run run "$id" # on the link itself
	output_is $'outer\ninner\n-'

	config --arg link "$bundle/link" '.mounts[-1] += {source: $link, options: ["bind", "src-nofollow", "dest-nofollow"]}'
	program sh -c 'readlink /etc/link; cat /etc/inner'
	run -0 oci-run run "$id" # a link on a link
	output_is "$bundle/data"$'\ninner'

	config '.mounts[-1] += {destination: "/etc/new", options: ["bind", "src-nofollow"]}'
	program readlink /etc/new
	run -0 oci-run run "$id" # a link on a file that is made for it
	output_is "$bundle/data"
	config '.mounts[-1].options += ["copy-symlink"]'
	run -1 oci-run run "$id"
	output_has '/mounts/'
	output_has "copy-symlink can't stand beside src-nofollow or dest-nofollow"
}

@test "the rootfs is read-only if root.readonly says so" {
	program touch /file
	run -1 oci-run run "$id"
	output_has 'Read-only file system'
	config '.root.readonly = false'
	run -0 oci-run run "$id"
	[[ -e rootfs/file ]]
}

@test "masked paths are empty, read-only paths are read-only" {
	mkdir rootfs/secrets
	echo secret >rootfs/secrets/file
	echo secret >rootfs/secret
	config '.root.readonly = false | .linux.maskedPaths = ["/secrets", "/secret", "/not/there"]
		| .linux.readonlyPaths = ["/etc", "/not/there"]'
	program sh -c 'cat /secret; ls -A /secrets; touch /etc/file'
	run -1 oci-run run "$id"
	[[ $output != *secret$'\n'* ]]
	output_has 'Read-only file system'
	((${#lines[@]} == 1))
}

@test "the root among the read-only paths is read-only, and can't be masked" {
	mount_on /tmp tmpfs tmpfs
	program sh -c 'touch /tmp/file && touch /file'
	local path
	for path in / //. /etc/..; do
		config --arg path "$path" '.root.readonly = false | .linux.readonlyPaths = ["/proc/sys", $path]'
		run -1 oci-run run "$id"
		output_has 'touch: /file: Read-only file system'
	done
	config '.linux.readonlyPaths = [] | .linux.maskedPaths = ["/proc/kcore", "/"]'
	run -1 create "$id"
	output_has '/linux/maskedPaths/1: '
	output_has "is the root, which can't be hidden"
	[[ ! -e $state/$id ]]
}

@test "a link in the rootfs that leads out of it leads into it" {
	mkdir outside data
	ln -s "$bundle/outside" rootfs/trap
	echo hello >data/file
	mount_on /trap/mnt "$bundle/data" bind bind
	config '.root.readonly = false'
	program true
	run oci-run run "$id"
	[[ -z $(ls -A outside) ]]
}

@test "proc isn't mounted over a link" {
	rmdir rootfs/proc
	mkdir rootfs/fake
	ln -s /fake rootfs/proc
	run -1 create "$id"
	output_has 'must be mounted on ordinary directory'
}

@test "mounts of the container are not seen outside" {
	mkdir rootfs/mnt
	mount_on /mnt tmpfs tmpfs
	program sleep 1000
	create "$id"
	oci-run start "$id"
	[[ $(mounts) == "$mounts_before" ]]
}

@test "a mount with an unknown option hands it to the filesystem, which refuses it" {
	mkdir rootfs/mnt
	mount_on /mnt tmpfs tmpfs nonsense=1
	run -1 create "$id"
	output_has /mnt
	output_has nonsense
}

@test "an error of a mount names it" {
	mkdir rootfs/mnt
	mount_on /mnt x nosuchfs
	run -1 create "$id"
	output_has /mnt
	output_has nosuchfs
}

@test "mounts are made in their order" {
	mkdir one two
	echo one >one/file
	echo two >two/file
	mkdir rootfs/mnt
	mount_on /mnt "$bundle/one" bind bind
	mount_on /mnt "$bundle/two" bind bind
	program cat /mnt/file
	run -0 oci-run run "$id"
	output_is two
}

@test "an ID-mapped mount shows other owners" {
	needs_root
	mkdir data rootfs/mnt
	touch data/file
	chown 5000:6000 data/file
	mount_on /mnt "$bundle/data" bind bind
	config '.mounts[-1] += {"uidMappings": [{"containerID": 5000, "hostID": 1, "size": 1}],
		"gidMappings": [{"containerID": 6000, "hostID": 2, "size": 1}]}'
	program stat -c %u:%g /mnt/file
	run -0 oci-run run "$id"
	output_is 1:2
}

@test "--no-pivot works for a rootfs that can't be pivoted to" {
	program cat /etc/passwd
	run -0 oci-run run --no-pivot "$id"
	output_is 'root:x:0:0:root:/root:/bin/sh'
}

@test "an SELinux label in quotes goes to the kernel whole, without them" {
	command -v strace >/dev/null || skip 'no strace here (Debian: apt-get install strace)'
	strace -qq -o /dev/null true || skip "strace can't trace here"
	local label=system_u:object_r:container_file_t:s0:c1,c2
	mount_on /mnt tmpfs tmpfs "size=1m,context=\"$label\",mode=700"
	run strace -f -s 500 -e trace=fsconfig,mount -o trace "$OCI_RUN" --root "$state" run "$id" # only with SELinux it succeeds
	grep -qF "FSCONFIG_SET_STRING, \"context\", \"$label\"" trace
	config --arg long "$(printf '%0300d' 0)" '.mounts[-1].options[0] += ",x=\($long)"'
	run strace -f -s 500 -e trace=mount -o trace "$OCI_RUN" --root "$state" run "$id"
	grep -qF "size=1m,context=\\\"$label\\\",mode=700,x=000" trace
}
