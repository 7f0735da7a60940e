package seccomp

// The tests of a block's clauses form a graph: each test of 32 bits of an argument leads to a test
// or to a return value. On the way into the next clause, tests whose outcome is known already are
// skipped, so that five values of one argument cost one load and five comparisons.

// allBits is the mask of tests that look at a whole word.
const allBits = 0xffffffff

// A test compares a word of struct seccomp_data, after masking it, with k.
type test struct {
	offset uint32
	mask   uint32
	op     uint16
	k      uint32
}

// A node of the graph is a test, or a return value if op is 0.
type node struct {
	test
	yes, no *node
	ret     uint32
	// loads says that somebody comes to the node without its word in the accumulator.
	loads   bool
	visited bool
	// entry is where its code begins, tested where it goes on if the word is there.
	entry, tested target
	emitted       bool
}

// A fact is the outcome of a test that was made before.
type fact struct {
	test
	outcome bool
	before  *fact
}

// A grapher builds the graph of one block.
type grapher struct {
	arch    *architecture
	returns []*node
}

// graph gives the first node for clauses that are tried in order; if none holds, the value is
// otherwise.
func (a *architecture) graph(clauses []clause, otherwise uint32) *node {
	g := grapher{arch: a}
	n := g.returnNode(otherwise)
	for i := len(clauses) - 1; i >= 0; i-- {
		n = g.clause(clauses[i].conditions, clauses[i].ret, n, nil)
	}
	return n
}

func (g *grapher) returnNode(ret uint32) *node {
	for _, n := range g.returns {
		if n.ret == ret {
			return n
		}
	}
	n := &node{ret: ret}
	g.returns = append(g.returns, n)
	return n
}

// clause gives the first node of tests that lead to ret if all conditions hold, and to fail
// otherwise.
func (g *grapher) clause(conditions []condition, ret uint32, fail *node, known *fact) *node {
	if len(conditions) == 0 {
		return g.returnNode(ret)
	}
	c := conditions[0]
	hold := func(known *fact) *node { return g.clause(conditions[1:], ret, fail, known) }
	switch c.comparison {
	case equal, maskedEqual:
		return g.equal(&c, hold, fail, known)
	case notEqual:
		// Here, and below, several ways lead to the rest of the clause: what is known differs, so
		// nothing is.
		rest := hold(known)
		return g.equal(&c, func(known *fact) *node { return follow(fail, known) }, rest, known)
	case greater:
		return g.order(&c, opGreater, hold(known), fail, known)
	case greaterOrEqual:
		return g.order(&c, opNotBelow, hold(known), fail, known)
	case lessOrEqual:
		return g.order(&c, opGreater, fail, hold(known), known)
	default: // less
		return g.order(&c, opNotBelow, fail, hold(known), known)
	}
}

// equal tests the words of an argument that count, the high one first.
func (g *grapher) equal(c *condition, yes func(*fact) *node, no *node, known *fact) *node {
	high := g.equalWord(c, true)
	low := g.equalWord(c, false)
	if g.arch.bits32 || high.mask == 0 {
		return g.test(low, yes(known.and(low, true)), follow(no, known.and(low, false)))
	}
	if low.mask == 0 {
		return g.test(high, yes(known.and(high, true)), follow(no, known.and(high, false)))
	}
	same := known.and(high, true)
	lowNode := g.test(low, yes(same.and(low, true)), follow(no, same.and(low, false)))
	return g.test(high, lowNode, follow(no, known.and(high, false)))
}

func (g *grapher) equalWord(c *condition, high bool) test {
	return test{g.arch.wordOffset(c.argument, high), word(c.mask, high), opEqual, word(c.value, high)}
}

// order tests whether an argument is greater than a value, or not below it if op says so.
func (g *grapher) order(c *condition, op uint16, yes, no *node, known *fact) *node {
	low := test{g.arch.wordOffset(c.argument, false), allBits, op, word(c.value, false)}
	if g.arch.bits32 {
		return g.test(low, follow(yes, known.and(low, true)), follow(no, known.and(low, false)))
	}
	above := test{g.arch.wordOffset(c.argument, true), allBits, opGreater, word(c.value, true)}
	same := above
	same.op = opEqual
	isSame := known.and(same, true)
	n := g.test(low, follow(yes, isSame.and(low, true)), follow(no, isSame.and(low, false)))
	if same.k != 0 { // else what isn't above is the same
		n = g.test(same, n, follow(no, known.and(same, false)))
	}
	return g.test(above, follow(yes, known.and(above, true)), n)
}

func word(value uint64, high bool) uint32 {
	if high {
		return uint32(value >> 32)
	}
	return uint32(value)
}

// test gives a node for a test, in its cheapest form.
func (g *grapher) test(t test, yes, no *node) *node {
	switch {
	case t.op == opNotBelow && t.k == 0:
		return yes
	case t.op == opGreater && t.k == allBits:
		return no
	case t.mask == allBits:
	case t.k == 0: // none of the bits
		t.op, t.k, t.mask = opAnyBit, t.mask, allBits
		yes, no = no, yes
	case t.k == t.mask && t.k&(t.k-1) == 0: // its only bit
		t.op, t.mask = opAnyBit, allBits
	}
	if yes == no {
		return yes
	}
	return &node{test: t, yes: yes, no: no}
}

// and adds a fact to those known.
func (f *fact) and(t test, outcome bool) *fact { return &fact{t, outcome, f} }

// follow skips tests that the facts decide.
func follow(n *node, known *fact) *node {
	for n.op != 0 {
		outcome, decided := known.decide(&n.test)
		if !decided {
			break
		}
		if outcome {
			n = n.yes
		} else {
			n = n.no
		}
	}
	return n
}

func (f *fact) decide(t *test) (outcome, decided bool) {
	for ; f != nil; f = f.before {
		switch {
		case f.offset != t.offset:
		case f.op == opEqual && f.mask == allBits && f.outcome: // the word is known
			return t.holds(f.k), true
		case f.test == *t:
			return f.outcome, true
		}
	}
	return false, false
}

func (t *test) holds(word uint32) bool {
	word &= t.mask
	switch t.op {
	case opEqual:
		return word == t.k
	case opGreater:
		return word > t.k
	case opNotBelow:
		return word >= t.k
	default: // opAnyBit
		return word&t.k != 0
	}
}

// keeps tells whether the accumulator has the node's word after its test.
func (n *node) keeps() bool { return n.mask == allBits }

// comesFrom notes that the node is reached from one after which the accumulator has the word at
// offset, if hasWord.
func (n *node) comesFrom(offset uint32, hasWord bool) {
	if n.op == 0 {
		return
	}
	if !hasWord || offset != n.offset || n.mask != allBits {
		n.loads = true
	}
	if !n.visited {
		n.visited = true
		n.yes.comesFrom(n.offset, n.keeps())
		n.no.comesFrom(n.offset, n.keeps())
	}
}

// place emits the code of a node and of all that it leads to.
func (a *assembler) node(n *node) target {
	if n.op == 0 {
		return returnTarget(n.ret)
	}
	if n.emitted {
		return n.entry
	}
	a.node(n.no)
	a.node(n.yes)
	n.tested = a.branch(n.op, n.k, n.edge(n.yes), n.edge(n.no))
	n.entry, n.emitted = n.tested, true
	if !n.loads || n.tested.isRet {
		return n.entry
	}
	if n.mask != allBits {
		a.follow(n.tested)
		a.emit(opAnd, n.mask)
		n.tested = a.here()
	}
	n.entry = a.load(n.offset, n.tested)
	return n.entry
}

// edge gives where to go from n to a node that is emitted.
func (n *node) edge(to *node) target {
	switch {
	case to.op == 0:
		return returnTarget(to.ret)
	case n.keeps() && to.offset == n.offset && to.mask == allBits:
		return to.tested
	default:
		return to.entry
	}
}
