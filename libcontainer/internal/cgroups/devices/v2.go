package devices

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"oci-run/specconv"
)

// ErrTooMany is part of the error for rules that no device program can hold. A user without CAP_BPF
// gets it for programs of more than 4096 instructions, where shorter ones get EPERM
// (bpf_prog_load).
var ErrTooMany = errors.New("more than the kernel's verifier of eBPF programs checks (1000000 steps)")

// SetV2 makes p the device program of a v2 cgroup, in the place of one that was attached to it
// before. Programs that systemd or another cgroup above has attached go on to hold: access needs
// the consent of all. fresh says that the cgroup was just made, so that there can be none before.
func (p *Policy) SetV2(dir string, fresh bool) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %q: %w", dir, err)
	}
	defer unix.Close(fd)
	prog, err := load(p.program())
	if errors.Is(err, unix.E2BIG) {
		return specconv.Field("/linux/resources/devices", fmt.Errorf("%d rules are %w", len(p.exceptions), ErrTooMany))
	}
	if err != nil {
		return fmt.Errorf("load device program of cgroup %q: %w", dir, err)
	}
	defer unix.Close(prog)
	if err := attach(fd, prog, fresh); err != nil {
		return fmt.Errorf("attach device program to cgroup %q: %w", dir, err)
	}
	return nil
}

// attach adds a program to a cgroup, then takes away those that were there; with a single old one,
// both in one step.
func attach(cgroup, prog int, fresh bool) error {
	var old []int
	if !fresh {
		var err error
		if old, err = attached(cgroup); err != nil {
			return err
		}
	}
	defer func() {
		for _, fd := range old {
			unix.Close(fd)
		}
	}()
	a := attachAttr{target: uint32(cgroup), prog: uint32(prog), kind: unix.BPF_CGROUP_DEVICE, flags: unix.BPF_F_ALLOW_MULTI}
	if len(old) == 1 {
		a.flags |= unix.BPF_F_REPLACE
		a.replace = uint32(old[0])
		_, err := bpf(unix.BPF_PROG_ATTACH, unsafe.Pointer(&a), unsafe.Sizeof(a))
		return err
	}
	if _, err := bpf(unix.BPF_PROG_ATTACH, unsafe.Pointer(&a), unsafe.Sizeof(a)); err != nil {
		return err
	}
	for _, fd := range old {
		d := attachAttr{target: uint32(cgroup), prog: uint32(fd), kind: unix.BPF_CGROUP_DEVICE}
		if _, err := bpf(unix.BPF_PROG_DETACH, unsafe.Pointer(&d), unsafe.Sizeof(d)); err != nil {
			return err
		}
	}
	return nil
}

// The parts of union bpf_attr (linux/bpf.h) for the commands used. The kernel takes what is missing
// at the end for 0.
type (
	loadAttr struct {
		progType, count uint32
		insns, license  uint64
		logLevel, size  uint32
		log             uint64
		version, flags  uint32
		name            [16]byte
	}
	attachAttr struct{ target, prog, kind, flags, replace uint32 }
	// queryAttr goes on to the revision because Linux 6.17 to 7.1 write it whatever size they are
	// told.
	queryAttr struct {
		target, kind, query, flags   uint32
		ids                          uint64
		count, _                     uint32
		progFlags, links, linksFlags uint64
		revision                     uint64
	}
	idAttr struct{ id, next, flags uint32 }
)

const license = "Apache\x00" // no helper for GPL programs is called

// load gives a program to the verifier and returns its fd.
func load(program []byte) (int, error) {
	lic := []byte(license)
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&program[0])
	pin.Pin(&lic[0])
	a := loadAttr{
		progType: unix.BPF_PROG_TYPE_CGROUP_DEVICE,
		count:    uint32(len(program) / 8),
		insns:    uint64(uintptr(unsafe.Pointer(&program[0]))),
		license:  uint64(uintptr(unsafe.Pointer(&lic[0]))),
	}
	copy(a.name[:], "devices")
	// Signals, which the Go runtime sends to itself, interrupt the verifier.
	for try := 0; ; try++ {
		fd, err := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&a), unsafe.Sizeof(a))
		if !errors.Is(err, unix.EAGAIN) || try == 30 {
			return fd, err
		}
	}
}

// attached opens the device programs that are attached to the cgroup itself. One that a security
// module keeps from us is left where it is: it can only forbid more.
func attached(cgroup int) ([]int, error) {
	ids := make([]uint32, 64) // BPF_CGROUP_MAX_PROGS
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&ids[0])
	q := queryAttr{
		target: uint32(cgroup),
		kind:   unix.BPF_CGROUP_DEVICE,
		ids:    uint64(uintptr(unsafe.Pointer(&ids[0]))),
		count:  uint32(len(ids)),
	}
	if _, err := bpf(unix.BPF_PROG_QUERY, unsafe.Pointer(&q), unsafe.Sizeof(q)); err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	var fds []int
	for _, id := range ids[:q.count] {
		a := idAttr{id: id}
		fd, err := bpf(unix.BPF_PROG_GET_FD_BY_ID, unsafe.Pointer(&a), unsafe.Sizeof(a))
		if err == nil {
			fds = append(fds, fd)
		} else if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.ENOENT) {
			for _, fd := range fds {
				unix.Close(fd)
			}
			return nil, err
		}
	}
	return fds, nil
}

// bpf is bpf(2). The kernel makes every fd close-on-exec.
func bpf(cmd int, attr unsafe.Pointer, size uintptr) (int, error) {
	for {
		r, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(cmd), uintptr(attr), size)
		if errno == 0 {
			return int(r), nil
		}
		if errno != unix.EINTR {
			return -1, errno
		}
	}
}
