package cgroups

import (
	"flag"
	"testing"

	"oci-run/tests/isolation"
)

// TestMain asks for thousands of random resources, unless somebody names a number (-rapid.checks)
// or has no time (-short).
func TestMain(m *testing.M) {
	flag.Parse()
	checks := "1000"
	if testing.Short() {
		checks = "100"
	}
	flag.Visit(func(f *flag.Flag) {
		if f.Name == "rapid.checks" {
			checks = f.Value.String()
		}
	})
	for name, value := range map[string]string{"rapid.checks": checks, "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	isolation.Main(m) // not fdleak.Main: the library keeps /sys/fs/cgroup open
}
