package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What is timed of a host with many containers, in the order in which it is drawn. A create is one
// more beside those that there are, which is deleted again; list tells of all of them.
var scaleVerbs = []string{"create", "list", "state", "exec", "ps", "delete"}

// scaleRounds is how often each verb is timed at each number of containers, in turn.
const scaleRounds = 15

// scalePoint is one verb of one runtime beside a number of containers.
type scalePoint struct {
	row
	beside int
}

// scaleResults are in the order in which they were measured: by number, verb and runtime.
type scaleResults []scalePoint

// parseScale reads numbers such as "10,100,1000", which have to ascend.
func parseScale(text string) (numbers []int, err error) {
	if text == "" {
		return nil, nil
	}
	for field := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-scale %q: %q is not a number of containers", text, field)
		}
		numbers = append(numbers, n)
	}
	if !slices.IsSorted(numbers) {
		return nil, fmt.Errorf("-scale %q: the numbers have to ascend", text)
	}
	return numbers, nil
}

// crowd makes as many other containers as are wanted.
func (s *subject) crowd(ctx context.Context, wanted int) error {
	for ; s.others < wanted && ctx.Err() == nil; s.others++ {
		name := strconv.Itoa(s.others)
		if _, err := s.call("run", "-d", "-b", s.long, "--pid-file", s.pidFile+"."+name, s.id(name)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// disperse deletes them.
func (s *subject) disperse() {
	for ; s.others > 0; s.others-- {
		name := strconv.Itoa(s.others - 1)
		_, _ = s.call("delete", "--force", s.id(name)) // nothing more can be done
		_ = s.reap(s.pidFile + "." + name)
	}
}

// measureScale times the verbs of one runtime after the other, at each number of containers in
// turn: those of several at once would be the double of what is asked for.
func measureScale(ctx context.Context, o options, subjects []*subject) (all scaleResults) {
	for _, s := range subjects {
		for _, n := range o.scale {
			err := s.crowd(ctx, n)
			for _, verb := range scaleVerbs {
				all = append(all, scalePoint{row{scenario: verb, runtime: s.label, err: err}, n})
			}
			points := all[len(all)-len(scaleVerbs):]
			for range scaleRounds {
				if err == nil {
					err = s.timeVerbs(points)
				}
			}
			if err != nil {
				points[0].err = err
				break
			}
		}
		s.disperse()
		s.cleanUp()
	}
	return all
}

// timeVerbs adds a sample of each verb, in the order of scaleVerbs.
func (s *subject) timeVerbs(points []scalePoint) error {
	one := s.id("0")
	commands := map[string][]string{
		"create": {"create", "-b", s.long, "--pid-file", s.pidFile, s.id("long")},
		"list":   {"list", "-q"},
		"state":  {"state", one},
		"exec":   {"exec", one, "/bin/true"},
		"ps":     {"ps", "--format", "json", one},
		"delete": {"delete", "--force", s.id("long")},
	}
	for i, verb := range scaleVerbs {
		took, err := s.call(commands[verb]...)
		if err != nil {
			return err
		}
		points[i].samples = append(points[i].samples, took)
	}
	return s.reap(s.pidFile)
}

func (all scaleResults) print() {
	fmt.Printf("\n%-8s %-16s %10s %8s %8s %8s %8s\n", "verb", "runtime", "containers", "median", "p90", "cpu", "faults")
	for _, p := range all {
		if len(p.samples) == 0 || p.err != nil {
			if p.err != nil {
				fmt.Printf("%-8s %-16s %10d %v\n", p.scenario, p.runtime, p.beside, p.err)
			}
			continue
		}
		wall := column(p.samples, wallTime)
		cpu := column(p.samples, cpuTime)
		faults := column(p.samples, pageFaults)
		fmt.Printf("%-8s %-16s %10d %8.2f %8.2f %8.2f %8.0f\n", p.scenario, p.runtime, p.beside,
			quantile(wall, 0.5), quantile(wall, 0.9), quantile(cpu, 0.5), quantile(faults, 0.5))
	}
	fmt.Printf("\nmilliseconds, %d rounds; containers: others that run meanwhile, of the same --root\n", scaleRounds)
}
