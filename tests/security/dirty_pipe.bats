#!/usr/bin/env bats
# CVE-2022-0847 (Dirty Pipe), CVE-2026-31431 and others: with a hole in the kernel, who can read a file can write to its page
# cache. A read-only mount of the runtime's binary does not help; that a container never sees the binary does.
# OCI_RUN_SEAL=memfd asks for that.

load lib

# exe_of_init: what /proc/PID/exe of a container's init is, before it has become the program.
exe_of_init() {
	program sleep 1000
	create "$id"
	local pid
	pid=$(pid_of "$id")
	link=$(readlink "/proc/$pid/exe")
	same=$([[ /proc/$pid/exe -ef $OCI_RUN ]] && echo yes || echo no)
	maps=$(grep -o '/.*' "/proc/$pid/maps" | sort -u)
}

@test "with OCI_RUN_SEAL=memfd init is a copy in memory" {
	on_oci_run
	OCI_RUN_SEAL=memfd exe_of_init
	[[ $link == /memfd:* && $same == no ]]
	[[ $maps == /memfd:* && $(wc -l <<<"$maps") == 1 ]]
}

@test "the copy can't be written to" {
	on_oci_run
	OCI_RUN_SEAL=memfd exe_of_init
	run ! bash -c "echo owned >>/proc/$(pid_of "$id")/exe"
}

@test "OCI_RUN_SEAL is one of its two values" {
	on_oci_run
	program true
	OCI_RUN_SEAL=nothing run -1 create "$id"
	output_has OCI_RUN_SEAL
	output_has memfd
}

@test "otherwise nothing but the binary is mapped" {
	on_oci_run
	exe_of_init
	[[ $(wc -l <<<"$maps") == 1 ]]
}
