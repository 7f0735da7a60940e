package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"oci-run/internal/log"
	"oci-run/internal/oncejson"
	"oci-run/libcontainer/internal/criu"
	"oci-run/libcontainer/internal/namespaces"
	"oci-run/libcontainer/internal/rootfs"
	"oci-run/libcontainer/internal/sdnotify"
	"oci-run/libcontainer/internal/state"
	"oci-run/specconv"
)

// descriptorsFile is where the images hold what standard input, output and error were, in the form
// of runc and crun: three texts in JSON.
const descriptorsFile = "descriptors.json"

// imagesMode lets a process of a user namespace, as which CRIU restores, find out which images
// aren't there. Those that are belong to their owner alone.
const imagesMode = 0o711

// The configuration file for CRIU that prevails over all options: its annotation, which may be
// empty for none, and what it is without one.
const (
	criuConfigAnnotation = "org.criu.config"
	criuConfig           = "/etc/criu/runc.conf"
)

// Checkpoint writes the container's processes to files. Unless the options leave it running, the
// container then is deleted.
func (c *Container) Checkpoint(o *criu.Options) error {
	dir, err := c.lock()
	if err != nil {
		return err
	}
	defer dir.Close()
	status, err := c.status(dir)
	if err != nil {
		return err
	}
	if waits, err := c.waits(dir); err != nil {
		return err
	} else if status == Paused && waits {
		status = specs.StateCreated
	}
	if err := toCheckpoint.require(c.record.ID, status); err != nil {
		return err
	}
	if err := os.MkdirAll(o.Images, imagesMode); err != nil {
		return err
	}
	if err := o.Check(); err != nil {
		return err
	}
	request, err := c.dumpRequest(dir, o.PreDump)
	if err != nil {
		return err
	}
	if err := c.dump(o, request); err != nil {
		return err
	}
	if o.LeaveRunning || o.PreDump {
		return nil
	}
	// The images are complete. What can't be removed now, delete removes later.
	if err := c.awaitDumped(); err != nil {
		log.Warn(err.Error())
	}
	if err := c.destroy(dir, specs.StateStopped); err != nil {
		log.Warn(err.Error())
	}
	return nil
}

// dump has CRIU write its images, and writes ours beside them: what is there of an earlier
// checkpoint counts until this one has succeeded.
func (c *Container) dump(o *criu.Options, request *criu.DumpRequest) error {
	if o.PreDump {
		return criu.Dump(o, request)
	}
	descriptors, err := newDescriptors(o.Images, c.record.Stdio)
	if err != nil {
		return err
	}
	if err := criu.Dump(o, request); err != nil {
		descriptors.discard()
		return err
	}
	return descriptors.commit()
}

// awaitDumped waits for the end of a process that CRIU has killed.
func (c *Container) awaitDumped() error {
	for deadline := time.Now().Add(killTimeout); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if alive, err := c.record.Init.Alive(); err != nil || !alive {
			return err
		}
	}
	return nil // destroy kills it once more, and says so if that is in vain
}

// dumpRequest collects what CRIU can't know. Of a container that is dumped in advance, only the
// memory is written.
func (c *Container) dumpRequest(dir *state.Dir, advance bool) (*criu.DumpRequest, error) {
	spec, err := c.spec(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(sdnotify.Dir(dir.Path())); err == nil && spec.Process != nil {
		sdnotify.AddTo(spec, sdnotify.Dir(dir.Path()))
	}
	plan, err := rootfs.NewPlan(spec, rootfs.Options{Bundle: c.record.Bundle})
	if err == nil {
		err = plan.Restorable()
	}
	if err != nil {
		return nil, err
	}
	r := &criu.DumpRequest{PID: c.record.Init.PID, Root: c.record.Rootfs, Config: criuConfigOf(spec.Annotations)}
	cgroup, err := c.cgroup()
	if err != nil {
		return nil, err
	}
	if cgroup != nil {
		plan.Cgroups = visibleCgroups(cgroup)
		r.Freezer = cgroup.Path("freezer")
	}
	if r.Namespaces, err = c.foreignNamespaces(spec); err != nil || advance {
		return r, err
	}
	r.External, err = dumpedMounts(plan, r.PID)
	return r, err
}

// foreignNamespaces lists the namespaces that were given by path and that a restored container is
// handed again.
func (c *Container) foreignNamespaces(spec *specs.Spec) (list []criu.Namespace, err error) {
	if spec.Linux == nil {
		return nil, nil
	}
	for _, ns := range spec.Linux.Namespaces {
		kind, known := namespaces.Lookup(ns.Type)
		if !known || ns.Path == "" || !criu.Handed(kind.Proc) {
			continue
		}
		name := "/proc/" + strconv.Itoa(c.record.Init.PID) + "/ns/" + kind.Proc
		var st unix.Stat_t
		if err := unix.Stat(name, &st); err != nil {
			return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
		}
		list = append(list, criu.Namespace{Kind: kind.Proc, Ino: st.Ino})
	}
	return list, nil
}

// dumpedMounts lists the mounts that are the host's, by the places where they are.
func dumpedMounts(plan *rootfs.Plan, pid int) (list []criu.External, err error) {
	view, err := rootfs.OpenView(pid)
	if err != nil {
		return nil, err
	}
	defer view.Close()
	for _, e := range plan.Externals() {
		if place, _, found := view.Place(e.Name); found {
			list = append(list, criu.External{Key: place, Value: e.Name})
		}
	}
	for _, place := range plan.Masks(view) {
		list = append(list, criu.External{Key: place, Value: rootfs.NullDevice().Name})
	}
	return list, nil
}

func criuConfigOf(annotations map[string]string) string {
	if file, given := annotations[criuConfigAnnotation]; given {
		return file
	}
	return criuConfig
}

// stdioPipes tells which of our standard input, output and error, which the container's process
// inherits, are pipes: a restored one gets other ones in their place.
func stdioPipes() []string {
	const pipeFS = 0x50495045 // PIPEFS_MAGIC; a named pipe is in some other file system, and goes by its path
	var pipes []string
	for fd := range 3 {
		var st unix.Stat_t
		var sf unix.Statfs_t
		if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO || unix.Fstatfs(fd, &sf) != nil || sf.Type != pipeFS {
			continue
		}
		if pipes == nil {
			pipes = make([]string, 3)
		}
		pipes[fd] = "pipe:[" + strconv.FormatUint(st.Ino, 10) + "]"
	}
	return pipes
}

// newDescriptors writes the file of descriptors, under another name. What could not be replaced is
// noticed while the container runs.
func newDescriptors(images string, stdio []string) (*pendingFile, error) {
	name := filepath.Join(images, descriptorsFile)
	if info, err := os.Lstat(name); err == nil && info.IsDir() {
		return nil, fmt.Errorf("replace %q: %w", name, unix.EISDIR)
	}
	if stdio == nil {
		stdio = make([]string, 3)
	}
	raw, err := oncejson.Encode(stdio)
	if err != nil {
		return nil, fmt.Errorf("encode %q: %w", descriptorsFile, err)
	}
	return newPendingFile(name, raw, 0o600)
}

// loadDescriptors reads what newDescriptors, runc or crun have written. Without it no pipe is
// replaced.
func loadDescriptors(images string) (stdio []string, err error) {
	name := filepath.Join(images, descriptorsFile)
	raw, err := specconv.ReadConfig(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = oncejson.Decode(raw, &stdio)
	}
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	return stdio, nil
}
