package rootfs

import (
	"golang.org/x/sys/unix"

	"oci-run/internal/linux"
)

// remount changes what is mounted at the destination: the mount's attributes, and unless it is a
// bind mount the filesystem's parameters.
func (mr *mounter) remount(m *Mount) error {
	fd, err := mr.root.lookup(m.Destination, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if _, err := mr.root.checkTarget(fd, m); err != nil {
		return err
	}
	if m.Kind != Bind && (len(m.Params) > 0 || !m.Super.empty()) {
		if err := reconfigure(fd, m); err != nil {
			return err
		}
	}
	if m.Given {
		if err := applyAttr(fd, m.Attr); err != nil {
			return err
		}
	}
	return decorate(fd, m)
}

func reconfigure(fd int, m *Mount) error {
	ctx, err := linux.Fspick(fd)
	if err != nil {
		return err
	}
	defer unix.Close(ctx)
	if err := m.given(false, configure(ctx)); err != nil {
		return explain(ctx, err)
	}
	if err := linux.FsconfigReconfigure(ctx); err != nil {
		return explain(ctx, err)
	}
	return nil
}
