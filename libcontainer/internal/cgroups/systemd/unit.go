package systemd

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"oci-run/internal/log"
	"oci-run/libcontainer/internal/cgroups/systemd/dbus"
)

// StartUnit makes a transient unit with a process in it and waits until it is active. A failed unit
// of the same name, which systemd keeps for people to look at, gives way. The result is the unit's
// invocation id, which no other unit ever has, whatever its name is.
func (c *Conn) StartUnit(name string, pid int, properties []Property) (invocation string, err error) {
	if invocation, err = c.startUnit(name, uint32(pid), properties); err != nil {
		return "", fmt.Errorf("start systemd unit %q: %w", name, c.explain(err))
	}
	return invocation, nil
}

func (c *Conn) startUnit(name string, pid uint32, properties []Property) (string, error) {
	known := []Property(nil)
	err := c.retry(func() (err error) {
		known, err = c.known(properties)
		return err
	})
	if err != nil {
		return "", err
	}
	known = append(known, Property{Name: "PIDs", Value: []uint32{pid}})
	err = c.start(name, known)
	for interrupted(err) {
		// It has been asked for, and may have been made: systemd keeps units and jobs over its own
		// execution.
		if err = c.redial(); err == nil {
			err = c.resume(name, pid, known)
		}
	}
	if err != nil {
		c.clearFailed(name, err)
		return "", err
	}
	var id string
	err = c.retry(func() (err error) {
		id, err = c.invocation(name)
		return err
	})
	if isError(err, "NoSuchUnit") {
		return "", nil // the process has ended, and with it the unit; why is for whoever waits for the process to say
	}
	return id, err
}

// Exists tells whether StartUnit failed because there is a unit of that name, which is then
// somebody else's.
func Exists(err error) bool { return isError(err, "UnitExists") }

// clearFailed forgets a unit that did not start, so that the next of that name can. One that exists
// is somebody else's.
func (c *Conn) clearFailed(name string, err error) {
	if c.bus != nil && !Exists(err) {
		_ = c.resetFailed(name)
	}
}

func (c *Conn) start(name string, properties []Property) error {
	job, err := c.job("StartTransientUnit", name, "replace", propertyList(properties), noUnits{})
	if isError(err, "UnitExists") {
		if rerr := c.resetFailed(name); rerr != nil {
			return err
		}
		job, err = c.job("StartTransientUnit", name, "replace", propertyList(properties), noUnits{})
	}
	if err != nil {
		return err
	}
	result, err := c.await(job)
	if err == nil && result != "done" {
		err = fmt.Errorf("the result is %q", result)
	}
	return err
}

// job calls a method of the manager that answers with a job.
func (c *Conn) job(member string, args ...any) (string, error) {
	m, err := c.manager(member, args...)
	if err != nil {
		return "", err
	}
	d := m.Decoder()
	job := d.String()
	return job, d.Err()
}

// resume goes on with a start after a systemd that was executed anew: it waits for the unit if
// there is one, and asks for it again if not.
func (c *Conn) resume(name string, pid uint32, properties []Property) error {
	for {
		path, err := c.path("GetUnit", name)
		if isError(err, "NoSuchUnit") {
			return c.start(name, properties)
		}
		if err != nil {
			return err
		}
		state, err := c.unitString(path, "ActiveState")
		if err != nil {
			return err
		}
		switch state {
		case "active":
			if of, err := c.path("GetUnitByPID", pid); err == nil && of != path {
				return &dbus.Error{Name: destination + ".UnitExists", Text: "the unit holds other processes"}
			}
			return nil
		case "failed":
			return c.start(name, properties)
		}
		if time.Now().After(c.deadline) {
			return fmt.Errorf("it is still %s", state)
		}
		time.Sleep(redialStep)
	}
}

// path calls a method of the manager that answers with an object.
func (c *Conn) path(member string, args ...any) (string, error) { return c.job(member, args...) }

// StopUnit stops a unit, waits for that, and has systemd forget it. One that doesn't exist is no
// error. The invocation id that was noted at its start tells it from another unit that has its name
// now: such a foreign one is left alone.
func (c *Conn) StopUnit(name, invocation string) (foreign bool, err error) {
	return c.end("stop", name, invocation, c.stop)
}

// ForgetUnit has systemd forget a unit that failed, see StopUnit. One that is not there is no
// error.
func (c *Conn) ForgetUnit(name, invocation string) (foreign bool, err error) {
	return c.end("reset", name, invocation, c.resetFailed)
}

func (c *Conn) end(verb, name, invocation string, do func(string) error) (foreign bool, err error) {
	err = c.retry(func() (err error) {
		if foreign, err = c.foreign(name, invocation); err == nil && !foreign {
			err = do(name)
		}
		return err
	})
	if err != nil {
		return foreign, fmt.Errorf("%s systemd unit %q: %w", verb, name, err)
	}
	return foreign, nil
}

// Foreign tells whether another unit than the one with the noted invocation id has the name now,
// see StopUnit.
func (c *Conn) Foreign(name, invocation string) (bool, error) {
	return c.end("look up", name, invocation, func(string) error { return nil })
}

// foreign tells whether the unit of a name is another than the one that an invocation id was noted
// of.
func (c *Conn) foreign(name, invocation string) (bool, error) {
	if invocation == "" {
		return false, nil
	}
	now, err := c.invocation(name)
	if isError(err, "NoSuchUnit") {
		return false, nil
	}
	return now != "" && now != invocation, err
}

func (c *Conn) stop(name string) error {
	job, err := c.job("StopUnit", name, "replace")
	if isError(err, "NoSuchUnit") {
		return nil
	}
	if err != nil {
		return err
	}
	result, err := c.await(job)
	if err != nil {
		return err
	}
	if result != "done" {
		log.Warn(fmt.Sprintf("stop systemd unit %q: the result is %q", name, result))
	}
	return c.resetFailed(name)
}

// resetFailed has systemd forget a failed unit. One that is not loaded is not an error.
func (c *Conn) resetFailed(name string) error {
	_, err := c.manager("ResetFailedUnit", name)
	if isError(err, "NoSuchUnit") {
		return nil
	}
	return err
}

// invocation asks for the id that a loaded unit got when it was started, as hexadecimal digits; ""
// is one that never was.
func (c *Conn) invocation(name string) (string, error) {
	path, err := c.path("GetUnit", name)
	if err != nil {
		return "", err
	}
	v, err := c.get(path, unitName, "InvocationID")
	if err != nil {
		return "", err
	}
	id, ok := v.([]byte)
	if !ok {
		return "", fmt.Errorf("property InvocationID is a %T", v)
	}
	return hex.EncodeToString(id), nil
}

// SetProperties changes properties of a unit until it ends: all of them or, after an error, none.
func (c *Conn) SetProperties(name string, properties []Property) error {
	err := c.retry(func() error {
		known, err := c.known(properties)
		if err == nil && len(known) > 0 {
			_, err = c.manager("SetUnitProperties", name, true, propertyList(known))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("set properties of systemd unit %q: %w", name, err)
	}
	return nil
}

// Properties asks for the values that properties of a scope have now, for SetProperties to set
// again. Those that this systemd doesn't know are left out.
func (c *Conn) Properties(name string, properties []Property) ([]Property, error) {
	var out []Property
	err := c.retry(func() error {
		known, err := c.known(properties)
		if err != nil || len(known) == 0 {
			return err
		}
		path, err := c.path("GetUnit", name)
		out = nil
		for i := range known {
			if err != nil {
				return err
			}
			var v any
			v, err = c.get(path, scopeName, known[i].Name)
			out = append(out, Property{Name: known[i].Name, Value: v})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("properties of systemd unit %q: %w", name, err)
	}
	return out, nil
}

// Attach moves processes into a unit's cgroup, or one below it (Linux cgroup v2, systemd 238).
func (c *Conn) Attach(name, below string, pids []uint32) error {
	err := c.retry(func() error {
		_, err := c.manager("AttachProcessesToUnit", name, below, pids)
		return err
	})
	if err != nil {
		return fmt.Errorf("attach processes to systemd unit %q: %w", name, err)
	}
	return nil
}

// ManagerString reads a property of the manager that is a string, such as Version or ControlGroup.
func (c *Conn) ManagerString(property string) (text string, err error) {
	err = c.retry(func() (err error) {
		text, err = c.getString(managerPath, managerName, property)
		return err
	})
	return text, err
}

func (c *Conn) unitString(path, property string) (string, error) {
	return c.getString(path, unitName, property)
}

func (c *Conn) getString(path, iface, property string) (string, error) {
	v, err := c.get(path, iface, property)
	if err != nil {
		return "", fmt.Errorf("systemd property %s: %w", property, err)
	}
	text, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("systemd property %s is a %T, not a string", property, v)
	}
	return text, nil
}

// get reads a property of an object.
func (c *Conn) get(path, iface, property string) (any, error) {
	m, err := c.ask(path, "org.freedesktop.DBus.Properties", "Get", iface, property)
	if err != nil {
		return nil, err
	}
	values, err := m.Values()
	if err == nil && len(values) != 1 {
		err = errors.New("the answer has no value")
	}
	if err != nil {
		return nil, err
	}
	return values[0], nil
}
