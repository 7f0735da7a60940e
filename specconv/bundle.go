// Package specconv turns a bundle into a complete and consistent *specs.Spec, or says which field of its
// config.json is not. It also makes the configs that `spec` writes.
//
// It changes nothing and knows no package of the runtime but the two that all stands on, linux and oncejson. What concerns a single subject (mount options,
// capabilities, seccomp, cgroup values …) is checked by the package that applies it; what spans subjects, and the
// shape of the document, is checked here. The checks follow runtime-spec 1.3, config.md and config-linux.md.
package specconv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/libcontainer/linux"
)

// ConfigName is the name of the configuration in a bundle (bundle.md).
const ConfigName = "config.json"

// maxConfig bounds what is read into memory. Engines write 10 to 100 kB.
const maxConfig = 64 << 20

// Bundle is a bundle directory with its checked configuration.
type Bundle struct {
	// Dir is the bundle's absolute path.
	Dir string
	// Raw is config.json as it was read.
	Raw []byte
	// Spec is complete: Process, Root and Linux are set, paths that may be relative to the bundle are absolute, mount
	// destinations are absolute.
	Spec *specs.Spec
	// Warnings are for the user; none of them is a reason to stop.
	Warnings []string
}

// Load reads and checks the config.json of the bundle in dir. An error about the configuration begins with its
// position: `config.json:41:17: /process/args: …`.
func Load(dir string) (*Bundle, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	raw, err := readConfig(filepath.Join(dir, ConfigName))
	if err != nil {
		return nil, err
	}
	spec, err := Parse(raw)
	if err != nil {
		return nil, Locate(raw, err)
	}
	warnings, err := Check(spec)
	if err != nil {
		return nil, Locate(raw, err)
	}
	complete(spec, dir)
	if err := checkRootExists(spec.Root.Path); err != nil {
		return nil, Locate(raw, err)
	}
	return &Bundle{Dir: dir, Raw: raw, Spec: spec, Warnings: warnings}, nil
}

// readConfig opens without blocking and refuses what is not a regular file: a fifo would never end.
func readConfig(path string) ([]byte, error) {
	f, err := linux.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("read %q: not a regular file (%s)", path, fi.Mode().Type())
	}
	if fi.Size() > maxConfig {
		return nil, fmt.Errorf("read %q: %d bytes are more than the %d that a config may have", path, fi.Size(), maxConfig)
	}
	raw := make([]byte, fi.Size())
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	return raw, nil
}

// checkRootExists looks root.path up: "A directory MUST exist at the path declared by the field" (config.md).
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

// complete fills in what the text of the specification says a value means, so that nobody after it has to know.
func complete(spec *specs.Spec, dir string) {
	if spec.Linux == nil {
		spec.Linux = &specs.Linux{}
	}
	spec.Root.Path = absolute(dir, spec.Root.Path)
	// config.md: "Runtimes MUST ignore consoleSize if terminal is false or unset."
	if !spec.Process.Terminal {
		spec.Process.ConsoleSize = nil
	}
	for i := range spec.Mounts {
		m := &spec.Mounts[i]
		// config.md: "it MAY be a relative path, in which case it MUST be interpreted as relative to "/"".
		m.Destination = absolute("/", m.Destination)
		// config.md: "Path values for bind mounts are either absolute or relative to the bundle."
		if isBind(m) {
			m.Source = absolute(dir, m.Source)
		}
	}
}

// absolute makes path absolute without resolving ".." or symbolic links of an absolute path.
func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// isBind is config.md's definition: "A mount is a bind mount if it has either bind or rbind in the options."
func isBind(m *specs.Mount) bool {
	return slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}

var errMissing = errors.New("is missing")
