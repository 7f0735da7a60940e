package architecture

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// What a binary may weigh. Its bytes are latency: they are copied into a sealed file at each
// create, and paged in at each start. Its initialisation runs before main does, in each command and
// again in init.
const (
	largestBinary = 5_400_000 // bytes
	mostInitBytes = 12_500
	mostInits     = 150 // allocations; 64 are sentinel errors and the like of packages without inlining
)

// kept out of the binary, however deep in some module.
var forbiddenPackages = []struct{ name, reason string }{
	{"runtime/cgo", "cgo: about a millisecond at each start"},
	{"text/template", "calls methods by name: the linker keeps every exported method"},
	{"html/template", "calls methods by name: the linker keeps every exported method"},
	{"net/http", "calls methods by name, and brings crypto/tls"},
	{"crypto/tls", "a megabyte, and init work at each start"},
	{"os/user", "reads the host's users; without cgo it is half of itself"},
	{"github.com/cilium/ebpf", "0.4 ms at each start"},
	{"google.golang.org/protobuf", "init work at each start"},
	{"gopkg.in/yaml.v3", "nothing here is YAML"},
}

// build makes the binary as the Makefile does, with more variables for make if given.
func build(t *testing.T, dir, output string, variables ...string) string {
	t.Helper()
	if !exists("main.go") {
		t.Skip("the tree has no main package yet")
	}
	cmd := exec.Command("make", append([]string{"--no-print-directory", "--silent", "-C", dir, "build", "BIN=" + output, "COMMIT=0"}, variables...)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "MAKEFLAGS=") || strings.HasPrefix(v, "MFLAGS=") || strings.HasPrefix(v, "MAKELEVEL=")
	})
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}
	return string(out)
}

func TestBinaryIsSmallStaticAndStripped(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "oci-run")
	build(t, root, binary)

	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.2f MB", float64(info.Size())/(1<<20))
	if info.Size() > largestBinary {
		t.Errorf("the binary has %d bytes, more than %d", info.Size(), largestBinary)
	}

	file, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if file.Type != elf.ET_EXEC {
		t.Errorf("the binary is %v: position-independent, which costs 0.4 ms at each start", file.Type)
	}
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP || segment.Type == elf.PT_DYNAMIC {
			t.Errorf("the binary has a %v segment: it isn't static", segment.Type)
		}
	}
	if section := file.Section(".symtab"); section != nil {
		t.Error("the binary has a symbol table: it isn't stripped")
	}
}

func TestBinaryInitialisesLittle(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "oci-run")
	build(t, root, binary)

	trace := initTrace(t, binary)
	// init internal/godebug @0.12 ms, 0.003 ms clock, 1024 bytes, 12 allocs
	line := regexp.MustCompile(`(?m)^init (\S+) @.* (\d+) bytes, (\d+) allocs$`)
	var total, allocs int
	for _, match := range line.FindAllStringSubmatch(trace, -1) {
		var size, count int
		fmt.Sscan(match[2], &size)
		fmt.Sscan(match[3], &count)
		total += size
		allocs += count
	}
	t.Logf("%d bytes in %d allocations", total, allocs)
	if total > mostInitBytes || allocs > mostInits {
		t.Errorf("package initialisation allocates %d bytes in %d pieces, more than %d or %d:\n%s", total, allocs, mostInitBytes, mostInits, trace)
	}
}

// initTrace is what the runtime tells about the initialisation of packages, in their order.
func initTrace(t *testing.T, binary string) string {
	t.Helper()
	cmd := exec.Command(binary, "--version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	var trace strings.Builder
	cmd.Stderr = &trace
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s --version: %v\n%s", binary, err, trace.String())
	}
	return trace.String()
}

// internal/godebug is the first package whose initialiser makes the main goroutine's stack grow.
func TestMainStackGrowsFirst(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "oci-run")
	build(t, root, binary)
	trace := initTrace(t, binary)
	ours, others := strings.Index(trace, "init oci-run/internal/mainstack "), strings.Index(trace, "init internal/godebug ")
	if ours < 0 || others < ours {
		t.Errorf("mainstack is not initialised before internal/godebug:\n%s", trace)
	}
}

// The program is entered at an instruction of ours, after which Go's runtime begins with one
// processor and looks for no limit of CPU time; and no package sees either of it.
func TestEntry(t *testing.T) {
	if !slices.Contains([]string{"amd64", "arm64"}, runtime.GOARCH) {
		t.Skipf("internal/entry has no code for %s", runtime.GOARCH)
	}
	binary := filepath.Join(t.TempDir(), "oci-run")
	build(t, root, binary)
	trace := initTrace(t, binary)
	ours := strings.Index(trace, "init oci-run/internal/entry ")
	for _, other := range []string{"syscall", "os"} {
		if at := strings.Index(trace, "init "+other+" "); ours < 0 || at >= 0 && at < ours {
			t.Errorf("entry is not initialised before %s:\n%s", other, trace)
		}
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace here (Debian: apt-get install strace)")
	}
	for _, c := range []struct {
		setting, redirection string
		looks                bool
	}{{"", "", false}, {"GOMAXPROCS=2", "", false}, {"", "<&-", true}} {
		cmd := exec.Command("sh", "-c", c.setting+" exec "+strace+" -e trace=openat,prlimit64 "+binary+" --version "+c.redirection)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
		if looks := strings.Contains(string(out), "/proc/self/mountinfo"); looks != c.looks {
			t.Errorf("%s %s: it looks for a limit of CPU time: %v, not %v\n%s", c.setting, c.redirection, looks, c.looks, out)
		}
	}
}

func TestBinaryHoldsNoForbiddenPackage(t *testing.T) {
	if !exists("main.go") {
		t.Skip("the tree has no main package yet")
	}
	cmd := exec.Command("go", "list", "-deps", "-tags=urfave_cli_no_template", ".")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list -deps: %v\n%s", err, stderr.Bytes())
	}
	linked := strings.Fields(string(out))
	for _, forbidden := range forbiddenPackages {
		if slices.Contains(linked, forbidden.name) {
			t.Errorf("the binary holds %s (%s); find why with: go list -deps -f '{{.ImportPath}}: {{.Imports}}' . | grep %s", forbidden.name, forbidden.reason, forbidden.name)
		}
	}
}

// When a method is looked up by a name that the linker can't know, it keeps each exported method of
// each type that is reachable: a third more binary. The linker itself says who does that.
func TestBinaryCallsNoMethodByName(t *testing.T) {
	edges := build(t, root, filepath.Join(t.TempDir(), "oci-run"), "LDFLAGS=-dumpdep")
	if !strings.Contains(edges, "main.main -> ") && !strings.Contains(edges, "main.main <") {
		t.Fatal("the linker's -dumpdep says nothing about main.main any more: look for another way to ask it")
	}
	reported := map[string]bool{}
	for line := range strings.Lines(edges) {
		caller, _, _ := strings.Cut(line, " -> ")
		if name, is := strings.CutSuffix(caller, " <ReflectMethod>"); is && !reported[name] {
			reported[name] = true
			t.Errorf("%s looks up methods by name: the linker keeps every exported method", name)
		}
	}
}

// The Makefile's settings replace those of main.go's go:debug lines.
func TestMakefileRepeatsGodebugLines(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(root, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`(?m)^GODEBUG_DEFAULT := (.*)$`).FindSubmatch(makefile)
	if match == nil {
		t.Fatal("the Makefile has no GODEBUG_DEFAULT")
	}
	settings := strings.Split(string(match[1]), ",")
	for _, line := range regexp.MustCompile(`(?m)^//go:debug (.*)$`).FindAllSubmatch(source, -1) {
		if !slices.Contains(settings, string(line[1])) {
			t.Errorf("go:debug %s of main.go is not in the Makefile's GODEBUG_DEFAULT", line[1])
		}
	}
}

// What the README promises: without make, and what make sets, there is a binary too.
func TestPlainGoBuildWorks(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	binary := filepath.Join(t.TempDir(), "oci-run")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", binary, ".")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	out, err := exec.Command(binary, "--version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "oci-run version ") {
		t.Errorf("oci-run --version: %v: %s", err, out)
	}
}

// The same sources give the same bytes, wherever they lie: so a release can be checked by whoever
// builds it again.
func TestBuildIsReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("builds twice")
	}
	dir := t.TempDir()
	elsewhere := filepath.Join(dir, "elsewhere")
	copySources(t, elsewhere)
	build(t, root, filepath.Join(dir, "here"))
	build(t, elsewhere, filepath.Join(dir, "there"))
	here, there := digest(t, filepath.Join(dir, "here")), digest(t, filepath.Join(dir, "there"))
	if here != there {
		t.Errorf("two builds differ: %x and %x", here, there)
	}
}

// copySources copies what a build reads.
func copySources(t *testing.T, to string) {
	t.Helper()
	read := []string{".go", ".s", ".mod", ".sum"}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && entry.Name() != ".." && strings.HasPrefix(entry.Name(), ".") {
			return cmp.Or(err, fs.SkipDir)
		}
		rel, _ := filepath.Rel(root, name)
		if slices.Contains(read, filepath.Ext(rel)) || rel == "Makefile" || rel == "VERSION" {
			copyFile(t, to, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, to, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(to, name)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(target, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func digest(t *testing.T, name string) [sha256.Size]byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(text)
}
