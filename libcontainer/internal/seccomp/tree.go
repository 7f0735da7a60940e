package seccomp

// A leaf is what the search by number ends with: one span, or one span with holes. A hole is a
// single number in it that has another verdict; a test for equality costs one instruction, where
// two spans more would cost two.
type leaf struct {
	spans  []span // the span, a hole, the rest of the span, a hole, …
	weight uint32
}

// maxHoles bounds the tests for equality that all calls of a span go through.
const maxHoles = 3

// leaves cuts spans into leaves.
func leaves(spans []span) []leaf {
	all := make([]leaf, 0, len(spans))
	for at := 0; at < len(spans); {
		end := at + 1
		for holes := 0; holes < maxHoles && end+1 < len(spans) && spans[end+1].verdict == spans[at].verdict &&
			spans[end+1].first == spans[end].first+1; holes++ {
			end += 2
		}
		l := leaf{spans: spans[at:end]}
		for _, s := range l.spans {
			l.weight += s.weight
		}
		all = append(all, l)
		at = end
	}
	return all
}

// search finds the verdict on the system call whose number is in the accumulator, by bisection:
// each step asks which half of the weight the number is in, so that frequent calls need fewer.
func (c *compiler) search(all []leaf) target {
	if len(all) == 1 {
		return c.leaf(&all[0])
	}
	var total, left uint32
	for i := range all {
		total += all[i].weight
	}
	middle := 1
	left = all[0].weight
	for middle < len(all)-1 && 2*left+all[middle].weight <= total {
		left += all[middle].weight
		middle++
	}
	upper := c.search(all[middle:])
	lower := c.search(all[:middle])
	return c.branch(opNotBelow, all[middle].spans[0].first, upper, lower)
}

func (c *compiler) leaf(l *leaf) target {
	t := c.verdict(l.spans[0].verdict)
	for i := len(l.spans) - 2; i > 0; i -= 2 {
		t = c.branch(opEqual, l.spans[i].first, c.verdict(l.spans[i].verdict), t)
	}
	return t
}

// verdict gives the code that a verdict stands for.
func (c *compiler) verdict(v verdict) target {
	if v.block == 0 {
		return returnTarget(v.ret)
	}
	t := &c.placed[v.block-1]
	if t.at < 0 {
		n := c.arch.graph(c.blocks[v.block-1], v.ret)
		n.comesFrom(0, false)
		*t = c.node(n)
	}
	return *t
}
