package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) { fdleak.Main(m) }

// rounds makes a row whose samples take these milliseconds.
func rounds(scenario, runtime string, took ...float64) row {
	r := row{scenario: scenario, runtime: runtime}
	for _, t := range took {
		wall := time.Duration(t * float64(time.Millisecond))
		r.samples = append(r.samples, sample{wall: wall, cpu: wall / 2, faults: int64(t * 10)})
	}
	return r
}

// The page is well-formed, says what was found out, and draws each round.
func TestReport(t *testing.T) {
	r := report{
		facts:   []fact{{"kernel", "6.18 <test>"}},
		caveats: []string{"two CPUs & a hypervisor"},
		table: results{{
			rounds("run", "one", 1, 2, 3, 4, 5), rounds("run", "two", 2, 2, 2, 2, 900), {scenario: "run", runtime: "three", err: errors.New("it <failed>")},
		}},
		scale: scaleResults{
			{rounds("list", "one", 1, 2, 3), 10}, {rounds("list", "one", 4, 5, 6), 1000}, {row{scenario: "state", runtime: "one"}, 10},
		},
	}
	page := string(r.html())
	for _, must := range []string{
		"6.18 &lt;test&gt;", "two CPUs &amp; a hypervisor", "it &lt;failed&gt;", "<td>3.00</td>", // the first's median
		"<td>1.00</td></tr>", ">+1</text>", "polyline", "nothing was measured",
	} {
		if !strings.Contains(page, must) {
			t.Errorf("the page has no %s", must)
		}
	}
	if n := strings.Count(page, "<circle"); n != 18 {
		t.Errorf("%d dots for 10 rounds, of which one is beyond the edge, in two drawings", n)
	}
	d := xml.NewDecoder(strings.NewReader(strings.NewReplacer("<!doctype html>", "", `<meta charset="utf-8">`, "",
		`<meta name="viewport" content="width=device-width, initial-scale=1">`, "").Replace(page)))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestScaleHasRoundTicks(t *testing.T) {
	for _, most := range []float64{0.003, 0.9, 1, 1.1, 3, 7, 12, 55, 99, 101, 4321} {
		s := newScale(most, 0, 100)
		n, last := 0, 0.0
		s.ticks(func(at float64, _ string) { n, last = n+1, at })
		if s.top < most || s.top > 2*most || n < 3 || n > 12 || math.Abs(last-100) > 0.1 {
			t.Errorf("up to %g: %+v, %d ticks, the last at %g", most, s, n, last)
		}
	}
}

func TestParseScale(t *testing.T) {
	if got, err := parseScale("10,100"); err != nil || len(got) != 2 || got[1] != 100 {
		t.Errorf("%v, %v", got, err)
	}
	for _, wrong := range []string{"0", "-1", "x", "10,", "100,10"} {
		if _, err := parseScale(wrong); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
}

// A tmpfs without huge pages has each page by itself.
func TestSinglePages(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root sees the numbers of physical pages")
	}
	huge, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/shmem_enabled")
	if err == nil && !strings.Contains(string(huge), "[never]") {
		t.Skipf("huge pages on tmpfs: %s", huge)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &fs); err != nil || fs.Type != unix.TMPFS_MAGIC {
		t.Skip("/dev/shm is not a tmpfs")
	}
	file, err := os.CreateTemp("/dev/shm", "oci-run-bench-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if err := file.Truncate(1 << 20); err != nil {
		t.Fatal(err)
	}
	for range 1 << 20 / os.Getpagesize() {
		if _, err := file.Write(make([]byte, os.Getpagesize())); err != nil {
			t.Fatal(err)
		}
	}
	share, err := singlePages(file.Name())
	if err != nil || share != 1 {
		t.Errorf("%v, %v; want all of them", share, err)
	}
}
