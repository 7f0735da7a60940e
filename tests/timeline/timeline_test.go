// Package timeline holds the timelines of real commands (--trace) against the formats' schemas and
// against the clock.
package timeline

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/sys/unix"
)

// schemas is where package trace keeps them.
const schemas = "../../internal/trace/testdata"

// event is one of Chrome's array.
type event struct {
	Name     string
	Ph       string
	Ts, Dur  float64 // microseconds
	Pid, Tid int
	Args     struct{ Container, Trace, Span, Parent, Error string }
}

// interval is a piece of time, in ns of CLOCK_MONOTONIC.
type interval struct{ begin, end int64 }

func (e *event) interval() interval {
	return interval{int64(e.Ts * 1000), int64((e.Ts + e.Dur) * 1000)}
}

func binary(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(cmp.Or(os.Getenv("OCI_RUN"), "../../bin/oci-run"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no binary to test (make build): %v", err)
	}
	return path
}

// bundle makes one whose program is an applet of busybox.
func bundle(t *testing.T, applet ...string) (dir string) {
	t.Helper()
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("no busybox here (Debian: apt-get install busybox-static)")
	}
	dir = t.TempDir()
	for _, d := range []string{"bin", "dev", "proc", "sys"} {
		if err := os.MkdirAll(filepath.Join(dir, "rootfs", d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rootfs/bin", applet[0]), program, 0o755); err != nil {
		t.Fatal(err)
	}
	spec := []string{"spec"}
	if os.Geteuid() != 0 {
		spec = append(spec, "--rootless")
	}
	command(t, dir, spec...)
	config := filepath.Join(dir, "config.json")
	var c map[string]any
	raw, err := os.ReadFile(config)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	process := c["process"].(map[string]any)
	process["terminal"], process["args"] = false, append([]string{"/bin/" + applet[0]}, applet[1:]...)
	c["linux"].(map[string]any)["cgroupsPath"] = "/oci-run-tests-" + name(dir)
	if raw, err = json.Marshal(c); err == nil {
		err = os.WriteFile(config, raw, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// name is the container's in a bundle.
func name(dir string) string { return "timeline-" + filepath.Base(filepath.Dir(dir)) }

// command runs oci-run in a directory, and returns when that began and ended.
func command(t *testing.T, dir string, args ...string) interval {
	t.Helper()
	cmd := exec.Command(binary(t), append([]string{"--root", filepath.Join(dir, "state")}, args...)...)
	cmd.Dir = dir
	// A file: for the end of a pipe, Run would wait for another thread.
	stderr, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	cmd.Stderr = stderr
	begin := monotonic(t)
	err = cmd.Run()
	end := monotonic(t)
	if err != nil {
		said, _ := os.ReadFile(stderr.Name())
		t.Fatalf("oci-run %s: %v: %s", strings.Join(args, " "), err, said)
	}
	return interval{begin, end}
}

func monotonic(t *testing.T) int64 {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return now.Nano()
}

// follows checks a document against a schema.
func follows(t *testing.T, schema string, document []byte) {
	t.Helper()
	compiled, err := jsonschema.NewCompiler().Compile(filepath.Join(schemas, schema))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	if err := compiled.Validate(parsed); err != nil {
		t.Errorf("%v in %s", err, document)
	}
}

// spans reads a timeline of Chrome's format.
func spans(t *testing.T, path string) (list []event) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	follows(t, "chrome.schema.json", text)
	var all []event
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Ph == "X" {
			list = append(list, e)
		}
	}
	return list
}

// steps are the times of all spans but the command's own.
func steps(all []event) (list []interval) {
	for _, e := range all {
		if e.Name != "run" {
			list = append(list, e.interval())
		}
	}
	return list
}

// covered is how much of a time the intervals cover, from 0 to 1.
func covered(whole interval, list []interval) float64 {
	slices.SortFunc(list, func(a, b interval) int { return cmp.Compare(a.begin, b.begin) })
	var sum int64
	at := whole.begin
	for _, i := range list {
		begin, end := max(i.begin, at), min(i.end, whole.end)
		if end > begin {
			sum += end - begin
			at = end
		}
	}
	return float64(sum) / float64(whole.end-whole.begin)
}

// What a run spends its time on is in its timeline: all but a twentieth of what whoever waits for
// it sees, with a program that takes 20 ms; all but a tenth with one that takes no time. What isn't
// covered is the kernel's: 0.1 ms until the process runs, 0.4 ms to take down its memory after its
// last write. What else the machine does adds to that alone: so the best of several counts, of more
// where a busy machine is in the way.
func TestSpansCoverARun(t *testing.T) {
	const runs, most = 40, 400
	for _, c := range []struct {
		applet []string
		least  float64
	}{{[]string{"usleep", "20000"}, 0.95}, {[]string{"true"}, 0.9}} {
		dir := bundle(t, c.applet...)
		var shares []float64
		for len(shares) < runs || len(shares) < most && slices.Max(shares) < c.least {
			path := filepath.Join(dir, "trace.json")
			wall := command(t, dir, "--trace", path, "run", name(dir))
			shares = append(shares, covered(wall, steps(spans(t, path))))
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(shares)
		best := shares[len(shares)-1]
		t.Logf("%s: the steps of a run cover %.3f of its wall time at best, %.3f in the median of %d", c.applet, best, shares[len(shares)/2], len(shares))
		if best < c.least {
			t.Errorf("%s: the steps of a run cover %.3f of its wall time at best, less than %.2f", c.applet, best, c.least)
		}
	}
}

// Within the time that the command takes for itself, from its start to its last write, next to
// nothing is without a name, whatever else the machine does: that holds for the median. The largest
// gaps are told, by the spans at their ends.
func TestSpansLeaveNoGap(t *testing.T) {
	const runs, least = 20, 0.95
	dir := bundle(t, "true")
	var shares []float64
	missing := map[string]int64{}
	for range runs {
		path := filepath.Join(dir, "trace.json")
		command(t, dir, "--trace", path, "run", name(dir))
		all := spans(t, path)
		root := slices.IndexFunc(all, func(e event) bool { return e.Name == "run" && e.Args.Parent == "" })
		if root < 0 {
			t.Fatal("there is no span of the command")
		}
		shares = append(shares, covered(all[root].interval(), steps(all)))
		gaps(all[root].interval(), all, missing)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(shares)
	names := slices.SortedFunc(maps.Keys(missing), func(a, b string) int { return cmp.Compare(missing[b], missing[a]) })
	t.Logf("the steps cover %.3f of the command's own time in the median of %d runs, %.3f at worst", shares[runs/2], runs, shares[0])
	for _, name := range names[:min(5, len(names))] {
		t.Logf("%.3f ms a run between %s", float64(missing[name])/runs/1e6, name)
	}
	if shares[runs/2] < least {
		t.Errorf("the steps cover %.3f of the command's own time in the median, less than %.2f", shares[runs/2], least)
	}
}

// gaps adds up what no span but the command's covers, by the ends of the spans on both sides.
func gaps(whole interval, all []event, sum map[string]int64) {
	list := slices.DeleteFunc(slices.Clone(all), func(e event) bool { return e.Name == "run" })
	slices.SortFunc(list, func(a, b event) int { return cmp.Compare(a.Ts, b.Ts) })
	at, last := whole.begin, "the beginning"
	for _, e := range list {
		i := e.interval()
		if i.begin > at {
			sum[last+" and "+e.Name] += i.begin - at
		}
		if i.end > at {
			at, last = i.end, e.Name
		}
	}
	if whole.end > at {
		sum[last+" and the end"] += whole.end - at
	}
}

func TestOTLP(t *testing.T) {
	dir := bundle(t, "true")
	path := filepath.Join(dir, "trace.otlp.json")
	before := time.Now().UnixNano()
	command(t, dir, "--trace", path, "run", name(dir))
	after := time.Now().UnixNano()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		follows(t, "otlp.schema.json", line)
		var request struct {
			ResourceSpans []struct {
				ScopeSpans []struct {
					Spans []struct {
						Begin int64 `json:"startTimeUnixNano,string"`
						End   int64 `json:"endTimeUnixNano,string"`
					}
				}
			}
		}
		if err := json.Unmarshal(line, &request); err != nil {
			t.Fatal(err)
		}
		for _, s := range request.ResourceSpans[0].ScopeSpans[0].Spans {
			// The start of the process is worked out, and the clock may be set a little meanwhile.
			if tolerance := int64(50 * time.Millisecond); s.Begin < before-tolerance || s.End > after+tolerance || s.End < s.Begin {
				t.Errorf("%+v is not between %d and %d", s, before, after)
			}
		}
	}
}
