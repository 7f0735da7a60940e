#!/usr/bin/env bats
# A program that can't be run: create says so, in the words that engines turn into exit codes 126 and 127.

load lib

# refused TEXT...: create fails with exit status 1, says each text, and leaves nothing.
refused() {
	run -1 create "$id"
	for text; do output_has "$text"; done
	run ! oci-run state "$id"
}

# not_run TEXT...: the same for what only execve finds out: run fails, whether in create or in start.
not_run() {
	run -1 oci-run run "$id"
	for text; do output_has "$text"; done
	run ! oci-run state "$id"
}

# executable FILE: standard input as an executable in the rootfs.
executable() {
	cat >"rootfs$1"
	chmod 755 "rootfs$1"
}

@test "a name that isn't in PATH" {
	program nosuchprogram
	refused nosuchprogram 'executable file not found in $PATH'
}

@test "a path that isn't there" {
	program /no/such/program
	refused /no/such/program 'no such file or directory'
}

@test "a directory" {
	program /etc
	refused /etc 'permission denied (it is a directory)'
}

@test "a file in place of a directory" {
	program /etc/passwd/program
	refused /etc/passwd/program 'not a directory'
}

@test "a file that isn't executable" {
	program /etc/passwd
	refused /etc/passwd 'permission denied'
}

@test "a script whose interpreter is missing" {
	executable /script <<<'#!/no/such/interpreter'
	program /script
	not_run /script /no/such/interpreter 'no such file or directory'
}

@test "a script whose interpreter's name ends in a carriage return" {
	printf '#!/bin/sh\r\necho hello\r\n' | executable /script
	program /script
	not_run /script 'no such file or directory'
}

@test "a file that is neither a program nor a script" {
	executable /garbage <<<garbage
	program /garbage
	not_run /garbage 'exec format error'
}

@test "an empty file" {
	executable /empty </dev/null
	program /empty
	not_run /empty 'exec format error'
}

@test "a program for another architecture" {
	cp rootfs/bin/busybox rootfs/foreign
	printf '\xf3\x00' | dd of=rootfs/foreign bs=1 seek=18 conv=notrunc status=none # e_machine: RISC-V
	[[ $(uname -m) != riscv64 ]] || skip 'this is that architecture'
	program /foreign
	not_run /foreign 'exec format error'
}

@test "a dynamic program without its loader" {
	gcc=$(command -v gcc) || skip 'no gcc here'
	echo 'int main(void) { return 0; }' | "$gcc" -x c -Wl,--dynamic-linker=/no/such/loader -o rootfs/dynamic -
	program /dynamic
	not_run /dynamic /no/such/loader 'no such file or directory'
}

@test "a program on a mount with noexec" {
	mkdir data rootfs/data
	cp rootfs/bin/busybox data/program
	config --arg source "$bundle/data" \
		'.mounts += [{"destination": "/data", "type": "bind", "source": $source, "options": ["bind", "noexec"]}]'
	program /data/program
	not_run /data/program 'permission denied' noexec
}

@test "a program in a directory that the user may not enter" {
	needs_root
	mkdir -m 700 rootfs/closed
	cp rootfs/bin/busybox rootfs/closed/program
	config '.process.user = {"uid": 1000, "gid": 1000}'
	program /closed/program
	not_run /closed/program 'permission denied'
}

@test "a link that leads nowhere" {
	ln -s /no/such/target rootfs/link
	program /link
	refused /link 'no such file or directory'
}

@test "a relative program is looked up from the working directory" {
	mkdir rootfs/work
	executable /work/hello <<<$'#!/bin/sh\necho hello'
	config '.process.cwd = "/work"'
	program ./hello
	run -0 oci-run run "$id"
	output_is hello
}

# short TEXT...: what was said has each text and no more than 8 KiB, which is what conmon reads of it.
short() {
	local text
	for text; do output_has "$text"; done
	((${#output} < 8192)) || { echo "${#output} characters"; return 1; }
}

@test "a script in place of a program, and a long path" {
	local script
	script=$(yes 'echo "hello"; sleep 1;' | head -n 2000 | tr '\n' ' ')
	config --arg script "$script" '.process.args = [$script]'
	run -1 create "$id"
	short 'exec: \"echo ' 'executable file not found in $PATH'
	config --arg script "/$script" '.process.args = [$script]'
	run -1 create "$id"
	short 'exec: \"/echo ' 'file name too long'
	program sleep 1000
	detached "$id"
	local runtime
	for runtime in "$OCI_RUN" "$OCI_RUN-crash"; do
		[[ -x $runtime ]] || continue
		OCI_RUN_EXEC=init run -255 "$runtime" --root "$state" exec "$id" "$script" 3>&-
		short 'exec: \"echo ' 'executable file not found in $PATH'
		OCI_RUN_EXEC=init run -255 "$runtime" --root "$state" exec --cwd "/$script" "$id" true 3>&-
		short 'chdir to cwd \"/echo ' 'file name too long'
	done
}

@test "what is wrong is told, however long it is" {
	config '.hostname = "x" * 20000'
	run -1 create "$id"
	short '/hostname'
	config '.hostname = "x" | .process.cwd = "/" + "name/" * 2000'
	run -1 create "$id"
	short 'cwd' 'file name too long'
	config '.process.cwd = "/" | .mounts += [{"destination": ("/" + "x/" * 5000), "type": "tmpfs", "source": "tmpfs"}]'
	run -1 create "$id"
	short '/mounts/' 'file name too long'
}
