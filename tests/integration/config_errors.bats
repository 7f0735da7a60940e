#!/usr/bin/env bats
# A configuration that is wrong: the error says where, and nothing has happened.

load lib

# refused TEXT...: create fails with exit status 1 and says each text, and there is nothing of the container.
refused() {
	run -1 create "$id"
	for text; do output_has "$text"; done
	[[ ! -e $state/$id ]]
}

# line_of TEXT: the number of the line in config.json that has it.
line_of() { grep -nF -- "$1" config.json | head -1 | cut -d: -f1; }

@test "no config.json" {
	rm config.json
	refused config.json 'no such file or directory'
}

@test "an empty config.json" {
	: >config.json
	refused config.json
}

@test "config.json is no JSON" {
	cat >config.json <<<$'{\n  "ociVersion": "1.2.0",\n  "process": oops\n}'
	refused 'config.json:3:14'
}

@test "config.json ends too early" {
	head -c 200 config.json >short && mv short config.json
	refused config.json:
}

@test "a value of the wrong type" {
	config '.process.cwd = 17'
	refused "config.json:$(line_of '"cwd": 17'):" /process/cwd
}

@test "a number that doesn't fit" {
	config '.process.user.uid = -1'
	refused "config.json:$(line_of '"uid": -1'):" /process/user/uid
}

@test "the place is the value's, in line and column" {
	config '.linux.namespaces[1].type = "nonsense"'
	line=$(line_of '"nonsense"')
	column=$(sed -n "${line}p" config.json | sed 's/"nonsense".*//' | wc -c)
	refused "config.json:$line:$column: " /linux/namespaces/1/type
}

@test "in a file of a single line, the place is the field" {
	config -c '.linux.namespaces[1].type = "nonsense"'
	[[ $(wc -l <config.json) == 1 ]]
	refused 'config.json: /linux/namespaces/1/type: '
	config '.process.cwd = 17'
	config -c .
	refused 'config.json: /process/cwd: is a number, must be a string'
	printf '{"ociVersion": "1.0.0", "process": oops}' >config.json
	refused 'config.json:1:36: /process: invalid character'
}

@test "names are exact" {
	needs_root
	config '.linux.SECCOMP = null | .linux["ſeccomp"] = {} | .Hostname = "another" | .linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW",
		"syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]} | .hostname = "box"'
	program sh -c 'hostname; mkdir /tmp/x 2>/dev/null || echo filtered; grep Seccomp: /proc/self/status'
	run -0 --separate-stderr oci-run run "$id"
	output_is $'box\nfiltered\nSeccomp:\t2'
	[[ $stderr == *'/linux/SECCOMP: ignored: the property is called'* && $stderr == *'/Hostname: ignored: '* ]]
	[[ $stderr == *'/linux/ſeccomp: ignored: '* ]]
}

@test "a name that comes twice is an error with both places" {
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ERRNO"} | .linux.last = 1'
	sed -i 's/^\( *\)"last": 1/\1"seccomp": null/' config.json
	first=$(line_of '"seccomp": {')
	second=$(line_of '"seccomp": null')
	refused "config.json:$second:5: /linux/seccomp: appears twice, at $first:5 and at $second:5"
	printf '{"annotations": {"a": "1", "b": "2", "a": "3"}}' >config.json
	refused '/annotations/a: appears twice, at 1:18 and at 1:38'
}

@test "what is REQUIRED and would count as zero is not left out" {
	local base
	base=$(jq '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["kexec_load"], "action": "SCMP_ACT_ERRNO",
		"args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]}' config.json)
	without() { jq "del($1)" <<<"$base" >config.json; }
	without '.linux.seccomp.syscalls[0].names'
	refused '/linux/seccomp/syscalls/0/names: is missing'
	without '.linux.seccomp.syscalls[0].names'
	config '.linux.seccomp.syscalls[0].name = "kexec_load"'
	refused '/linux/seccomp/syscalls/0/names: is missing (is \"name\" meant?)'
	without '.linux.seccomp.syscalls[0].args[0].index'
	refused "config.json:$(($(line_of '"value": 1') - 1)):" '/linux/seccomp/syscalls/0/args/0/index: is missing' # the object's line
	without '.linux.seccomp.syscalls[0].args[0].value'
	refused /linux/seccomp/syscalls/0/args/0/value
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "SCMP_ACT_ERRNO"}]}'
	refused '/linux/seccomp/syscalls/0/names: must have at least one entry'
	without .linux.seccomp
	config '.linux.devices = [{"path": "/dev/x", "type": "c", "major": 1}]'
	refused '/linux/devices/0/minor: is missing'
	config '.linux.devices = [{"path": "/dev/x", "type": "c", "major": 1, "minor": null}]'
	refused '/linux/devices/0/minor: is missing'
	config '.linux.devices = [] | .linux.resources.devices = [null]'
	refused '/linux/resources/devices/0/allow: is missing'
	config '.linux.resources = {"blockIO": {"throttleWriteIOPSDevice": [{"major": 8, "minor": 0}]}}'
	refused '/linux/resources/blockIO/throttleWriteIOPSDevice/0/rate: is missing'
	config '.linux.resources = {} | .mounts += [{"destination": "/m", "type": "tmpfs", "uidMappings": [{"containerID": 0, "size": 1}]}]'
	refused '/hostID: is missing'
	# A user without a gid has 0, as under runc and crun.
	config 'del(.mounts[-1]) | .process.user = {"uid": 0}' && program id -g
	run -0 oci-run run "$id"
	output_is 0
}

@test "no program" {
	config '.process.args = []'
	refused /process/args
}

@test "no process: create does without, run and start don't" {
	config 'del(.process)'
	run -1 oci-run run "$id"
	output_has "config.json:1:1: /process: is missing: there is nothing to start"
	[[ ! -e $state/$id ]]
	create "$id"
	is created "$id"
	run -1 oci-run start "$id"
	output_has '/process: is missing: there is nothing to start'
	is created "$id"
	run -0 oci-run exec --env PATH=/bin "$id" sh -c 'id -u; grep CapBnd /proc/self/status'
	output_is $'0\nCapBnd:\t0000000000000000'
	oci-run delete --force "$id"
}

@test "a name that doesn't exist is answered with the one that was meant" {
	local change text
	cp config.json base.json
	while IFS=$'\t' read -r change text; do
		cp base.json config.json
		config "$change"
		refused "$text"
	done <<-'END'
	.linux.namespaces += [{"type": "usr"}]	(did you mean \"user\"?)
	.process.rlimits = [{"type": "RLIMIT_NOFILES", "soft": 1, "hard": 1}]	(did you mean \"RLIMIT_NOFILE\"?)
	.process.rlimits = [{"type": "nofile", "soft": 1, "hard": 1}]	(did you mean \"RLIMIT_NOFILE\"?)
	.linux.seccomp = {"defaultAction": "SCMP_ACT_ALOW"}	(did you mean \"SCMP_ACT_ALLOW\"?)
	.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86-64"]}	(did you mean \"SCMP_ARCH_X86_64\"?)
	.process.ioPriority = {"class": "IOPRIO_CLASS_BEST", "priority": 1}	ioPriority class
	.process.scheduler = {"policy": "SCHED_BACTH"}	(did you mean \"SCHED_BATCH\"?)
	.root = {"paht": "rootfs"}	/root/path: is missing (is \"paht\" meant?)
	.process.cdw = .process.cwd | del(.process.cwd)	/process/cwd: is missing (is \"cdw\" meant?)
	END
	cp base.json config.json
	config '.process.capabilities.bounding = ["NET_RAW"]'
	program true
	run -0 oci-run run "$id"
	output_has '\"NET_RAW\" (did you mean \"CAP_NET_RAW\"?)'
	run oci-run strat "$id"
	output_has '(did you mean \"start\"?)'
	run oci-run run --detatch "$id"
	output_has '(did you mean \"--detach\"?)'
	config '.proces = .process | del(.process)'
	run -1 oci-run run "$id"
	output_has '/process: is missing: there is nothing to start (is \"proces\" meant?)'
}

@test "a relative working directory" {
	config '.process.cwd = "relative"'
	refused /process/cwd
}

@test "no root" {
	config 'del(.root)'
	refused root
}

@test "a root that isn't there" {
	config '.root.path = "nowhere"'
	refused nowhere 'no such file or directory'
}

@test "a version of the specification that isn't known" {
	config '.ociVersion = "2.0.0"'
	refused /ociVersion 2.0.0
	config '.ociVersion = "nonsense"'
	refused /ociVersion
}

@test "a namespace twice" {
	config '.linux.namespaces += [{"type": "pid"}]'
	refused /linux/namespaces pid
}

@test "a hostname without a namespace for it" {
	config 'del(.linux.namespaces[] | select(.type == "uts")) | .hostname = "box"'
	refused /hostname uts
}

@test "mappings without a user namespace" {
	config 'del(.linux.namespaces[] | select(.type == "user"))
		| .linux.uidMappings = [{"containerID": 0, "hostID": 1000, "size": 1}]'
	refused /linux user
}

@test "an unknown rlimit" {
	config '.process.rlimits = [{"type": "RLIMIT_NONSENSE", "soft": 1, "hard": 1}]'
	refused /process/rlimits/0/type RLIMIT_NONSENSE
}

@test "a soft limit above the hard one" {
	config '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 2, "hard": 1}]'
	refused /process/rlimits/0
}

@test "an unknown seccomp action" {
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_NONSENSE"}'
	refused /linux/seccomp/defaultAction SCMP_ACT_NONSENSE
}

@test "a hook with a relative path" {
	config '.hooks.createRuntime = [{"path": "hook"}]'
	refused /hooks/createRuntime/0/path
}

@test "a sysctl that isn't the container's own" {
	config '.linux.sysctl = {"kernel.panic": "1"}'
	refused /linux/sysctl kernel.panic
}

@test "a mount whose source isn't there names the mount" {
	config '.mounts += [{"destination": "/mnt", "type": "bind", "source": "/no/such/source", "options": ["bind"]}]'
	refused /no/such/source 'no such file or directory'
}

@test "more groups than a process can be in" {
	config '.process.user.additionalGids = [range(65537)]'
	refused /process/user/additionalGids '65537 groups are more than the 65536'
	jq .process config.json >process.json
	config 'del(.process.user.additionalGids)'
	program sleep 1000
	detached "$id"
	run -255 oci-run exec --process process.json "$id"
	output_has '/user/additionalGids: 65537 groups are more than the 65536'
}

@test "the host name as a sysctl" {
	config '.linux.sysctl = {"kernel.hostname": "box"} | del(.hostname)'
	refused /linux/sysctl/kernel.hostname '/hostname only'
	config '.linux.sysctl = {"kernel.domainname": "a"} | .domainname = "b"'
	refused /linux/sysctl/kernel.domainname 'but /domainname is'
}

@test "an unknown capability is a warning only" {
	config '.process.capabilities.bounding += ["CAP_NONSENSE"]'
	program echo hello
	run -0 oci-run run "$id"
	output_has CAP_NONSENSE
	output_has hello
}

@test "what the specification doesn't know is ignored" {
	config '.nonsense = {"a": 1} | .process.nonsense = true'
	program echo hello
	run -0 oci-run run "$id"
	output_is hello
}
