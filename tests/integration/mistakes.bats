#!/usr/bin/env bats
# What a person reads of a mistake, text for text. The tables are in mistakes/*.tsv, a mistake a line; mistakes/README.md explains
# their columns. A line whose text is "?" prints what is said, as the line to put there.

load lib

# prepared CHANGE: the mistake is made: in config.json by a filter for jq, or by a command behind "!".
prepared() {
	case $1 in
	-) ;;
	'! '*) eval "${1#! }" ;;
	*) config --arg bundle "$bundle" --arg id "$id" "$1" ;;
	esac
}

# plain FILE: what was said, without what differs from one run to the next.
plain() {
	local text
	text=$(<"$1")
	text=${text//"$bundle"/BUNDLE}
	text=${text//"$state"/STATE}
	text=${text//"$session"/SESSION}
	text=${text//"$id"/ID}
	text=${text//"$OCI_RUN"/OCI-RUN}
	text=${text//"$release"/RELEASE}
	text=${text//"this machine has $cpus"/this machine has CPUS}
	text=${text//"the memory nodes $nodes"/the memory nodes NODES}
	text=${text//"the hard limit is $files"/the hard limit is LIMIT}
	text=${text//"fs.nr_open, $most_files"/"fs.nr_open, NR_OPEN"}
	((EUID == 0)) || text=${text//"$EUID:$gid"/UID:GID}
	((EUID == 0)) || text=${text//"this is uid $EUID"/this is uid UID}
	sed -E 's/\bpid [0-9]+/pid PID/g; s,/proc/[0-9]+/,/proc/PID/,g' <<<"$text"
}

# look: what differs from one machine to the next, for plain.
look() {
	release=$(uname -r)
	cpus=$(</sys/devices/system/cpu/online)
	nodes=$(</sys/devices/system/node/online)
	files=$(ulimit -Hn)
	most_files=$(</proc/sys/fs/nr_open)
	gid=$(id -g)
}

# place_is_right TEXT: the line and the column are those of the field, or of the object that lacks it.
place_is_right() {
	[[ $1 =~ ^config\.json:([0-9]+):([0-9]+):\ (/[^:]*): ]] || return 0
	local line=${BASH_REMATCH[1]} column=${BASH_REMATCH[2]} pointer=${BASH_REMATCH[3]} value there
	value=$(jq -c --arg pointer "$pointer" '
		reduce ($pointer | split("/")[1:] | map(gsub("~1"; "/") | gsub("~0"; "~"))[]) as $key ({at: ., on: true};
			if .on | not then . elif (.at | type) == "object" and (.at | has($key)) then .at = .at[$key]
			elif (.at | type) == "array" and ($key | test("^[0-9]+$")) and (.at | length) > ($key | tonumber) then .at = .at[$key | tonumber]
			else .on = false end) | .at' config.json) || return 0 # what isn't JSON has no fields
	there=$(sed -n "${line}p" config.json | tail -c "+$column")
	case $value in
	'{'* | '['*) [[ $there == "${value:0:1}"* ]] ;;
	*) [[ $there == "$value"* ]] ;;
	esac || { echo "$line:$column is not the place of $pointer: $there"; return 1; }
}

# logged: the log is one object with the same text, and its further keys are those of the text.
logged() {
	jq -es --rawfile said said --arg id "$id" '
		def pointer: (.msg | capture("^[^ ]*\\.json(:[0-9]+:[0-9]+)?: (?<at>/[^:]*): ") | .at) // null;
		length == 1 and (.[0] | .msg == ($said | rtrimstr("\n")) and (.command | type) != "number" and (pointer == null or .pointer == pointer))' \
		log >/dev/null || { echo 'the log:'; cat log; return 1; }
}

# told CODE: what was said: by the error, or by the warnings of a command that succeeded.
told() {
	local text
	if (($1)); then plain said; else jq -r .msg log >warned && plain warned; fi | while read -r text; do
		[[ ! $text =~ ^config\.json:[0-9]+:[0-9]+:\  ]] || text="config.json:@: ${text#"${BASH_REMATCH[0]}"}"
		echo "$text"
	done | paste -sd $'\x1f' | sed $'s,\x1f, // ,g'
}

# mistake CHANGE EXIT COMMAND TEXT
mistake() {
	local code=0 words
	rm -rf config.json log
	cp base.json config.json
	prepared "$1" >made 2>&1 || { echo "it could not be made: $1"; cat made; return 1; }
	words=${3//@ID@/$id}
	# An error that never comes is one too.
	eval "timeout 20 $OCI_RUN --root $state --log log --log-format json $words" </dev/null >out 2>said 3>&- || code=$?
	[[ $code == "$2" ]] || { echo "exit status $code, not $2"; cat said out; return 1; }
	text=$(told "$code")
	place_is_right "$(<said)" || return 1
	((code == 0)) || logged || return 1
	[[ $text == "$4" ]] || { printf 'said:\t%s\n' "$text"; return 1; }
}

# applies WHO: a line is for who runs it; what the machine must have for it stands behind a "+".
applies() {
	local fact
	case $1 in
	root*) ((EUID == 0)) ;;
	user*) ((EUID != 0)) ;;
	esac || return 1
	for fact in $(tr + '\n' <<<"$1" | tail -n +2); do
		case $fact in
		v1) ! v2 ;;
		v2) v2 ;;
		cgroups) makes_cgroups ;;
		*) makes_cgroups && has_controller "$fact" ;;
		esac || return 1
	done
}

# mistakes TABLE: replays its lines, shows each that is not as it says, and counts.
mistakes() {
	local who change code command want text wrong=0 tried=0 release cpus nodes files most_files gid
	look
	cp config.json base.json
	while IFS=$'\t' read -r who change code command want; do
		applies "$who" || continue
		tried=$((tried + 1))
		text=
		if ! mistake "$change" "$code" "$command" "$want" >report 2>&1; then
			wrong=$((wrong + 1))
			printf '%s\t%s\t%s\t%s\t%s\n' "$who" "$change" "$code" "$command" "$want"
			cat report
		fi
		[[ -z ${OCI_RUN_MISTAKES:-} ]] || printf '%s\t%s\t%s\t%s\t%s\n' "$who" "$change" "$code" "$command" "${text:-?}" >>"$OCI_RUN_MISTAKES/$1.$EUID"
		[[ ! -e $state/$id ]] || oci-run delete --force "$id"
		[[ ! -e $state/$id ]] || { wrong=$((wrong + 1)); echo "left of: $change"; ls -l "$state"; }
	done < <(sed '/^#/d; /^$/d' "$BATS_TEST_DIRNAME/mistakes/$1.tsv")
	chmod -R u+rwX . # for who removes it
	((tried == 0)) && skip 'there are no lines for this user'
	((wrong == 0)) || { echo "$wrong of $tried"; return 1; }
}

@test 'config.json as a document' { mistakes document; }

@test 'the process' { mistakes process; }

@test 'its program' { mistakes program; }

@test 'namespaces and mappings' { mistakes namespaces; }

@test 'mounts and devices' { mistakes mounts; }

@test 'limits' { mistakes resources; }

@test 'hooks, sysctl, seccomp and the rest of linux' { mistakes linux; }

@test 'command lines' { mistakes commands; }

@test 'bundles' { mistakes bundles; }

@test 'states' { mistakes states; }

@test 'without privileges' { mistakes rootless; }
