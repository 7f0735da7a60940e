package cli

import (
	"slices"
	"strings"
)

// Candidate is a word that can stand next on a command line, with what it means.
type Candidate struct{ Word, Text string }

// Completion is what can stand next.
type Completion struct {
	Candidates []Candidate
	Files      bool // names of files too
	Dirs       bool // names of directories too
}

// Complete tells what the last of the words can become, which stand behind the program's name: an
// option that was not given yet, an option's value, a verb, or what the verb says of its arguments.
// The other words are taken as they are, whatever is wrong with them.
func (a *App) Complete(words []string) Completion {
	if len(words) == 0 {
		words = []string{""}
	}
	l := partial{app: a, line: plainLine{global: a.Options}}
	for _, word := range words[:len(words)-1] {
		l.add(word)
	}
	found := l.next(words[len(words)-1])
	found.Candidates = slices.DeleteFunc(found.Candidates, func(c Candidate) bool { return !strings.HasPrefix(c.Word, words[len(words)-1]) })
	return found
}

// partial is a command line that is still being written.
type partial struct {
	app     *App
	line    plainLine
	verb    *Command
	help    bool // what follows is a verb to tell of
	args    []string
	pending *Option // whose value comes next
	plain   bool    // no option follows
}

// add takes a complete word.
func (p *partial) add(word string) {
	switch {
	case p.pending != nil:
		p.line.given = append(p.line.given, given{p.pending, word})
		p.pending = nil
	case p.foreign() || p.plain:
		p.args = append(p.args, word)
	case word == "--":
		p.plain = true
	case isOption(word):
		p.addOption(word)
	case p.verb == nil && !p.help && word == "help":
		p.help = true
	case p.verb == nil && !p.help && p.app.named(word) != nil:
		p.verb = p.app.named(word)
		p.line.own = p.verb.Own()
	default:
		p.args = append(p.args, word)
	}
}

// foreign tells that the words are another program's by now.
func (p *partial) foreign() bool { return p.verb != nil && p.verb.Foreign && len(p.args) > 0 }

func (p *partial) addOption(word string) {
	name, value, joined := strings.Cut(strings.TrimPrefix(word[1:], "-"), "=")
	o := p.line.find(name)
	switch {
	case o == nil:
	case o.Kind == Boolean && value == "":
		p.line.given = append(p.line.given, given{o, "true"})
	case o.Kind == Boolean, joined:
		p.line.given = append(p.line.given, given{o, value})
	default:
		p.pending = o
	}
}

// next tells what can come in the place of a word that has begun.
func (p *partial) next(begun string) Completion {
	switch {
	case p.pending != nil:
		return p.pending.values("")
	case p.foreign():
		return Completion{}
	case !p.plain && strings.HasPrefix(begun, "-"):
		return p.options(begun)
	case p.verb == nil && len(p.args) == 0:
		return Completion{Candidates: p.app.verbCandidates(p.help)}
	case p.verb == nil || p.verb.Next == nil:
		return Completion{}
	}
	call := &Call{Options: &p.line, Verb: p.verb.Name, Args: p.args}
	return Completion{Candidates: slices.DeleteFunc(p.verb.Next(call), func(c Candidate) bool { return slices.Contains(p.args, c.Word) })}
}

func (a *App) verbCandidates(help bool) []Candidate {
	var list []Candidate
	for _, c := range a.Commands {
		list = append(list, Candidate{c.Name, c.Usage})
	}
	if !help {
		list = append(list, Candidate{"help", "tell of a command"})
	}
	return list
}

// options lists those that can be given still, or the values of one that an equals sign follows.
func (p *partial) options(begun string) Completion {
	if name, _, joined := strings.Cut(begun, "="); joined {
		if o := p.line.find(strings.TrimLeft(name, "-")); o != nil {
			return o.values(name + "=")
		}
		return Completion{}
	}
	var list []Candidate
	for _, group := range append(p.line.own[:len(p.line.own):len(p.line.own)], p.line.global) {
		for i := range group {
			o := &group[i]
			again := o.Kind != Texts && p.line.last(o) != nil
			word := "--" + o.Name
			if o.Hidden || again || slices.ContainsFunc(list, func(c Candidate) bool { return c.Word == word }) {
				continue
			}
			list = append(list, Candidate{word, strings.ReplaceAll(o.Usage, "`", "")})
		}
	}
	list = append(list, Candidate{"--help", "tell how it is used"})
	if p.verb == nil {
		list = append(list, Candidate{"--version", "print the version"})
	}
	return Completion{Candidates: list}
}

// values are what an option takes, behind a prefix. What a usage calls DIR, FILE or PATH is the
// name of one.
func (o *Option) values(prefix string) Completion {
	all := o.Values
	if o.ValuesOf != nil {
		all = o.ValuesOf()
	}
	if o.Kind == Boolean {
		all = []string{"true", "false"}
	}
	found := Completion{Dirs: strings.Contains(o.Usage, "`DIR`"), Files: strings.Contains(o.Usage, "`FILE`") || strings.Contains(o.Usage, "`PATH`")}
	for _, value := range all {
		found.Candidates = append(found.Candidates, Candidate{Word: prefix + value})
	}
	return found
}
