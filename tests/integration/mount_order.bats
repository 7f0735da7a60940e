#!/usr/bin/env bats
# The order of mounts: /proc/PID/mountinfo lists those of the configuration in their order, then what the runtime adds.
# (Since Linux 6.8 that is the order in which mounts were made, before the one in which they were attached.)

load lib

# shows FILTER...: a container with a configuration that each FILTER of jq changed has its mounts in order.
shows() {
	config '.process.args = ["cat", "/proc/self/mountinfo"] | .root.readonly = false'
	local filter
	for filter; do config "$filter"; done
	oci-run run ${no_pivot:+--no-pivot} "$id" >mountinfo
	in_order mountinfo
}

tmpfs='{"type": "tmpfs", "source": "tmpfs"}'

@test "what spec writes" { shows; }

@test "reversed, but for /proc, and each with another tmpfs in it" {
	shows '.mounts = [.mounts[0]] + (.mounts[1:] | reverse)' \
		".mounts |= map(., if .type == \"tmpfs\" then $tmpfs + {\"destination\": (.destination + \"/in\"), \"options\": [\"mode=700\"]} else empty end)"
}

@test "tmpfs and bind mounts take turns, some in one another, some on one another" {
	mkdir -p data/deep
	shows ".mounts += [range(6) | ($tmpfs + {\"destination\": \"/t\(.)\"}, $tmpfs + {\"destination\": \"/t\(.)\", \"options\": [\"mode=711\"]},
			{\"destination\": \"/t\(.)/b\", \"type\": \"bind\", \"source\": \"data\", \"options\": [\"rbind\", \"ro\"]},
			$tmpfs + {\"destination\": \"/b\(.)/c\", \"options\": [\"mode=700\", \"ro\"]})]"
}

@test "a cgroup mount between others, with a cgroup namespace and without" {
	shows ".mounts += [$tmpfs + {\"destination\": \"/last\", \"options\": [\"mode=700\"]}]" \
		'.mounts |= map(select(.type == "cgroup")) as $c | (map(select(.type != "cgroup")) | .[:3] + $c + .[3:])' \
		'.mounts |= map(if .type == "cgroup" then .destination = "/cg" else . end)'
	shows '.linux.namespaces += [{"type": "cgroup"}]'
}

@test "whatever the propagation, and without pivot_root" {
	local way
	for way in shared slave private rshared rslave rprivate unbindable; do
		shows ".linux.rootfsPropagation = \"$way\""
	done
	no_pivot=1 shows 'del(.linux.rootfsPropagation)'
}

@test "paths are protected behind all mounts, in their order" {
	touch rootfs/{zero,one,two}
	mkdir rootfs/{three,four}
	shows '.linux.readonlyPaths = ["/two", "/three"] | .linux.maskedPaths = ["/four", "/one", "/zero"]'
	[[ $(cut -d' ' -f5 mountinfo | tail -n 5 | tr '\n' ' ') == '/two /three /four /one /zero ' ]]
}

@test "a mount that was covered leaves no directory in what covers it" {
	shows ".mounts = [.mounts[0], $tmpfs + {\"destination\": \"/dev/shm\", \"options\": [\"mode=1777\"]},
			$tmpfs + {\"destination\": \"/dev\", \"options\": [\"mode=755\"]}]"
	program ls /dev
	run -0 oci-run run "$id"
	[[ $output != *shm* ]]
}

@test "files are masked if nothing in /dev can be copied" {
	shows '.mounts[1].options += ["unbindable"]' '.linux.maskedPaths = ["/proc/version", "/proc/keys"]'
	grep -q ' /proc/version ' mountinfo
}
