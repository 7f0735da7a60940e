package calls

// As an ELF header has them. A page is the largest that a kernel may use.
const (
	machine  = 62 // EM_X86_64
	pageSize = 4096
)
