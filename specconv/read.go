package specconv

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
)

// maxInput bounds what is read into memory. Engines write 10 to 100 kB.
const maxInput = 64 << 20

// ReadConfig reads a config.json, which is a regular file.
func ReadConfig(path string) ([]byte, error) { return readFile(path, 0) }

// readFile reads a regular file, or one of another type too. It opens without blocking: a named
// pipe that nobody writes to is empty.
func readFile(path string, too fs.FileMode) ([]byte, error) {
	f, err := files.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if kind := fi.Mode().Type(); kind != 0 && kind != too {
		return nil, fmt.Errorf("read %q: not a regular file (it is %s)", path, kindOf(kind))
	}
	return read(f, fi.Size())
}

// kindOf says in words what a file of another type is.
func kindOf(kind fs.FileMode) string {
	switch kind {
	case fs.ModeDir:
		return "a directory"
	case fs.ModeNamedPipe:
		return "a named pipe"
	case fs.ModeSocket:
		return "a socket"
	}
	return "a device"
}

// read reads an open file, which has size bytes or, if that is 0, any number of them.
func read(f *os.File, size int64) ([]byte, error) {
	raw := make([]byte, 0, min(size, maxInput)+512)
	for {
		n, err := f.Read(raw[len(raw):cap(raw)])
		raw = raw[:len(raw)+n]
		switch {
		case len(raw) > maxInput:
			return nil, fmt.Errorf("read %q: more than the %d bytes that a configuration may have", f.Name(), maxInput)
		case err == io.EOF:
			return raw, nil
		case err != nil:
			return nil, fmt.Errorf("read %q: %w", f.Name(), err)
		case len(raw) == cap(raw):
			raw = append(raw, 0)[:len(raw)]
		}
	}
}

// Document is a part of a configuration that the user gives to a command.
type Document struct {
	name string
	at   string
	raw  []byte
}

// ReadDocument decodes a document into an empty value: the one in a file, or on standard input if
// stdin is not nil. The file may be a pipe as well (`--process <(jq …)`, /dev/stdin), but nothing
// that has no end, such as /dev/zero. at is the pointer of the document in a config.json. Warnings
// are for the user; they and errors name the place.
func ReadDocument(path, at string, stdin *os.File, value any) (d *Document, warnings []string, err error) {
	if d, err = readDocument(path, at, stdin); err != nil {
		return nil, nil, err
	}
	ignored, err := Decode(d.raw, value)
	return d, texts(ignored, d.Locate), locateIn(d.name, d.raw, err)
}

// ReadStrictly is ReadDocument for a document that is the user's own, and no bundle's: a property
// that nothing knows is an error, where the specification has a bundle's be ignored.
func ReadStrictly(path, at string, stdin *os.File, value any) (*Document, error) {
	d, err := readDocument(path, at, stdin)
	if err != nil {
		return nil, err
	}
	report, err := decode(d.raw, value)
	if err == nil && len(report.Unknown) > 0 {
		u := report.Unknown[0]
		pointer, name := unknownAt(d.raw, u)
		err = Fieldf(pointer, "%s", unknownText(name, u))
	}
	return d, locateIn(d.name, d.raw, err)
}

// readDocument reads a document that nobody has looked at.
func readDocument(path, at string, stdin *os.File) (d *Document, err error) {
	d = &Document{name: path, at: at}
	if stdin != nil {
		d.name = "standard input"
		d.raw, err = read(stdin, 0)
	} else {
		d.raw, err = readFile(path, fs.ModeNamedPipe)
	}
	return d, err
}

// Locate is [Bundle.Locate] for what comes of a document. Without one it returns the error as
// it is.
func (d *Document) Locate(err error) error {
	if d == nil {
		return err
	}
	if fe, ok := errors.AsType[*FieldError](err); ok && fe.Error() == err.Error() { // nothing is lost
		own := *fe
		own.Pointer = strings.TrimPrefix(fe.Pointer, d.at)
		err = &own
	}
	return locateIn(d.name, d.raw, err)
}
