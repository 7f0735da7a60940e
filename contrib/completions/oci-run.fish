# fish completion for oci-run: oci-run itself knows what can stand next, this puts it before fish.

function __oci_run_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    command -q $words[1]; or return
    # What stands before the name of a file: fish replaces the whole word.
    set -l option (string match -r -- '^-[^=]*=' "$current")
    set -l value (string replace -r -- '^-[^=]*=' '' "$current")
    for line in (command $words[1] __complete $words[2..-1] "$current" 2>/dev/null)
        switch $line
            case :files
                for name in (__fish_complete_path "$value")
                    echo "$option$name"
                end
            case :dirs
                for name in (__fish_complete_directories "$value")
                    echo "$option$name"
                end
            case '*'
                echo $line
        end
    end
end

complete -c oci-run -f -k -a '(__oci_run_complete)'
