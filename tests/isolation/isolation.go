// Package isolation keeps a package's tests apart from whoever runs them, and from one another's
// threads.
//
// A test process inherits a umask, ignored signals and an environment. What it starts inherits
// them in turn, and behaves differently under nohup(1), in a cron job and in a terminal. Each
// package says in one of its test files:
//
//	func TestMain(m *testing.M) { isolation.Main(m) }
//
// or leaves that to fdleak.Main.
package isolation

import (
	"os"
	"os/signal"
	"os/user"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// The process's first thread is the main goroutine's, from its beginning to its end. It is what
// /proc/self shows, and it never ends. A test that locks a goroutine to its thread and changes
// that thread's namespaces would otherwise get the first one now and then: every later look at
// /proc/self/mountinfo would then be at the wrong mounts. A test binary that plays init in
// TestMain is on that thread for the same reason. Only an init function can arrange it:
// by the time main runs, the main goroutine may have moved to another thread.
func init() { runtime.LockOSThread() }

// Main runs the tests apart from the caller and exits with their status.
func Main(m *testing.M) { os.Exit(Run(m)) }

// first carries what is to run on the first thread.
var first = make(chan func())

// Run is [Main] without the exit.
func Run(m *testing.M) int {
	fromCaller()
	code := make(chan int)
	go func() { code <- m.Run() }()
	for {
		select {
		case f := <-first:
			f()
		case status := <-code:
			return status
		}
	}
}

// OnFirstThread runs f on the process's first thread, where no test runs otherwise.
func OnFirstThread(f func()) {
	done := make(chan struct{})
	first <- func() { defer close(done); f() }
	<-done
}

// fromCaller undoes what the caller has left to this process and all that it starts.
func fromCaller() {
	syscall.Umask(0o022)
	defaultSignals()
	ownEnvironment()
}

// defaultSignals gives what the tests start the default action for each signal. A signal that is
// ignored stays ignored across execve(2), one that is caught doesn't; and Go leaves some alone
// that its caller ignores (SIGHUP, SIGINT and those of job control).
func defaultSignals() {
	var none [64]byte // a struct kernel_sigaction with SIG_DFL, sigaction(2)
	for _, n := range ignored() {
		if n == sigCancel || n == sigSetXID {
			_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(n), uintptr(unsafe.Pointer(&none)), 0, 8, 0, 0)
			continue
		}
		// Nobody reads: this process goes on ignoring it.
		signal.Notify(make(chan os.Signal, 1), n)
	}
}

// The two signals that the C library keeps to itself. GNU make leaves them ignored in what it
// starts (posix_spawn(3) of glibc before 2.38), and neither Go nor env(1) can change that.
const (
	sigCancel = syscall.Signal(32)
	sigSetXID = syscall.Signal(33)
)

// ignored lists the signals that this process ignores: signal.Ignored knows only of SIGHUP and
// SIGINT.
func ignored() (list []syscall.Signal) {
	status, _ := os.ReadFile("/proc/self/status")
	_, after, _ := strings.Cut(string(status), "\nSigIgn:\t")
	mask, _ := strconv.ParseUint(after[:min(16, len(after))], 16, 64)
	for n := range 64 {
		if mask&(1<<n) != 0 {
			list = append(list, syscall.Signal(n+1))
		}
	}
	return list
}

// kept are the variables of the environment that tests are given: how to find programs and the Go
// command's files, and what the tests themselves ask for. A pattern's end may be a star.
var kept = []string{
	"PATH", "HOME", "USER", "TMPDIR", "GO*", "CGO_*", "CC", "XDG_CACHE_HOME",
	"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy", "SSL_CERT_*",
	"OCI_RUN*", "RUNTIME", "V", "BATCH_EMULATOR", "ENGINE_CONFIGS", "ORACLE_*",
}

// longestTemporary leaves room for a test's name, number and socket: an address of unix(7) has 108
// bytes.
const longestTemporary = 24

// ownEnvironment removes the rest: a language, a notification socket, a shell's start file.
func ownEnvironment() {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if !keeps(name) {
			os.Unsetenv(name)
		}
	}
	if len(os.Getenv("TMPDIR")) > longestTemporary {
		os.Unsetenv("TMPDIR")
	}
	if _, found := os.LookupEnv("HOME"); !found {
		// The Go command, which some tests run, wants a cache.
		if u, err := user.LookupId(strconv.Itoa(os.Getuid())); err == nil {
			os.Setenv("HOME", u.HomeDir)
		}
	}
}

func keeps(name string) bool {
	return slices.ContainsFunc(kept, func(pattern string) bool {
		prefix, wild := strings.CutSuffix(pattern, "*")
		return name == pattern || wild && strings.HasPrefix(name, prefix)
	})
}
