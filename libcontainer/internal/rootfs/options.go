package rootfs

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// what an option acts on.
type optionKind uint8

const (
	nothing     optionKind = iota
	attribute              // the mount's own flags: flag is MS_*
	recursive              // the flags of the whole tree of mounts: flag is MS_*
	superblock             // the filesystem's flags: flag is MS_*
	binding                // flag is MS_BIND, maybe with MS_REC
	remounting             // the filesystem at the destination is changed instead of mounting one
	propagation            // flag is MS_SHARED…, maybe with MS_REC
	copyUp                 // the new tmpfs gets a copy of what it hides
	idMapped               // flag is MS_REC if submounts are meant too
	symlinks               // flag is a Links
)

// option is what a name in mounts[].options stands for.
type option struct {
	name  string
	kind  optionKind
	flag  uint32 // of mount(2), whatever system call applies it, or Links
	clear bool   // the flag is taken away
}

// options are the names of the runtime-spec's config.md ("Linux mount options"), of mount(8) and of
// crun's manual, in byte order. A name that isn't here is a parameter of the filesystem.
var options = [...]option{
	{"async", superblock, unix.MS_SYNCHRONOUS, true},
	{"atime", attribute, unix.MS_NOATIME, true},
	{"bind", binding, unix.MS_BIND, false},
	{"copy-symlink", symlinks, uint32(copySource), false},
	{"defaults", nothing, 0, false},
	{"dest-nofollow", symlinks, uint32(keepDestination), false},
	{"dev", attribute, unix.MS_NODEV, true},
	{"diratime", attribute, unix.MS_NODIRATIME, true},
	{"dirsync", superblock, unix.MS_DIRSYNC, false},
	{"exec", attribute, unix.MS_NOEXEC, true},
	{"idmap", idMapped, 0, false},
	{"iversion", superblock, unix.MS_I_VERSION, false},
	{"lazytime", superblock, unix.MS_LAZYTIME, false},
	{"loud", nothing, unix.MS_SILENT, true},
	{"mand", superblock, unix.MS_MANDLOCK, false},
	{"noatime", attribute, unix.MS_NOATIME, false},
	{"nodev", attribute, unix.MS_NODEV, false},
	{"nodiratime", attribute, unix.MS_NODIRATIME, false},
	{"noexec", attribute, unix.MS_NOEXEC, false},
	{"noiversion", superblock, unix.MS_I_VERSION, true},
	{"nolazytime", superblock, unix.MS_LAZYTIME, true},
	{"nomand", superblock, unix.MS_MANDLOCK, true},
	{"norelatime", attribute, unix.MS_RELATIME, true},
	{"nostrictatime", attribute, unix.MS_STRICTATIME, true},
	{"nosuid", attribute, unix.MS_NOSUID, false},
	{"nosymfollow", attribute, unix.MS_NOSYMFOLLOW, false},
	{"private", propagation, unix.MS_PRIVATE, false},
	{"ratime", recursive, unix.MS_NOATIME, true},
	{"rbind", binding, unix.MS_BIND | unix.MS_REC, false},
	{"rdev", recursive, unix.MS_NODEV, true},
	{"rdiratime", recursive, unix.MS_NODIRATIME, true},
	{"relatime", attribute, unix.MS_RELATIME, false},
	{"remount", remounting, unix.MS_REMOUNT, false},
	{"rexec", recursive, unix.MS_NOEXEC, true},
	{"ridmap", idMapped, unix.MS_REC, false},
	{"rnoatime", recursive, unix.MS_NOATIME, false},
	{"rnodev", recursive, unix.MS_NODEV, false},
	{"rnodiratime", recursive, unix.MS_NODIRATIME, false},
	{"rnoexec", recursive, unix.MS_NOEXEC, false},
	{"rnorelatime", recursive, unix.MS_RELATIME, true},
	{"rnostrictatime", recursive, unix.MS_STRICTATIME, true},
	{"rnosuid", recursive, unix.MS_NOSUID, false},
	{"rnosymfollow", recursive, unix.MS_NOSYMFOLLOW, false},
	{"ro", attribute, unix.MS_RDONLY, false},
	{"rprivate", propagation, unix.MS_PRIVATE | unix.MS_REC, false},
	{"rrelatime", recursive, unix.MS_RELATIME, false},
	{"rro", recursive, unix.MS_RDONLY, false},
	{"rrw", recursive, unix.MS_RDONLY, true},
	{"rshared", propagation, unix.MS_SHARED | unix.MS_REC, false},
	{"rslave", propagation, unix.MS_SLAVE | unix.MS_REC, false},
	{"rstrictatime", recursive, unix.MS_STRICTATIME, false},
	{"rsuid", recursive, unix.MS_NOSUID, true},
	{"rsymfollow", recursive, unix.MS_NOSYMFOLLOW, true},
	{"runbindable", propagation, unix.MS_UNBINDABLE | unix.MS_REC, false},
	{"rw", attribute, unix.MS_RDONLY, true},
	{"shared", propagation, unix.MS_SHARED, false},
	{"silent", nothing, unix.MS_SILENT, false},
	{"slave", propagation, unix.MS_SLAVE, false},
	{"src-nofollow", symlinks, uint32(keepSource), false},
	{"strictatime", attribute, unix.MS_STRICTATIME, false},
	{"suid", attribute, unix.MS_NOSUID, true},
	{"symfollow", attribute, unix.MS_NOSYMFOLLOW, true},
	{"sync", superblock, unix.MS_SYNCHRONOUS, false},
	{"tmpcopyup", copyUp, 0, false},
	{"unbindable", propagation, unix.MS_UNBINDABLE, false},
}

// MountOptionNames are the mount options that are not a filesystem's own, sorted, for the features
// document.
func MountOptionNames() []string {
	names := make([]string, len(options))
	for i := range options {
		names[i] = options[i].name
	}
	return names
}

func findOption(name string) (option, bool) {
	i, found := slices.BinarySearchFunc(options[:], name, func(o option, name string) int { return strings.Compare(o.name, name) })
	if !found {
		return option{}, false
	}
	return options[i], true
}

// Flags is a wish for some of mount(2)'s MS_* flags. A flag that is in neither set is left to the
// context.
type Flags struct{ Set, Clear uint32 }

func (f *Flags) apply(o option) {
	if o.clear {
		f.Set &^= o.flag
		f.Clear |= o.flag
	} else {
		f.Set |= o.flag
		f.Clear &^= o.flag
	}
}

// empty tells that nothing is wished for.
func (f Flags) empty() bool { return f.Set|f.Clear == 0 }

// parsed is what a list of options means.
type parsed struct {
	bind, rbind, remount bool
	attr, rec, super     Flags
	propagation          []uint32
	copyUp               bool
	idmap                *IDMap
	links                Links
	params               []Param
}

// parseOptions sorts a mount's options. overlay tells that a backslash protects a comma, which only
// that filesystem has.
func parseOptions(list []string, overlay bool) parsed {
	var p parsed
	for i := 0; i < len(list); i++ {
		name, at := list[i], i
		o, known := findOption(name)
		if !known {
			for opensQuote(name) && i+1 < len(list) { // who made the list split it at each comma
				i++
				name += "," + list[i]
			}
			p.params = appendParams(p.params, name, at, overlay)
			continue
		}
		switch o.kind {
		case attribute:
			p.attr.apply(o)
		case recursive:
			p.rec.applyRecursive(o)
		case superblock:
			p.super.apply(o)
		case binding:
			p.bind = true
			p.rbind = p.rbind || o.flag&unix.MS_REC != 0
		case remounting:
			p.remount = true
		case propagation:
			p.propagation = append(p.propagation, o.flag)
		case copyUp:
			p.copyUp = true
		case idMapped:
			p.idmap = &IDMap{Recursive: o.flag&unix.MS_REC != 0}
		case symlinks:
			p.links |= Links(o.flag)
		}
	}
	return p
}

// atimeModes exclude each other: mount_setattr(2) has one three-valued field for them.
const atimeModes = unix.MS_NOATIME | unix.MS_RELATIME | unix.MS_STRICTATIME

// applyRecursive is apply for flags that go to mount_setattr as they are: the last mode of access
// times wins, and taking one away means the kernel's default, relatime.
func (f *Flags) applyRecursive(o option) {
	if o.flag&atimeModes != 0 {
		f.Set &^= atimeModes
		f.Clear &^= atimeModes
	}
	f.apply(o)
}

// mountAttr are the MS_* flags that are attributes of a mount, those of access times aside.
var mountAttr = [...]struct {
	ms   uint32
	attr uint64
}{
	{unix.MS_RDONLY, unix.MOUNT_ATTR_RDONLY},
	{unix.MS_NOSUID, unix.MOUNT_ATTR_NOSUID},
	{unix.MS_NODEV, unix.MOUNT_ATTR_NODEV},
	{unix.MS_NOEXEC, unix.MOUNT_ATTR_NOEXEC},
	{unix.MS_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{unix.MS_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME},
}

// attrBits translates MS_* flags. If flags ask for several modes of access times, they rank as in
// mount(2): strictatime, noatime, relatime. MOUNT_ATTR_RELATIME is 0.
func attrBits(flags uint32) uint64 {
	var bits uint64
	for _, a := range mountAttr {
		if flags&a.ms != 0 {
			bits |= a.attr
		}
	}
	switch {
	case flags&unix.MS_STRICTATIME != 0:
		bits |= unix.MOUNT_ATTR_STRICTATIME
	case flags&unix.MS_NOATIME != 0:
		bits |= unix.MOUNT_ATTR_NOATIME
	}
	return bits
}
