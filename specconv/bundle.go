// Package specconv turns a bundle into a complete and consistent *specs.Spec, or says which field
// of its config.json is not. It also makes the configs that `spec` writes.
//
// It changes nothing and knows no package of the runtime but the two that all stands on, linux and
// oncejson. What concerns a single subject (mount options, capabilities, seccomp, cgroup values …)
// is checked by the package that applies it; what spans subjects, and the shape of the document, is
// checked here. The checks follow runtime-spec 1.3, config.md and config-linux.md.
package specconv

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// configName is the name of the configuration in a bundle (bundle.md).
const configName = "config.json"

// Bundle is a bundle directory with its checked configuration.
type Bundle struct {
	// Dir is the bundle's absolute path.
	Dir string
	// Name is what errors call the configuration: config.json, or the file that stands for it.
	Name string
	// Raw is the configuration as it was read.
	Raw []byte
	// Spec is complete: Process (without Args if there is none), Root and Linux are set, paths that
	// may be relative to the bundle are absolute, mount destinations are absolute.
	Spec *specs.Spec
	// Warnings are for the user, with their places as errors have them; none of them is a reason to
	// stop.
	Warnings []string
}

// Load reads and checks the config.json of the bundle in dir. An error about the configuration
// begins with its position: `config.json:41:17: /process/args: …`.
func Load(dir string) (*Bundle, error) { return LoadWith("", dir) }

// LoadWith is Load with another file in the place of the bundle's config.json: at a path that is
// relative to the working directory. Like a document for [ReadDocument] it may be a pipe. "" is the
// bundle's own.
func LoadWith(config, dir string) (*Bundle, error) {
	b, err := readBundle(config, dir)
	if err != nil {
		return nil, err
	}
	if err := b.check(); err != nil {
		return nil, b.Locate(err)
	}
	return b, nil
}

// readBundle reads a configuration, which isn't looked at.
func readBundle(config, dir string) (*Bundle, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	name, path, too := configName, filepath.Join(dir, configName), fs.FileMode(0)
	if config != "" {
		name, path, too = config, config, fs.ModeNamedPipe
	}
	raw, err := readFile(path, too)
	if err != nil {
		return nil, noConfig(err, config, dir)
	}
	return &Bundle{Dir: dir, Name: name, Raw: raw}, nil
}

// noConfig says of a bundle without a config.json what it is instead.
func noConfig(err error, config, dir string) error {
	if config != "" || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
		return err
	}
	switch fi, serr := os.Stat(dir); {
	case errors.Is(serr, fs.ErrNotExist):
		return fmt.Errorf("%w (there is no bundle at %q)", err, dir)
	case serr == nil && !fi.IsDir():
		return fmt.Errorf("%w (a bundle has its config.json in it, but %q is a file)", err, dir)
	case serr == nil && errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w (the directory is not a bundle: oci-run spec makes it one)", err)
	}
	return err
}

// check decodes, checks and completes the configuration.
func (b *Bundle) check() error {
	spec := new(specs.Spec)
	ignored, err := Decode(b.Raw, spec)
	if err != nil {
		return err
	}
	warnings, err := checkSpec(spec)
	if err != nil {
		return err
	}
	complete(spec, b.Dir)
	b.Spec, b.Warnings = spec, texts(append(ignored, warnings...), b.Locate)
	return checkRootExists(spec.Root.Path)
}

// texts are warnings as the user reads them, with their places.
func texts(warnings []*FieldError, locate func(error) error) (all []string) {
	for _, w := range warnings {
		all = append(all, locate(w).Error())
	}
	return all
}

// Document is the name of the configuration, as errors have it, where that is not config.json.
func (b *Bundle) Document() string {
	if b.Name == configName {
		return ""
	}
	return b.Name
}

// Locate puts the place in the bundle's configuration in front of an error about a field: that of
// the field's value, or of what should hold it. Any other error is returned as it is.
func (b *Bundle) Locate(err error) error { return locateIn(cmp.Or(b.Name, configName), b.Raw, err) }

// Text is what the configuration has at a JSON pointer, as it stands there; "" for nothing.
func (b *Bundle) Text(pointer string) string {
	d := &draft{raw: b.Raw}
	if _, rest := d.existing(pointer); rest != "" {
		return ""
	}
	at := offsetOf(b.Raw, pointer)
	return string(b.Raw[at:skipValue(b.Raw, at)])
}

// checkRootExists looks root.path up: "A directory MUST exist at the path declared by the field"
// (config.md).
func checkRootExists(path string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return Field("/root/path", err)
	}
	if !fi.IsDir() {
		return Field("/root/path", &os.PathError{Op: "open", Path: path, Err: unix.ENOTDIR})
	}
	return nil
}

// complete fills in what the text of the specification says a value means, so that nobody after it
// has to know.
func complete(spec *specs.Spec, dir string) {
	if spec.Linux == nil {
		spec.Linux = &specs.Linux{}
	}
	if spec.Process == nil {
		spec.Process = noProcess(spec.Linux)
	}
	spec.Root.Path = absolute(dir, spec.Root.Path)
	// config.md: "Runtimes MUST ignore consoleSize if terminal is false or unset."
	if !spec.Process.Terminal {
		spec.Process.ConsoleSize = nil
	}
	for i := range spec.Mounts {
		m := &spec.Mounts[i]
		// config.md: "it MAY be a relative path, in which case it MUST be interpreted as relative
		// to "/"".
		m.Destination = absolute("/", m.Destination)
		// config.md: "Path values for bind mounts are either absolute or relative to the bundle."
		if isBind(m) {
			m.Source = absolute(dir, m.Source)
		}
	}
}

// noProcess is what waits for a start that will not come: without a program, as the first user that
// there is.
func noProcess(linux *specs.Linux) *specs.Process {
	p := &specs.Process{Cwd: "/"}
	if len(linux.UIDMappings) > 0 && len(linux.GIDMappings) > 0 {
		p.User.UID, p.User.GID = linux.UIDMappings[0].ContainerID, linux.GIDMappings[0].ContainerID
	}
	return p
}

// NoProcess is the error of a start without "/process".
func NoProcess() error { return Fieldf("/process", "%w: there is nothing to start", errMissing) }

// HasProcess tells whether config.json says what is to run.
func (b *Bundle) HasProcess() bool { return len(b.Spec.Process.Args) > 0 }

// absolute makes path absolute without resolving ".." or symbolic links of an absolute path.
func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// isBind is config.md's definition: "A mount is a bind mount if it has either bind or rbind in the
// options."
func isBind(m *specs.Mount) bool {
	return slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}
