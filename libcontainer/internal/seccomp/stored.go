package seccomp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// storedMagic begins a stored filter. It changes with the format, so that another oci-run than the
// one that stored a filter compiles the profile again instead of taking it for something else.
const storedMagic = "oci-run seccomp filter 1\n"

// errOtherFormat says that a stored filter is of another format.
var errOtherFormat = errors.New("stored seccomp filter: another format")

var errStored = errors.New("stored seccomp filter: it is damaged")

// Store encodes the filter for a file of this machine: compiling a profile takes as long as all
// else that an exec does.
func (f *Filter) Store() []byte {
	b := append(make([]byte, 0, len(f.Instructions)+256), storedMagic...)
	b = binary.LittleEndian.AppendUint32(b, f.Flags)
	notify := byte(0)
	if f.Notify {
		notify = 1
	}
	b = append(b, notify)
	for _, part := range []string{f.ListenerPath, f.ListenerMetadata, string(f.Instructions)} {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	return b
}

// Restore decodes what Store has made.
func Restore(b []byte) (*Filter, error) {
	b, ok := bytes.CutPrefix(b, []byte(storedMagic))
	if !ok {
		return nil, errOtherFormat
	}
	if len(b) < 5 || b[4] > 1 {
		return nil, errStored
	}
	f := &Filter{Flags: binary.LittleEndian.Uint32(b), Notify: b[4] == 1}
	b = b[5:]
	var parts [3][]byte
	for i := range parts {
		if len(b) < 4 || uint64(len(b)-4) < uint64(binary.LittleEndian.Uint32(b)) {
			return nil, errStored
		}
		n := int(binary.LittleEndian.Uint32(b))
		parts[i], b = b[4:4+n], b[4+n:]
	}
	f.ListenerPath, f.ListenerMetadata, f.Instructions = string(parts[0]), string(parts[1]), parts[2]
	if len(b) != 0 || f.Len() == 0 || len(f.Instructions)%sizeofInstruction != 0 {
		return nil, fmt.Errorf("%w: %d bytes of instructions, %d too many", errStored, len(f.Instructions), len(b))
	}
	return f, nil
}
