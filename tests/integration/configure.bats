#!/usr/bin/env bats
# oci-run configure: an engine's configuration, as packages bring it, empty, edited, broken and out of reach; what is shown, what is written,
# what stays. The system's files are below --host, so that the machine's own stay out of it; the unit tests have the changes text for text.

load lib

# configure ARG...: as the system's administrator, whoever that is.
configure() { "$OCI_RUN" configure --host "$session/host" --binary /usr/bin/oci-run "$@" 3>&-; }

# mine ARG...: of the user's own engines.
mine() { HOME=$session/home XDG_CONFIG_HOME='' "$OCI_RUN" configure --binary /usr/bin/oci-run "$@" 3>&-; }

# has FILE: what stands on standard input is the file of the host's. It is written with some mode.
has() {
	mkdir -p "$session/host/$(dirname "$1")"
	cat >"$session/host/$1"
	chmod 640 "$session/host/$1"
}

daemon=etc/docker/daemon.json
containerd=etc/containerd/config.toml
containers=etc/containers/containers.conf.d/oci-run.conf
crio=etc/crio/crio.conf.d/oci-run.conf

# leaves FILE COMMAND...: it fails, and the file is what it was, with nothing new beside it.
leaves() {
	local file=$1 before
	shift
	before=$(ls -lA "$(dirname "$file")" && cat "$file")
	run "$@"
	[[ $status == 1 ]]
	[[ $(ls -lA "$(dirname "$file")" && cat "$file") == "$before" ]] || { echo "$file has changed"; return 1; }
}

# whole ENGINE FILE: configured, configured again and taken out again, the file is what it was. The diff is one that patch applies.
whole() {
	local engine=$1 file=$session/host/$2
	cp -p "$file" "$session/original"
	configure "$engine" --default >"$session/diff"
	run ! cmp -s "$file" "$session/original"
	cmp "$file.before-oci-run" "$session/original"
	[[ $(stat -c '%a %u %g' "$file" "$file.before-oci-run") == "$(stat -c '%a %u %g' "$session/original" "$session/original")" ]]
	cp "$session/original" "$session/patched"
	sed -n '/^---/,/^[A-Z]/p' "$session/diff" | grep -v '^[A-Z]' | patch -s "$session/patched"
	cmp "$file" "$session/patched"
	cp -p "$file" "$session/configured"
	run -0 configure "$engine" --default
	output_has "/$2 needs no change."
	cmp "$file" "$session/configured"
	run -0 configure "$engine" --remove
	cmp "$file" "$session/original"
	[[ -z $(find "$session/host" -name '.oci-run-*') ]]
}

@test "configure shows the change, makes it, keeps what was there, and tells what is left to do" {
	has "$daemon" <<<'{"log-driver": "journald"}'
	run -0 configure docker
	output_has '-{"log-driver": "journald"}'
	output_has '+{"log-driver": "journald", "runtimes": {"oci-run": {"path": "/usr/bin/oci-run"}}}'
	output_has 'Wrote /etc/docker/daemon.json; what was there before is in /etc/docker/daemon.json.before-oci-run.'
	output_has 'To have it read: systemctl reload docker'
	output_has 'To use it: docker run --runtime oci-run IMAGE'
	jq -e '.runtimes."oci-run".path == "/usr/bin/oci-run" and .["log-driver"] == "journald"' "$session/host/$daemon"
	[[ $(<"$session/host/$daemon.before-oci-run") == '{"log-driver": "journald"}' ]]
	run -0 configure docker
	output_has '/etc/docker/daemon.json needs no change.'
	run -0 configure docker --name other --default
	jq -e '.runtimes | keys == ["oci-run", "other"]' "$session/host/$daemon"
	jq -e '.["default-runtime"] == "other"' "$session/host/$daemon"
	run -0 configure docker --remove --name other
	jq -e '(.runtimes | keys) == ["oci-run"] and (has("default-runtime") | not)' "$session/host/$daemon"
}

@test "configure makes files that aren't there, and takes away those of its own" {
	local engine
	for engine in docker podman containerd crio buildah; do
		rm -rf "$session/host"
		mkdir "$session/host"
		run -0 configure "$engine" --dry-run
		output_has '--- /dev/null'
		output_has 'Nothing is written, because of --dry-run.'
		[[ -z $(ls -A "$session/host") ]]
		configure "$engine"
		[[ $(find "$session/host/etc" -type f | wc -l) == 1 ]]
		[[ $(find "$session/host/etc" -type f -perm 644) == */etc/* ]]
		run -0 configure "$engine" --remove
		run ! grep -r oci-run "$session/host/etc" --exclude='*.before-oci-run'
	done
	[[ ! -e $session/host/$containers ]] # it has been made for nothing else
	run -0 configure buildah --remove
	output_has 'needs no change'
	rm -r "$session/host"
	mkdir "$session/host"
	configure docker --remove
	[[ -z $(ls -A "$session/host") ]]
}

@test "configure: containerd as Debian has it" {
	has "$containerd" <<-'END'
		version = 2

		[plugins]
		  [plugins."io.containerd.grpc.v1.cri"]
		    [plugins."io.containerd.grpc.v1.cri".cni]
		      bin_dir = "/usr/lib/cni"
		      conf_dir = "/etc/cni/net.d"
		  [plugins."io.containerd.internal.v1.opt"]
		    path = "/var/lib/containerd/opt"
	END
	whole containerd "$containerd"
}

@test "configure: containerd 2 as it prints its defaults, with another runtime and systemd" {
	has "$containerd" <<-'END'
		# ours: written by the site's tool
		version = 3
		root = '/var/lib/containerd'
		disabled_plugins = []
		imports = ['/etc/containerd/conf.d/*.toml']

		[grpc]
		  address = '/run/containerd/containerd.sock'

		[plugins]
		  [plugins.'io.containerd.cri.v1.images']
		    snapshotter = 'overlayfs' # the default

		  [plugins.'io.containerd.cri.v1.runtime']
		    enable_selinux = false

		    [plugins.'io.containerd.cri.v1.runtime'.containerd]
		      default_runtime_name = 'runc'

		      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes]
		        [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
		          runtime_type = 'io.containerd.runc.v2'

		          [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
		            BinaryName = ''
		            SystemdCgroup = true

		[stream_processors]
		  [stream_processors.'io.containerd.ocicrypt.decoder.v1.tar']
		    accepts = [
		      'application/vnd.oci.image.layer.v1.tar+encrypted', # one
		    ]
	END
	cp -p "$session/host/$containerd" "$session/original"
	configure containerd
	# What runc has, the kubelet wants of all.
	grep -A2 "options]" "$session/host/$containerd" | grep -A2 oci-run | grep 'SystemdCgroup = true'
	run -0 configure containerd --remove
	cmp "$session/host/$containerd" "$session/original"
	configure containerd --default
	grep -F 'default_runtime_name = "oci-run"' "$session/host/$containerd"
}

@test "configure: containerd with --systemd-cgroup" {
	mkdir "$session/host"
	configure containerd --systemd-cgroup
	grep -F 'SystemdCgroup = true' "$session/host/$containerd"
	run configure docker --systemd-cgroup
	[[ $status == 1 ]]
	output_has '--systemd-cgroup: docker tells the runtime itself what makes the cgroups'
}

@test "configure: Docker's file as its manual shows it, with another runtime" {
	has "$daemon" <<-'END'
		{
		  "data-root": "/srv/docker",
		  "default-address-pools": [
		    { "base": "172.30.0.0/16", "size": 24 }
		  ],
		  "runtimes": {
		    "kata": {
		      "runtimeType": "io.containerd.kata.v2",
		      "options": { "TypeUrl": "x" }
		    },
		    "youki": {
		      "path": "/usr/bin/youki"
		    }
		  },
		  "live-restore": true
		}
	END
	whole docker "$daemon"
	configure docker
	jq -e '.runtimes | keys_unsorted == ["kata", "youki", "oci-run"]' "$session/host/$daemon"
}

@test "configure: CRI-O beside its packaged file" {
	has etc/crio/crio.conf.d/10-crio.conf <<-'END'
		[crio.image]
		signature_policy = "/etc/crio/policy.json"

		[crio.runtime]
		default_runtime = "crun"

		[crio.runtime.runtimes.crun]
		runtime_path = "/usr/libexec/crio/crun"
	END
	cp "$session/host/etc/crio/crio.conf.d/10-crio.conf" "$session/packaged"
	configure crio --default
	cmp "$session/packaged" "$session/host/etc/crio/crio.conf.d/10-crio.conf"
	# CRI-O reads whatever is in that directory: what was there before is kept above.
	echo '# mine' >>"$session/host/$crio"
	configure crio --name other
	[[ $(ls -A "$session/host/etc/crio/crio.conf.d") == $'10-crio.conf\noci-run.conf' ]]
	grep -q mine "$session/host/etc/crio/oci-run.conf.before-oci-run"
	run -0 configure crio --config "$session/host/none.conf" --host / --dry-run
	output_has "+++ $session/host/none.conf"
}

@test "configure: Podman's lists begin with what other files have" {
	has usr/share/containers/containers.conf <<-'END'
		[containers]
		# log_driver = "k8s-file"
		default_capabilities = [
		  "CHOWN",
		  "KILL"
		]
		[engine]
		#runtime = "crun"
		runtime_supports_json = ["crun", "runc"]
		[engine.runtimes]
		# crun = [
		#             "/usr/bin/crun",
		# ]
	END
	has etc/containers/containers.conf.d/10-site.conf <<<$'[engine]\nruntime_supports_json = ["special", {append=true}]'
	configure podman --default
	grep -Fx 'runtime_supports_json = ["crun", "runc", "special", "oci-run"]' "$session/host/$containers"
	grep -Fx 'runtime_supports_nocgroup = ["crun", "krun", "oci-run"]' "$session/host/$containers"
	grep -Fx 'runtime = "oci-run"' "$session/host/$containers"
	# In one that is named, they are that file's.
	cp "$session/host/usr/share/containers/containers.conf" "$session/original"
	configure podman --config /usr/share/containers/containers.conf
	grep -Fx 'runtime_supports_json = ["crun", "runc", "oci-run"]' "$session/host/usr/share/containers/containers.conf"
	configure podman --config /usr/share/containers/containers.conf --remove
	cmp "$session/host/usr/share/containers/containers.conf" "$session/original"
	# A broken one is Podman's end as well.
	has etc/containers/containers.conf <<<'[engine'
	rm "$session/host/$containers"
	run configure podman
	[[ $status == 1 ]]
	output_has 'configure podman: /etc/containers/containers.conf:1: there is no ] where one is expected'
	[[ ! -e $session/host/$containers ]]
}

@test "configure refuses what it doesn't understand, with the line, and leaves it" {
	has "$daemon" <<<$'{\n  "debug": true,\n  // comment\n}'
	leaves "$session/host/$daemon" configure docker
	output_has 'configure docker: /etc/docker/daemon.json:3: is not JSON: '
	has "$daemon" <<<$'{\n  "runtimes": ["oci-run"]\n}'
	leaves "$session/host/$daemon" configure docker
	output_has '/etc/docker/daemon.json:2: \"runtimes\" must be an object'
	has "$containerd" <<<$'disabled_plugins = ["cri"]\n\n#root = "/var/lib/containerd"'
	leaves "$session/host/$containerd" configure containerd
	output_has '/etc/containerd/config.toml:1: is of version 1, which configure'
	has "$containerd" <<<$'version = 2\nimports = []\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]'
	leaves "$session/host/$containerd" configure containerd
	output_has '/etc/containerd/config.toml:3: disabled_plugins has the CRI plugin in it'
	has "$containerd" <<<$'version = 3\n{{ template "base" . }}'
	leaves "$session/host/$containerd" configure containerd
	output_has '/etc/containerd/config.toml:2: there is no key'
	has "$crio" <<<$'[crio]\nruntime = {runtimes = {}}'
	leaves "$session/host/$crio" configure crio
	output_has '/etc/crio/crio.conf.d/oci-run.conf:2: \"crio.runtime\" must be a table with a line for each of its values'
}

@test "configure and files that are none, or out of reach" {
	mkdir -p "$session/host/$daemon"
	run configure docker
	[[ $status == 1 ]]
	output_has "read \\\"$session/host/$daemon\\\": must be a file of at most 1048576 bytes"
	rmdir "$session/host/$daemon"
	ln -s /nowhere/daemon.json "$session/host/$daemon"
	run configure docker
	[[ $status == 1 ]]
	output_has "\\\"$session/host/$daemon\\\" is a symbolic link to \\\"/nowhere/daemon.json\\\", which does not exist"
	[[ -L $session/host/$daemon ]]
	rm "$session/host/$daemon"
	mkfifo "$session/host/$daemon"
	run timeout 20 "$OCI_RUN" configure docker --host "$session/host" # it isn't opened
	[[ $status == 1 ]]
	output_has 'must be a file'
	rm "$session/host/$daemon"
	head -c 1048577 /dev/zero | tr '\0' ' ' >"$session/host/$daemon"
	leaves "$session/host/$daemon" configure docker
	output_has 'must be a file of at most'
	rm -r "$session/host/etc"
	echo >"$session/host/etc"
	run configure docker
	[[ $status == 1 ]]
	output_has 'not a directory'
}

@test "configure changes what a link leads to, within the host's root" {
	has srv/real/daemon.json <<<'{}'
	mkdir -p "$session/host/etc/docker"
	ln -s /srv/real/daemon.json "$session/host/$daemon" # absolute: on the host
	configure docker
	[[ -L $session/host/$daemon ]]
	jq -e '.runtimes."oci-run"' "$session/host/srv/real/daemon.json"
	[[ -e $session/host/srv/real/daemon.json.before-oci-run && ! -e $session/host/$daemon.before-oci-run ]]
	# Not out of it, whatever there is.
	echo '{}' >"$session/outside"
	ln -sfn "$session/outside" "$session/host/$daemon"
	run configure docker
	[[ $status == 1 ]]
	[[ $(<"$session/outside") == '{}' ]]
	ln -sfn ../../../../../../../../../../outside "$session/host/$daemon"
	run configure docker
	[[ $status == 1 && $(<"$session/outside") == '{}' ]]
}

@test "configure as a user: the user's own configuration" {
	((EUID)) || skip 'needs to be an ordinary user'
	run -0 mine docker
	output_has 'To have it read: systemctl --user reload docker'
	jq -e '.runtimes."oci-run".path == "/usr/bin/oci-run"' "$session/home/.config/docker/daemon.json"
	mine podman --default
	grep -Fx 'runtime = "oci-run"' "$session/home/.config/containers/containers.conf.d/oci-run.conf"
	mine containerd
	[[ -e $session/home/.config/containerd/config.toml ]]
	HOME=/nowhere XDG_CONFIG_HOME=$session/xdg "$OCI_RUN" configure docker
	jq -e --arg path "$OCI_RUN" '.runtimes."oci-run".path == $path' "$session/xdg/docker/daemon.json" # its own path
	run mine crio
	[[ $status == 1 ]]
	output_has "crio has no configuration of a user's"
	run env -u HOME -u XDG_CONFIG_HOME "$OCI_RUN" configure docker
	[[ $status == 1 ]]
	output_has 'HOME is \"\", must be an absolute path'
	# Unreadable, and in a directory where nothing can be made.
	chmod 0 "$session/home/.config/docker/daemon.json"
	run mine docker --name other
	[[ $status == 1 ]]
	output_has 'permission denied'
	chmod 600 "$session/home/.config/docker/daemon.json"
	chmod 500 "$session/home/.config/docker"
	leaves "$session/home/.config/docker/daemon.json" mine docker --name other
	chmod 700 "$session/home/.config/docker"
	output_has 'permission denied'
}

@test "configure as root: the system's configuration, on a filesystem that is read-only too" {
	needs_root
	cat >"$session/steps" <<-'END'
		set -e
		mount -t tmpfs none /etc
		"$OCI_RUN" configure docker >/dev/null
		jq -e --arg path "$OCI_RUN" '.runtimes."oci-run".path == $path' /etc/docker/daemon.json
		mount -o remount,ro /etc
		if "$OCI_RUN" configure docker --default 2>&1; then exit 1; fi
		"$OCI_RUN" configure docker | grep 'needs no change'
		jq -e 'has("default-runtime") | not' /etc/docker/daemon.json
	END
	run -0 unshare --mount env OCI_RUN="$OCI_RUN" sh "$session/steps"
	output_has '/etc/docker/daemon.json.before-oci-run: read-only file system'
}

@test "configure keeps the owner and the mode" {
	needs_root
	has "$daemon" <<<'{}'
	chown 12:34 "$session/host/$daemon"
	chmod 604 "$session/host/$daemon"
	configure docker
	[[ $(stat -c '%u:%g %a' "$session/host/$daemon" "$session/host/$daemon.before-oci-run") == $'12:34 604\n12:34 604' ]]
	[[ -z $(find "$session/host/etc/docker" -name '.*' -type f) ]]
}

@test "configure: wrong command lines" {
	run configure
	[[ $status == 1 ]]
	output_has '\"configure\" takes an engine, one of docker, podman, containerd, crio, buildah, nerdctl; there are 0 arguments'
	run configure dokcer
	[[ $status == 1 ]]
	output_has 'unknown engine \"dokcer\" (did you mean \"docker\"?): must be docker, '
	run configure docker --name 'a b'
	[[ $status == 1 ]]
	output_has '--name \"a b\": must be letters, digits,'
	run configure docker --name runc
	[[ $status == 1 ]]
	output_has '--name \"runc\": is another runtime'
	run configure docker --binary 'a"b'
	[[ $status == 1 ]]
	output_has 'must be an absolute path without quotes, backslashes and control characters'
	run configure docker --default --remove
	[[ $status == 1 ]]
	output_has '--default and --remove exclude each other'
	run configure nerdctl --default
	[[ $status == 1 ]]
	output_has 'nerdctl is told the runtime on its command line, and has no setting for it'
	run -0 "$OCI_RUN" configure nerdctl --binary /usr/bin/oci-run
	output_has 'nerdctl run --runtime /usr/bin/oci-run IMAGE'
	[[ ! -e $session/host ]]
}

@test "configure --host copies the binary, and --stay waits for a signal" {
	mkdir "$session/host"
	"$OCI_RUN" configure containerd --host "$session/host" --stay >"$session/said" 2>&1 3>&- &
	eventually grep 'To use it' "$session/said"
	kill -0 $!
	cmp "$OCI_RUN" "$session/host/usr/local/sbin/oci-run"
	[[ $(stat -c %a "$session/host/usr/local/sbin/oci-run") == 755 ]]
	grep -F 'BinaryName = "/usr/local/sbin/oci-run"' "$session/host/$containerd"
	kill $!
	wait $!
	grep -q 'Wrote /usr/local/sbin/oci-run.' "$session/said"
	run -0 "$OCI_RUN" configure containerd --host "$session/host"
	[[ $output != *'Wrote /usr/local/sbin/oci-run'* ]]
	# Of another version, it takes the place of the old one at once: who executes that goes on.
	echo old >"$session/host/usr/local/sbin/oci-run"
	run -0 "$OCI_RUN" configure containerd --host "$session/host"
	output_has 'Wrote /usr/local/sbin/oci-run.'
	cmp "$OCI_RUN" "$session/host/usr/local/sbin/oci-run"
	# Containers that still run need the binary to be stopped.
	"$OCI_RUN" configure containerd --host "$session/host" --remove
	[[ -x $session/host/usr/local/sbin/oci-run ]]
	run ! grep oci-run "$session/host/$containerd"
}
