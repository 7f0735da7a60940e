package specconv

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// process: "This property is REQUIRED when start is called" (config.md), so that create does
// without.
func (c *checker) process() error {
	if c.spec.Process == nil {
		return nil
	}
	if c.spec.Process.User.Username != "" { // nobody should be root without a word who has a name here
		c.warn("/process/user/username", "ignored, it is for Windows: on Linux, uid and gid say who the process is")
	}
	if c.spec.Process.CommandLine != "" {
		c.warn("/process/commandLine", "ignored, it is for Windows: on Linux, args is the program and its arguments")
	}
	return checkProcess(c.spec.Process, "/process")
}

// CheckProcess checks the process of an exec as Check does config.json's. Pointers begin at the
// process.
func CheckProcess(p *specs.Process) error { return checkProcess(p, "") }

// processChecks are the rules for a process at a pointer.
var processChecks = [...]func(p *specs.Process, at string) error{
	checkArgs, checkCwd, checkEnv, checkGroups, checkRlimits, checkConsoleSize,
}

func checkProcess(p *specs.Process, at string) error {
	for _, check := range processChecks {
		if err := check(p, at); err != nil {
			return err
		}
	}
	return nil
}

var errNoProgram = errors.New("must have at least one entry, the program")

// checkArgs: "at least one entry is REQUIRED (non-Windows)" (config.md).
func checkArgs(p *specs.Process, at string) error {
	if len(p.Args) == 0 {
		return Field(at+"/args", errNoProgram)
	}
	for i, arg := range p.Args {
		if err := noNUL(at+Pointer("args", i), arg); err != nil {
			return err
		}
	}
	return nil
}

func checkCwd(p *specs.Process, at string) error {
	if p.Cwd == "" {
		return Field(at+"/cwd", errMissing)
	}
	return absolutePath(at+"/cwd", p.Cwd)
}

// checkEnv wants the form that environ(7) has. Names are otherwise free: shells put odd ones there.
func checkEnv(p *specs.Process, at string) error {
	for i, entry := range p.Env {
		if err := checkEnvEntry(entry); err != nil {
			return Field(at+Pointer("env", i), err)
		}
	}
	return nil
}

// maxGroups is NGROUPS_MAX (include/uapi/linux/limits.h).
const maxGroups = 65536

func checkGroups(p *specs.Process, at string) error {
	if n := len(p.User.AdditionalGids); n > maxGroups {
		return Fieldf(at+"/user/additionalGids", "%d groups are more than the %d that a process can be in", n, maxGroups)
	}
	return nil
}

func checkEnvEntry(entry string) error {
	switch strings.IndexByte(entry, '=') {
	case -1:
		return errEnvNoValue
	case 0:
		return errEnvNoName
	}
	if strings.IndexByte(entry, 0) >= 0 {
		return errNUL
	}
	return nil
}

var (
	errEnvNoValue = errors.New("environment variable has no '='")
	errEnvNoName  = errors.New("environment variable has no name")
)

// checkRlimits: "If rlimits contains duplicated entries with same type, the runtime MUST generate
// an error" (config.md). Which types there are is the business of the package that sets them.
func checkRlimits(p *specs.Process, at string) error {
	for i, limit := range p.Rlimits {
		pointer := at + Pointer("rlimits", i)
		if limit.Type == "" {
			return Field(pointer+"/type", errMissing)
		}
		for _, other := range p.Rlimits[:i] {
			if other.Type == limit.Type {
				return Fieldf(pointer+"/type", "%s appears twice", limit.Type)
			}
		}
		if limit.Soft > limit.Hard {
			return Fieldf(pointer+"/soft", "the soft limit %d is above the hard limit %d", limit.Soft, limit.Hard)
		}
	}
	return nil
}

// checkConsoleSize: struct winsize counts in 16 bits. Without a terminal the size is ignored,
// whatever it is.
func checkConsoleSize(p *specs.Process, at string) error {
	if !p.Terminal || p.ConsoleSize == nil {
		return nil
	}
	for _, d := range [...]struct {
		name  string
		value uint
	}{
		{"height", p.ConsoleSize.Height},
		{"width", p.ConsoleSize.Width},
	} {
		if d.value > 0xffff {
			return Fieldf(at+"/consoleSize/"+d.name, "%d is more than 65535", d.value)
		}
	}
	return nil
}

// absolutePath wants a path that begins at the root, for a field of which the specification says
// so.
func absolutePath(pointer, path string) error {
	if !filepath.IsAbs(path) {
		return Fieldf(pointer, "%q is not an absolute path", path)
	}
	return noNUL(pointer, path)
}
