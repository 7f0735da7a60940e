package main

import (
	"fmt"
	"slices"
	"time"
)

// row is one scenario on one runtime.
type row struct {
	scenario, runtime string
	samples           []sample // one a round
	err               error    // why there are none, or no more
}

// results holds the rows of each scenario, in the order of the runtimes.
type results [][]row

func (r results) print() {
	fmt.Printf("\n%-12s %-16s %8s %8s %8s %8s %7s  %s\n", "scenario", "runtime", "min", "median", "p90", "cpu", "faults", "ratio")
	for _, rows := range r {
		for _, row := range rows {
			if row.err != nil || len(row.samples) == 0 {
				fmt.Printf("%-12s %-16s %v\n", row.scenario, row.runtime, row.err)
				continue
			}
			wall := column(row.samples, wallTime)
			cpu := column(row.samples, cpuTime)
			faults := column(row.samples, pageFaults)
			fmt.Printf("%-12s %-16s %8.2f %8.2f %8.2f %8.2f %7.0f  %s\n", row.scenario, row.runtime,
				wall[0], quantile(wall, 0.5), quantile(wall, 0.9), quantile(cpu, 0.5), quantile(faults, 0.5), ratio(rows[0], row))
		}
	}
	fmt.Println("\nmilliseconds; cpu and faults: medians of user + system time and of page faults; ratio: the first runtime's time / this one's, pair by pair, median")
	for _, rows := range r {
		fmt.Printf("%-12s %s\n", rows[0].scenario, scenarioByName(rows[0].scenario).what)
	}
}

// ratio compares the rounds of two rows pair by pair.
func ratio(first, this row) string {
	n := min(len(first.samples), len(this.samples))
	if n == 0 || first.err != nil {
		return "-"
	}
	ratios := make([]float64, n)
	for i := range ratios {
		ratios[i] = float64(first.samples[i].wall) / float64(this.samples[i].wall)
	}
	slices.Sort(ratios)
	return fmt.Sprintf("%.2f", quantile(ratios, 0.5))
}

// spread is how far the slow rounds of a row are from the usual one: p90 / median.
func (r row) spread() float64 {
	if len(r.samples) == 0 {
		return 0
	}
	wall := column(r.samples, wallTime)
	return quantile(wall, 0.9) / quantile(wall, 0.5)
}

// column is one figure of each sample, sorted.
func column(samples []sample, figure func(sample) float64) []float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = figure(s)
	}
	slices.Sort(values)
	return values
}

// quantile of sorted values; the median of an even number is the mean of the middle two.
func quantile(sorted []float64, q float64) float64 {
	n := len(sorted)
	if q == 0.5 && n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[min(int(float64(n)*q), n-1)]
}

// The figures of a sample; times are in milliseconds.
func wallTime(s sample) float64   { return ms(s.wall) }
func cpuTime(s sample) float64    { return ms(s.cpu) }
func pageFaults(s sample) float64 { return float64(s.faults) }

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
