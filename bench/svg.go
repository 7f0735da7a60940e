package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The drawings' measures, in units of which the width has 720.
const (
	width     = 720.0
	left      = 130.0 // where the plot begins, right of the runtimes' names
	plot      = width - left - 20
	rowHeight = 34.0
	palette   = 5 // colours in style
)

// scale turns values from 0 to top into places between two ends, and has round numbers for its
// ticks.
type scale struct{ top, step, from, to float64 }

// newScale is for values up to most.
func newScale(most, from, to float64) scale {
	if most <= 0 {
		most = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(most)))
	for _, part := range []float64{10, 5, 2} {
		if most/(step/part) <= 8 {
			step /= part
			break
		}
	}
	return scale{top: step * math.Ceil(most/step), step: step, from: from, to: to}
}

func (s scale) at(value float64) float64 { return s.from + (s.to-s.from)*min(value/s.top, 1) }

// ticks calls draw with each round number.
func (s scale) ticks(draw func(at float64, label string)) {
	for i := 0.0; i*s.step <= s.top*1.0001; i++ {
		draw(s.at(i*s.step), fmt.Sprintf("%g", math.Round(i*s.step*1000)/1000))
	}
}

// writeDistributions draws a figure of the rounds of one scenario, a line for each runtime. What is
// more than three times the slowest median or the slowest 90th percentile, whichever is less, is
// counted at the right edge.
func writeDistributions(b *strings.Builder, rows []row, name string, figure func(sample) float64) {
	most, median := 0.0, 0.0
	for _, row := range rows {
		if len(row.samples) > 0 {
			values := column(row.samples, figure)
			most, median = max(most, quantile(values, 0.9)), max(median, quantile(values, 0.5))
		}
	}
	s := newScale(min(most*1.05, median*3), left, left+plot)
	height := rowHeight*float64(len(rows)) + 30
	fmt.Fprintf(b, "<div class=\"scroll\"><svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s of %s, milliseconds\">\n", width, height, name,
		html.EscapeString(rows[0].scenario))
	fmt.Fprintf(b, "<text x=\"4\" y=\"%.1f\">%s</text>\n", height-12, name)
	s.ticks(func(at float64, label string) {
		fmt.Fprintf(b, "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%.1f\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
			at, at, height-28, at, height-12, label)
	})
	for i, row := range rows {
		writeRow(b, s, i, row, figure)
	}
	b.WriteString("</svg></div>\n")
}

// writeRow draws one runtime's rounds. Dots lie on five lines in turn, so that equal ones show.
func writeRow(b *strings.Builder, s scale, i int, row row, figure func(sample) float64) {
	middle := rowHeight*float64(i) + rowHeight/2
	fmt.Fprintf(b, "<text x=\"%g\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n<g class=\"c%d\">\n", left-8, middle+4, html.EscapeString(row.runtime), i%palette)
	beyond := 0
	for n, sample := range row.samples {
		if figure(sample) > s.top {
			beyond++
			continue
		}
		fmt.Fprintf(b, "<circle class=\"dot c%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"/>\n", i%palette, s.at(figure(sample)), middle+float64(n%5-2)*4)
	}
	if len(row.samples) > 0 {
		values := column(row.samples, figure)
		lower, upper, median := s.at(quantile(values, 0.25)), s.at(quantile(values, 0.75)), s.at(quantile(values, 0.5))
		fmt.Fprintf(b, "<rect class=\"box\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"24\"/>\n", lower, middle-12, upper-lower)
		fmt.Fprintf(b, "<line class=\"median\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", median, median, middle-12, middle+12)
	}
	b.WriteString("</g>\n")
	if beyond > 0 {
		fmt.Fprintf(b, "<text x=\"%g\" y=\"%.1f\" text-anchor=\"end\">+%d</text>\n", width, middle+4, beyond)
	}
}

func walls(r row) []float64 {
	return column(r.samples, wallTime)
}

// drawVerb draws the times of one verb over the number of containers, which has a logarithmic axis.
func (all scaleResults) drawVerb(b *strings.Builder, verb string, runtimes []string) {
	const height = 240.0
	points, most, first, last := all.of(verb)
	if len(points) == 0 {
		b.WriteString("<p>nothing was measured</p>\n")
		return
	}
	y := newScale(most, height-30, 8)
	x := func(n int) float64 {
		if first == last {
			return left + plot/2
		}
		return left + plot*math.Log(float64(n)/float64(first))/math.Log(float64(last)/float64(first))
	}
	fmt.Fprintf(b, "<div class=\"scroll\"><svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s by number of containers, milliseconds\">\n", width, height, verb)
	y.ticks(func(at float64, label string) {
		fmt.Fprintf(b, "<line class=\"axis\" x1=\"%g\" x2=\"%g\" y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%g\" y=\"%.1f\" text-anchor=\"end\">%s ms</text>\n",
			left, left+plot, at, at, left-8, at+4, label)
	})
	for _, p := range points {
		if p.runtime == points[0].runtime {
			fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%g\" text-anchor=\"middle\">%d</text>\n", x(p.beside), height-8, p.beside)
		}
	}
	for i, name := range runtimes {
		points.line(b, i, name, x, y)
		fmt.Fprintf(b, "<text x=\"%g\" y=\"%.1f\">%s</text><line class=\"line c%d\" x1=\"4\" x2=\"20\" y1=\"%.1f\" y2=\"%.1f\"/>\n",
			26.0, 20+18*float64(i), html.EscapeString(name), i%palette, 16+18*float64(i), 16+18*float64(i))
	}
	b.WriteString("</svg></div>\n")
}

// of is what was measured of a verb, its largest 90th percentile, and the ends of its numbers.
func (all scaleResults) of(verb string) (points scaleResults, most float64, first, last int) {
	for _, p := range all {
		if p.scenario != verb || len(p.samples) == 0 {
			continue
		}
		points = append(points, p)
		most = max(most, quantile(walls(p.row), 0.9))
		if first == 0 {
			first = p.beside
		}
		first, last = min(first, p.beside), max(last, p.beside)
	}
	return points, most, first, last
}

// line draws one runtime's median, and the band about it.
func (all scaleResults) line(b *strings.Builder, colour int, runtime string, x func(int) float64, y scale) {
	var median, upper, lower []string
	for _, p := range all {
		if p.runtime != runtime {
			continue
		}
		place := func(q float64) string { return fmt.Sprintf("%.1f,%.1f", x(p.beside), y.at(quantile(walls(p.row), q))) }
		median, upper = append(median, place(0.5)), append(upper, place(0.9))
		lower = append([]string{place(0.1)}, lower...)
	}
	fmt.Fprintf(b, "<polygon class=\"band c%d\" points=\"%s\"/>\n<polyline class=\"line c%d\" points=\"%s\"/>\n", colour%palette,
		strings.Join(append(upper, lower...), " "), colour%palette, strings.Join(median, " "))
}
