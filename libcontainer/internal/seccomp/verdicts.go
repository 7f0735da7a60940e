package seccomp

import (
	"slices"
	"sort"

	"golang.org/x/sys/unix"
)

// A verdict is what a filter says of one system call: a return value, or a block of clauses about
// its arguments.
type verdict struct {
	ret   uint32
	block int32 // index in blocks plus one, or 0
}

// A clause gives ret if all its conditions hold. There is at least one.
type clause struct {
	conditions []condition
	ret        uint32
}

// A span is a range of system call numbers with the same verdict: from first to the next span's
// first.
type span struct {
	first   uint32
	verdict verdict
	// weight says how often the calls of the span are tested, relative to others.
	weight uint32
}

// A use is a rule that concerns a number.
type use struct {
	rule int32 // index in rules, or -1
	// call is the number behind a multiplexer if the rule is for a call that it multiplexes, or
	// else
	// 0.
	call multiplexedCall
}

// verdicts collects what a profile says of the system calls of one architecture.
type verdicts struct {
	*profile
	arch *architecture
	// keys are number<<32 | index in uses.
	keys []uint64
	uses []use
	// blocks are the clauses of each block in the order in which they are tried, and sources what
	// made it: calls with the same sources share the block.
	blocks  [][]clause
	sources [][]use
}

// hidesNew tells whether calls that are newer than the profile get ENOSYS, for their C libraries
// then fall back to what they did before there was such a call, where EPERM breaks them. runc has
// done so since 1.0.0-rc94. With a default action that lets calls through, the kernel gives ENOSYS
// itself, or a tracer is trusted to.
func (p *profile) hidesNew() bool {
	switch p.defaultRet & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_LOG, unix.SECCOMP_RET_TRACE:
		return false
	}
	return true
}

// judge gives the verdicts on all numbers from the base of an architecture on. The last span has no
// end.
func (p *profile) judge(a *architecture) ([]span, *verdicts) {
	v := &verdicts{profile: p, arch: a}
	v.collect()
	slices.Sort(v.keys)

	spans := make([]span, 0, 2*len(v.keys)+2)
	add := func(first uint32, to verdict) {
		if n := len(spans); n == 0 || spans[n-1].verdict != to {
			spans = append(spans, span{first: first, verdict: to, weight: 1})
		}
	}
	next := a.base // the first number without a verdict
	if a.newIsZero && p.hidesNew() {
		add(0, verdict{ret: retENOSYS})
		next = 1
	}
	for at := 0; at < len(v.keys); {
		number := uint32(v.keys[at] >> 32)
		end := at + 1
		for end < len(v.keys) && uint32(v.keys[end]>>32) == number {
			end++
		}
		if number > next {
			add(next, verdict{ret: p.defaultRet})
		}
		add(number, v.verdict(v.keys[at:end]))
		next, at = number+1, end
	}
	if p.hidesNew() && len(v.keys) != 0 {
		add(next, verdict{ret: retENOSYS})
	} else {
		add(next, verdict{ret: p.defaultRet})
	}
	v.weigh(spans)
	return spans, v
}

// collect fills keys with each number that the profile mentions, directly or through a multiplexer.
func (v *verdicts) collect() {
	v.keys = make([]uint64, 0, len(v.mentions)+len(multiplexedCalls)/8)
	v.uses = make([]use, 0, cap(v.keys))
	socketcall, multiplexes := v.arch.number(syscallSocketcall)
	ipc, _ := v.arch.number(syscallIpc)
	for _, m := range v.mentions {
		if number, exists := v.arch.number(int(m.syscall)); exists {
			v.add(number, use{rule: m.rule})
		}
		switch call := multiplexedCall(multiplexedCalls[m.syscall]); {
		case call == 0 || !multiplexes:
		case call.isIpc():
			v.add(ipc, use{m.rule, call})
		default:
			v.add(socketcall, use{m.rule, call})
		}
	}
}

func (v *verdicts) add(number uint32, u use) {
	v.keys = append(v.keys, uint64(number)<<32|uint64(len(v.uses)))
	v.uses = append(v.uses, u)
}

// verdict judges one number. A rule without conditions decides alone, the first if there are
// several; this is libseccomp's "most inclusive match". Among clauses that hold, the strictest
// decides.
func (v *verdicts) verdict(keys []uint64) verdict {
	var clauses []clause
	for _, key := range keys {
		u := v.uses[uint32(key)]
		if u.rule < 0 || u.call != 0 {
			continue // says what the default says, or of calls behind this one
		}
		r := &v.rules[u.rule]
		always := len(r.alternatives) == 0
		for _, conditions := range r.alternatives {
			effective := v.arch.effective(conditions)
			always = always || len(effective) == 0
			clauses = append(clauses, clause{effective, r.ret})
		}
		if always {
			return verdict{ret: r.ret}
		}
	}
	if clauses = v.appendMultiplexed(clauses, keys); len(clauses) == 0 {
		return verdict{ret: v.defaultRet}
	}
	return verdict{ret: v.defaultRet, block: v.block(keys, clauses)}
}

// block gives the number of the block for clauses, which are those of the keys.
func (v *verdicts) block(keys []uint64, clauses []clause) int32 {
	source := make([]use, len(keys))
	for i, key := range keys {
		source[i] = v.uses[uint32(key)]
	}
	for i, s := range v.sources {
		if slices.Equal(s, source) {
			return int32(i) + 1
		}
	}
	sort.SliceStable(clauses, func(i, j int) bool { return isStricter(clauses[i].ret, clauses[j].ret) })
	v.sources = append(v.sources, source)
	v.blocks = append(v.blocks, clauses)
	return int32(len(v.blocks))
}

// effective gives the conditions as the architecture sees them, without those that always hold for
// no bit counts. On a 32-bit ABI both sides are taken modulo 2³²: what the upper half of an
// argument holds there differs between kernels, and -1 in a profile has 64 bits.
func (a *architecture) effective(conditions []condition) []condition {
	effective := make([]condition, 0, len(conditions))
	for _, c := range conditions {
		if a.bits32 {
			c.value, c.mask = uint64(uint32(c.value)), uint64(uint32(c.mask))
		}
		if c.mask != 0 {
			effective = append(effective, c)
		}
	}
	return effective
}

// Weights of spans in the search tree. Calls whose arguments are tested count as much as frequent
// ones: the kernel runs the filter for each of them, where it remembers which numbers are always
// allowed (since 5.11).
const (
	frequentWeight = 8
	blockWeight    = 8
)

func (v *verdicts) weigh(spans []span) {
	for i := range spans {
		if spans[i].verdict.block != 0 {
			spans[i].weight += blockWeight
		}
	}
	for _, index := range frequentSyscalls {
		number, exists := v.arch.number(int(index))
		if !exists {
			continue
		}
		i, found := slices.BinarySearchFunc(spans, number, func(s span, n uint32) int {
			switch {
			case s.first < n:
				return -1
			case s.first > n:
				return 1
			}
			return 0
		})
		if !found {
			i-- // the span that contains the number
		}
		if i >= 0 {
			spans[i].weight += frequentWeight
		}
	}
}
