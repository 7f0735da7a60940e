package seccomp

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// coldChild times the first compilation of a process.
func coldChild() {
	s := &specs.LinuxSeccomp{}
	try(json.Unmarshal([]byte(os.Getenv("PROFILE")), s))
	start := time.Now()
	_, _, err := Compile(s)
	duration := time.Since(start)
	try(err)
	fmt.Println(duration.Nanoseconds())
	os.Exit(0)
}

// cachedChild times what a cache of filters, named after the hash of the profile, would take
// instead of the compilation.
func cachedChild() {
	profile := []byte(os.Getenv("PROFILE"))
	start := time.Now()
	key := sha256.Sum256(profile)
	stored, err := os.ReadFile(os.Getenv("CACHE") + "/" + hex.EncodeToString(key[:]))
	try(err)
	_, err = Restore(stored)
	duration := time.Since(start)
	try(err)
	fmt.Println(duration.Nanoseconds())
	os.Exit(0)
}

func BenchmarkCompileCold(b *testing.B) {
	profile, err := os.ReadFile("testdata/docker.json")
	if err != nil {
		b.Fatal(err)
	}
	benchmarkCold(b, "cold", "PROFILE="+string(profile))
}

// BenchmarkCachedCold is what BenchmarkCompileCold would be with a cache.
func BenchmarkCachedCold(b *testing.B) {
	profile, err := os.ReadFile("testdata/docker.json")
	if err != nil {
		b.Fatal(err)
	}
	s := &specs.LinuxSeccomp{}
	if err := json.Unmarshal(profile, s); err != nil {
		b.Fatal(err)
	}
	filter, _, err := Compile(s)
	if err != nil {
		b.Fatal(err)
	}
	cache, key := b.TempDir(), sha256.Sum256(profile)
	if err := os.WriteFile(filepath.Join(cache, hex.EncodeToString(key[:])), filter.Store(), 0o600); err != nil {
		b.Fatal(err)
	}
	benchmarkCold(b, "cached", "PROFILE="+string(profile), "CACHE="+cache)
}

// benchmarkCold reports the median of what a child measures, once in each process.
func benchmarkCold(b *testing.B, name string, environment ...string) {
	var all []float64
	for b.Loop() {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(append(os.Environ(), childVariable+"="+name), environment...)
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		ns, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, ns)
	}
	slices.Sort(all)
	b.ReportMetric(all[len(all)/2], "ns/op")
}
