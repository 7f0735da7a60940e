module oci-run/tests/oracle

go 1.26.0

require (
	github.com/godbus/dbus/v5 v5.1.0
	github.com/google/go-cmp v0.7.0
	oci-run v0.0.0
)

require golang.org/x/sys v0.49.0 // indirect

replace oci-run => ../..
