package cgroups

import (
	"errors"
	"os"
	"time"

	"oci-run/internal/log"
	"oci-run/libcontainer/internal/cgroups/systemd"
)

// scope is what a command says to systemd about the unit of its container. It lives as long as the
// command: each conversation has a connection of its own.
type scope struct {
	*location
	mute bool // systemd did not answer in time
}

// How long a command waits for systemd; and how long if it has waited in vain already. Starting a
// unit takes milliseconds, but seconds were seen on busy hosts, and during a daemon-reload systemd
// answers nobody.
const (
	systemdTimeout = 20 * time.Second
	muteTimeout    = 500 * time.Millisecond
)

// dial connects to the manager that has the unit.
func (s *scope) dial() (*systemd.Conn, error) {
	timeout := systemdTimeout
	if s.mute {
		timeout = muteTimeout
	}
	c, err := systemd.Dial(s.record.Rootless, timeout)
	return c, s.heard(err)
}

// heard remembers that systemd did not answer in time: what is asked of it afterwards, to undo the
// rest, waits less. It returns err.
func (s *scope) heard(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.mute = true
	}
	return err
}

// managerCgroup asks the user's manager which cgroup it manages.
func (s *scope) managerCgroup() (string, error) {
	c, err := s.dial()
	if err != nil {
		return "", err
	}
	defer c.Close()
	group, err := c.ManagerString("ControlGroup")
	return group, s.heard(err)
}

// setUnit tells systemd about limits of the running scope. Unless told is nil, what systemd had
// been told before goes in front of it.
func (s *scope) setUnit(l *limits, told *[]systemd.Property, more ...systemd.Property) error {
	properties, err := s.properties(l)
	if err != nil {
		return err
	}
	if properties = append(properties, more...); len(properties) == 0 {
		return nil
	}
	c, err := s.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	if told != nil {
		before, err := c.Properties(s.record.Unit, properties)
		if err != nil {
			return s.heard(err)
		}
		*told = append(before, *told...) // of two values the older comes last, and counts
	}
	return s.heard(c.SetProperties(s.record.Unit, properties))
}

// toldPeriod is the period that systemd was told of, or else the one in force. Without a quota
// systemd writes its default into the file, but keeps what it was told.
func (s *scope) toldPeriod(inForce uint64) (uint64, error) {
	c, err := s.dial()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	told, err := c.Properties(s.record.Unit, []systemd.Property{{Name: "CPUQuotaPeriodUSec"}})
	if err != nil || len(told) != 1 {
		return inForce, s.heard(err)
	}
	if period, ok := told[0].Value.(uint64); ok && period != infinity {
		return period, nil
	}
	return inForce, nil
}

// Attaches tells whether ExecAttach can do what the kernel refuses the caller.
func (s *scope) Attaches() bool { return s.record.Driver == DriverSystemd && s.record.Mode == V2 }

// Foreign tells whether the container's scope has ended, and another container has one of the same
// name now. Only systemd knows.
func (s *scope) Foreign() (bool, error) {
	if s.record.Invocation == "" || !s.exists() {
		return false, nil
	}
	c, err := s.dial()
	if err != nil {
		return false, err
	}
	defer c.Close()
	foreign, err := c.Foreign(s.record.Unit, s.record.Invocation)
	return foreign, s.heard(err)
}

// stopUnit has systemd end the scope, and forget it. A scope whose cgroup is gone has ended by
// itself; then it doesn't matter if systemd can't be reached, as after the logout of the user whose
// manager it was. The result is that of Foreign.
func (s *scope) stopUnit() (foreign bool, err error) {
	exists := s.exists()
	c, err := s.dial()
	if err == nil {
		defer c.Close()
		if exists {
			foreign, err = c.StopUnit(s.record.Unit, s.record.Invocation)
		} else {
			foreign, err = c.ForgetUnit(s.record.Unit, s.record.Invocation)
		}
	}
	if err = s.heard(err); err != nil && !exists {
		log.Debug("systemd can't forget a unit whose cgroup is gone: " + err.Error())
		err = nil
	}
	return foreign, err
}
