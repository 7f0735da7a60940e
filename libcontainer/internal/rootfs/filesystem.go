package rootfs

import (
	"errors"
	"fmt"
	"slices"
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

// mountFilesystem makes a new superblock, mounts it detached with all that the options say, and
// attaches it.
func (f *FS) mountFilesystem(i int, m *Mount) error {
	target, created, err := f.filesystemTarget(m)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	at, err := f.root.checkTarget(target, m)
	if err != nil {
		return err
	}
	if !at.isDir() {
		return notDirectory(at, m.Destination)
	}
	extra := Param{}
	if m.Kind == Tmpfs && !created && !m.hasMode() {
		extra = Param{Key: "mode", Value: fmt.Sprintf("%04o", at.mode&0o7777), HasValue: true}
	}
	if m.legacy() {
		return f.mountLegacy(i, m, target, extra)
	}
	fd, err := f.fresh(i, m, extra)
	if errors.Is(err, unix.EINVAL) && m.Type == "devpts" {
		fd, err = f.withoutGroup(m, err)
	}
	if errors.Is(err, unix.EPERM) && m.Kind == Sysfs && f.inUserNamespace() {
		return f.bindSys(m, target)
	}
	if err != nil {
		return err
	}
	if err = f.mapIDs(i, fd, m); err == nil {
		err = f.finish(fd, target, m)
	}
	if err != nil {
		unix.Close(fd)
		return err
	}
	f.keep(i, fd, m)
	return nil
}

// withoutGroup makes a devpts without the group of its ttys: nearly every configuration asks for
// group 5, which a user namespace of few groups hasn't got. err is what happened with it.
func (f *FS) withoutGroup(m *Mount, err error) (int, error) {
	isGroup := func(p Param) bool { return p.Key == "gid" }
	if !slices.ContainsFunc(m.Params, isGroup) {
		return -1, err
	}
	fewer := *m
	fewer.Params = slices.DeleteFunc(slices.Clone(m.Params), isGroup)
	fd, again := f.detached(&fewer, Param{})
	if again != nil {
		return -1, err
	}
	return fd, nil
}

// filesystemTarget opens where a filesystem goes. proc and sysfs must not go where a symbolic link
// of the image leads (CVE-2019-19921, CVE-2023-27561).
func (f *FS) filesystemTarget(m *Mount) (fd int, created bool, err error) {
	if m.Kind != Proc && m.Kind != Sysfs {
		return f.root.target(m.Destination, false)
	}
	if fd, err = f.root.targetItself(m.Destination, false); err != nil {
		return -1, false, err
	}
	if at, err := placeOf(fd); err != nil || !at.isDir() {
		unix.Close(fd)
		return -1, false, fmt.Errorf("filesystem %q must be mounted on ordinary directory", m.Type)
	}
	return fd, false, nil
}

// keep holds on to the mounts that later steps need.
func (f *FS) keep(i, fd int, m *Mount) {
	isDev := m.Kind == Tmpfs && m.Destination == "/dev"
	if isDev {
		f.makeMountPoints(fd, i+1)
	}
	switch {
	case m.readonlyLate():
		if isDev {
			f.keepDev(fd)
		}
		f.late = append(f.late, late{fd, m})
	case isDev:
		f.keepDev(fd)
		unix.Close(fd)
	default:
		unix.Close(fd)
	}
}

// fresh makes the mount of a superblock that may have been prepared.
func (f *FS) fresh(i int, m *Mount, extra Param) (int, error) {
	ctx, found := f.ready(i)
	switch {
	case found:
	case m.Kind == Proc && f.root.self != "":
		return -1, errors.New("the container's process has not made its superblock")
	default:
		return f.detached(m, extra)
	}
	defer unix.Close(ctx)
	return m.fsmount(ctx)
}

// makeMountPoints makes directories in a new /dev for the filesystems that come later: one call
// each, where [FS.create] takes ten. It makes what isn't made here.
func (f *FS) makeMountPoints(dev, from int) {
	for i := from; i < len(f.plan.Mounts); i++ {
		m := &f.plan.Mounts[i]
		name, inside := strings.CutPrefix(m.Destination, "/dev/")
		if inside && !containsSlash(name) && (m.Kind == Filesystem || m.Kind == Tmpfs || m.Kind == Mqueue) && !m.Remount {
			_ = unix.Mkdirat(dev, name, 0o755)
		}
	}
}

// detached makes the mount. Nobody can see it before it is attached.
func (f *FS) detached(m *Mount, extra Param) (int, error) {
	ctx, err := f.superblock(m, extra)
	if err != nil {
		return -1, err
	}
	defer unix.Close(ctx)
	return m.fsmount(ctx)
}

// superblock makes the filesystem, as the context of a mount that is still to be made.
func (f *FS) superblock(m *Mount, extra Param) (int, error) {
	ctx, err := linux.Fsopen(m.Type)
	if err != nil {
		return -1, err
	}
	if err = f.settings(m, extra, configure(ctx)); err == nil {
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
func (f *FS) settings(m *Mount, extra Param, set func(setting) error) error {
	err := set(stringSetting("source", "source", m.name()))
	if _, sub, found := strings.Cut(m.Type, "."); found && err == nil { // fuse.sshfs
		err = set(stringSetting("subtype", "subtype", sub))
	}
	if err == nil && f.labelled(m) {
		err = set(stringSetting("label", "context", f.plan.Label))
	}
	if err == nil && extra.Key != "" {
		err = set(extra.setting())
	}
	if err == nil {
		err = m.given(m.readonlySuper(), set)
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
	return setting{unix.FSCONFIG_SET_STRING, p.Key, p.Value, "option", p.Key + "=" + p.Value}
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

// labelled tells whether linux.mountLabel is for this mount: procfs, sysfs and cgroups have labels
// of their own, mqueue gets it in another way.
func (f *FS) labelled(m *Mount) bool {
	return f.plan.Label != "" && (m.Kind == Filesystem || m.Kind == Tmpfs)
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

// finish does to a detached mount what the options say beside the parameters, and attaches it.
func (f *FS) finish(fd, target int, m *Mount) error {
	if m.CopyUp {
		if err := f.copyUpTree(target, fd); err != nil {
			return err
		}
	}
	if m.Kind == Mqueue && f.plan.Label != "" {
		if err := setLabel(fd, f.plan.Label); err != nil {
			return err
		}
	}
	if err := decorate(fd, m); err != nil {
		return err
	}
	if err := attach(fd, target); err != nil {
		return err
	}
	return f.keepAnchor(fd, m)
}

// setLabel gives the root of a mount a SELinux label, for a filesystem that has no mount option for
// it.
func setLabel(fd int, label string) error {
	dir, err := linux.Openat2(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	if err := unix.Fsetxattr(dir, "security.selinux", []byte(label), 0); err != nil {
		return fmt.Errorf("label %q: %w", label, err)
	}
	return nil
}
