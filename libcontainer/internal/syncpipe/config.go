package syncpipe

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"oci-run/internal/linux"
	"oci-run/libcontainer/internal/syncpipe/wire"
)

// File is an open file that goes with the plan, under a name that both ends know.
type File struct {
	Name string
	*os.File
}

// planName is the name of the memfd with a plan that is too long for a packet.
const planName = "plan"

// Config sends init its plan, which is plain data (package wire), and the files that belong to it.
// A packet has the names of its fds in front, and then the plan, unless one of the fds is that.
func (p *Parent) Config(plan any, files ...File) error {
	packet := configNames(files)
	front := len(packet)
	packet = wire.Append(packet, plan)
	if len(packet) >= maxPacket {
		f, err := memfd(planName, packet[front:])
		if err != nil {
			return err
		}
		defer f.Close()
		files = append([]File{{planName, f}}, files...)
		packet = configNames(files)
	}
	fds := make([]*os.File, len(files))
	for i := range files {
		fds[i] = files[i].File
	}
	return p.send(config, packet, fds...)
}

// configNames begins a packet, which has room for a usual plan.
func configNames(files []File) []byte {
	names := make([]string, len(files))
	for i := range files {
		names[i] = files[i].Name
	}
	return wire.Append(make([]byte, 0, 4096), &names)
}

// Config waits for the plan, which it decodes into what plan points to, and for the files that
// belong to it.
func (i *Init) Config(plan any) (*Files, error) {
	m, err := i.expect(config)
	if err != nil {
		return nil, err
	}
	var names []string
	encoded, err := wire.Cut(m.payload, &names)
	files := &Files{names, m.files}
	if err == nil {
		err = files.check()
	}
	if err == nil && slices.Contains(names, planName) {
		encoded, err = files.plan(encoded)
	}
	if err == nil {
		err = wire.Unmarshal(encoded, plan)
	}
	if err != nil {
		files.Close()
		return nil, fmt.Errorf("receive Config: %w", err)
	}
	return files, nil
}

// Files came with a plan. Each is taken once, by its name.
type Files struct {
	names []string
	files []*os.File
}

// check holds the names against the fds that came.
func (f *Files) check() error {
	if len(f.names) != len(f.files) {
		return fmt.Errorf("%d fds came for the names %q", len(f.files), f.names)
	}
	for i, name := range f.names {
		if slices.Contains(f.names[:i], name) {
			return fmt.Errorf("two fds are named %q", name)
		}
	}
	return nil
}

// plan reads the plan that came as a file, behind which nothing else may come.
func (f *Files) plan(packet []byte) ([]byte, error) {
	file, err := f.Take(planName)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if len(packet) > 0 {
		return nil, errors.New("a plan came in the packet, and another one as a file")
	}
	return readAll(file)
}

// Take returns the file with a name, which is the caller's then.
func (f *Files) Take(name string) (*os.File, error) {
	i := slices.Index(f.names, name)
	if i < 0 {
		return nil, fmt.Errorf("receive Config: no fd named %q came with the plan, only %q", name, f.names)
	}
	file := f.files[i]
	f.names, f.files = slices.Delete(f.names, i, i+1), slices.Delete(f.files, i, i+1)
	return file, nil
}

// Close is the end of taking: files that nobody has asked for are closed, and an error.
func (f *Files) Close() error {
	closeAll(f.files)
	if len(f.names) > 0 {
		return fmt.Errorf("receive Config: unexpected fds %q came with the plan", f.names)
	}
	return nil
}

// memfd puts data where the other end can read it, whatever its size.
func memfd(name string, data []byte) (*os.File, error) {
	fd, err := linux.Memfd(name, false)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.Write(data); err != nil {
		f.Close()
		return nil, err
	}
	if err := linux.Seal(int(f.Fd())); err != nil {
		f.Close()
		return nil, fmt.Errorf("seal %q: %w", name, err)
	}
	return f, nil
}

func readAll(f *os.File) ([]byte, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	data := make([]byte, size)
	_, err = f.ReadAt(data, 0)
	return data, err
}
