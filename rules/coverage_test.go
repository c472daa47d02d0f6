package rules

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestUnseen has the gate fail on the table of touches, before anything is asked and without the requests within a minute.
func TestUnseen(t *testing.T) {
	t.Parallel()
	p, rows := open(t, frozen(read(t, "firestore.rules"))), touches()
	const condition = "request.time >= resource.data.lastActive + duration.value(1, 'm')"
	for _, step := range []struct {
		played []*scene
		gap    string
	}{
		{nil, "value"}, {scenesOf(rows[0]), "false"}, {scenesOf(rows[1]), ""},
	} {
		store(t, p, step.played)
		play(t, p, step.played)
		gaps := strings.Join(unseen(coverage(t, p)), "\n")
		at := strings.Index(gaps, frozen(condition)[:len(condition)])
		switch {
		case at < 0 && step.gap != "":
			t.Errorf("not missed: %s of %s\n%s", step.gap, condition, gaps)
		case at >= 0:
			line, _, _ := strings.Cut(gaps[at:], "\n")
			if step.gap == "" || !strings.HasSuffix(line, step.gap) {
				t.Errorf("missed after %d requests: %s", len(step.played), line)
			}
		}
	}
}

// An expression is one of the rules', with its parts, and what has come out of it.
type expression struct {
	SourcePosition struct{ Line, CurrentOffset, EndOffset int }
	Values         []struct{ Value map[string]any }
	Children       []*expression

	start, end int // in the text
	text       string
	part       bool // of a conjunction
}

// coverage asks the emulator for all expressions of a project's rules: its report is the tree in which it has read them.
func coverage(t *testing.T, p project) []*expression {
	t.Helper()
	data, err := p.call(t.Context(), http.MethodGet, "ruleCoverage", nil)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Rules  struct{ Files []struct{ Content string } }
		Report []*expression
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		t.Fatal(err)
	}
	var all []*expression
	var visit func(list []*expression, parts bool)
	visit = func(list []*expression, parts bool) {
		for _, e := range list {
			e.cut(answer.Rules.Files[0].Content)
			e.part = parts
			all = append(all, e)
			visit(e.Children, conjunction.MatchString(e.text) && !strings.HasPrefix(e.text, "let "))
		}
	}
	visit(answer.Report, false)
	return all
}

// cut finds the text of e. The emulator's last offset is that of the last character of its last word, which leaves out brackets.
func (e *expression) cut(rules string) {
	e.start, e.end = e.SourcePosition.CurrentOffset, e.SourcePosition.EndOffset+1
	open := strings.Count(rules[e.start:e.end], "(") + strings.Count(rules[e.start:e.end], "[") -
		strings.Count(rules[e.start:e.end], ")") - strings.Count(rules[e.start:e.end], "]")
	for ; open > 0 || rules[e.end] == '('; e.end++ {
		switch rules[e.end] {
		case '(', '[':
			open++
		case ')', ']':
			open--
		}
	}
	e.text = rules[e.start:e.end]
}

// came reports whether a boolean, or the given one, has come out of e.
func (e *expression) came(of ...bool) bool {
	for _, v := range e.Values {
		b, ok := v.Value["boolValue"].(bool)
		if ok && (len(of) == 0 || b == of[0]) {
			return true
		}
	}
	return false
}

// condition reports whether nothing but booleans and errors have come out of e.
func (e *expression) condition() bool {
	for _, v := range e.Values {
		for kind := range v.Value {
			if kind != "boolValue" && kind != "undefined" {
				return false
			}
		}
	}
	return e.came()
}

// unseen says of which expressions too little has been seen: of one that is a condition both true and false, of any other a
// value. An error is none: it denies, but so it would whatever stood beside it.
func unseen(all []*expression) (gaps []string) {
	for _, e := range all {
		where := fmt.Sprintf("line %d: %s", e.SourcePosition.Line, strings.Join(strings.Fields(e.text), " "))
		switch {
		case e.came() && !e.came(true):
			gaps = append(gaps, where+" has never been true")
		case e.came() && !e.came(false):
			gaps = append(gaps, where+" has never been false")
		case !e.valued():
			gaps = append(gaps, where+" has never had a value")
		}
	}
	return gaps
}

// valued reports whether something besides errors has come out of e.
func (e *expression) valued() bool {
	for _, v := range e.Values {
		if _, failed := v.Value["undefined"]; !failed {
			return true
		}
	}
	return false
}
