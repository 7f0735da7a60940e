package seccomp

// Marks in the tables of numbers, which have 16 bits an entry.
const (
	// noNumber stands for a call that the architecture does not have.
	noNumber = 0xffff
	// privateBit stands for arm's __ARM_NR_BASE, and is above each number of a table.
	privateBit  = 0x8000
	privateBase = 0x0f0000
)

// syscallName gives the name with an index.
func syscallName(index int) string {
	return syscallNames[nameOffsets[index]:nameOffsets[index+1]]
}

// lookUpSyscall gives the index of a name in the tables of numbers.
func lookUpSyscall(name string) (index int, known bool) {
	low, high := 0, syscallCount
	for low < high {
		middle := int(uint(low+high) / 2)
		switch found := syscallName(middle); {
		case found == name:
			return middle, true
		case found < name:
			low = middle + 1
		default:
			high = middle
		}
	}
	return 0, false
}

// number gives the number that a call, named by its index, has on the architecture.
func (a *architecture) number(index int) (number uint32, exists bool) {
	n := uint32(a.numbers[index])
	switch {
	case n == noNumber:
		return 0, false
	case n >= privateBit:
		return privateBase + n - privateBit, true
	}
	return a.base + n, true
}
