package log

import (
	"testing"

	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) { fdleak.Main(m) }
