package cgroups

import (
	"testing"

	"oci-run/tests/isolation"
)

// Not fdleak.Main: the cgroups library, which the tests compare with, keeps /sys/fs/cgroup open.
func TestMain(m *testing.M) { isolation.Main(m) }
