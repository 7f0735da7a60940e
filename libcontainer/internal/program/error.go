package program

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/excerpt"
	"oci-run/libcontainer/internal/process"
	"oci-run/specconv"
)

// failure says why a program can't be run. Its text is what engines look for (Go's os/exec and runc
// have the same): what follows the cause is a hint for people, in words that no engine takes for
// another cause.
type failure struct {
	// Prefix is `exec: "name": ` for an error of the look-up, and `exec /path: ` for one of execve.
	Prefix string
	Err    error
	// Hint is the reason behind the reason, or empty.
	Hint string
}

func (e *failure) Error() string {
	text := e.Prefix + e.Err.Error()
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Unwrap gives the cause.
func (e *failure) Unwrap() error { return e.Err }

// constError is an error that costs nothing at the start, as a variable would.
type constError string

func (e constError) Error() string { return string(e) }

// errNotFound is the cause if no directory of PATH has the program.
const errNotFound = constError("executable file not found in $PATH")

// errnoOf returns the errno in err, or 0.
func errnoOf(err error) unix.Errno {
	if pe, ok := err.(*fs.PathError); ok { //nolint:errorlint // as package os returns it
		err = pe.Err
	}
	errno, _ := err.(unix.Errno) //nolint:errorlint // a bare errno
	return errno
}

// ExecFailure is the error for an execve of path, which p asks for, that failed with errno. hint
// may come from Hint.
func ExecFailure(p *process.Plan, path string, errno unix.Errno, hint string) error {
	return locate(p, &failure{Prefix: "exec " + path + ": ", Err: errno, Hint: hint})
}

// Refused blames a seccomp profile for an error of execve, whose text it keeps, if the profile
// gives its errno; pointer is the action that does.
func Refused(err error, gives func(errno unix.Errno) bool, pointer string) error {
	failed, ok := errors.AsType[*failure](err)
	if !ok || strings.HasPrefix(failed.Prefix, "exec: ") || !gives(errnoOf(failed.Err)) {
		return err
	}
	return specconv.Field(pointer, &failure{Prefix: failed.Prefix, Err: failed.Err, Hint: "the seccomp profile refuses execve"})
}

// locate gives an error its place in config.json. The program of an exec has none: it mostly comes
// from the command line of an engine's user, who has never seen the file that the engine makes of
// it.
func locate(p *process.Plan, e *failure) error {
	if p.At == "" {
		return e
	}
	return specconv.Field(p.At+"/args/0", e)
}

// misspelt is a hint at what may be wrong with the name of a program that isn't found, from its
// look alone; exists tells of another name whether it leads to a program.
func misspelt(name string, exists func(name string) bool) string {
	first, _, several := strings.Cut(name, " ")
	switch {
	case name == "":
		return "the name of the program is empty"
	case strings.HasSuffix(name, "\r"):
		return "the name ends in a carriage return, as on Windows"
	case strings.TrimSpace(name) != name:
		return "the name begins or ends with white space"
	case strings.HasPrefix(name, "~"), strings.HasPrefix(name, "$"):
		return "no shell is there to expand the name"
	case strings.Trim(name, `"'`) != name:
		return "the quotes are part of the name: no shell takes them away"
	case several && exists(first):
		return fmt.Sprintf("each argument is an entry of its own: [%s]", quoted(name))
	}
	return ""
}

// quoted writes the words of a command line as JSON has them in args.
func quoted(line string) string {
	words := strings.Fields(line)
	for i := range words {
		words[i] = strconv.Quote(words[i])
	}
	return excerpt.Of(strings.Join(words, ", "), 200)
}
