package spawn

import (
	"strings"

	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/namespaces"
)

// beginClone begins the span of the clone, which says what namespaces it makes and joins.
func (r *Request) beginClone() *trace.Span {
	span := trace.Begin("clone")
	if span == nil {
		return nil
	}
	joined := uintptr(0)
	for _, j := range r.Join {
		joined |= j.Flag
	}
	span.Set("new", namespaceNames(r.New))
	span.Set("joined", namespaceNames(joined))
	if r.Cgroup != nil {
		span.Set("cgroup", r.Cgroup.Name())
	}
	return span
}

func namespaceNames(flags uintptr) string {
	var names []string
	for _, k := range namespaces.Kinds {
		if flags&k.Flag != 0 {
			names = append(names, string(k.Type))
		}
	}
	return strings.Join(names, ",")
}
