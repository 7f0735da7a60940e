package architecture

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ban is something that may not be in the shipped sources: an import ("regexp"), a symbol of a
// package ("fmt.Sscanf"; "fmt.Print*" stands for all that begin so) or a method. The packages in
// allowed are exempt.
type ban struct {
	what    string
	reason  string
	allowed []string
}

// bans: the reason stands beside each.
var bans = []ban{
	{"C", "cgo costs about a millisecond at each start, and there are two starts in a create", nil},
	{"net", "brings a resolver and its init work; unix sockets go through x/sys/unix", nil},
	{"net/http", "switches off the linker's pruning of methods", nil},
	{"crypto/tls", "a megabyte, and init work at each start", nil},
	{"text/template", "switches off the linker's pruning of methods", nil},
	{"html/template", "switches off the linker's pruning of methods", nil},
	{"os/user", "reads the host's users, where the container's are meant; without cgo it is half of itself", nil},
	{"plugin", "needs a dynamic binary", nil},
	{"regexp", "compiled at each start, slow at each use; the formats here are simple enough to parse by hand", nil},
	{"log", "internal/log is the one way to log, and its lines have the shape that engines parse", nil},
	{"log/slog", "a fiftieth of the binary, and encoding/json with it; internal/log is the one way to log, and libcontainer.SetLogger takes a *slog.Logger", nil},
	{"io/ioutil", "deprecated", nil},
	{"math/rand", "nothing here is random for fun; names come from crypto/rand or the kernel", nil},
	{"slices.SortStable*", "a copy of 8 KB for each type of element, where sort.SliceStable is one for all", []string{"main"}},
	{"reflect.DeepEqual", "11 KB, and nil is not empty to it", nil},
	{"reflect.ValueOf", "only decoders walk values; elsewhere it hides what is done", []string{"libcontainer/internal/syncpipe/wire", "internal/oncejson"}},
	{"reflect.Type*", "only decoders, and the check of config.json, walk types", []string{"internal/oncejson", "specconv"}},

	{"fmt.Sscan*", "slow, and takes more than it should: \"12abc\" is 12", nil},
	{"fmt.Print*", "stdout belongs to the container and to what engines parse; main writes to os.Stdout, in one piece", nil},
	{"os.Stdout", "only main prints: stdout belongs to the container and to what engines parse", []string{"main"}},
	{"os.Exit", "skips the deferred undo of what was begun; only main and init decide that a process ends", []string{"main", "libcontainer/internal/initproc"}},
	{"os.Setenv", "the environment of a child is built, not inherited from a changed one", nil},
	{"os.Chdir", "a process-wide fact that other goroutines rely on; hold a directory's descriptor", nil},
	{"path/filepath.EvalSymlinks", "resolves in the host's view what the container may change meanwhile; openat2 with RESOLVE_IN_ROOT", nil},
	{"github.com/cyphar/filepath-securejoin.SecureJoin", "returns a path, which can be swapped before it is used; hold a descriptor", nil},
	{"time.After", "a timer that isn't stopped outlives the select; context or time.NewTimer", nil},
	{"golang.org/x/sys/unix.Mount", "resolves its paths by itself, in a tree that a container may change; fsopen, open_tree and move_mount act on descriptors; rootfs falls back to it for a filesystem that fsopen can't make", []string{"libcontainer/internal/rootfs"}},
	{"golang.org/x/sys/unix.Openat2", "fails at random (EAGAIN) while anybody on the machine renames files; linux.Openat2 tries again", []string{"internal/linux"}},
	{"golang.org/x/sys/unix.Chroot", "leaves the old root within reach; pivot_root, except for --no-pivot on a root that can't be pivoted", []string{"libcontainer/internal/rootfs"}},
	{"golang.org/x/sys/unix.Kill", "a number may be another process's by now: a pidfd, or a child that nobody else reaps", []string{"hooks", "libcontainer/internal/spawn"}},
	{"syscall.Kill", "a number may be another process's by now: a pidfd, or a child that nobody else reaps", nil},
	{"syscall.ForkExec", "one place forks: spawn", nil},
	{"syscall.RawSyscall*", "made between fork and exec only, by a list of calls or in spawn", []string{"libcontainer/internal/spawn", "libcontainer/internal/calls"}},
}

func TestBans(t *testing.T) {
	used := map[string]bool{} // exemptions: "what package"
	for _, s := range shipped(t) {
		for n, what := range s.uses() {
			for _, b := range bans {
				switch {
				case !b.forbids(what):
				case slices.Contains(b.allowed, s.pkg):
					used[b.what+" "+s.pkg] = true
				default:
					t.Errorf("%s: %s: %s", s.at(n), what, b.reason)
				}
			}
		}
	}
	for _, b := range bans {
		for _, pkg := range b.allowed {
			if !used[b.what+" "+pkg] {
				t.Errorf("%s is allowed to use %s, and doesn't: take the exemption out", pkg, b.what)
			}
		}
	}
}

// uses yields what a file imports, and what it names of what it imports: "os", "os.Exit".
func (s source) uses() func(yield func(ast.Node, string) bool) {
	return func(yield func(ast.Node, string) bool) {
		imported := s.imported()
		for _, spec := range s.file.Imports {
			if target, _ := strconv.Unquote(spec.Path.Value); !yield(spec, target) {
				return
			}
		}
		more := true
		ast.Inspect(s.file, func(n ast.Node) bool {
			if selector, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := selector.X.(*ast.Ident); ok && imported[pkg.Name] != "" {
					more = more && yield(n, imported[pkg.Name]+"."+selector.Sel.Name)
				}
			}
			return more
		})
	}
}

// forbids tells whether a ban is about what is used.
func (b ban) forbids(what string) bool {
	prefix, wild := strings.CutSuffix(b.what, "*")
	return b.what == what || wild && strings.HasPrefix(what, prefix)
}

// initFunctions are the ones that may be, by file.
var initFunctions = []struct{ file, reason string }{
	{"libcontainer/internal/initproc/init.go", "only before main can a thread be held that is the process's first"},
	{"internal/entry/entry.go", "the limit of files is to be the caller's again before package os looks at it"},
	{"internal/mainstack/mainstack.go", "the stack is to have grown before other initialisers make it grow in steps"},
}

// Work at package level is paid by each command, and twice by create.
func TestNoInitFunctions(t *testing.T) {
	used := map[string]bool{}
	for _, s := range shipped(t) {
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv != nil || f.Name.Name != "init" {
				continue
			}
			used[s.path] = true
			if !slices.ContainsFunc(initFunctions, func(exempt struct{ file, reason string }) bool { return exempt.file == s.path }) {
				t.Errorf("%s: init() is paid by each command; call it where it is needed", s.at(f))
			}
		}
	}
	for _, exempt := range initFunctions {
		if !used[exempt.file] {
			t.Errorf("%s may have an init function, and has none: take the exemption out", exempt.file)
		}
	}
}

// The linker's back doors stay in the package whose subject they are.
func TestLinknames(t *testing.T) {
	const forks = "libcontainer/internal/spawn"
	used := false
	for _, s := range shipped(t) {
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				if !strings.HasPrefix(c.Text, "//go:linkname ") {
					continue
				}
				used = used || s.pkg == forks
				if s.pkg != forks {
					t.Errorf("%s: go:linkname is for the raw fork in %s only", s.at(c), forks)
				}
			}
		}
	}
	if !used {
		t.Errorf("%s may use go:linkname, and doesn't: take the exemption out", forks)
	}
}

// wordings are how an error doesn't begin: it says what was done to what, and the cause says that
// it didn't work.
var wordings = []string{"failed to ", "unable to ", "error while ", "could not ", "couldn't "}

// contractual texts hold such a wording all the same, because somebody looks for it.
var contractual = []struct{ text, reason string }{
	{"unable to apply cgroup configuration", "runc's words, which its conformance tests look for"},
	{"unable to set swap limit without memory limit", "runc's words, which its conformance tests look for"},
	{"unable to set memory limit to", "runc's words, which its conformance tests look for"},
	{"unable to apply both", "runc's words, which its conformance tests look for"},
	{"could not join or create cgroup", "runc's words, which its conformance tests look for"},
	{"failed to connect with seccomp agent", "runc's words, which its conformance tests look for"},
}

func TestErrorsSayWhatHappened(t *testing.T) {
	used := map[string]bool{} // exemptions
	for _, s := range shipped(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				return true
			}
			for _, exempt := range contractual {
				used[exempt.text] = used[exempt.text] || strings.Contains(text, exempt.text)
				text = strings.ReplaceAll(text, exempt.text, "")
			}
			for _, wording := range wordings {
				if strings.Contains(": "+text, ": "+wording) {
					t.Errorf("%s: %q: an error is operation, quoted object, cause; not %q", s.at(n), text, strings.TrimSpace(wording))
				}
			}
			return true
		})
	}
	for _, exempt := range contractual {
		if !used[exempt.text] {
			t.Errorf("no text says %q: take the exemption out", exempt.text)
		}
	}
}

// noNoun is how "isn't a number" doesn't read in English: "is no number". "There is no number" and
// "is no longer" are something else.
var noNoun = regexp.MustCompile(`(?i)(\bthere )?\b(is|are|was|were) no ([a-z]+)`)

func TestTextsNegateTheVerb(t *testing.T) {
	for text, want := range map[string]bool{
		"%q is no number": true, "these are no paths": true, "there is no cgroup": false, "it is no longer available": false,
	} {
		if wrongNegation(text) != want {
			t.Errorf("%q is refused: %v", text, !want)
		}
	}
	for _, s := range shipped(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			if text, err := strconv.Unquote(literal.Value); err == nil && wrongNegation(text) {
				t.Errorf("%s: %q: write \"is not a\" instead of \"is no\"", s.at(n), text)
			}
			return true
		})
	}
}

func wrongNegation(text string) bool {
	return slices.ContainsFunc(noNoun.FindAllStringSubmatch(text, -1), func(m []string) bool {
		return m[1] == "" && m[3] != "longer"
	})
}

// errorArgument is where the text of an error is, for the functions that make one.
var errorArgument = map[string]int{"fmt.Errorf": 0, "errors.New": 0, "oci-run/specconv.Fieldf": 1}

// Errors are chained: "create \"x\": mount \"y\": operation not permitted". A capital or a full
// stop reads wrong there.
func TestErrorsCanBeChained(t *testing.T) {
	for _, s := range shipped(t) {
		imported := s.imported()
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			selector, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := selector.X.(*ast.Ident)
			if !ok {
				return true
			}
			index, known := errorArgument[imported[pkg.Name]+"."+selector.Sel.Name]
			if !known || len(call.Args) <= index {
				return true
			}
			literal, ok := call.Args[index].(*ast.BasicLit)
			if !ok {
				return true
			}
			text, _ := strconv.Unquote(literal.Value)
			if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "!") {
				t.Errorf("%s: %q ends like a sentence, but more may follow", s.at(n), text)
			}
			return true
		})
	}
}

// == misses an error that something wrapped, and what package os returns is always wrapped.
func TestSentinelsAreComparedWithIs(t *testing.T) {
	sentinels := []string{"os.ErrNotExist", "os.ErrExist", "os.ErrPermission", "io/fs.Err*", "os/exec.ErrNotFound", "context.Canceled", "context.DeadlineExceeded"}
	matches := func(what string) bool {
		return slices.ContainsFunc(sentinels, func(pattern string) bool {
			ok, _ := path.Match(pattern, what)
			return ok
		})
	}
	for _, s := range shipped(t) {
		imported := s.imported()
		ast.Inspect(s.file, func(n ast.Node) bool {
			comparison, ok := n.(*ast.BinaryExpr)
			if !ok || comparison.Op != token.EQL && comparison.Op != token.NEQ {
				return true
			}
			for _, side := range []ast.Expr{comparison.X, comparison.Y} {
				selector, ok := side.(*ast.SelectorExpr)
				if !ok {
					continue
				}
				if pkg, ok := selector.X.(*ast.Ident); ok && matches(imported[pkg.Name]+"."+selector.Sel.Name) {
					t.Errorf("%s: compare with errors.Is: the error may be wrapped", s.at(n))
				}
			}
			return true
		})
	}
}
