package process

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"oci-run/internal/files"
	"oci-run/specconv"
)

// Foresee tells what of a plan the caller has no right to give a process: limits above its own hard
// ones and an oom_score_adj below its own, which take CAP_SYS_RESOURCE in the initial user
// namespace (prlimit(2), proc_pid_oom_score_adj(5)); resource says that it has that. at is the JSON
// pointer of the process. Errors are a *specconv.FieldError.
func (p *Plan) Foresee(at string, resource bool) error {
	if resource {
		return nil
	}
	for i, limit := range p.Rlimits {
		var own unix.Rlimit
		if err := unix.Getrlimit(limit.Resource, &own); err == nil && limit.Hard > own.Max {
			return specconv.Fieldf(at+specconv.Pointer("rlimits", i, "hard"),
				"%d is more than the hard limit of %d that the runtime has itself, and without CAP_SYS_RESOURCE can't raise", limit.Hard, own.Max)
		}
	}
	if p.OOMScoreAdj == nil {
		return nil
	}
	text, err := files.Read("/proc/self/oom_score_adj")
	if has := strings.TrimSpace(string(text)); err == nil && lower(strconv.Itoa(*p.OOMScoreAdj), has) {
		return specconv.Fieldf(at+"/oomScoreAdj", "%d is below the runtime's own %s, which takes CAP_SYS_RESOURCE", *p.OOMScoreAdj, has)
	}
	return nil
}
