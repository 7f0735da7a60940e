# bash completion for oci-run: commands, options and the names of containers, all asked from oci-run itself.
# shellcheck shell=bash

_oci_run() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} word command='' root=() i
	COMPREPLY=()

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--root | --log | --log-format | --log-level | --rootless | --seal | --cgroup-manager)
			[[ $word != --root ]] || root=(--root "${COMP_WORDS[i + 1]}")
			((i++))
			;;
		--root=*) root=("$word") ;;
		-*) ;;
		*)
			command=$word
			break
			;;
		esac
	done

	case $prev in
	--root | --bundle | -b)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	--log | --pid-file | --console-socket | --pidfd-socket | --process | -p | --resources | -r | --image-path | --work-path)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	esac

	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(oci-run ${command:+"$command"} --help 2>/dev/null | grep -oE '(^|[ ,])--?[a-z][a-z-]*' | tr -d ' ,')" -- "$cur")
	elif [[ -z $command ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(oci-run --help 2>/dev/null | sed -n '/^COMMANDS:/,/^$/s/^   \([a-z-]*\).*/\1/p')" -- "$cur")
	elif [[ $command != spec && $command != features && $command != list ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(oci-run "${root[@]}" list --quiet 2>/dev/null)" -- "$cur")
	fi
}

complete -F _oci_run oci-run
