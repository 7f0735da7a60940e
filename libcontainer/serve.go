package libcontainer

import (
	"errors"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/hooks"
	"oci-run/internal/log"
	"oci-run/libcontainer/internal/calls"
	"oci-run/libcontainer/internal/idmap"
	"oci-run/libcontainer/internal/initproc"
	"oci-run/libcontainer/internal/process"
	"oci-run/libcontainer/internal/rootfs"
	"oci-run/libcontainer/internal/spawn"
	"oci-run/specconv"
)

// server does what is asked of a create while its init, or its builder, works off steps.
type server struct {
	create *creation
	idmaps *idmap.Namespaces // for idmapped mounts
}

// close gives up what was only needed meanwhile.
func (s *server) close() {
	if s.idmaps != nil {
		s.idmaps.Close()
	}
}

// Limits implements syncpipe.Handler.
func (s *server) Limits() error { return limit(&s.create.plan.init.Process, s.create.init.PID) }

// limit sets the limits of a process that may not raise them itself.
func limit(p *process.Plan, pid int) error {
	return calls.Here(func(l *calls.List) { p.AddRlimits(l, pid) })
}

// Hooks implements syncpipe.Handler: the namespaces exist, the root is not changed yet.
func (s *server) Hooks() error {
	h := s.create.bundle.Spec.Hooks
	st := hookState(s.create.record, specs.StateCreating, s.create.init.PID)
	if err := hooks.Run("prestart", h.Prestart, st); err != nil { // deprecated, and used by Docker before 28
		return initproc.HookField(err)
	}
	if err := hooks.Run("createRuntime", h.CreateRuntime, st); err != nil {
		return initproc.HookField(err)
	}
	return s.create.moves()
}

// moves makes sure that hooks have not left a container frozen whose init is to go on: create would
// wait for it for ever. Who froze it may want it so; to thaw it is not ours.
func (c *creation) moves() error {
	still, err := c.plan.cgroup.StandsStill()
	if err == nil && still {
		return specconv.Field("/hooks", errors.New("the hooks have left the container's cgroup frozen, and its init can't go on"))
	}
	return nil // what can't be known is not an error
}

// Log implements syncpipe.Handler.
func (s *server) Log(level int, text string) {
	log.Log(log.Level(level), text)
}

// MountFD implements syncpipe.Handler.
func (s *server) MountFD(index int) (*os.File, error) {
	mounts, err := openNamespace(s.create.init.PID, "mnt")
	if err != nil {
		return nil, err
	}
	defer mounts.Close()
	ids, err := s.mapping(index)
	if err != nil {
		return nil, err
	}
	return rootfs.SourceFD(&s.create.plan.init.Root, index, mounts, ids)
}

// mapping returns the user namespace whose mapping an idmapped mount gets: that of the
// container, or one made for all mounts with these mappings. It is nil for a mount without
// mapping.
func (s *server) mapping(index int) (*os.File, error) {
	m := s.create.plan.init.Root.Mounts[index].IDMap
	if m == nil {
		return nil, nil // no mapping is not an error
	}
	if s.idmaps == nil {
		s.idmaps = idmap.NewNamespaces(func(uids, gids []idmap.Mapping) (*os.File, error) {
			linux := s.create.bundle.Spec.Linux
			if idmap.Equal(uids, linux.UIDMappings) && idmap.Equal(gids, linux.GIDMappings) {
				return openNamespace(s.create.init.PID, "user")
			}
			return spawn.UserNamespace(func(pid int) error { return idmap.Write(pid, uids, gids) })
		})
	}
	if len(m.UID) == 0 {
		linux := s.create.bundle.Spec.Linux
		return s.idmaps.Get(linux.UIDMappings, linux.GIDMappings)
	}
	return s.idmaps.Get(m.UID, m.GID)
}
