package cgroups

import "golang.org/x/sys/unix"

// location is where a container's cgroups are. It is the record, and lives as long as the
// container: all else in this package begins with it.
type location struct{ record Record }

// Record gives the data from which [Open] makes a Manager again. It is complete before Create.
func (l *location) Record() Record { return l.record }

// Mode tells the layout of the hierarchies that the container is in.
func (l *location) Mode() Mode { return l.record.Mode }

// Hierarchies lists the container's cgroup in each hierarchy; empty if it has none.
func (l *location) Hierarchies() []Hierarchy { return l.record.Hierarchies }

// Path gives the directory of the container's cgroup for a v1 controller; "" is the unified
// hierarchy, which on a pure v2 host holds every controller. The result is "" if there is none.
func (l *location) Path(controller string) string {
	if h := l.hierarchy(controller); h != nil {
		return h.Dir()
	}
	return ""
}

// directory gives the container's cgroup that has a controller.
func (l *location) directory(controller string) string {
	if l.record.Mode == V2 {
		controller = ""
	}
	return l.Path(controller)
}

// hierarchy finds the one that holds a controller, as [location.Path] does; nil if there is none.
func (l *location) hierarchy(controller string) *Hierarchy {
	for i := range l.record.Hierarchies {
		if h := &l.record.Hierarchies[i]; h.has(controller) || l.record.Mode == V2 {
			return h
		}
	}
	return nil
}

// hierarchyAt finds the one that is mounted there. [location.drop] moves them, so that a pointer to
// one is good until then only.
func (l *location) hierarchyAt(mount string) *Hierarchy {
	for i := range l.record.Hierarchies {
		if h := &l.record.Hierarchies[i]; h.Mount == mount {
			return h
		}
	}
	return nil
}

// indexOf finds the one that a user means by a controller, or by the name of a named hierarchy; -1
// if there is none.
func (l *location) indexOf(controller string) int {
	for i := range l.record.Hierarchies {
		if h := &l.record.Hierarchies[i]; h.has(controller) || h.has("name="+controller) {
			return i
		}
	}
	return -1
}

// drop forgets a hierarchy whose cgroup the caller may not use.
func (l *location) drop(h *Hierarchy) {
	for i := range l.record.Hierarchies {
		if &l.record.Hierarchies[i] == h {
			l.record.Hierarchies = append(l.record.Hierarchies[:i:i], l.record.Hierarchies[i+1:]...)
			return
		}
	}
}

// Dir is the directory of the cgroup that is asked for the container's processes; "" if it has
// none.
func (l *location) Dir() string {
	if h := l.keeper(); h != nil {
		return h.Dir()
	}
	return ""
}

// keeper is the hierarchy that is asked for the container's processes: the one whose membership
// they can change least.
func (l *location) keeper() *Hierarchy {
	for _, c := range [...]string{"devices", "freezer", "pids", ""} {
		if h := l.hierarchy(c); h != nil {
			return h
		}
	}
	if len(l.record.Hierarchies) > 0 {
		return &l.record.Hierarchies[0]
	}
	return nil
}

// exists tells whether the container still has a cgroup.
func (l *location) exists() bool {
	h := l.keeper()
	return h != nil && unix.Access(h.Dir(), unix.F_OK) == nil
}

// Pids lists the processes in the container's cgroup and the cgroups below it, as pids of the
// caller's pid namespace. A cgroup that doesn't exist has none.
func (l *location) Pids() ([]int, error) {
	h := l.keeper()
	if h == nil {
		return nil, nil
	}
	pids, err := pidsBelow(h.Dir())
	if gone(err) {
		return nil, nil
	}
	return pids, err
}
