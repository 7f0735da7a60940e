package libcontainer

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"oci-run/internal/excerpt"
	"oci-run/libcontainer/internal/rootfs"
)

// outline is text with a heading for each subject, and a line for each thing.
type outline struct{ strings.Builder }

// section begins a subject, unless it has no lines.
func (o *outline) section(heading string, lines ...string) {
	if len(lines) == 0 {
		return
	}
	if o.Len() > 0 {
		o.WriteByte('\n')
	}
	o.WriteString(heading + "\n")
	for _, line := range lines {
		o.WriteString("  " + excerpt.Printable(line) + "\n")
	}
}

// Text is the preview for people.
func (v *Preview) Text() string {
	var o outline
	o.section("Container "+strconv.Quote(v.ID), v.whole()...)
	o.section("Warnings", v.Warnings...)
	o.section("Namespaces", v.namespaces()...)
	o.section("Cgroup", v.cgroup()...)
	o.section("Mounts, in this order", v.mounts()...)
	o.section("Device nodes", v.devices()...)
	o.section("Masked", v.Masked...)
	o.section("Read-only", v.Protected...)
	o.section("Sysctls", assignments(v.Sysctl)...)
	o.section("Process", v.process()...)
	o.section("Seccomp filter", v.filter()...)
	o.section("Hooks", v.hooks()...)
	o.section("Steps", v.Steps...)
	o.section("System calls of the process", v.calls()...)
	return o.String()
}

func (v *Preview) whole() []string {
	lines := []string{"bundle " + v.Bundle, "root " + v.Root}
	if v.Readonly {
		lines[1] += ", read-only"
	}
	if v.Propagation != "" {
		lines[1] += ", " + v.Propagation
	}
	for _, name := range [...]struct{ what, value string }{{"host name", v.Hostname}, {"domain name", v.Domainname}} {
		if name.value != "" {
			lines = append(lines, name.what+" "+name.value)
		}
	}
	return append(lines, "way "+v.Way+": "+v.Why)
}

func (v *Preview) namespaces() (lines []string) {
	for _, ns := range v.Namespaces {
		if ns.Path == "" {
			lines = append(lines, ns.Type+": new")
		} else {
			lines = append(lines, ns.Type+": joins "+ns.Path)
		}
	}
	for _, line := range v.UIDMappings {
		lines = append(lines, "uids: "+line)
	}
	for _, line := range v.GIDMappings {
		lines = append(lines, "gids: "+line)
	}
	return lines
}

func (v *Preview) cgroup() []string {
	c := v.Cgroup
	lines := []string{fmt.Sprintf("%s, %s", c.Driver, c.Mode)}
	if c.Unit != "" {
		lines = append(lines, "unit "+c.Unit+" in "+c.Slice)
	}
	for _, dir := range c.Directories {
		lines = append(lines, "directory "+dir)
	}
	for _, dir := range c.Left {
		lines = append(lines, "without "+dir+", where the caller may make none")
	}
	if c.Owner != nil {
		lines = append(lines, fmt.Sprintf("handed over to uid %d", *c.Owner))
	}
	for _, file := range c.Files {
		lines = append(lines, fmt.Sprintf("write %q to %s, %s (%s)", file.Value, file.Path, file.When, file.Field))
	}
	for _, text := range v.Converted {
		lines = append(lines, "converted: "+text)
	}
	for _, text := range c.Properties {
		lines = append(lines, "property "+text)
	}
	for _, text := range c.Devices {
		lines = append(lines, "devices: "+text)
	}
	return lines
}

func (v *Preview) mounts() (lines []string) {
	for i := range v.Mounts {
		lines = append(lines, mountText(&v.Mounts[i]))
	}
	return lines
}

func mountText(m *rootfs.MountLine) string {
	text := m.Destination + ": " + m.Type
	if m.Source != "" {
		text += " of " + m.Source
	}
	if m.Resolved != "" {
		text += " (" + m.Resolved + ")"
	}
	if options := slices.Concat(m.Flags, m.Parameters); len(options) > 0 {
		text += ", " + strings.Join(options, ",")
	}
	return strings.Join(append([]string{text}, m.Also...), "; ")
}

func (v *Preview) devices() (lines []string) {
	for _, d := range v.Devices {
		lines = append(lines, fmt.Sprintf("%s: %s %s, mode %s, owner %d:%d", d.Path, d.Type, d.Number, d.Mode, d.UID, d.GID))
	}
	return lines
}

func assignments(values map[string]string) (lines []string) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		lines = append(lines, name+" = "+values[name])
	}
	return lines
}

func (v *Preview) process() []string {
	p := v.Process
	if p == nil {
		return nil
	}
	lines := []string{
		fmt.Sprintf("arguments %q", p.Args), "working directory " + p.Cwd,
		fmt.Sprintf("user %d:%d, groups %v, umask %s", p.UID, p.GID, p.Groups, p.Umask),
		fmt.Sprintf("terminal %t, no_new_privs %t", p.Terminal, p.NoNewPrivileges),
	}
	for _, name := range [...]struct{ what, value string }{{"SELinux label", p.SELinux}, {"AppArmor profile", p.AppArmor}} {
		if name.value != "" {
			lines = append(lines, name.what+" "+name.value)
		}
	}
	if p.OOMScoreAdj != nil {
		lines = append(lines, fmt.Sprintf("oom_score_adj %d", *p.OOMScoreAdj))
	}
	lines = append(lines, p.Rlimits...)
	for _, entry := range p.Env {
		lines = append(lines, "environment "+entry)
	}
	c := v.Capabilities
	return append(lines, "CapInh "+c.Inheritable, "CapPrm "+c.Permitted, "CapEff "+c.Effective, "CapBnd "+c.Bounding, "CapAmb "+c.Ambient,
		"bounding set: "+orNone(strings.Join(c.Names, " ")))
}

func (v *Preview) filter() []string {
	s := v.Seccomp
	if s == nil {
		return nil
	}
	lines := []string{
		fmt.Sprintf("%d instructions for %s", s.Instructions, strings.Join(s.Architectures, " ")), "otherwise " + s.Default,
	}
	lines = append(lines, s.Actions...)
	if len(s.Flags) > 0 {
		lines = append(lines, "flags "+strings.Join(s.Flags, " "))
	}
	if s.Listener != "" {
		lines = append(lines, "listener "+s.Listener)
	}
	if len(s.Unknown) > 0 {
		lines = append(lines, "not known to any Linux: "+strings.Join(s.Unknown, " "))
	}
	return lines
}

func (v *Preview) hooks() (lines []string) {
	for _, h := range v.Hooks {
		line := fmt.Sprintf("%s, %s: %s %q", h.Moment, h.When, h.Path, h.Args)
		if h.Timeout != nil {
			line += fmt.Sprintf(", for %d s at most", *h.Timeout)
		}
		lines = append(lines, line)
	}
	return lines
}

func (v *Preview) calls() (lines []string) {
	for i, c := range v.Calls {
		line := fmt.Sprintf("%d %s", i+1, c.Call)
		if c.Purpose != "" && !strings.HasPrefix(c.Call, c.Purpose+"(") {
			line += ": " + c.Purpose
		}
		if len(c.Tolerates) > 0 {
			line += " (tolerates " + strings.Join(c.Tolerates, ", ") + ")"
		}
		lines = append(lines, line)
	}
	return lines
}
