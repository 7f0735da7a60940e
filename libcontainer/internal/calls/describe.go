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

// describer is what is known of the lists that are described so far.
type describer struct {
	name  func(number uintptr) string
	stand map[uintptr]string
	from  map[*Call]map[int]string // the arguments that are results
	at    map[uintptr]string       // where results are stored
	lines []Line
}

// Describe lists the system calls of executables of which one follows the other, in the order in
// which they stand there; a call that others go around is among them. name gives the name of a
// number, "" if there is none, and stand what a descriptor stands for, as the first argument of a
// call. The text says nothing that differs from one process to the next, such as an address.
func Describe(name func(number uintptr) string, stand map[uintptr]string, lists ...*List) []Line {
	d := describer{name: name, stand: stand, from: map[*Call]map[int]string{}, at: map[uintptr]string{}}
	for _, l := range lists {
		for _, c := range l.calls {
			d.add(l, c)
		}
	}
	return d.lines
}

func (d *describer) add(l *List, c *Call) {
	if c.Number == Load && c.Into != nil {
		d.give(c, d.at[c.Args[0]])
		return
	}
	text := d.name(c.Number)
	if text == "" || c.Number >= Load {
		return // it moves data, and asks the kernel for nothing
	}
	result := "result of " + strconv.Itoa(len(d.lines)+1)
	if c.Into != nil {
		d.give(c, result)
	}
	if c.Result != 0 {
		d.at[c.Result] = result
	}
	if stands := d.stand[c.Args[0]]; stands != "" && d.from[c][0] == "" && slices.Contains(descriptors[:], text) {
		d.from[c] = map[int]string{0: stands}
	}
	line := Line{Call: text + "(" + l.arguments(c, text, d.from[c]) + ")", Purpose: c.purpose()}
	for _, errno := range c.Expect {
		line.Tolerates = append(line.Tolerates, errnoText(errno))
	}
	d.lines = append(d.lines, line)
}

// give notes that an argument is a result, of a call that isn't one of the kernel's if text is "".
func (d *describer) give(c *Call, text string) {
	if text == "" {
		text = "…"
	}
	if d.from[c.Into] == nil {
		d.from[c.Into] = map[int]string{}
	}
	d.from[c.Into][int(c.IntoArg)] = text
}

// descriptors are the calls whose first argument is a descriptor.
var descriptors = [...]string{
	"accept4", "close", "fcntl", "ioctl", "openat", "openat2", "pread64", "read", "recvmsg", "sendmsg", "write",
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
