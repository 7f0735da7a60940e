package systemd

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// realManager connects to the systemd that runs here, if a test may make units of its.
func realManager(t *testing.T) *Conn {
	t.Helper()
	if os.Getenv("OCI_RUN_TEST_SYSTEMD") == "" {
		t.Skip("for systemd (OCI_RUN_TEST_SYSTEMD=1)")
	}
	if user := os.Getuid(); user != 0 {
		t.Setenv("XDG_RUNTIME_DIR", "/run/user/"+strconv.Itoa(user)) // the test's environment is nobody's
	}
	c, err := Dial(os.Getuid() != 0, 10*time.Minute) // for all of a test, emulated
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// startReal starts a scope with a process in it, with properties as they are.
func startReal(t *testing.T, c *Conn, name string, properties ...Property) error {
	t.Helper()
	sleep := exec.Command("sleep", "1000")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = sleep.Process.Kill()
		_ = sleep.Wait()
	}()
	properties = append(properties, Property{Name: "PIDs", Value: []uint32{uint32(sleep.Process.Pid)}}, Property{Name: "Delegate", Value: true})
	if err := c.start(name, properties); err != nil {
		return err
	}
	id, err := c.invocation(name)
	if err != nil || len(id) != 32 {
		t.Errorf("invocation %q, %v", id, err)
	}
	if foreign, err := c.StopUnit(name, "00000000000000000000000000000000"); !foreign || err != nil {
		t.Errorf("a foreign unit: %v, %v", foreign, err)
	}
	if foreign, err := c.StopUnit(name, id); foreign || err != nil {
		t.Errorf("the own unit: %v, %v", foreign, err)
	}
	return nil
}

// values are some for the properties of the table, and for others that the baseline has to have.
var values = map[string]any{
	"ManagedOOMMemoryPressure": "auto", "ManagedOOMMemoryPressureDurationUSec": uint64(2e6), "ManagedOOMMemoryPressureLimit": uint32(1 << 30),
	"ManagedOOMPreference": "none", "ManagedOOMSwap": "auto", "MemoryZSwapMax": uint64(1 << 30), "MemoryZSwapWriteback": true,
	"OOMPolicy": "kill", "RuntimeRandomizedExtraUSec": uint64(1), "StartupAllowedCPUs": []byte{1}, "StartupAllowedMemoryNodes": []byte{1},

	"AllowedCPUs": []byte{1}, "AllowedMemoryNodes": []byte{1}, "CPUQuotaPerSecUSec": uint64(500000), "CPUQuotaPeriodUSec": uint64(100000),
	"CPUWeight": uint64(100), "CollectMode": "inactive", "DefaultMemoryLow": uint64(0), "DefaultMemoryMin": uint64(0), "IOWeight": uint64(100),
	"FinalKillSignal": int32(9), "MemoryHigh": uint64(1 << 30), "MemoryLow": uint64(0), "MemoryMax": uint64(1 << 30), "MemoryMin": uint64(0),
	"MemorySwapMax": uint64(1 << 30), "RestartKillSignal": int32(15), "RuntimeMaxUSec": uint64(1e12), "TasksMax": uint64(100),
	"TimeoutStopUSec": uint64(1e6), "IPAccounting": true, "StartupCPUWeight": uint64(100), "StartupIOWeight": uint64(100),
}

// The table is what this systemd says: it takes a property from the version on that stands there,
// and refuses it before.
func TestRealVersions(t *testing.T) {
	c := realManager(t)
	version, err := c.askVersion()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("systemd %d", version)
	for _, y := range younger {
		if values[y.name] == nil {
			t.Errorf("no value to try %s with", y.name)
		}
	}
	// The later ones of 252's stable releases have OOMPolicy, too; which of them did not begin
	// with.
	check := func(p Property) {
		err := startReal(t, c, "oci-run-test-"+strconv.Itoa(os.Getpid())+".scope", p)
		if takes := err == nil; takes != (version >= least(&p)) && !(takes && p.Name == "OOMPolicy" && version == 252) {
			t.Errorf("%s=%v: systemd %d says %v; the table says %d", p.Name, p.Value, version, err, least(&p))
		}
	}
	for name, value := range values {
		check(Property{Name: name, Value: value})
	}
	check(Property{Name: "CPUWeight", Value: uint64(0)})
}
