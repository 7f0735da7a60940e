package main

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// singlePages is the part of a file that lies in the page cache in pages of their own, not in
// larger pieces, from 0 to 1: those of which /proc/kpageflags says neither that they are the head
// of a compound page nor in one (Documentation/admin-guide/mm/pagemap.rst). Needs CAP_SYS_ADMIN.
func singlePages(path string) (float64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	memory, err := unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return 0, os.NewSyscallError("mmap", err)
	}
	defer func() { _ = unix.Munmap(memory) }()
	frames, err := frames(memory)
	if err != nil {
		return 0, err
	}
	flags, err := os.Open("/proc/kpageflags")
	if err != nil {
		return 0, err
	}
	defer flags.Close()
	single := 0
	for _, frame := range frames {
		const compound = 1<<15 | 1<<16 // COMPOUND_HEAD, COMPOUND_TAIL
		var word [8]byte
		if _, err := flags.ReadAt(word[:], frame*8); err != nil {
			return 0, err
		}
		if binary.NativeEndian.Uint64(word[:])&compound == 0 {
			single++
		}
	}
	return float64(single) / float64(len(frames)), nil
}

// frames are the numbers of the physical pages behind a mapping, each of which it touches.
func frames(memory []byte) ([]int64, error) {
	pagemap, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return nil, err
	}
	defer pagemap.Close()
	var all []int64
	sum := byte(0)
	for at := 0; at < len(memory); at += os.Getpagesize() {
		sum += memory[at]
		var word [8]byte
		page := int64(uintptr(unsafe.Pointer(&memory[at]))) / int64(os.Getpagesize())
		if _, err := pagemap.ReadAt(word[:], page*8); err != nil {
			return nil, err
		}
		frame := int64(binary.NativeEndian.Uint64(word[:]) & (1<<55 - 1))
		if frame == 0 {
			return nil, errors.New("the numbers of physical pages are not shown")
		}
		all = append(all, frame)
	}
	runtime.KeepAlive(sum) // or the reads of frames could be left out
	return all, nil
}
