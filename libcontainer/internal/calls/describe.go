package calls

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Line is a call of a list, for people.
type Line struct {
	// Call is it with its arguments, as C has it: `chdir("/")`. What the arguments point to is
	// shown if it is a text, and "…" otherwise. A result that is handed on is "result of" a line's
	// number.
	Call string `json:"call"`
	// Purpose is what an unexpected error would be called.
	Purpose string `json:"purpose,omitempty"`
	// Tolerates are errors that are expected.
	Tolerates []string `json:"tolerates,omitempty"`
}

// Describe lists the system calls of an executable, in the order in which they stand there; a call
// that others go around is among them. name gives the name of a number, "" if there is none. The
// text says nothing that differs from one process to the next, such as an address.
func (l *List) Describe(name func(number uintptr) string) []Line {
	from := map[*Call]map[int]string{} // the arguments that are results
	at := map[uintptr]string{}         // where results are stored
	var lines []Line
	for _, c := range l.calls {
		if c.Number == Load && c.Into != nil {
			give(from, c, at[c.Args[0]])
			continue
		}
		text := name(c.Number)
		if text == "" || c.Number >= Load {
			continue // it moves data, and asks the kernel for nothing
		}
		result := "result of " + strconv.Itoa(len(lines)+1)
		if c.Into != nil {
			give(from, c, result)
		}
		if c.Result != 0 {
			at[c.Result] = result
		}
		line := Line{Call: text + "(" + l.arguments(c, text, from[c]) + ")", Purpose: c.purpose()}
		for _, errno := range c.Expect {
			line.Tolerates = append(line.Tolerates, errnoText(errno))
		}
		lines = append(lines, line)
	}
	return lines
}

func give(from map[*Call]map[int]string, c *Call, text string) {
	if from[c.Into] == nil {
		from[c.Into] = map[int]string{}
	}
	from[c.Into][int(c.IntoArg)] = text
}

// textArgument is one that points to a text.
type textArgument struct {
	call  string
	index int
}

var texts = [...]textArgument{
	{"chdir", 0}, {"execve", 0}, {"faccessat2", 1}, {"keyctl", 1}, {"openat", 1}, {"openat2", 1}, {"prctl", 1}, {"statx", 1},
}

// least is how many arguments a call has at least whose last ones may well be 0.
var least = [...]struct {
	call  string
	count int
}{
	{"close", 1}, {"exit_group", 1}, {"prctl", 2}, {"setresgid", 3}, {"setresuid", 3}, {"umask", 1},
}

// arguments shows those up to the last that isn't 0. (How many there are, a list doesn't know.)
func (l *List) arguments(c *Call, name string, given map[int]string) string {
	var all []string
	n := 0
	for _, l := range least {
		if l.call == name {
			n = l.count
		}
	}
	for i, arg := range c.Args {
		text, known := given[i]
		if !known {
			text = l.argument(arg, slices.Contains(texts[:], textArgument{name, i}))
		}
		if all = append(all, text); known || arg != 0 {
			n = i + 1
		}
	}
	return strings.Join(all[:n], ", ")
}

// flags is the least number that is shown in hexadecimal, as flags are read.
const flags = 0x10000

func (l *List) argument(arg uintptr, isText bool) string {
	if at := arg - l.base; arg >= l.base && at < uintptr(len(l.data)) {
		if text, _, ok := bytes.Cut(l.data[at:], []byte{0}); ok && isText {
			return strconv.Quote(string(text))
		}
		return "…"
	}
	switch signed := int64(arg); {
	case signed < 0 && signed > -4096:
		return strconv.FormatInt(signed, 10)
	case arg >= flags:
		return fmt.Sprintf("%#x", arg)
	}
	return strconv.FormatUint(uint64(arg), 10)
}

// nobodysErrno is one that no explanation knows anything about.
const nobodysErrno = syscall.Errno(4094)

// purpose is the text of an error without its cause.
func (c *Call) purpose() string {
	if c.Explain == nil {
		return ""
	}
	err := c.Explain(nobodysErrno)
	if err == nil || !errors.Is(err, nobodysErrno) { // it says what another errno means
		return ""
	}
	text, _ := strings.CutSuffix(err.Error(), ": "+nobodysErrno.Error())
	return text
}

func errnoText(errno syscall.Errno) string {
	if errno == Any {
		return "any error"
	}
	return errno.Error()
}
