// Command gensyscalls writes the system call tables of package seccomp: one sorted list of all
// names, and for each architecture the number of each name.
//
// The numbers come from golang.org/x/sys/unix, whose zsysnum_linux_*.go are made from the kernel's
// headers, and for the ABIs that Go has no port for from tables/*.txt. Run it with go generate in
// libcontainer/internal/seccomp after an update of x/sys.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// An abi is one column of the generated table. Its numbers are those of x/sys for a GOARCH, or else
// those of tables/<table>.txt plus the numbers that all architectures share.
type abi struct {
	name   string
	goarch string
	table  string
}

var abis = []abi{
	{name: "X86", goarch: "386"},
	{name: "X86_64", goarch: "amd64"},
	{name: "X32", table: "x32"},
	{name: "ARM", goarch: "arm"},
	{name: "AARCH64", goarch: "arm64"},
	{name: "MIPS", goarch: "mips"},
	{name: "MIPS64", goarch: "mips64"},
	{name: "MIPS64N32", table: "mips64n32"},
	{name: "PPC", goarch: "ppc"},
	{name: "PPC64", goarch: "ppc64"},
	{name: "RISCV64", goarch: "riscv64"},
	{name: "S390", table: "s390"},
	{name: "S390X", goarch: "s390x"},
	{name: "PARISC", table: "parisc"},
	{name: "PARISC64", table: "parisc64"},
	{name: "LOONGARCH64", goarch: "loong64"},
	{name: "M68K", table: "m68k"},
	{name: "SH", table: "sh"},
}

const (
	// firstShared is the number from which on a system call has the same number everywhere,
	// pidfd_send_signal: since Linux 5.1 new calls are added to all tables at once.
	firstShared = 424
	// none, private and ipcBit mirror noNumber, privateBit and ipcBit of package seccomp.
	none    = 0xffff
	private = 0x8000
	ipcBit  = 0x80
)

// arm's private calls are arch/arm/include/uapi/asm/unistd.h, __ARM_NR_BASE (0xf0000) + n; x/sys
// has no names for them.
var armPrivate = map[string]int{
	"breakpoint": 1, "cacheflush": 2, "usr26": 3, "usr32": 4, "set_tls": 5, "get_tls": 6,
}

// frequent are the calls that programs make most. The search tree of a filter is weighted so that
// they are found in fewer steps.
var frequent = []string{
	"brk", "clock_gettime", "close", "epoll_pwait", "epoll_wait", "fcntl", "fstat", "futex", "getpid", "ioctl",
	"lseek", "madvise", "mmap", "mprotect", "munmap", "nanosleep", "newfstatat", "openat", "poll", "ppoll", "pread64",
	"pwrite64", "read", "readv", "recvfrom", "recvmsg", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sched_yield",
	"sendmsg", "sendto", "statx", "write", "writev",
}

// multiplexed are the calls that socketcall(2) and ipc(2) do, with their numbers there
// (linux/net.h, linux/ipc.h).
var multiplexed = map[string]int{
	"socket": 1, "bind": 2, "connect": 3, "listen": 4, "accept": 5, "getsockname": 6, "getpeername": 7,
	"socketpair": 8, "send": 9, "recv": 10, "sendto": 11, "recvfrom": 12, "shutdown": 13, "setsockopt": 14,
	"getsockopt": 15, "sendmsg": 16, "recvmsg": 17, "accept4": 18, "recvmmsg": 19, "sendmmsg": 20,
	"semop": ipcBit | 1, "semget": ipcBit | 2, "semctl": ipcBit | 3, "semtimedop": ipcBit | 4,
	"msgsnd": ipcBit | 11, "msgrcv": ipcBit | 12, "msgget": ipcBit | 13, "msgctl": ipcBit | 14,
	"shmat": ipcBit | 21, "shmdt": ipcBit | 22, "shmget": ipcBit | 23, "shmctl": ipcBit | 24,
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gensyscalls:", err)
		os.Exit(1)
	}
}

// run writes zsyscalls.go into the working directory, or to the file that the first argument names.
func run() error {
	out := "zsyscalls.go"
	if len(os.Args) > 1 {
		out = os.Args[1]
	}
	tables, err := load()
	if err != nil {
		return err
	}
	code, err := format.Source(render(tables))
	if err != nil {
		return fmt.Errorf("format %q: %w", out, err)
	}
	return os.WriteFile(out, code, 0o644)
}

func load() ([]map[string]int, error) {
	// Not `go list -m`, which names no directory for a module that hasn't been downloaded yet.
	out, err := exec.Command("go", "mod", "download", "-json", "golang.org/x/sys").Output()
	if err != nil {
		return nil, fmt.Errorf("go mod download golang.org/x/sys: %w", err)
	}
	var sys struct{ Dir string }
	if err := json.Unmarshal(out, &sys); err != nil {
		return nil, fmt.Errorf("go mod download golang.org/x/sys: %w", err)
	}
	unix := filepath.Join(sys.Dir, "unix")
	amd64, err := fromXSys(unix, "amd64")
	if err != nil {
		return nil, err
	}
	tables := make([]map[string]int, len(abis))
	for i, a := range abis {
		if a.goarch != "" {
			tables[i], err = fromXSys(unix, a.goarch)
		} else {
			tables[i], err = fromText(filepath.Join("gensyscalls", "tables", a.table+".txt"), amd64)
		}
		if err != nil {
			return nil, err
		}
	}
	return tables, nil
}

// fromXSys reads the constants SYS_* of one zsysnum_linux_*.go.
func fromXSys(dir, goarch string) (map[string]int, error) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, "zsysnum_linux_"+goarch+".go"), nil, 0)
	if err != nil {
		return nil, err
	}
	table := map[string]int{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		name := strings.ToLower(strings.TrimPrefix(spec.Names[0].Name, "SYS_"))
		if number, err := strconv.Atoi(literal.Value); err == nil && !isFiller(name) {
			table[name] = number
		}
		return true
	})
	if goarch == "arm" {
		for name, n := range armPrivate {
			table[name] = private + n
		}
	}
	return table, nil
}

// isFiller tells the constants of the kernel's headers that name no system call.
func isFiller(name string) bool {
	return name == "syscall_mask" || name == "arch_specific_syscall" ||
		strings.TrimRight(name, "0123456789") == "unused" || strings.TrimRight(name, "0123456789") == "reserved"
}

// fromText reads a file of name=number words and adds the numbers that all architectures share.
func fromText(path string, amd64 map[string]int) (map[string]int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	base := 0
	if strings.HasPrefix(filepath.Base(path), "mips64n32") {
		base = 6000
	}
	table := map[string]int{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		for word := range strings.FieldsSeq(line) {
			name, number, _ := strings.Cut(word, "=")
			n, err := strconv.Atoi(number)
			if err != nil {
				return nil, fmt.Errorf("%q: %q is not name=number", path, word)
			}
			table[name] = base + n
		}
	}
	for name, n := range amd64 {
		if n >= firstShared && table[name] == 0 {
			table[name] = base + n
		}
	}
	return table, nil
}

func render(tables []map[string]int) []byte {
	names := map[string]bool{}
	for _, t := range tables {
		for name := range t {
			names[name] = true
		}
	}
	sorted := slices.Sorted(maps.Keys(names))
	var b bytes.Buffer
	b.WriteString("// Code generated by gensyscalls; DO NOT EDIT.\n\npackage seccomp\n\n")
	fmt.Fprintf(&b, "// syscallCount is the number of names.\nconst syscallCount = %d\n\n", len(sorted))
	renderNames(&b, sorted)
	renderFrequent(&b, sorted)
	renderMultiplexed(&b, sorted)
	for i, a := range abis {
		fmt.Fprintf(&b, "var numbers%s = [syscallCount]uint16{\n", a.name)
		row := make([]int, len(sorted))
		for j, name := range sorted {
			row[j] = none
			if n, ok := tables[i][name]; ok {
				row[j] = n
			}
		}
		renderRow(&b, row)
	}
	return b.Bytes()
}

// renderNames writes the names as one string and the offset at which each begins.
func renderNames(b *bytes.Buffer, sorted []string) {
	b.WriteString("// syscallNames is all names in order; name i is syscallNames[nameOffsets[i]:nameOffsets[i+1]].\n")
	b.WriteString("const syscallNames = \"\" +\n")
	offsets := []int{0}
	for chunk := range slices.Chunk(sorted, 10) {
		fmt.Fprintf(b, "%q", strings.Join(chunk, ""))
		if chunk[len(chunk)-1] != sorted[len(sorted)-1] {
			b.WriteString(" +")
		}
		b.WriteString("\n")
		for _, name := range chunk {
			offsets = append(offsets, offsets[len(offsets)-1]+len(name))
		}
	}
	b.WriteString("\nvar nameOffsets = [syscallCount + 1]uint16{\n")
	renderRow(b, offsets)
}

func renderFrequent(b *bytes.Buffer, sorted []string) {
	var row []int
	for _, name := range frequent {
		if i, ok := slices.BinarySearch(sorted, name); ok {
			row = append(row, i)
		}
	}
	b.WriteString("// frequentSyscalls are the indices of the names that programs call most.\n")
	fmt.Fprintf(b, "var frequentSyscalls = [...]uint16{\n")
	renderRow(b, row)
}

func renderMultiplexed(b *bytes.Buffer, sorted []string) {
	row := make([]int, len(sorted))
	for i, name := range sorted {
		row[i] = multiplexed[name]
		if name == "socketcall" || name == "ipc" {
			fmt.Fprintf(b, "const syscall%s = %d\n\n", strings.ToUpper(name[:1])+name[1:], i)
		}
	}
	b.WriteString("// multiplexedCalls has for each name the number of the call behind socketcall or ipc, or 0.\n")
	b.WriteString("var multiplexedCalls = [syscallCount]uint8{\n")
	renderRow(b, row)
}

func renderRow(b *bytes.Buffer, row []int) {
	for chunk := range slices.Chunk(row, 16) {
		for _, n := range chunk {
			if n == none {
				b.WriteString("0xffff, ")
			} else {
				fmt.Fprintf(b, "%d, ", n)
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("}\n\n")
}
