# What the suites share that others wrote. They run inside tests/engines/sandbox, and write TAP.
# shellcheck shell=bash

bats_require_minimum_version() { :; } # what lib.bash asks of bats
BATS_TEST_DIRNAME=$PWD/tests/engines
# shellcheck source=tests/engines/lib.bash
. tests/engines/lib.bash

# number: the lines of TAP that begin with "ok 0" or "not ok 0".
number() { awk '/^(not )?ok 0 / { sub(/ok 0 /, "ok " ++n " ") } { print }'; }

# critest SOCKET [FLAG...]: the whole of it but for what critest.skip names; what it writes is in /run/critest.log.
critest() {
	local socket=$1 skip file=tests/engines/suites/critest.skip
	shift
	skip=$(grep -v '^#' "$file" | cut -f1 | paste -sd'|')
	bin/tools/critest -runtime-endpoint "$socket" -image-endpoint "$socket" -runtime-handler oci-run \
		-ginkgo.skip "$skip" -ginkgo.json-report /run/critest.json -ginkgo.seed 1 "$@" >/run/critest.log 2>&1 || true
	[[ -s /run/critest.json ]] || { tail -n 20 /run/critest.log; echo 'not ok 1 critest'; return 1; }
	{
		grep -v '^#' "$file" | sed -E 's/^([^\t]+)\t(.*)/ok 0 \1 # skip \2/'
		jq -r '.[0].SpecReports[] | select(.LeafNodeType == "It" and (.State != "skipped" or .Failure))
			| .name = (.ContainerHierarchyTexts + [.LeafNodeText] | join(" "))
			| (if .State == "passed" or .State == "skipped" then "ok" else "not ok" end) + " 0 " + .name
			+ (if .State == "skipped" then " # skip " + (.Failure.Message | gsub("\\s+"; " ")) else " in \(.RunTime / 1000000 | floor)ms" end),
			(select(.State != "passed" and .State != "skipped") | .Failure.Message | split("\n")[] | "# " + .)' /run/critest.json
	} | number
	jq -e 'all(.[]; .SuiteSucceeded)' /run/critest.json >/dev/null
}
