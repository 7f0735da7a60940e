package seccomp

import "slices"

// On some architectures socketcall(2) and ipc(2) do the work of some thirty system calls, many of which exist beside
// them: a rule for connect concerns socketcall with the first argument 3 too.
//
// A filter sees the number of the call, but neither it nor the kernel's copy of the real arguments, which are in memory
// behind a pointer. So where a rule has conditions, the strictest that the profile can say of the call is what the
// multiplexer gets: what may be denied is, and what may not be allowed isn't. (libseccomp drops a condition on the
// first argument and compares the pointer with the others.)

// multiplexedCall is the number of a call behind its multiplexer; for those of ipc it has ipcBit.
type multiplexedCall uint8

// ipcBit mirrors gensyscalls.
const ipcBit = 0x80

func (c multiplexedCall) isIpc() bool { return c&ipcBit != 0 }

// condition tests whether a multiplexer is called for c. The kernel takes an int, and of ipc's first argument the
// upper 16 bits are a version: neither may hide a call.
func (c multiplexedCall) condition() condition {
	if c.isIpc() {
		return condition{0, maskedEqual, uint64(c &^ ipcBit), 0xffff}
	}
	return condition{0, maskedEqual, uint64(c), 0xffffffff}
}

// firstOfCall tells whether none of the keys has a rule for the call.
func firstOfCall(uses []use, keys []uint64, call multiplexedCall) bool {
	return !slices.ContainsFunc(keys, func(key uint64) bool {
		u := uses[uint32(key)]
		return u.call == call && u.rule >= 0
	})
}

// appendMultiplexed adds the clause that all rules for a multiplexed call come to.
func (v *verdicts) appendMultiplexed(clauses []clause, keys []uint64, call multiplexedCall) []clause {
	strictest := v.defaultRet
	for _, key := range keys {
		u := v.uses[uint32(key)]
		if u.call != call || u.rule < 0 {
			continue
		}
		r := &v.rules[u.rule]
		if v.arch.always(r) {
			strictest = r.ret
			break
		}
		if isStricter(r.ret, strictest) {
			strictest = r.ret
		}
	}
	if strictest == v.defaultRet {
		return clauses
	}
	return append(clauses, clause{[]condition{call.condition()}, strictest})
}

// always tells whether a rule holds whatever the arguments are.
func (a *architecture) always(r *rule) bool {
	return len(r.alternatives) == 0 || slices.ContainsFunc(r.alternatives, func(c []condition) bool {
		return len(a.effective(c)) == 0
	})
}
