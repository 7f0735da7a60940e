package ere

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{"web", []string{"web", "my-web-1"}, []string{"wep", ""}},
		{"^web", []string{"web", "web-1"}, []string{"my-web"}},
		{"^web-[0-9]+$", []string{"web-1", "web-0815"}, []string{"web-", "web-1a", "web"}},
		{"^(a|b.)$", []string{"a", "bb"}, []string{"b", "ab", "bbb"}},
		{"^a{2,3}$", []string{"aa", "aaa"}, []string{"a", "aaaa"}},
		{"^(ab){2}$", []string{"abab"}, []string{"ab", "ababab"}},
		{"^a{2,}$", []string{"aa", "aaaaaaaa"}, []string{"a"}},
		{"^a{0}b$", []string{"b"}, []string{"ab"}},
		{`^a\.b$`, []string{"a.b"}, []string{"axb"}},
		{"^[]a-]$", []string{"]", "a", "-"}, []string{"b"}},
		{"^[^]a]$", []string{"b"}, []string{"]", "a", ""}},
		{`^[\.]$`, []string{`\`, "."}, []string{"x"}},
		{"^[[:alpha:]_]+[[:digit:]]?$", []string{"ab_1", "ab"}, []string{"1", "a12"}},
		{"^(|a)*$", []string{"", "aaa"}, []string{"b"}},
		{"(a*)*(b|)+c?$", []string{"aab", "", "x"}, nil},
		{"a|^$|b$", []string{"", "xab", "b", "a"}, []string{"bx"}},
	} {
		p, err := Compile(c.pattern)
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
			continue
		}
		for _, text := range c.yes {
			if !p.Match(text) {
				t.Errorf("%q does not match %q", c.pattern, text)
			}
		}
		for _, text := range c.no {
			if p.Match(text) {
				t.Errorf("%q matches %q", c.pattern, text)
			}
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for pattern, want := range map[string]string{
		"*":                       `nothing for '*' to repeat`,
		"a|+":                     `nothing for '+' to repeat`,
		"(a":                      `"(" is not closed`,
		"a)":                      `")" closes nothing`,
		"[a":                      `"[" is not closed`,
		"[]":                      `"[" is not closed`,
		"[z-a]":                   `the range "z-a" goes backwards`,
		"[[:foo:]]":               `"[:foo" in brackets begins no class`,
		"[[.a.]]":                 `"[." in brackets is not supported`,
		`\d`:                      `"\d" has no meaning`,
		`a\`:                      `nothing stands behind its last backslash`,
		"a{":                      `"{}" is not a number of repetitions`,
		"a{2,1}":                  `"{2,1}" is not a number of repetitions`,
		"a{256}":                  `at most 255`,
		"a{,3}":                   `"{,3}" is not a number`,
		"(a{255}){255}":           "longer than",
		strings.Repeat("a?", 501): "longer than",
	} {
		if _, err := Compile(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %q", pattern, err, want)
		}
	}
}

// A pattern of nested repetitions, for which a search that goes back takes time without end.
func TestNoPatternIsSlow(t *testing.T) {
	p, err := Compile("^((a|a?)+)+$")
	if err != nil {
		t.Fatal(err)
	}
	if p.Match(strings.Repeat("a", 1000) + "!") {
		t.Error("it matches")
	}
}

// agrees compares with the standard library what both take for an expression.
func agrees(t *testing.T, pattern string, texts ...string) {
	t.Helper()
	p, err := Compile(pattern)
	want, errWant := regexp.CompilePOSIX("(" + pattern + ")")
	if err != nil || errWant != nil {
		return
	}
	for _, text := range texts {
		if got := p.Match(text); got != want.MatchString(text) {
			t.Errorf("%q in %q: got %v", pattern, text, got)
		}
	}
}

// pieces are what random expressions are made of.
var pieces = []string{"a", "b", ".", "[ab]", "[^a]", "[a-c]", "(", ")", "(", ")", "|", "*", "+", "?", "{2}", "{0,2}", "{1,}", "^", "$", `\.`, "-"}

func TestAsTheStandardLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2)) // the same each time
	compiled := 0
	for range 200000 {
		var pattern, text strings.Builder
		for range 1 + r.IntN(8) {
			pattern.WriteString(pieces[r.IntN(len(pieces))])
		}
		for range r.IntN(6) {
			text.WriteByte("abc.-"[r.IntN(5)])
		}
		if _, err := Compile(pattern.String()); err == nil {
			compiled++
		}
		agrees(t, pattern.String(), text.String())
	}
	if compiled < 10000 {
		t.Errorf("only %d expressions were ones", compiled)
	}
}

func FuzzCompile(f *testing.F) {
	f.Add("^web-[0-9]+$", "web-1")
	f.Add("(a|b){2,3}[^[:digit:]]", "abc")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 50 || len(text) > 50 { // the library takes seconds for some
			return
		}
		if p, err := Compile(pattern); err == nil {
			p.Match(text)
		}
		for _, b := range []byte(pattern + text) { // what the library reads otherwise: characters, lines, backslashes in brackets
			if b >= 0x80 || b == '\n' || b == '\\' || b == '[' {
				return
			}
		}
		agrees(t, pattern, text)
	})
}
