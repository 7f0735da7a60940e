# bash completion for oci-run: oci-run itself knows what can stand next, this puts it before bash.
# shellcheck shell=bash

_oci_run() {
	local word words=() join='' line prefix='' i
	COMPREPLY=()
	# Bash parts words at an equals sign, if COMP_WORDBREAKS has one, as it does by default.
	for ((i = 1; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ -n $join || $word == = && ${#words[@]} -gt 0 ]]; then
			words[-1]+=$word
		else
			words+=("$word")
		fi
		join=
		[[ $word != = ]] || join=yes
	done
	word=${words[-1]}
	# Of a word that was parted, only what is behind the sign is replaced.
	[[ $word != -*=* || $COMP_WORDBREAKS != *=* ]] || prefix=${word%%=*}=

	while IFS= read -r line; do
		case $line in
		:files) _oci_run_names -f "${word#"$prefix"}" ;;
		:dirs) _oci_run_names -d "${word#"$prefix"}" ;;
		*)
			line=${line%%$'\t'*}
			COMPREPLY+=("${line#"$prefix"}")
			;;
		esac
	done < <("${COMP_WORDS[0]}" __complete "${words[@]}" 2>/dev/null)
}

# _oci_run_names -f|-d BEGINNING: names of files or directories; bash adds a slash or a blank.
_oci_run_names() {
	local name
	compopt -o filenames 2>/dev/null
	while IFS= read -r name; do
		COMPREPLY+=("$name")
	done < <(compgen "$1" -- "$2")
}

complete -F _oci_run oci-run
