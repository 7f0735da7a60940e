package calls

// As an ELF header has them. A page is the largest that a kernel may use.
const (
	machine  = 183 // EM_AARCH64
	pageSize = 65536
)
