package systemd

import (
	"fmt"
	"log/slog"
)

// Property is a unit property. Its value is of a Go type that has a D-Bus type: a string, bool, integer or float64, or a
// slice of strings, bytes, uint32, uint64 or pairs of strings.
type Property struct {
	Name  string
	Value any
}

// StartUnit makes a transient unit and waits until it is active. A failed unit of the same name, which systemd keeps for
// people to look at, gives way.
func (c *Conn) StartUnit(name string, properties []Property) error {
	c.begin()
	job, err := c.startTransient(name, properties)
	if isError(err, "UnitExists") {
		if rerr := c.resetFailed(name); rerr != nil {
			return fmt.Errorf("start systemd unit %q: %w", name, err)
		}
		job, err = c.startTransient(name, properties)
	}
	if err != nil {
		return fmt.Errorf("start systemd unit %q: %w", name, err)
	}
	result, err := c.await(job)
	if err == nil && result != "done" {
		err = fmt.Errorf("the result is %q", result)
	}
	if err != nil {
		c.begin()
		_ = c.resetFailed(name)
		return fmt.Errorf("start systemd unit %q: %w", name, err)
	}
	return nil
}

func (c *Conn) startTransient(name string, properties []Property) (job string, err error) {
	e := &encoder{}
	e.string(name)
	e.string("replace")
	if err := encodeProperties(e, properties); err != nil {
		return "", err
	}
	e.array(8, func() {}) // auxiliary units
	m, err := c.manager("StartTransientUnit", "ssa(sv)a(sa(sv))", e.buf)
	if err != nil {
		return "", err
	}
	d := m.decoder()
	job = d.string()
	return job, d.err
}

func encodeProperties(e *encoder, properties []Property) (err error) {
	e.array(8, func() {
		for _, p := range properties {
			e.align(8)
			e.string(p.Name)
			if verr := e.variant(p.Value); verr != nil {
				err = fmt.Errorf("property %s: %w", p.Name, verr)
			}
		}
	})
	return err
}

// StopUnit stops a unit, waits for that, and has systemd forget it. One that doesn't exist is no error.
func (c *Conn) StopUnit(name string) error {
	c.begin()
	e := &encoder{}
	e.string(name)
	e.string("replace")
	m, err := c.manager("StopUnit", "ss", e.buf)
	if err == nil {
		d := m.decoder()
		job := d.string()
		var result string
		if err = d.err; err == nil {
			result, err = c.await(job)
		}
		if err == nil && result != "done" {
			slog.Warn(fmt.Sprintf("stop systemd unit %q: the result is %q", name, result))
		}
	}
	if err != nil && !isError(err, "NoSuchUnit") {
		return fmt.Errorf("stop systemd unit %q: %w", name, err)
	}
	return c.ForgetUnit(name)
}

// ForgetUnit has systemd forget a unit that failed. One that is not there is no error.
func (c *Conn) ForgetUnit(name string) error {
	c.begin()
	if err := c.resetFailed(name); err != nil {
		return fmt.Errorf("reset systemd unit %q: %w", name, err)
	}
	return nil
}

// resetFailed has systemd forget a failed unit. One that is not loaded is no error.
func (c *Conn) resetFailed(name string) error {
	e := &encoder{}
	e.string(name)
	_, err := c.manager("ResetFailedUnit", "s", e.buf)
	if isError(err, "NoSuchUnit") {
		return nil
	}
	return err
}

// SetProperties changes properties of a unit until it ends.
func (c *Conn) SetProperties(name string, properties []Property) error {
	if len(properties) == 0 {
		return nil
	}
	c.begin()
	e := &encoder{}
	e.string(name)
	e.value(true)
	if err := encodeProperties(e, properties); err != nil {
		return err
	}
	if _, err := c.manager("SetUnitProperties", "sba(sv)", e.buf); err != nil {
		return fmt.Errorf("set properties of systemd unit %q: %w", name, err)
	}
	return nil
}

// Attach moves processes into a unit's cgroup, or one below it (Linux cgroup v2, systemd 238).
func (c *Conn) Attach(name, below string, pids []uint32) error {
	c.begin()
	e := &encoder{}
	e.string(name)
	e.string(below)
	e.value(pids)
	if _, err := c.manager("AttachProcessesToUnit", "ssau", e.buf); err != nil {
		return fmt.Errorf("attach processes to systemd unit %q: %w", name, err)
	}
	return nil
}

// ManagerString reads a property of the manager that is a string, such as Version or ControlGroup.
func (c *Conn) ManagerString(property string) (string, error) {
	c.begin()
	e := &encoder{}
	e.string(managerName)
	e.string(property)
	m, err := c.call(destination, managerPath, "org.freedesktop.DBus.Properties", "Get", "ss", e.buf)
	if err != nil {
		return "", fmt.Errorf("systemd property %s: %w", property, err)
	}
	d := m.decoder()
	text, _ := d.basic(d.signature())
	return text, d.err
}

func (c *Conn) manager(member, sig string, body []byte) (*message, error) {
	return c.call(destination, managerPath, managerName, member, sig, body)
}
