package trace

import "strconv"

// chrome is the array of the Trace Event Format, which Perfetto and chrome://tracing show: complete
// events ("X"), their times in microseconds with three decimals, and metadata ("M") that names the
// processes and tracks.
type chrome struct{}

func (chrome) frame() frame { return frame{"[\n", ",\n", "\n]\n", true} }

func (chrome) append(out []byte, r *recorder, events []Event) []byte {
	named := map[int]bool{}
	for i := range events {
		e := &events[i]
		if !named[e.PID] {
			named[e.PID] = true
			out = appendName(between(out), "process_name", e.PID, e.PID, r.nameOf(e.PID))
		}
		if e.TID != e.PID && !named[e.TID] {
			named[e.TID] = true
			out = appendName(between(out), "thread_name", e.PID, e.TID, r.tracks[e.TID])
		}
		out = r.appendChrome(between(out), e)
	}
	return out
}

// between separates two events.
func between(out []byte) []byte {
	if len(out) == 0 {
		return out
	}
	return append(out, ",\n"...)
}

// nameOf is what a process is called: "oci-run run c1", "init c1".
func (r *recorder) nameOf(pid int) string {
	name := r.tracks[pid]
	switch {
	case pid == r.pid:
		name = "oci-run " + r.process
	case name == "":
		name = "process"
	}
	if r.id != "" {
		name += " " + r.id
	}
	return name
}

func appendName(out []byte, what string, pid, tid int, name string) []byte {
	out = append(out, '{')
	out = appendString(appendKey(out, "name"), what)
	out = append(appendKey(out, "ph"), `"M"`...)
	out = strconv.AppendInt(appendKey(out, "pid"), int64(pid), 10)
	out = strconv.AppendInt(appendKey(out, "tid"), int64(tid), 10)
	out = append(appendKey(out, "args"), '{')
	out = appendString(appendKey(out, "name"), name)
	return append(out, '}', '}')
}

func (r *recorder) appendChrome(out []byte, e *Event) []byte {
	out = append(out, '{')
	out = appendString(appendKey(out, "name"), e.Name)
	out = append(appendKey(out, "cat"), `"oci-run"`...)
	out = append(appendKey(out, "ph"), `"X"`...)
	out = appendMicros(appendKey(out, "ts"), e.Begin)
	out = appendMicros(appendKey(out, "dur"), e.End-e.Begin)
	out = strconv.AppendInt(appendKey(out, "pid"), int64(e.PID), 10)
	out = strconv.AppendInt(appendKey(out, "tid"), int64(e.TID), 10)
	out = append(appendKey(out, "args"), '{')
	if r.id != "" {
		out = appendString(appendKey(out, "container"), r.id)
	}
	out = appendString(appendKey(out, "trace"), r.context.TraceID)
	out = appendString(appendKey(out, "span"), spanID(e.ID))
	if e.Parent != 0 {
		out = appendString(appendKey(out, "parent"), spanID(e.Parent))
	}
	for _, a := range e.Attrs {
		if a.Key == "container" {
			continue // it is there
		}
		out = appendKey(out, a.Key)
		if a.Text != "" {
			out = appendString(out, a.Text)
		} else {
			out = strconv.AppendInt(out, a.Number, 10)
		}
	}
	if e.Error != "" {
		out = appendString(appendKey(out, "error"), e.Error)
	}
	return append(out, '}', '}')
}
