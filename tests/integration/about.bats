#!/usr/bin/env bats
# What oci-run says about itself: version, features, spec, help; and the log.

load lib

@test "--version has the lines that engines read" {
	run -0 oci-run --version
	[[ ${lines[0]} =~ ^oci-run\ version\ [0-9]+\.[0-9]+ ]]
	[[ ${lines[1]} =~ ^commit:\ . ]]
	[[ ${lines[2]} =~ ^spec:\ 1\.[0-9]+\.[0-9]+ ]]
}

@test "features is what the engines look at" {
	run -0 oci-run features
	features=$output
	[[ $(jq -r .ociVersionMin <<<"$features") == 1.0.* ]]
	[[ $(jq -r .ociVersionMax <<<"$features") == 1.* ]]
	jq -e '.mountOptions | index("rro") and index("ro") and index("rbind")' <<<"$features"
	jq -e '.hooks | index("createRuntime") and index("poststop")' <<<"$features"
	jq -e '.linux.namespaces | index("user") and index("time") and index("cgroup")' <<<"$features"
	jq -e '.linux.capabilities | index("CAP_SYS_ADMIN") and index("CAP_BPF")' <<<"$features"
	jq -e '.linux.mountExtensions.idmap.enabled' <<<"$features"
	jq -e '.linux.seccomp.enabled and (.linux.seccomp.actions | index("SCMP_ACT_NOTIFY"))' <<<"$features"
	jq -e '.linux.cgroup.v1 and .linux.cgroup.v2' <<<"$features"
}

@test "features --host adds what the host has, and changes nothing else" {
	run -0 --separate-stderr oci-run features
	plain=$output
	[[ -z $stderr ]]
	jq -e '.annotations | keys | all(startswith("io.github.oci-run.host.") | not)' <<<"$plain"
	run -0 oci-run features --host
	host() { jq -r ".annotations[\"io.github.oci-run.host.$1\"]" <<<"$output"; }
	[[ $(host kernel) == "$(uname -r) $(uname -m)" ]]
	[[ " $(host namespaces) " == *' mount '* && " $(host namespaces) " == *' user '* ]]
	[[ $(host seccomp.actions) == "$(cat /proc/sys/kernel/seccomp/actions_avail)" ]]
	if v2; then [[ $(host cgroup.mode) == v2 && " $(host cgroup.controllers) " == *' pids '* ]]; else [[ $(host cgroup.mode) != v2 ]]; fi
	[[ $(host apparmor.enabled) == "$([[ $(cat /sys/module/apparmor/parameters/enabled 2>/dev/null) == Y ]] && echo true || echo false)" ]]
	diff <(jq '.annotations |= with_entries(select(.key | startswith("io.github.oci-run.host.") | not))' <<<"$output") <(jq . <<<"$plain")
}

@test "spec writes a configuration that runs as it is" {
	mkdir fresh && cd fresh
	oci-run spec
	[[ $(jq -r '.process.args[0]' config.json) == sh ]]
	run -1 oci-run spec # it overwrites nothing
	output_has config.json
	cd ..
	rm -r fresh
}

@test "spec --bundle writes elsewhere" {
	mkdir fresh
	oci-run spec --bundle fresh
	jq -e .ociVersion fresh/config.json
	rm -r fresh
}

@test "spec --rootless has a user namespace and no resources" {
	mkdir fresh && cd fresh
	oci-run spec --rootless
	jq -e '.linux.namespaces | map(.type) | index("user") and (index("network") | not)' config.json
	[[ $(jq '.linux.uidMappings[0].hostID' config.json) == "$EUID" ]]
	jq -e '.linux.resources == null' config.json
	cd ..
	rm -r fresh
}

@test "each command has help" {
	for verb in create delete features kill list ps run spec start state; do
		run -0 oci-run "$verb" --help
		output_has "oci-run $verb"
	done
	run -0 oci-run --help
	output_has create
}

@test "an unknown command or option is an error" {
	run -1 oci-run nonsense
	output_has nonsense
	run -1 oci-run create --nonsense "$id"
	output_has nonsense
}

@test "too few or too many arguments are an error" {
	for verb in create start state kill delete run; do
		run -1 oci-run "$verb"
	done
	run -1 oci-run state "$id" another
}

@test "an error is one line on standard error, as logrus writes it" {
	run -1 --separate-stderr oci-run state "$id"
	output_is ''
	[[ $stderr =~ ^time=\"[^\"]+\"\ level=error\ msg=\".*does\ not\ exist.*\"$ ]]
}

@test "--log takes the error, and standard error has it in plain words" {
	run -1 --separate-stderr oci-run --log log --log-format json state "$id"
	[[ $stderr != *level=* && $stderr == *'does not exist'* ]]
	[[ $(jq -r .level log) == error ]]
	[[ $(jq -r .msg log) == *'does not exist'* ]]
	date --date "$(jq -r .time log)"
}

@test "--log makes the file even when all is well" {
	mkdir -p "$state"
	run -0 oci-run --log log list -q
	[[ -e log && ! -s log ]]
}

@test "--debug says what is done" {
	program true
	run -0 oci-run --debug --log log run "$id"
	grep level=debug log
}

@test "init says to a person that it is internal" {
	run -1 "$OCI_RUN" init
	output_has 'init is internal'
	run -1 "$OCI_RUN" init container
	output_has "init is internal"
}
