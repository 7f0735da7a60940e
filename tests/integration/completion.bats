#!/usr/bin/env bats
# What bash, zsh and fish complete: the verbs, options and values of the tables, containers in the right state, signals.

load lib

# A home and a directory with oci-run of its own, under the name that a person types, with the session's state as the default.
setup_shell() {
	scripts=$(realpath "$BATS_TEST_DIRNAME/../../contrib/completions")
	mkdir -p "$session/bin" "$session/home" "$session/run" "$session/names/dir" "$session/names/data"
	touch "$session/names/data.json"
	ln -sf "$OCI_RUN" "$session/bin/oci-run"
	cd "$session/names" || return
}

needs_shell() { command -v "$1" >/dev/null || skip "no $1 here (Debian: apt-get install $1)"; }

in_shell() { env -i PATH="$session/bin:$PATH" HOME="$session/home" XDG_RUNTIME_DIR="$session/run" TERM=dumb LC_ALL=C.UTF-8 "$@" 3>&-; }

# asked WORD...: the candidates, without what they mean.
asked() { in_shell oci-run __complete "$@" | cut -f1; }

# by_bash LINE: what a Tab behind the line offers, sorted. The words are parted as bash does it.
by_bash() {
	# shellcheck disable=SC2016 # for the inner shell
	in_shell bash --norc -c '
		source "$1/oci-run.bash"
		COMP_WORDS=()
		for word in $2; do
			while [[ $word == -*=* && $word != = ]]; do COMP_WORDS+=("${word%%=*}" =); word=${word#*=}; done
			[[ -z $word ]] || COMP_WORDS+=("$word")
		done
		[[ $2 != *" " ]] || COMP_WORDS+=("")
		[[ $2 != *= ]] || COMP_WORDS+=("")
		((${#COMP_WORDS[@]} > 0)) && COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		[[ ${COMP_WORDS[COMP_CWORD]} != "" || $2 != *= ]] || { unset "COMP_WORDS[COMP_CWORD]"; COMP_CWORD=$((COMP_CWORD - 1)); }
		_oci_run
		((${#COMPREPLY[@]} == 0)) || printf "%s\n" "${COMPREPLY[@]}" | sort' - "$scripts" "$1"
}

# by_fish LINE
by_fish() { in_shell fish --no-config -c "source '$scripts/oci-run.fish'; complete -C '$1'" | cut -f1 | sort; }

# by_zsh LINE: the line that a Tab makes of it.
by_zsh() {
	cat >"$session/tab.zsh" <<-'END'
		zmodload zsh/zpty
		zpty z zsh -f -i
		zpty -w z "unsetopt zle_bracketed_paste; PS1= PROMPT_EOL_MARK=; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; bindkey '^I' complete-word; echo REA''DY"
		zpty -r z out '*READY*'
		# The widget prints what the line has become.
		zpty -w z "show() { print -r -- \"<\$BUFFER>\"; BUFFER= }; zle -N show; bindkey '^X' show; echo REA''DY2"
		zpty -r z out '*READY2*'
		zpty -w -n z "$2"$'\t'$'\C-x'
		zpty -r z out '*<*>*'
		out=${out##*<}
		print -r -- "${out%%>*}"
		zpty -d z
	END
	in_shell timeout 60 zsh -f "$session/tab.zsh" "$scripts" "$1"
}

@test "completion offers verbs, options once, and the values that they take" {
	setup_shell
	diff <(asked '' | grep -vx help | sort) <(in_shell oci-run --help | sed -n '/^COMMANDS:/,/^$/s/^   \([a-z-]*\) .*/\1/p' | grep -vx help | sort)
	[[ $(asked re) == $'restore\nresume' && $(asked help re) == $'restore\nresume' ]]
	[[ $(asked --debug st) == $'start\nstate' && $(asked nosuchverb '') == '' ]]
	[[ $(asked kill --a) == --all && $(asked kill --all --a) == '' && $(asked kill -a --a) == '' ]] # by its letter too
	[[ $(asked exec --env A=b --e) == --env ]] # which can be given several times
	[[ $(asked exec id --) == '' && $(asked exec --detach id ls --d) == '' ]] # the container's own command line
	[[ $(asked --log-level '') == $'debug\ninfo\nwarn\nerror' && $(asked --log-format=j) == --log-format=json ]]
	[[ $(asked wait --format '') == $'text\njson' && $(asked exec --cap CAP_SYS_A) == CAP_SYS_ADMIN ]]
	[[ $(asked list --quiet=) == $'--quiet=true\n--quiet=false' ]]
	[[ $(asked configure d) == docker && $(asked configure --default) == --default && $(asked configure docker '') == '' ]]
	[[ $(asked create --bundle '') == :dirs && $(asked create --config=) == :files && $(asked create '') == '' ]]
	local verb
	for verb in $(asked ''); do
		[[ $verb != help ]] || continue
		diff <(asked "$verb" - | sort) <({ # each option of the help, and none twice
			in_shell oci-run "$verb" --help | sed -n '/^OPTIONS:/,$p'
			in_shell oci-run --help | sed -n '/^GLOBAL OPTIONS:/,$p'
		} | sed -n 's/^   \(--[a-z0-9-]*\).*/\1/p' | grep -vx -e --version | sort -u)
	done
}

@test "completion offers containers in the state that the verb wants, and signals" {
	program sleep 1000
	config 'del(.linux.cgroupsPath)'
	create "$id-created"
	detached "$id-running"
	program true
	run -0 oci-run run --keep "$id-stopped"
	setup_shell
	with_root() { asked --root "$state" "$@" | paste -sd' '; }
	[[ $(with_root state '') == "$id-created $id-running $id-stopped" ]]
	[[ $(with_root start '') == "$id-created" ]]
	[[ $(with_root pause '') == "$id-created $id-running" && $(with_root resume '') == '' ]]
	[[ $(with_root delete '') == "$id-created $id-stopped" ]]
	[[ $(with_root delete --force '') == "$id-created $id-running $id-stopped" ]]
	[[ $(with_root exec --tty '') == "$id-created $id-running" ]]
	[[ $(with_root state "$id-created" '') == '' ]]
	[[ $(with_root top "$id-running" '') == "$id-created" ]]
	[[ $(with_root kill '') == "$id-created $id-running" && $(with_root kill --regex '') == '' ]]
	[[ $(with_root kill "$id-running" SIGK) == SIGKILL && $(with_root kill "$id-running" K) == KILL ]]
	in_shell oci-run __complete --root "$state" state "$id-st" | grep -qx "$id-stopped"$'\t''stopped (0), '"$bundle"
	rm "$state/$id-created/config.json"
	echo broken >"$state/$id-stopped/state.json"
	run -0 --separate-stderr in_shell oci-run __complete --root "$state" state ''
	[[ -z $stderr ]] # nobody can read it there
	output_has "$id-running"
	output_has "$id-stopped"$'\t''its record is unreadable'
	cd "$bundle"
	oci-run delete --force "$id-stopped"
}

@test "bash completes" {
	setup_shell
	[[ $(by_bash 'oci-run ki') == kill ]]
	[[ $(by_bash 'oci-run --log-format=j') == json && $(by_bash 'oci-run --log-format=') == $'json\ntext' ]]
	[[ $(by_bash 'oci-run create --config dat') == $'data\ndata.json' ]]
	[[ $(by_bash 'oci-run create --bundle ') == $'data\ndir' && $(by_bash 'oci-run create --bundle=di') == dir ]]
	[[ $(by_bash 'oci-run kill x TER') == TERM ]]
	[[ $(by_bash 'oci-run wait --st') == --status ]]
}

@test "fish completes" {
	needs_shell fish
	setup_shell
	[[ $(by_fish 'oci-run ki') == kill ]]
	[[ $(by_fish 'oci-run --log-format=j') == --log-format=json && $(by_fish 'oci-run --log-format ') == $'json\ntext' ]]
	[[ $(by_fish 'oci-run create --config dat') == $'data.json\ndata/' ]]
	[[ $(by_fish 'oci-run create --bundle=di') == --bundle=dir/ ]]
	[[ $(by_fish 'oci-run kill x TER') == TERM ]]
}

@test "zsh completes" {
	needs_shell zsh
	setup_shell
	[[ $(by_zsh 'oci-run ki') == 'oci-run kill ' ]]
	[[ $(by_zsh 'oci-run --log-format=j') == 'oci-run --log-format=json ' ]]
	[[ $(by_zsh 'oci-run create --config data.') == 'oci-run create --config data.json ' ]]
	[[ $(by_zsh 'oci-run create --bundle=di') == 'oci-run create --bundle=dir/'* ]]
	[[ $(by_zsh 'oci-run kill x TER') == 'oci-run kill x TERM ' ]]
}
