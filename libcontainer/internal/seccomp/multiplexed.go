package seccomp

import "slices"

// On some architectures socketcall(2) and ipc(2) do the work of some thirty system calls, many of
// which exist beside them: a rule for connect concerns socketcall with the first argument 3 too.
//
// A filter sees the number of the call, but neither it nor the kernel's copy of the real arguments,
// which are in memory behind a pointer. So where a rule has conditions, the strictest that the
// profile can say of the call is what the multiplexer gets: what may be denied is, and what may not
// be allowed isn't. (libseccomp drops a condition on the first argument and compares the pointer
// with the others.)

// multiplexedCall is the number of a call behind its multiplexer; for those of ipc it has ipcBit.
type multiplexedCall uint8

// ipcBit mirrors gensyscalls.
const ipcBit = 0x80

func (c multiplexedCall) isIpc() bool { return c&ipcBit != 0 }

// condition tests whether a multiplexer is called for c. The kernel takes an int, and of ipc's
// first argument the upper 16 bits are a version: neither may hide a call.
func (c multiplexedCall) condition() condition {
	if c.isIpc() {
		return condition{0, maskedEqual, uint64(c &^ ipcBit), 0xffff}
	}
	return condition{0, maskedEqual, uint64(c), 0xffffffff}
}

// appendMultiplexed adds a clause for each multiplexed call of which the keys of its multiplexer
// have rules.
func (v *verdicts) appendMultiplexed(clauses []clause, keys []uint64) []clause {
	for i, key := range keys {
		call := v.uses[uint32(key)].call
		isLater := slices.ContainsFunc(keys[:i], func(key uint64) bool { return v.uses[uint32(key)].call == call })
		if call == 0 || isLater {
			continue
		}
		if ret := v.strictest(keys[i:], call); ret != v.defaultRet {
			clauses = append(clauses, clause{[]condition{call.condition()}, ret})
		}
	}
	return clauses
}

// strictest gives what all rules for a multiplexed call come to.
func (v *verdicts) strictest(keys []uint64, call multiplexedCall) uint32 {
	strictest := v.defaultRet
	for _, key := range keys {
		u := v.uses[uint32(key)]
		if u.call != call || u.rule < 0 {
			continue
		}
		r := &v.rules[u.rule]
		if v.arch.always(r) {
			return r.ret
		}
		if isStricter(r.ret, strictest) {
			strictest = r.ret
		}
	}
	return strictest
}

// always tells whether a rule holds whatever the arguments are.
func (a *architecture) always(r *rule) bool {
	return len(r.alternatives) == 0 || slices.ContainsFunc(r.alternatives, func(c []condition) bool {
		return len(a.effective(c)) == 0
	})
}
