package seccomp

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// readTestProfile reads a profile of testdata.
func readTestProfile(t testing.TB, name string) *specs.LinuxSeccomp {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	s := &specs.LinuxSeccomp{}
	if err := json.Unmarshal(data, s); err != nil {
		t.Fatal(err)
	}
	return s
}

func BenchmarkCompileDocker(b *testing.B) {
	s := readTestProfile(b, "docker.json")
	b.ReportAllocs()
	length := 0
	for b.Loop() {
		f, _, err := Compile(s)
		if err != nil {
			b.Fatal(err)
		}
		length = f.Len()
	}
	b.ReportMetric(float64(length), "instructions")
}
