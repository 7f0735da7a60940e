// Package configure hands a binary to a container engine: it plans the change of the engine's
// configuration, shows it and makes it. The formats are the engines' own; of a file only what the
// change is about is rewritten, and a file that isn't understood isn't changed.
package configure

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"oci-run/internal/spelling"
)

// Request is what is to be configured.
type Request struct {
	Engine  string // one of [Engines]
	Config  string // the file, an absolute path; "" for the engine's own
	Name    string // of the runtime
	Binary  string // the path of the runtime, on the host
	Default bool   // for all containers that ask for no other runtime
	Systemd bool   // systemd makes the cgroups, where the configuration says so
	Remove  bool   // take away what names the runtime
	Host    string // where the host's root directory is; "" or "/" for this process's
	User    string // the directory of a user's configuration, ~/.config; "" for the system's

	plugin string // what containerd calls its CRI plugin
}

// Change is what becomes of a file.
type Change struct {
	file  *file
	after string
	gone  bool // nothing is left for the file to say
	next  []string
}

// Engines are the names of those that are known.
func Engines() (names []string) {
	for i := range byName {
		names = append(names, byName[i].name)
	}
	return names
}

// Plan reads the engine's configuration and tells what becomes of it. Nothing is written.
func Plan(r *Request) (*Change, error) {
	at := slices.Index(Engines(), r.Engine)
	if at < 0 {
		return nil, fmt.Errorf("unknown engine %q%s: must be %s", r.Engine, spelling.Hint(r.Engine, Engines()), strings.Join(Engines(), ", "))
	}
	e := &byName[at]
	if err := r.check(e); err != nil {
		return nil, err
	}
	c := &Change{next: r.next(e)}
	if e.system == "" {
		c.next = append([]string{e.name + " is told the runtime on its command line; there is nothing to configure."}, c.next...)
		return c, nil
	}
	if err := c.plan(r, e); err != nil {
		return nil, err
	}
	return c, nil
}

// plan is Plan for an engine that has a file.
func (c *Change) plan(r *Request, e *engine) (err error) {
	config := r.Config
	switch {
	case config != "":
	case r.User == "":
		config = e.system
	default:
		config = r.User + "/" + e.user
	}
	if c.file, err = open(r.Host, config, largestText); err != nil {
		return err
	}
	if c.after = c.file.text; r.Remove && strings.TrimSpace(c.after) == "" {
		return nil
	}
	if e.format == &jsonFormat && strings.TrimSpace(c.after) == "" {
		c.after = "{}\n"
	}
	d, err := parse(e.format, config, c.after)
	if err == nil {
		err = r.change(e, d)
	}
	if err != nil {
		return err
	}
	c.after = d.text
	// A file that is one of many in a directory has been made for nothing else.
	if r.Remove && strings.TrimSpace(c.after) == "" && path.Base(config) == dropIn {
		c.after, c.gone = "", true
	}
	return nil
}

// check looks at what was asked for.
func (r *Request) check(e *engine) error {
	const plain = bare + "."
	special := func(c rune) bool { return c < ' ' || c == 0x7f || c == utf8.RuneError || c == '"' || c == '\\' }
	switch {
	case r.Name == "" || strings.Trim(r.Name, plain) != "" || strings.ContainsRune("-.", rune(r.Name[0])):
		return fmt.Errorf("--name %q: must be letters, digits, \"-\", \"_\" and \".\", and begin with a letter or a digit", r.Name)
	case r.Name == "runc" || r.Name == "crun":
		return fmt.Errorf("--name %q: is another runtime's", r.Name)
	case !path.IsAbs(r.Binary) || strings.ContainsFunc(r.Binary, special):
		return fmt.Errorf("--binary %q: must be an absolute path without quotes, backslashes and control characters", r.Binary)
	case r.Systemd && e.name != "containerd":
		return fmt.Errorf("--systemd-cgroup: %s tells the runtime itself what makes the cgroups", e.name)
	case e.system == "" && (r.Default || r.Config != ""):
		return fmt.Errorf("%s is told the runtime on its command line, and has no setting for it", e.name)
	case e.user == "" && r.User != "" && e.system != "":
		return fmt.Errorf("%s has no configuration of a user's: configure it as root, or name a file with --config", e.name)
	}
	return nil
}

// next is what is left to do, line by line.
func (r *Request) next(e *engine) (lines []string) {
	if e.read != "" && r.User != "" {
		lines = append(lines, "To have it read: systemctl --user "+e.read)
	} else if e.read != "" {
		lines = append(lines, "To have it read: systemctl "+e.read)
	}
	if !r.Remove {
		lines = append(lines, "To use it: "+r.expand(e.use))
	}
	return lines
}

// Diff is the change in the unified format of diff(1); nothing if there is none.
func (c *Change) Diff() string {
	if !c.Changes() {
		return ""
	}
	return diff(c.file.path, c.file.text, c.after)
}

// After is the text that the file gets.
func (c *Change) After() string { return c.after }

// Next tells line by line what is left to do. It is for people: no engine is restarted here.
func (c *Change) Next() []string { return c.next }

// Path is the file's, on the host; "" if there is none to change.
func (c *Change) Path() string {
	if c.file == nil {
		return ""
	}
	return c.file.path
}

// Changes tells that there is something to write or to remove.
func (c *Change) Changes() bool { return c.gone || c.file != nil && c.after != c.file.text }

// Write makes the change, all at once: the file is the old one or the new one, whoever reads it
// when. What was there before is kept in the file whose path is returned, if anything was.
func (c *Change) Write() (backup string, err error) {
	switch {
	case !c.Changes():
		return "", nil
	case c.gone:
		return "", c.file.remove()
	}
	return c.file.write(c.after, 0o644, true)
}

// Install copies a program to a path of the host's, unless it is there already; changed tells that
// it was not.
func Install(host, from, to string) (changed bool, err error) {
	text, err := os.ReadFile(from)
	if err != nil {
		return false, err
	}
	f, err := open(host, to, largestProgram)
	if err != nil {
		return false, err
	}
	if f.found && f.text == string(text) && f.stat.Mode&0o111 == 0o111 {
		return false, nil
	}
	_, err = f.write(string(text), 0o755, false)
	return true, err
}
