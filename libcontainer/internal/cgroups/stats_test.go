package cgroups

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// directory writes files in a directory that stands for a cgroup, for what the hosts of tests have
// no devices for.
func directory(t *testing.T, files map[string]string) *counters {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := openCounters(dir, make([]byte, 16)) // grows
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

func TestRdmaAndMisc(t *testing.T) {
	c := directory(t, map[string]string{
		"rdma.current": "mlx5_1 hca_handle=3 hca_object=10\nocrdma1 hca_handle=0 hca_object=0\n",
		"rdma.max":     "mlx5_1 hca_handle=4 hca_object=max\nocrdma1 hca_handle=max hca_object=max\n",
		"misc.current": "sev 4\nsev_es 0\n", "misc.events": "sev.max 1\nsev_es.max 0\nother.max 7\n",
	})
	const none = 1<<32 - 1
	want := &RdmaStats{
		Current: []RdmaEntry{{"mlx5_1", 3, 10}, {"ocrdma1", 0, 0}},
		Limit:   []RdmaEntry{{"mlx5_1", 4, none}, {"ocrdma1", none, none}},
	}
	var got Stats
	c.rdma(&got)
	c.misc2(&got)
	if d := cmp.Diff(Stats{Rdma: want, Misc: map[string]MiscStats{"sev": {4, 1}, "sev_es": {}}}, got); d != "" || c.err != nil {
		t.Errorf("%v\n%s", c.err, d)
	}
}

func TestBlkio(t *testing.T) {
	const prefix = "blkio.bfq."
	none := map[string]string{"blkio.throttle.io_serviced_recursive": "Total 0\n", "blkio.throttle.io_service_bytes_recursive": "Total 0\n"}
	throttle := map[string]string{
		"blkio.throttle.io_serviced_recursive": "Total 0\n",
		"blkio.throttle.io_serviced":           "8:0 Read 3\n8:0 Total 3\nTotal 3\n", "blkio.throttle.io_service_bytes": "8:0 Read 12288\nTotal 12288\n",
	}
	debug := map[string]string{
		prefix + "io_service_bytes_recursive": "8:0 Read 1282048\nTotal 1282048\n", prefix + "io_serviced_recursive": "8:0 Read 124\nTotal 124\n",
		prefix + "sectors_recursive": "8:0 6792\n", prefix + "io_service_time_recursive": "8:0 Write 5\n", prefix + "io_wait_time_recursive": "8:0 Sync 6\n",
		prefix + "io_merged_recursive": "8:0 Async 7\n", prefix + "io_queued_recursive": "8:0 Read 8\n", prefix + "time_recursive": "8:0 9\n",
	}
	one := func(op string, n uint64) []BlkioEntry { return []BlkioEntry{{8, 0, op, n}} }
	for name, test := range map[string]struct {
		files map[string]string
		want  BlkioStats
	}{
		"none":     {none, BlkioStats{}},
		"throttle": {throttle, BlkioStats{IoServicedRecursive: []BlkioEntry{{8, 0, "Read", 3}, {8, 0, "Total", 3}}, IoServiceBytesRecursive: one("Read", 12288)}},
		"bfq": {debug, BlkioStats{
			IoServiceBytesRecursive: one("Read", 1282048), IoServicedRecursive: one("Read", 124), SectorsRecursive: one("", 6792),
			IoServiceTimeRecursive: one("Write", 5), IoWaitTimeRecursive: one("Sync", 6), IoMergedRecursive: one("Async", 7),
			IoQueuedRecursive: one("Read", 8), IoTimeRecursive: one("", 9),
		}},
	} {
		c := directory(t, test.files)
		var got Stats
		c.blkio1(&got)
		if d := cmp.Diff(test.want, got.Blkio); d != "" || c.err != nil {
			t.Errorf("%s: %v\n%s", name, c.err, d)
		}
	}
}

func TestIO2(t *testing.T) {
	c := directory(t, map[string]string{
		"io.stat":     "8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0 cost.usage=3\n\n8:0 \n8:1\n(unknown) rbytes=1\n",
		"io.pressure": "some avg10=1.50 avg60=0.25 avg300=0.00 total=123\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=4\n\nnew\n",
	})
	var got Stats
	c.io2(&got)
	want := BlkioStats{
		IoServiceBytesRecursive: []BlkioEntry{{8, 16, "Read", 1459200}, {8, 16, "Write", 314773504}},
		IoServicedRecursive:     []BlkioEntry{{8, 16, "Read", 192}, {8, 16, "Write", 353}},
		PSI:                     &PSIStats{Some: PSIData{1.5, 0.25, 0, 123}, Full: PSIData{Total: 4}},
	}
	if d := cmp.Diff(want, got.Blkio); d != "" || c.err != nil {
		t.Errorf("%v\n%s", c.err, d)
	}
}

func TestCountersOddities(t *testing.T) {
	c := directory(t, map[string]string{
		"negative": "-7\n", "max": "max\n", "list": "0-2,5,7-8\n", "empty": "\n", "long": strings.Repeat("key 1\n", 5000),
	})
	if got := c.number("negative") + c.number("missing"); got != 0 {
		t.Error(got)
	}
	if got := c.number("max"); got != 1<<64-1 {
		t.Error(got)
	}
	text, _ := c.text("list")
	if d := cmp.Diff([]uint16{0, 1, 2, 5, 7, 8}, c.list("list", text)); d != "" {
		t.Error(d)
	}
	if got := c.list("empty", ""); got != nil {
		t.Error(got)
	}
	lines := 0
	c.keyed("long", func(string, uint64) { lines++ })
	if lines != 5000 {
		t.Errorf("%d lines", lines)
	}
	if c.err != nil {
		t.Error(c.err)
	}
}

func TestCountersMalformed(t *testing.T) {
	for text, read := range map[string]func(*counters){
		"x\n":                    func(c *counters) { c.number("file") },
		"key\n":                  func(c *counters) { c.keyed("file", func(string, uint64) {}) },
		"8:0\n":                  func(c *counters) { c.blkio("file") },
		"8:a Read 1\n":           func(c *counters) { c.blkio("file") },
		"3-\n":                   func(c *counters) { c.list("file", "3-") },
		"some avg10=x total=1\n": func(c *counters) { c.pressure("file") },
	} {
		c := directory(t, map[string]string{"file": text})
		read(c)
		if c.err == nil || !strings.HasPrefix(c.err.Error(), `read "`+c.dir+`/file": unexpected content "`) {
			t.Errorf("%q: %v", text, c.err)
		}
	}
}

// FuzzParsePressure: what a line says, written as the kernel does, says the same.
func FuzzParsePressure(f *testing.F) {
	f.Add("avg10=0.00 avg60=1.25 avg300=99.99 total=123456")
	f.Add("avg10= total=-1 later=1")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parsePressure(text)
		if err != nil || math.IsNaN(got.Avg10+got.Avg60+got.Avg300) {
			return
		}
		again, err := parsePressure(fmt.Sprintf("avg10=%g avg60=%g avg300=%g total=%d", got.Avg10, got.Avg60, got.Avg300, got.Total))
		if err != nil || got != again {
			t.Errorf("%q is %+v, and then %+v, %v", text, got, again, err)
		}
	})
}
