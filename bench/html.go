package main

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// report is all that was found out.
type report struct {
	facts   []fact
	table   results
	scale   scaleResults
	caveats []string
}

// style is light or dark as the reader has it. Colours by number are those of the runtimes, told
// apart by the colour-blind too (Okabe and Ito).
const style = `body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; background: #fff }
table { border-collapse: collapse; margin: .5rem 0; font-variant-numeric: tabular-nums } td, th { padding: .15rem .7rem; text-align: right }
td:first-child, th:first-child { text-align: left } tr + tr td { border-top: 1px solid #8884 }
.scroll { overflow-x: auto } svg { width: 100%; height: auto; min-width: 34rem } text { font: 12px system-ui, sans-serif; fill: currentColor }
.axis { stroke: #8886 } .c0 { --c: #0072b2 } .c1 { --c: #d55e00 } .c2 { --c: #009e73 } .c3 { --c: #cc79a7 } .c4 { --c: #e69f00 }
.c0, .c1, .c2, .c3, .c4 { fill: var(--c); stroke: var(--c) } .dot { fill-opacity: .35; stroke: none } .box { fill-opacity: .2 }
.median { stroke-width: 3 } .line { fill: none; stroke-width: 2 } .band { fill-opacity: .15; stroke: none }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #16181c } .c0 { --c: #56b4e9 } }`

// html writes the report as a page that needs no other file.
func (r report) html() []byte {
	var b strings.Builder
	b.WriteString("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>oci-run: bench</title>\n" +
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>" + style + "</style></head><body>\n<h1>bench</h1>\n<table>\n")
	for _, f := range r.facts {
		fmt.Fprintf(&b, "<tr><td>%s</td><td style=\"text-align: left\">%s</td></tr>\n", html.EscapeString(f.name), html.EscapeString(f.text))
	}
	b.WriteString("</table>\n")
	r.writeCaveats(&b)
	for _, rows := range r.table {
		fmt.Fprintf(&b, "<h2>%s</h2>\n<p>%s</p>\n", rows[0].scenario, html.EscapeString(scenarioByName(rows[0].scenario).what))
		writeTable(&b, rows)
		writeDistributions(&b, rows, "wall time", wallTime)
		writeDistributions(&b, rows, "CPU time", cpuTime)
	}
	if len(r.table) > 0 {
		b.WriteString("<p>Milliseconds, wall time of whole processes first, then CPU time, which others on the machine disturb less. A dot is a round; the box holds the middle half of them, the thick line is the median. " +
			"CPU time is user and system together. The ratio is the first runtime's time by this one's, round by round, median.</p>\n")
	}
	r.scale.write(&b)
	b.WriteString("</body></html>\n")
	return []byte(b.String())
}

func (r report) writeCaveats(b *strings.Builder) {
	if len(r.caveats) == 0 {
		b.WriteString("<p>Nothing was seen that makes these figures unfit to quote.</p>\n")
		return
	}
	b.WriteString("<p><strong>Unfit to quote as absolute times</strong>; the ratios stand as far as the rounds agree:</p>\n<ul>\n")
	for _, reason := range r.caveats {
		fmt.Fprintf(b, "<li>%s</li>\n", html.EscapeString(reason))
	}
	b.WriteString("</ul>\n")
}

// writeTable is one scenario: each runtime's quantiles in milliseconds, and its page faults.
func writeTable(b *strings.Builder, rows []row) {
	b.WriteString("<div class=\"scroll\"><table>\n<tr><th>runtime</th><th>min</th><th>p25</th><th>median</th><th>p75</th><th>p90</th><th>max</th>" +
		"<th>CPU</th><th>CPU p90</th><th>page faults</th><th>ratio</th></tr>\n")
	for _, row := range rows {
		fmt.Fprintf(b, "<tr><td>%s</td>", html.EscapeString(row.runtime))
		if row.err != nil || len(row.samples) == 0 {
			fmt.Fprintf(b, "<td colspan=\"10\">%s</td></tr>\n", html.EscapeString(fmt.Sprint(row.err)))
			continue
		}
		wall := column(row.samples, wallTime)
		cpu := column(row.samples, cpuTime)
		faults := column(row.samples, pageFaults)
		for _, value := range []float64{
			wall[0], quantile(wall, 0.25), quantile(wall, 0.5), quantile(wall, 0.75), quantile(wall, 0.9), wall[len(wall)-1],
			quantile(cpu, 0.5), quantile(cpu, 0.9),
		} {
			fmt.Fprintf(b, "<td>%.2f</td>", value)
		}
		fmt.Fprintf(b, "<td>%.0f</td><td>%s</td></tr>\n", quantile(faults, 0.5), ratio(rows[0], row))
	}
	b.WriteString("</table></div>\n")
}

// write draws one chart for each verb.
func (all scaleResults) write(b *strings.Builder) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, "<p>Each verb beside a number of other containers, %d rounds: the line is the median, the band from the 10th to the 90th percentile.</p>\n", scaleRounds)
	var runtimes []string
	for _, p := range all {
		if !slices.Contains(runtimes, p.runtime) {
			runtimes = append(runtimes, p.runtime)
		}
	}
	for _, verb := range scaleVerbs {
		fmt.Fprintf(b, "<h2>%s</h2>\n", verb)
		all.drawVerb(b, verb, runtimes)
	}
	b.WriteString("<h2>All figures</h2>\n<div class=\"scroll\"><table>\n<tr><th>verb</th><th>runtime</th><th>containers</th><th>median</th><th>p90</th><th>CPU</th><th>page faults</th></tr>\n")
	for _, p := range all {
		if len(p.samples) == 0 {
			continue
		}
		wall := column(p.samples, wallTime)
		cpu := column(p.samples, cpuTime)
		faults := column(p.samples, pageFaults)
		fmt.Fprintf(b, "<tr><td>%s</td><td>%s</td><td>%d</td><td>%.2f</td><td>%.2f</td><td>%.2f</td><td>%.0f</td></tr>\n", p.scenario,
			html.EscapeString(p.runtime), p.beside, quantile(wall, 0.5), quantile(wall, 0.9), quantile(cpu, 0.5), quantile(faults, 0.5))
	}
	b.WriteString("</table></div>\n")
}
