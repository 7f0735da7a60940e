package rootfs

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// legacy tells that a mount takes mount(2): a parameter is longer than fsconfig(2) takes, as the
// lower directories of an overlay may be, or has an escaped comma, which filesystems that don't
// know fsconfig(2) refuse there, or a flag has no name there.
func (m *Mount) legacy() bool {
	return len(m.name()) > longestValue || m.Super.Set&unix.MS_I_VERSION != 0 ||
		slices.ContainsFunc(m.Params, func(p Param) bool { return p.needsLegacy() })
}

// legacyData is the parameters as mount(2) takes them.
func (s *filesystem) legacyData() string {
	var data []string
	if label := s.label(); label != "" {
		data = append(data, `context="`+label+`"`)
	}
	if s.mode >= 0 {
		mode := s.rootMode()
		data = append(data, mode.legacy())
	}
	for i := range s.Params {
		data = append(data, s.Params[i].legacy())
	}
	return strings.Join(data, ",")
}

// mountLegacy mounts with mount(2), whose parameters have a page of room. It takes no fd for the
// place, but the current directory is one. It is changed by each step that needs it, so it isn't
// restored.
func (mr *mounter) mountLegacy(i int, s *filesystem, target int) error {
	m := s.Mount
	before, err := placeOf(target)
	if err != nil {
		return err
	}
	if err := unix.Fchdir(target); err != nil {
		return fmt.Errorf("fchdir: %w", err)
	}
	flags := m.Attr.Set | m.Super.Set
	if m.readonlyLate() {
		flags &^= unix.MS_RDONLY
	}
	if err := unix.Mount(m.name(), ".", m.Type, uintptr(flags), s.legacyData()); err != nil {
		return linux.NameCall("mount", err)
	}
	// The new mount is only to be had by its path. If that leads elsewhere now, somebody is at it.
	fd, err := mr.root.lookup(m.Destination, 0)
	if err != nil {
		return err
	}
	after, err := placeOf(fd)
	if err == nil && after.mount == before.mount {
		err = fmt.Errorf("%q was moved while something was mounted there", m.Destination)
	}
	if err == nil && m.CopyUp {
		err = copyUpTree(target, fd, mr.plan.CopyLimit)
	}
	if err == nil {
		err = decorate(fd, m)
	}
	if err != nil {
		unix.Close(fd)
		return err
	}
	mr.keep(i, fd, m)
	return nil
}
