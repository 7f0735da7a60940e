package cgroups

import (
	"errors"

	"github.com/opencontainers/runtime-spec/specs-go"
)

var errNoSystemd = errors.New("the systemd cgroup manager is not supported yet")

func (m *Manager) planUnit(*specs.Spec, Options) error    { return errNoSystemd }
func (m *Manager) startUnit(int) error                    { return errNoSystemd }
func (m *Manager) stopUnit() error                        { return errNoSystemd }
func (m *Manager) updateUnit(*specs.LinuxResources) error { return errNoSystemd }
