// Command bench times container lifecycles on several OCI runtimes, interleaved, and prints what
// they took.
//
//	bench [-n ROUNDS] [-s SCENARIO,…] [-scale N,…] [-view host|v1|v2] [-config FILE] [-report FILE] RUNTIME...
//
// The first RUNTIME is the one under test; runc and crun are added where PATH has them. Each figure
// is the wall time of whole processes, as an engine that calls the runtime sees it, in
// milliseconds. The ratio is the median, over the rounds, of the first runtime's time divided by
// this one's in the same round: 0.50 says that the first takes half as long. What makes the figures
// unfit to be quoted is printed with them. Needs root.
//
// With -scale the verbs are timed beside as many other containers as it says.
//
// The report is a page of HTML with drawings of the distributions, which needs nothing else to be
// looked at.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// warmup is how many rounds are run and not counted.
const warmup = 2

func main() {
	if guest() {
		return
	}
	if len(os.Args) > 2 && os.Args[1] == peakOf {
		os.Exit(printPeak(os.Args[2:]))
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// guest makes this program the container's program, where there is no static busybox: "true", or
// "sleep" forever.
func guest() bool {
	switch filepath.Base(os.Args[0]) {
	case "true":
	case "sleep":
		time.Sleep(time.Hour)
	default:
		return false
	}
	return true
}

type options struct {
	rounds    int
	scenarios []string
	view      string
	config    string
	scale     []int    // how many containers there are, ascending
	report    string   // a file of HTML, "" for none
	runtimes  []string // absolute paths
}

func parse() (options, error) {
	var o options
	flag.IntVar(&o.rounds, "n", 50, "`rounds` that count")
	names := flag.String("s", "", "`scenarios`, separated by commas: "+strings.Join(scenarioNames(), ","))
	flag.StringVar(&o.view, "view", "", "how /sys/fs/cgroup looks to the runtimes: `host`, v1 or v2 (v1 where the host is hybrid and crun is there)")
	flag.StringVar(&o.config, "config", "", "a `config.json` to use instead of the plain one (its args, root, hooks and cgroupsPath are replaced)")
	flag.StringVar(&o.report, "report", "", "write a report with drawings to `FILE`, in HTML")
	scale := flag.String("scale", "", "time verbs beside `N,…` other containers, such as 10,100,500,1000, in the place of the scenarios")
	flag.Parse()
	var err error
	if o.scale, err = parseScale(*scale); err != nil {
		return o, err
	}

	o.scenarios = scenarioNames()
	if *names != "" {
		o.scenarios = strings.Split(*names, ",")
	}
	for _, name := range o.scenarios {
		if scenarioByName(name) == nil {
			return o, fmt.Errorf("no scenario %q; there are %s", name, strings.Join(scenarioNames(), ", "))
		}
	}
	o.runtimes, err = findRuntimes(flag.Args())
	return o, err
}

// findRuntimes makes the names absolute paths. A single one gets runc and crun for company, where
// they are installed.
func findRuntimes(wanted []string) (found []string, err error) {
	if len(wanted) == 0 {
		return nil, errors.New("no runtime given")
	}
	given := len(wanted)
	if len(wanted) == 1 {
		wanted = append(wanted, "runc", "crun")
	}
	for i, name := range wanted {
		path, err := exec.LookPath(name)
		if err != nil {
			if i < given {
				return nil, err
			}
			continue // not installed here
		}
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
		found = append(found, path)
	}
	return found, nil
}

func run() error {
	o, err := parse()
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("needs root: it makes containers with cgroups, and a private view of /sys/fs/cgroup")
	}
	if o.view == "" {
		o.view = defaultView(o.runtimes)
	}
	if err := enterView(o.view); err != nil { // returns at once in the re-executed process
		return err
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "oci-run-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	before := lookAround()
	about := describe(o, before)
	for _, f := range about {
		fmt.Println(f)
	}
	subjects, err := prepare(o, dir)
	if err != nil {
		return err
	}
	defer func() {
		for _, s := range subjects {
			s.cleanUp()
		}
	}()
	r := report{facts: about}
	if len(o.scale) > 0 {
		r.scale = measureScale(ctx, o, subjects)
		r.scale.print()
	} else {
		r.table = measure(ctx, o, subjects)
		r.table.print()
		printFootprint(subjects)
	}
	r.caveats = caveats(o, before, r.table)
	printCaveats(r.caveats)
	if o.report != "" {
		if err := os.WriteFile(o.report, r.html(), 0o644); err != nil {
			return err
		}
		fmt.Println("\nwith drawings:", o.report)
	}
	return context.Cause(ctx)
}

// measure runs each scenario in rounds; in each round each runtime has its turn, and another one
// begins.
func measure(ctx context.Context, o options, subjects []*subject) results {
	var table results
	for _, name := range o.scenarios {
		s := scenarioByName(name)
		rows := make([]row, len(subjects))
		for i, subject := range subjects {
			rows[i] = row{scenario: name, runtime: subject.label}
			if s.needsContainer {
				rows[i].err = subject.up()
			}
		}
		for round := range warmup + o.rounds {
			for turn := range subjects {
				i := (round + turn) % len(subjects)
				if rows[i].err != nil || ctx.Err() != nil {
					continue
				}
				took, err := s.run(subjects[i])
				if err != nil {
					rows[i].err = err
				} else if round >= warmup {
					rows[i].samples = append(rows[i].samples, took)
				}
			}
		}
		for _, subject := range subjects {
			subject.cleanUp()
		}
		table = append(table, rows)
	}
	return table
}

// scenarioNames lists the scenarios in the order in which they are run.
func scenarioNames() []string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}

func scenarioByName(name string) *scenario {
	i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
	if i < 0 {
		return nil
	}
	return &scenarios[i]
}
