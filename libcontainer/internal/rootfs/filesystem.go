package rootfs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// superFlags are the flags of a superblock and the names that fsconfig(2) knows them by, set and
// cleared. What is "" is the default of a new superblock and can't be asked for.
var superFlags = [...]struct {
	ms         uint32
	set, clear string
}{
	{unix.MS_RDONLY, "ro", "rw"},
	{unix.MS_SYNCHRONOUS, "sync", "async"},
	{unix.MS_DIRSYNC, "dirsync", ""},
	{unix.MS_MANDLOCK, "mand", "nomand"},
	{unix.MS_LAZYTIME, "lazytime", "nolazytime"},
	{unix.MS_I_VERSION, "iversion", "noiversion"},
}

// longestValue of a parameter that fsconfig(2) takes.
const longestValue = 255

// filesystem is a new superblock as a mount asks for it. It is a value for the making of one mount:
// what mounts it ([mounter], [cgroupMounter], [protector]) gets it of [Plan.filesystem] and calls
// detached; [Prepare] calls context for a mount that init will make, and [Plan.AddProcs] takes the
// settings as data for calls that the container's process makes.
type filesystem struct {
	*Mount
	plan *Plan
	mode int // of the root directory if no option says it, or -1
}

// filesystem is the one that a mount of the plan asks for.
func (p *Plan) filesystem(m *Mount) filesystem { return filesystem{m, p, -1} }

// label is linux.mountLabel if it is for this filesystem: procfs, sysfs and cgroups have labels of
// their own, mqueue gets it in another way.
func (s *filesystem) label() string {
	if s.Kind == Filesystem || s.Kind == Tmpfs {
		return s.plan.Label
	}
	return ""
}

// rootMode is the parameter for the mode.
func (s *filesystem) rootMode() Param {
	return Param{Key: "mode", Value: fmt.Sprintf("%04o", s.mode), HasValue: true}
}

// withoutGroup makes a devpts without the group of its ttys: nearly every configuration asks for
// group 5, which a user namespace of few groups hasn't got. err is what happened with it. A group
// by its name is nothing that the kernel ever takes.
func (s filesystem) withoutGroup(err error) (int, error) {
	isGroup := func(p Param) bool {
		_, err := strconv.ParseUint(p.Value, 10, 32)
		return p.Key == "gid" && err == nil
	}
	if !slices.ContainsFunc(s.Params, isGroup) {
		return -1, err
	}
	fewer := *s.Mount
	fewer.Params = slices.DeleteFunc(slices.Clone(s.Params), isGroup)
	s.Mount = &fewer
	fd, again := s.detached()
	if again != nil {
		return -1, err
	}
	return fd, nil
}

// detached makes the mount. Nobody can see it before it is attached.
func (s *filesystem) detached() (int, error) {
	ctx, err := s.context()
	if err != nil {
		return -1, err
	}
	defer unix.Close(ctx)
	return s.fsmount(ctx)
}

// context makes the filesystem, as the context of a mount that is still to be made (fsopen(2)).
func (s *filesystem) context() (int, error) {
	ctx, err := linux.Fsopen(s.Type)
	if err != nil {
		return -1, err
	}
	if err = s.settings(configure(ctx)); err == nil {
		err = linux.FsconfigCreate(ctx)
	}
	if err != nil {
		err = explain(ctx, err)
		unix.Close(ctx)
		return -1, err
	}
	return ctx, nil
}

// fsmount makes the mount of a superblock.
func (m *Mount) fsmount(ctx int) (int, error) {
	flags := m.Attr.Set
	if m.readonlyLate() {
		flags &^= unix.MS_RDONLY
	}
	fd, err := linux.Fsmount(ctx, int(attrBits(flags)))
	if err != nil {
		return -1, explain(ctx, err)
	}
	return fd, nil
}

// setting is one parameter of a superblock, as fsconfig(2) takes it.
type setting struct {
	command    uintptr // FSCONFIG_SET_STRING, or FSCONFIG_SET_FLAG without a value
	key, value string
	kind       string // what it is called in errors, and what comes behind that
	shown      string
}

func stringSetting(kind, key, value string) setting {
	return setting{unix.FSCONFIG_SET_STRING, key, value, kind, value}
}

func flagSetting(key string) setting {
	return setting{unix.FSCONFIG_SET_FLAG, key, "", "option", key}
}

func (s *setting) failure(err error) error { return fmt.Errorf("%s %q: %w", s.kind, s.shown, err) }

// settings calls set with each parameter of a new superblock, until that gives an error: first what
// is implied, which the given ones may override.
func (s *filesystem) settings(set func(setting) error) error {
	err := set(stringSetting("source", "source", s.name()))
	if _, sub, found := strings.Cut(s.Type, "."); found && err == nil { // fuse.sshfs
		err = set(stringSetting("subtype", "subtype", sub))
	}
	if label := s.label(); err == nil && label != "" {
		err = set(stringSetting("label", "context", label))
	}
	if err == nil && s.mode >= 0 {
		err = set(s.rootMode().setting())
	}
	if err == nil {
		err = s.given(s.readonlySuper(), set)
	}
	return err
}

// given calls set with what the options say of a superblock.
func (m *Mount) given(readonly bool, set func(setting) error) error {
	flags := m.Super
	if readonly {
		flags.Set |= unix.MS_RDONLY
	}
	for _, s := range superFlags {
		name := ""
		switch {
		case flags.Set&s.ms != 0:
			name = s.set
		case flags.Clear&s.ms != 0 && m.Remount:
			name = s.clear
		}
		if name == "" {
			continue
		}
		if err := set(flagSetting(name)); err != nil {
			return err
		}
	}
	for _, param := range m.Params {
		if err := set(param.setting()); err != nil {
			return err
		}
	}
	return nil
}

func (p Param) setting() setting {
	if !p.HasValue {
		return flagSetting(p.Key)
	}
	return setting{unix.FSCONFIG_SET_STRING, p.Key, p.Value, "option", p.String()}
}

// configure sets the parameters of the superblock that ctx is for.
func configure(ctx int) func(setting) error {
	return func(s setting) (err error) {
		if s.command == unix.FSCONFIG_SET_FLAG {
			err = linux.FsconfigFlag(ctx, s.key)
		} else {
			err = linux.FsconfigString(ctx, s.key, s.value)
		}
		if err != nil {
			return s.failure(err)
		}
		return nil
	}
}

// readonlySuper tells whether the superblock is read-only too, as with mount(2): a filesystem on a
// read-only device can't be mounted otherwise. Those in memory may be shared with the host, where
// the flag would last.
func (m *Mount) readonlySuper() bool {
	return m.Kind == Filesystem && m.Attr.Set&unix.MS_RDONLY != 0 && !m.readonlyLate()
}

// explain adds what the kernel has to say about an error: its messages wait in the context, each a
// record that begins with its level ("e ", "w ", "i ").
func explain(ctx int, err error) error {
	var buf [512]byte
	var said []string
	for len(said) < 8 {
		n, e := unix.Read(ctx, buf[:])
		if e != nil || n <= 2 {
			break
		}
		if text := strings.TrimSpace(string(buf[:n])); strings.HasPrefix(text, "e ") {
			said = append(said, text[2:])
		}
	}
	if len(said) == 0 {
		return err
	}
	return fmt.Errorf("%w (%s)", err, strings.Join(said, "; "))
}
