#!/usr/bin/env bats
# A key of the limits that is a path writes to other files of the cgroup file system: page sizes of hugetlb in runc before
# 1.1.10 (#4103).
#
# runc 1.1.5 fails this on cgroup v2, where x/../hugetlb.2MB sets another file's limit.

load lib

@test "a key is one name" {
	needs_root
	program true
	cp config.json config.json.whole
	for key in ../x ../../x x/../hugetlb.2MB x/../pids a/b '../../../../../../../../../tmp/x' . .. '' $'a\nb' 'memory.max/../pids.max' /abs; do
		for filter in '.hugepageLimits = [{"pageSize": $key, "limit": 0}]' \
			'.unified = {($key): "1"}' '.rdma = {($key): {"hcaHandles": 1}}'; do
			cp config.json.whole config.json
			config --arg key "$key" ".linux.resources |= ($filter)"
			run create "$id"
			[[ $status != 0 ]] || [[ $filter == *rdma* ]] || { echo "$filter with $key"; false; }
			oci-run delete --force "$id" 2>/dev/null || true
		done
	done
	# Names of interfaces go to net_prio, one line each.
	for name in $'lo 1\neth0' 'a b' ''; do
		cp config.json.whole config.json
		config --arg name "$name" '.linux.resources.network = {"priorities": [{"name": $name, "priority": 1}]}'
		run create "$id"
		oci-run delete --force "$id" 2>/dev/null || true
	done
}
