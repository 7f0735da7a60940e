package netdev

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"oci-run/specconv"
)

// Move is devices on their way from the runtime's network namespace to the container's.
type Move struct {
	from, to       *socket
	origin, target *os.File // the namespaces
	done           []moved
}

// moved is a device that has arrived.
type moved struct {
	link      // as it was
	addresses []address
	index     uint32 // as it is now
}

// Start moves devices into a network namespace, in which they keep their permanent addresses of
// global scope, and sets them up. The Move owns the namespace's file; the caller ends it with
// [Move.Keep] or [Move.Undo], also after an error. Errors are a *specconv.FieldError.
func Start(devices []Device, namespace *os.File) (*Move, error) {
	m := &Move{target: namespace}
	if err := m.open(); err != nil {
		return m, specconv.Field("/linux/netDevices", err)
	}
	for _, d := range devices {
		if err := m.device(d); err != nil {
			return m, specconv.Field(d.pointer(), err)
		}
	}
	return m, nil
}

func (m *Move) open() (err error) {
	// Of the calling thread: that of the process may be another one's.
	if m.origin, err = os.Open("/proc/thread-self/ns/net"); err != nil {
		return err
	}
	var a, b unix.Stat_t
	if unix.Fstat(int(m.origin.Fd()), &a) == nil && unix.Fstat(int(m.target.Fd()), &b) == nil && a.Dev == b.Dev && a.Ino == b.Ino {
		return errors.New("the container's network namespace is the runtime's: there is nowhere to move devices to")
	}
	if m.from, err = open(); err != nil {
		return err
	}
	m.to, err = openIn(m.target, m.origin)
	return err
}

// device moves one.
func (m *Move) device(d Device) error {
	l, err := m.find(d)
	if err != nil {
		return err
	}
	addresses, err := m.from.addresses(l.index)
	if err != nil {
		return err
	}
	index, err := m.free(d, l.index)
	if err != nil {
		return err
	}
	err = m.from.move(l.index, m.target, d.Target, index)
	if err == nil || m.arrived(index) {
		m.done = append(m.done, moved{l, addresses, index})
	}
	if err != nil {
		return fmt.Errorf("move network device %q to the container as %q: %w", d.Name, d.Target, err)
	}
	for i := range addresses {
		if a := &addresses[i]; a.moves() {
			if err := m.to.add(index, a, d.Target == d.Name); err != nil {
				return fmt.Errorf("add address %s to network device %q: %w", a, d.Target, err)
			}
		}
	}
	if err := m.to.setUp(index); err != nil {
		return fmt.Errorf("set network device %q up: %w", d.Target, err)
	}
	return nil
}

// find looks up a device of the runtime's namespace.
func (m *Move) find(d Device) (link, error) {
	list, err := m.from.links()
	if err != nil {
		return link{}, err
	}
	for _, l := range list {
		if l.name == d.Name {
			return l, nil
		}
	}
	return link{}, fmt.Errorf("network device %q does not exist in the runtime's network namespace: %w", d.Name, unix.ENODEV)
}

// free checks that the device's new name is not taken, and finds an index that is not: its own, if
// possible. "If a network device with the specified name already exists in the container namespace,
// the runtime MUST generate an error, unless the user has provided a template" (config-linux.md).
func (m *Move) free(d Device, index uint32) (uint32, error) {
	list, err := m.to.links()
	if err != nil {
		return 0, err
	}
	taken, highest := false, index
	for _, l := range list {
		if l.name == d.Target && !d.template() {
			return 0, fmt.Errorf("network device %q exists in the container's network namespace already: %w", d.Target, unix.EEXIST)
		}
		taken = taken || l.index == index
		highest = max(highest, l.index)
	}
	if taken {
		return highest + 1, nil
	}
	return index, nil
}

// arrived tells whether a move that failed has moved the device.
func (m *Move) arrived(index uint32) bool {
	list, err := m.to.links()
	if err != nil {
		return false
	}
	for _, l := range list {
		if l.index == index {
			return true
		}
	}
	return false
}

// Keep ends the move: the devices belong to the container's namespace from now on, and share its
// fate.
func (m *Move) Keep() {
	if m.to != nil {
		m.to.close()
	}
	if m.from != nil {
		m.from.close()
	}
	if m.origin != nil {
		m.origin.Close()
	}
	m.target.Close()
}

// Undo moves the devices back and gives them their names, addresses and state again, as far as the
// kernel lets it. The routes that led through a device are lost, like those of one that was set
// down.
func (m *Move) Undo() error {
	defer m.Keep()
	var failed []error
	for i := len(m.done) - 1; i >= 0; i-- {
		if err := m.back(&m.done[i]); err != nil {
			failed = append(failed, fmt.Errorf("move network device %q back: %w", m.done[i].name, err))
		}
	}
	return errors.Join(failed...)
}

func (m *Move) back(d *moved) error {
	if err := m.to.move(d.index, m.origin, d.name, d.link.index); err != nil {
		return err
	}
	var failed []error
	for i := range d.addresses {
		a := &d.addresses[i]
		if a.header[0] == unix.AF_INET6 && a.header[3] == unix.RT_SCOPE_LINK {
			continue // the kernel makes it when the device is up
		}
		if err := m.from.add(d.link.index, a, true); err != nil && !errors.Is(err, unix.EEXIST) {
			failed = append(failed, fmt.Errorf("add address %s: %w", a, err))
		}
	}
	if d.up {
		failed = append(failed, m.from.setUp(d.link.index))
	}
	return errors.Join(failed...)
}
