package configure

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// engine is how an engine is configured. In paths of settings a blank is between the names; NAME,
// PATH and PLUGIN stand for the runtime's name, its path and what containerd calls its CRI plugin.
type engine struct {
	name   string
	system string // its file, as root; "" if it has no setting for runtimes
	user   string // the same below a user's directory; "" if it has none
	format *format
	entry  string    // the path of all that is the runtime's own
	values []string  // what it has: paths, and the values as they are written
	usual  string    // the path of the name of the runtime that is used where no other is asked for
	lists  [2]known  // those that have the name in them
	alien  [2]string // a setting in entry that only a runtime of another kind has, or has other than this
	read   string    // what systemctl has to do so that the file counts; "" if each command of the engine's reads it
	use    string    // what can be typed then
}

// known is a list of runtimes' names, and what it is in a configuration that has none.
type known struct{ path, usual string }

const (
	handlers = "plugins PLUGIN containerd runtimes"
	shim     = `"io.containerd.runc.v2"` // containerd's for runtimes with runc's command line

	containers       = "containers/containers.conf.d/" + dropIn
	supportsJSON     = `["crun", "runc", "kata", "runsc", "youki", "krun"]`
	supportsNoCgroup = `["crun", "krun"]`
)

// dropIn is the name of a file beside others of an engine's configuration.
const dropIn = "oci-run.conf"

// byName are the engines.
var byName = [...]engine{
	{ // dockerd reads daemon.json again on SIGHUP
		name: "docker", system: "/etc/docker/daemon.json", user: "docker/daemon.json", format: &jsonFormat,
		entry: "runtimes NAME", values: []string{"runtimes NAME path", `"PATH"`}, usual: "default-runtime",
		alien: [2]string{"runtimes NAME runtimeType"}, read: "reload docker", use: "docker run --runtime NAME IMAGE",
	},
	{ // containers.conf(5)
		name: "podman", system: "/etc/" + containers, user: containers, format: &tomlFormat,
		entry: "engine runtimes NAME", values: []string{"engine runtimes NAME", `["PATH"]`}, usual: "engine runtime",
		lists: [2]known{{"engine runtime_supports_json", supportsJSON}, {"engine runtime_supports_nocgroup", supportsNoCgroup}},
		use:   "podman --runtime NAME run IMAGE",
	},
	{ // config.toml of version 2 (containerd 1.3 and later), 3 (2.0 and later) or 4 (2.3 and later)
		name: "containerd", system: "/etc/containerd/config.toml", user: "containerd/config.toml", format: &tomlFormat,
		entry: handlers + " NAME", usual: "plugins PLUGIN containerd default_runtime_name", values: []string{
			handlers + " NAME runtime_type", shim, handlers + " NAME options BinaryName", `"PATH"`,
		},
		alien: [2]string{handlers + " NAME runtime_type", shim}, read: "restart containerd", use: "crictl runp --runtime NAME POD.json",
	},
	{ // crio.conf(5)
		name: "crio", system: "/etc/crio/crio.conf.d/" + dropIn, format: &tomlFormat,
		entry: "crio runtime runtimes NAME", usual: "crio runtime default_runtime", values: []string{
			"crio runtime runtimes NAME runtime_path", `"PATH"`, "crio runtime runtimes NAME runtime_type", `"oci"`,
			"crio runtime runtimes NAME runtime_root", `"/run/NAME"`,
		},
		alien: [2]string{"crio runtime runtimes NAME runtime_type", `"oci"`}, read: "restart crio", use: "crictl runp --runtime NAME POD.json",
	},
	{ // reads the same
		name: "buildah", system: "/etc/" + containers, user: containers, format: &tomlFormat,
		entry: "engine runtimes NAME", values: []string{"engine runtimes NAME", `["PATH"]`}, usual: "engine runtime",
		lists: [2]known{{"engine runtime_supports_json", supportsJSON}, {"engine runtime_supports_nocgroup", supportsNoCgroup}},
		use:   "buildah run --runtime PATH CONTAINER COMMAND",
	},
	{name: "nerdctl", use: "nerdctl run --runtime PATH IMAGE"},
}

// expand gives the path of a setting, or a value.
func (r *Request) expand(text string) string {
	return strings.NewReplacer("NAME", r.Name, "PATH", r.Binary, "PLUGIN", r.plugin).Replace(text)
}

// at is the path of a setting.
func (r *Request) at(words string) string { return r.expand(strings.ReplaceAll(words, " ", sep)) }

// change changes a document so that it has the settings of the runtime, or none of it.
func (r *Request) change(e *engine, d *document) error {
	values := e.values
	if e.name == "containerd" {
		var err error
		if values, err = r.containerd(e, d); err != nil {
			return err
		}
	}
	if is, err := d.raw(r.at(e.alien[0])); err != nil {
		return err
	} else if is != "" && unquoted(is) != unquoted(e.alien[1]) {
		return fmt.Errorf("%s: the runtime %q is one of another kind, %s; give another --name", d.name, r.Name, is)
	}
	if r.Remove {
		return r.remove(e, d)
	}
	if r.Default {
		if err := d.set(r.at(e.usual), quoted(r.Name)); err != nil {
			return err
		}
	}
	for _, list := range e.lists {
		if err := r.include(d, list); err != nil {
			return err
		}
	}
	for i := 0; i < len(values); i += 2 {
		if err := d.set(r.at(values[i]), r.expand(values[i+1])); err != nil {
			return err
		}
	}
	return nil
}

// remove takes the runtime out of a document.
func (r *Request) remove(e *engine, d *document) error {
	if err := d.drop(r.at(e.entry)); err != nil {
		return err
	}
	if err := d.dropIf(r.at(e.usual), r.Name); err != nil {
		return err
	}
	for _, list := range e.lists {
		if err := r.exclude(d, list); err != nil {
			return err
		}
	}
	if r.plugin == "" || d.has(r.at(e.usual)) || !slices.Equal(d.names(r.at(handlers)), []string{sep + "runc", sep + "runc" + sep + "runtime_type"}) {
		return nil
	}
	return d.dropIf(r.at(runc), unquoted(shim)) // what containerd has got besides
}

// include adds the name to a list. A document that has none gets one: it takes the place of those
// in files that are read before, so it begins with what they have.
func (r *Request) include(d *document, list known) error {
	if list.path == "" {
		return nil
	}
	path := r.at(list.path)
	at, err := d.find(path)
	if err != nil {
		return err
	}
	if at < 0 {
		names, err := r.inherited(path, list.usual)
		if err != nil {
			return err
		}
		if err := d.set(path, `["`+strings.Join(names, `", "`)+`"]`); err != nil {
			return err
		}
		at, _ = d.find(path)
	}
	return d.include(at, r.Name)
}

// exclude takes the name out of a list. One that says then what is so without it was added for it.
func (r *Request) exclude(d *document, list known) error {
	at, err := d.find(r.at(list.path))
	if at < 0 {
		return err
	}
	if err := d.exclude(at, r.Name); err != nil {
		return err
	}
	if i := &d.items[at]; r.Config == "" || d.text[i.from:i.to] == list.usual {
		return d.drop(i.path)
	}
	return nil
}

// inherited is a list as Podman has it from the documents that it reads before the one that is
// changed (containers.conf(5)); the usual one if that was named, since it may be any of them.
func (r *Request) inherited(key, usual string) (names []string, err error) {
	d, err := parse(&tomlFormat, "", "usual = "+usual)
	if err != nil {
		return nil, err
	}
	_, names = d.elements(0)
	paths := []string{"/usr/share/containers/containers.conf"}
	for _, dir := range []string{"/etc", r.User} {
		if dir == "" || r.Config != "" {
			break
		}
		dir += "/containers/containers.conf"
		paths = append(paths, dir)
		beside, err := os.ReadDir(r.Host + dir + ".d")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, entry := range beside {
			if name := entry.Name(); path.Ext(name) == ".conf" && name != dropIn {
				paths = append(paths, dir+".d/"+name)
			}
		}
	}
	if r.Config != "" {
		return names, nil
	}
	for _, path := range paths {
		f, err := open(r.Host, path, largestText)
		if err != nil {
			return nil, err
		}
		if d, err = parse(&tomlFormat, path, f.text); err != nil {
			return nil, err
		}
		at, err := d.find(key)
		if err != nil {
			return nil, err
		}
		if at >= 0 {
			names = d.inherit(at, names)
		}
	}
	return names, nil
}

// inherit is what a list becomes by an item of a document: {append=true} among its strings adds
// them to the list so far.
func (d *document) inherit(at int, names []string) []string {
	_, own := d.elements(at)
	for i, text := range own {
		if strings.HasPrefix(text, "{") {
			own = slices.Delete(own, i, i+1)
			return append(names, own...)
		}
	}
	return own
}

// runc is what keeps containerd's own runtime: containerd 1.6 forgets its list once the file has
// one.
const runc = handlers + " runc runtime_type"

// containerd finds out what a document calls the plugin, and gives the values that are to be set.
func (r *Request) containerd(e *engine, d *document) (values []string, err error) {
	values = e.values
	if len(d.items) == 0 {
		if err := d.set("version", "2"); err != nil { // all read it
			return nil, err
		}
	}
	r.plugin = "io.containerd.cri.v1.runtime"
	switch version, err := d.raw("version"); {
	case err != nil:
		return nil, err
	case version == "2":
		r.plugin = "io.containerd.grpc.v1.cri"
	case version == "" || version == "1":
		return nil, fmt.Errorf("%s:1: is of version 1, which configure doesn't change; `containerd config migrate` prints it in a newer one", d.name)
	case version != "3" && version != "4":
		return nil, fmt.Errorf("%s: version is %s, must be 2, 3 or 4", d.name, version)
	}
	at, err := d.find("disabled_plugins")
	if err != nil {
		return nil, err
	}
	if at >= 0 && !r.Remove {
		_, names := d.elements(at)
		if slices.Contains(names, r.plugin) || slices.Contains(names, "io.containerd.grpc.v1.cri") {
			return nil, d.fault(d.items[at].start, "disabled_plugins has the CRI plugin in it, so that no pod could use a runtime; take it out first")
		}
	}
	// The kubelet has one driver of cgroups for all pods of a node.
	systemd, err := d.raw(r.at(handlers + " runc options SystemdCgroup"))
	if r.Systemd || systemd == "true" {
		values = append(values, handlers+" NAME options SystemdCgroup", "true")
	}
	if !d.has(r.at(handlers)) {
		values = append([]string{runc, shim}, values...)
	}
	return values, err
}
