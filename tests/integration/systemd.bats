#!/usr/bin/env bats
# What systemd is told of a container, and does to it. For OCI_RUN_TEST_SYSTEMD=1; `make test-vm` sets it in a guest.

load lib

needs_systemd() { [[ -n ${OCI_RUN_TEST_SYSTEMD:-} ]] || skip 'for systemd (OCI_RUN_TEST_SYSTEMD=1)'; }

ctl() { if ((EUID == 0)); then systemctl "$@"; else systemctl --user "$@"; fi; }

# property NAME: of the container's scope.
property() { ctl show --property "$1" --value "oci-run-$id.scope"; }

@test "the scope has the slice and the name that cgroupsPath says" {
	needs_systemd
	needs_cgroup pids
	config ".linux.cgroupsPath = \"ocirun-sessions.slice:pre:$id\""
	program sleep 1000
	detached "$id"
	[[ $(<"/proc/$(pid_of "$id")/cgroup") == *"/ocirun.slice/ocirun-sessions.slice/pre-$id.scope"* ]]
	[[ $(ctl show --property Slice --value "pre-$id.scope") == ocirun-sessions.slice ]]
	[[ $(ctl show --property Delegate --value "pre-$id.scope") == yes ]]
	oci-run delete --force "$id"
	[[ $(ctl show --property LoadState --value "pre-$id.scope") == not-found ]]
	ctl stop ocirun.slice
}

@test "a cgroupsPath that is not a slice:prefix:name is refused" {
	needs_systemd
	for path in /oci-run/x a:b 'x.slice:p:../y' 'a--b.slice:p:n'; do
		config ".linux.cgroupsPath = \"$path\""
		run -1 oci-run run "$id"
		output_has /linux/cgroupsPath
	done
}

# limits_now: what the files of the container's cgroup say that hold limits, one a line.
limits_now() {
	local file dir
	if v2; then
		dir=$(cgroup any)
		for file in cpu.{idle,max,max.burst,weight} cpuset.{cpus,mems} io.{max,weight} memory.{high,low,max,min,oom.group,swap.max,zswap.max} pids.max cgroup.freeze; do
			[[ ! -e $dir/$file ]] || echo "$file: $(tr '\n' ';' <"$dir/$file")"
		done
		return
	fi
	for file in cpu/cpu.{idle,shares,cfs_quota_us,cfs_period_us} cpuset/cpuset.{cpus,mems} pids/pids.max freezer/freezer.state devices/devices.list \
		memory/memory.{limit_in_bytes,memsw.limit_in_bytes,soft_limit_in_bytes} blkio/blkio.{weight,bfq.weight}; do
		dir=$(cgroup "${file%%/*}")
		[[ ! -e $dir/${file#*/} ]] || echo "$file: $(sort "$dir/${file#*/}" | tr '\n' ';')"
	done
}

# without_period: of limits_now, without the period where there is no quota. systemd has its own then.
without_period() { sed 's/^cpu.max: max .*/cpu.max: max/' | sed '/cfs_quota_us: -1;/,$ { /cfs_period_us/d }'; }

# agree: systemd, which writes what it was told into the files at a daemon-reload, was told what they say.
agree() {
	local before after
	before=$(limits_now | without_period)
	ctl daemon-reload
	after=$(limits_now | without_period)
	[[ $before == "$after" ]] || { echo "after ${1:-this}, a daemon-reload changes"; diff <(echo "$before") <(echo "$after"); return 1; }
}

# changed ARG...: an update with which systemd agrees.
changed() {
	oci-run update "$@" "$id"
	agree "$*"
}

# unified JSON: the same of linux.resources.unified.
unified() {
	oci-run update --resources - "$id" <<<"{\"unified\": $1}"
	agree "$1"
}

quota() { value cpu cpu.cfs_quota_us cpu.max | cut -d' ' -f1; }
period() { if v2; then value cpu '' cpu.max | cut -d' ' -f2; else value cpu cpu.cfs_period_us ''; fi; }

@test "systemd agrees with the files after every verb" {
	needs_systemd
	needs_cgroup memory cpu pids cpuset
	program sleep 1000
	config '.linux.resources = {memory: {limit: 67108864, reservation: 16777216}, cpu: {shares: 512, quota: 50000, period: 100000, cpus: "0"}, pids: {limit: 20}}'
	! v2 || config '.linux.resources.unified = {"memory.high": "60000000", "memory.oom.group": "1"}'
	create "$id"
	agree create
	oci-run start "$id"
	agree start
	changed --memory 128M --memory-swap 256M
	changed --cpu-share 300
	changed --pids-limit 0
	changed --pids-limit -1
	changed --cpu-quota 12345 --cpu-period 70000
	oci-run exec "$id" true
	agree exec
	oci-run pause "$id"
	agree pause
	is paused "$id"
	oci-run resume "$id"
	agree resume
	! v2 || unified '{"memory.oom.group": "0", "memory.high": "max", "pids.max": "0", "cpu.max": "33333 100000"}'
	[[ $(value memory memory.limit_in_bytes memory.max) == 134217728 ]]
}

@test "what an update leaves out of quota and period stays" {
	needs_systemd
	needs_cgroup cpu
	program sleep 1000
	config '.linux.resources = {cpu: {quota: 30000, period: 100000}}'
	detached "$id"
	changed --cpu-period 50000
	[[ $(quota) == 30000 && $(period) == 50000 && $(property CPUQuotaPerSecUSec) == 600ms ]]
	changed --cpu-quota 10000
	[[ $(quota) == 10000 && $(period) == 50000 && $(property CPUQuotaPerSecUSec) == 200ms ]]
	if v2; then
		unified '{"cpu.max": "20000"}'
		[[ $(quota) == 20000 && $(period) == 50000 && $(property CPUQuotaPerSecUSec) == 400ms ]]
	fi
	changed --cpu-quota -1
	[[ $(property CPUQuotaPerSecUSec) == infinity ]]
	changed --cpu-quota 10000
	[[ $(quota) == 10000 && $(period) == 50000 && $(property CPUQuotaPerSecUSec) == 200ms ]]
}

@test "a cgroup that is no longer idle stays so" {
	needs_systemd
	needs_cgroup cpu
	program sleep 1000
	config '.linux.resources = {cpu: {shares: 2048}}'
	detached "$id"
	[[ -e $(cgroup cpu)/cpu.idle ]] || skip 'no cpu.idle here (Linux 5.15)'
	for end in '--cpu-idle 0' '--cpu-share 300' '--resources idle.json'; do
		echo '{"cpu": {"idle": 0}}' >idle.json
		! v2 || echo '{"unified": {"cpu.idle": "0"}}' >idle.json
		changed --cpu-idle 1
		[[ $(<"$(cgroup cpu)/cpu.idle") == 1 ]]
		# shellcheck disable=SC2086 # words
		changed $end
		[[ $(<"$(cgroup cpu)/cpu.idle") == 0 ]]
	done
}

# told: what systemd was told of devices and tasks. The order of a list means nothing.
told() { ctl show --property DeviceAllow,DevicePolicy,TasksMax "oci-run-$id.scope" | sort; }

@test "an update that fails after systemd was told takes that back" {
	needs_systemd
	needs_root
	needs_cgroup pids
	program sleep 1000
	config '.linux.resources.pids.limit = 20'
	detached "$id"
	before=$(told)
	cat >more.json <<-'END'
		{"pids": {"limit": 9}, "devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}]}
	END
	# Device rules come last, and take more than being root.
	run -1 setpriv --bounding-set=-sys_admin,-bpf,-net_admin,-perfmon \
		"$OCI_RUN" --systemd-cgroup --root "$state" update --resources more.json "$id"
	output_has 'not permitted'
	[[ $(told) == "$before" ]] || { diff <(echo "$before") <(told); return 1; }
	[[ $(value pids pids.max pids.max) == 20 ]]
	agree update
	changed --resources more.json
	[[ $(told) != "$before" ]]
}

@test "a systemd that is executed anew in the middle of a command is waited for" {
	needs_systemd
	needs_cgroup pids
	program sleep 1000
	for n in 1 2 3 4 5; do
		ctl daemon-reexec &
		detached "$id.$n"
		oci-run update --pids-limit 30 "$id.$n"
		wait $!
		ctl daemon-reexec &
		oci-run delete --force "$id.$n"
		wait $! || true # whose own connection may break
	done
}

# away COMMAND...: for which no systemd can be reached, as after the logout of the user whose it was.
away() {
	local -x DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent/bus DBUS_SESSION_BUS_ADDRESS='' XDG_RUNTIME_DIR=/nonexistent
	"$@"
}

@test "what is gone, or can be removed, needs no systemd to be deleted" {
	needs_systemd
	needs_cgroup pids
	program sleep 1000
	for force in '' --force; do
		detached "$id"
		oci-run kill "$id" KILL
		eventually is stopped "$id"
		eventually test ! -e "$(cgroup pids)"
		run -0 away oci-run delete $force "$id"
		output_is ''
	done
	detached "$id"
	run -0 away oci-run delete --force "$id" # with a warning, unless the systemd that is there was quicker
	[[ ! -e $(cgroup pids) ]]
}

@test "a container whose scope another one has by now is deleted without harm to that" {
	needs_systemd
	needs_cgroup pids
	program sleep 1000
	config ".linux.cgroupsPath = \":same:$id\""
	detached "$id"
	oci-run kill "$id" KILL
	eventually is stopped "$id"
	eventually eval '[[ $(ctl show --property ActiveState --value "same-$id.scope") != active ]]'
	oci-run --root "$state.other" run --detach "$id.second" </dev/null >out 2>err
	for force in '' --force; do
		run -0 oci-run delete $force "$id"
		[[ $(oci-run --root "$state.other" state "$id.second" | jq -r .status) == running ]]
	done
	oci-run --root "$state.other" delete --force "$id.second"
}

memory_property() { if v2; then property MemoryMax; else property MemoryLimit; fi; }

@test "limits are properties of the scope, after update too, and survive a daemon-reload" {
	needs_systemd
	needs_cgroup memory cpu pids cpuset
	program sleep 1000
	config '.linux.resources = {memory: {limit: 33554432, reservation: 16777216}, cpu: {shares: 1024, quota: 50000, period: 100000, cpus: "0"},
		pids: {limit: 20}}'
	! v2 || config '.linux.resources.unified = {"memory.high": "30000000"}'
	detached "$id"
	[[ $(memory_property) == 33554432 && $(property TasksMax) == 20 && $(property CPUQuotaPerSecUSec) == 500ms ]]
	if v2; then
		[[ $(property MemoryLow) == 16777216 && $(property CPUWeight) == 100 && $(property AllowedCPUs) == 0 && $(property MemoryHigh) == 30000000 ]]
	else
		[[ $(property CPUShares) == 1024 ]]
	fi
	oci-run update --memory 64M --pids-limit -1 --cpu-quota -1 "$id"
	[[ $(memory_property) == 67108864 && $(property TasksMax) == infinity && $(property CPUQuotaPerSecUSec) == infinity ]]
	oci-run update --pids-limit 9 --cpu-quota 20000 "$id"
	ctl daemon-reload
	[[ $(value memory memory.limit_in_bytes memory.max) == 67108864 && $(value pids pids.max pids.max) == 9 ]]
	[[ $(value cpu cpu.cfs_quota_us cpu.max) == @(20000|20000 100000) && $(value cpu cpu.shares cpu.weight) == @(1024|100) ]]
	[[ $(value cpuset cpuset.cpus cpuset.cpus) == 0 ]]
}

@test "an update that the kernel refuses is not told to systemd" {
	needs_systemd
	needs_cgroup cpu pids
	program sleep 1000
	config '.linux.resources = {cpu: {quota: 50000, period: 100000}, pids: {limit: 20}}'
	detached "$id"
	run -1 oci-run update --pids-limit 9 --cpu-quota 1500 --cpu-period 5 "$id"
	output_has 'cpu.'
	[[ $(property TasksMax) == 20 && $(property CPUQuotaPerSecUSec) == 500ms ]]
	[[ $(value pids pids.max pids.max) == 20 ]]
}

# try_devices: kmsg may be read and nothing else; a wildcard's devices, too. (1:11 is kmsg, 1:5 zero, 10:229 fuse.)
try_devices() {
	oci-run exec "$id" head -c 0 /dev/kmsg
	oci-run exec "$id" head -c 1 /dev/zero >/dev/null
	run oci-run exec "$id" sh -c ': >/dev/kmsg'
	output_has 'Operation not permitted'
	run oci-run exec "$id" sh -c ': </dev/mine'
	output_has 'Operation not permitted'
}

@test "device rules survive a daemon-reload and a change of the unit" {
	needs_systemd
	needs_root
	config '.linux.devices = [{path: "/dev/kmsg", type: "c", major: 1, minor: 11}, {path: "/dev/mine", type: "c", major: 10, minor: 229, fileMode: 438}]
		| .process.capabilities[] |= . + ["CAP_SYSLOG"]
		| .linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 1, minor: 11, access: "r"}]'
	program sleep 1000
	detached "$id"
	try_devices
	systemctl daemon-reload
	try_devices
	systemctl set-property --runtime "oci-run-$id.scope" TasksMax=50
	try_devices
	oci-run update --pids-limit 40 "$id"
	try_devices
	oci-run update --resources - "$id" <<<'{"devices": [{"allow": false, "access": "rwm"}]}'
	systemctl daemon-reload
	run oci-run exec "$id" head -c 0 /dev/kmsg
	output_has 'Operation not permitted'
}

@test "annotations set properties of the scope, but only some" {
	needs_systemd
	needs_cgroup pids
	config '.annotations = {"org.systemd.property.TimeoutStopSec": "uint64 7", "org.systemd.property.CollectMode": "'"'inactive-or-failed'"'"}'
	program sleep 1000
	detached "$id"
	[[ $(property TimeoutStopUSec) == 7s && $(property CollectMode) == inactive-or-failed ]]
	oci-run delete --force "$id"
	for name in ExecStart Delegate Slice DevicePolicy User; do
		config ".annotations = {\"org.systemd.property.$name\": \"'x'\"}"
		run -1 oci-run run "$id"
		output_has "an annotation may not set systemd property \\\"$name\\\""
	done
}

@test "a container whose scope systemd has stopped is stopped, and can be deleted" {
	needs_systemd
	needs_cgroup pids
	program sleep 1000 # which ignores what comes before KILL
	config '.annotations = {"org.systemd.property.TimeoutStopSec": "uint64 1"}'
	detached "$id"
	ctl stop "oci-run-$id.scope"
	eventually is stopped "$id"
	oci-run delete "$id"
}
