package main

import (
	"oci-run/internal/cli"
	"oci-run/libcontainer"
)

// globalOptions can stand before and behind the verb.
var globalOptions = []cli.Option{
	{Name: "debug", Kind: cli.Boolean, Usage: "log what is done, step by step"},
	{Name: "log", Usage: "append log messages to `FILE` instead of standard error"},
	{Name: "log-format", Value: "text", Values: []string{"text", "json"}, Usage: "`FORMAT` of log messages: text or json"},
	{Name: "log-level", Value: "info", Values: []string{"debug", "info", "warn", "error"}, Usage: "least `LEVEL` of log messages: debug, info, warn or error"},
	{Name: "trace", Variable: "OCI_RUN_TRACE", Usage: "append a timeline of what is done to `FILE`, for Perfetto, or in OTLP/JSON if it ends in .otlp"},
	{Name: "root", Usage: "`DIR` for the state of containers (default /run/oci-run, or $XDG_RUNTIME_DIR/oci-run)"},
	{Name: "systemd-cgroup", Kind: cli.Boolean, Usage: "have systemd make the cgroups; cgroupsPath is then slice:prefix:name"},
	{Name: "cgroup-manager", Values: []string{"cgroupfs", "systemd", "disabled"}, Usage: "use `MANAGER` for cgroups: cgroupfs, systemd or disabled"},
	{Name: "seal", Value: "mount", Variable: "OCI_RUN_SEAL", Check: libcontainer.CheckSeal,
		Values: []string{"mount", "memfd"}, Usage: "the `FORM` in which containers see this binary: mount, which is read-only, or memfd, a copy in memory"},
	{Name: "rootless", Value: "auto", Values: []string{"true", "false", "auto"}, Usage: "tolerate missing privileges `WHEN`: true (always), false (never) or auto"},
}
