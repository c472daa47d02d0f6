package rules

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// A mutant is rules with one mistake in them.
type mutant struct {
	name  string
	at    int // where in the text
	rules string
}

// leastMutants is below what mutants makes of example.rules: were it to find nothing any more, nobody would notice.
const leastMutants = 90

// mutants are all mistakes that can be made of rules by changing one thing in them: a condition that always or never holds, another
// comparison, another number or text, one operation more or less.
func mutants(rules string, expressions []*expression) (all []mutant) {
	change := func(start, end int, to string) {
		name := fmt.Sprintf("line %d: %s", 1+strings.Count(rules[:start], "\n"), to)
		if what := rules[start:end]; what != "" {
			name += " in place of " + what
		}
		all = append(all, mutant{name: name, at: start, rules: rules[:start] + to + rules[end:]})
	}
	for _, e := range expressions {
		if e.end > len(rules) || !e.came() || strings.HasPrefix(e.text, "let ") {
			continue // the clock of the tests, and functions as a whole, whose end is a condition
		}
		start, end := e.start, e.end
		if !e.part { // a conjunction is false with any of its parts
			change(start, end, "false")
		}
		if conjunction.MatchString(e.text) {
			continue // it is changed part by part
		}
		change(start, end, "true")
		if op := comparison.FindStringIndex(e.text); op != nil {
			for _, other := range comparisons[e.text[op[0]:op[1]]] {
				if other == "!=" || strings.Contains(rules[start:end], "request.time") { // only times have an order
					change(start+op[0], start+op[1], other)
				}
			}
		}
	}
	code := comment.ReplaceAllStringFunc(rules, func(c string) string { return strings.Repeat(" ", len(c)) })
	for _, at := range number.FindAllStringIndex(code, -1) {
		n, _ := strconv.Atoi(code[at[0]:at[1]])
		change(at[0], at[1], strconv.Itoa(n+1))
		change(at[0], at[1], strconv.Itoa(n-1))
	}
	for _, at := range text.FindAllStringIndex(code, -1) {
		change(at[0], at[1], "'other'")
	}
	for _, at := range allowed.FindAllStringSubmatchIndex(code, -1) {
		for _, other := range operations(code[at[2]:at[3]], code[at[4]:at[5]]) {
			change(at[2], at[3], other)
		}
	}
	return all
}

var (
	conjunction = regexp.MustCompile(`&&`)
	comment     = regexp.MustCompile(`//.*|^rules_version.*`)
	number      = regexp.MustCompile(`\b\d+\b`)
	text        = regexp.MustCompile(`'[^']*'`)
	allowed     = regexp.MustCompile(`allow ([a-z, ]+): if ([^;]*);`)
	comparison  = regexp.MustCompile(`[=!<>]=|[<>]`)
	comparisons = map[string][]string{
		"==": {"!=", "<=", ">="}, "<": {"<=", "==", ">"}, "<=": {"<", "==", ">"}, ">=": {">", "==", "<"}, ">": {">=", "==", "<"},
	}
	wholes = map[string][]string{"read": {"get", "list"}, "write": {"create", "update", "delete"}}
)

// operations are all lists that have one operation less or more than that of an allow, without those that its condition cannot hold
// for: what is created is no resource yet, and only what is created or updated is in the request.
func operations(list, condition string) (others []string) {
	var has []string
	for _, op := range strings.Split(list, ", ") {
		if parts, ok := wholes[op]; ok {
			has = append(has, parts...)
		} else {
			has = append(has, op)
		}
	}
	requested := strings.Contains(condition, "request.resource")
	stored := strings.Contains(strings.ReplaceAll(condition, "request.resource", ""), "resource.data")
	for _, op := range []string{"get", "list", "create", "update", "delete"} {
		switch {
		case slices.Contains(has, op):
			rest := slices.DeleteFunc(slices.Clone(has), func(other string) bool { return other == op })
			if len(rest) > 0 {
				others = append(others, strings.Join(rest, ", "))
			}
		case op == "create" && stored, op != "create" && op != "update" && requested:
		default:
			others = append(others, strings.Join(append(slices.Clone(has), op), ", "))
		}
	}
	return others
}

// killAll holds that every mutant turns a scene.
func killAll(t *testing.T, all []mutant, scenes []*scene) {
	if len(all) < leastMutants {
		t.Errorf("%d mutants, want at least %d", len(all), leastMutants)
	}
	queue := make(chan mutant, len(all))
	for _, m := range all {
		queue <- m
	}
	close(queue)
	var workers errgroup.Group
	for range 2 {
		p := open(t, frozen(all[0].rules))
		store(t, p, scenes)
		workers.Go(func() error {
			for m := range queue {
				if err := p.load(t.Context(), frozen(m.rules)); err != nil {
					return fmt.Errorf("%s: %w", m.name, err)
				}
				if !m.turns(t.Context(), p, scenes) {
					t.Errorf("nothing turns with %s", m.name)
				}
			}
			return nil
		})
	}
	if err := workers.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("%d mutants", len(all))
}

// turns reports whether a scene comes out another way.
func (m mutant) turns(ctx context.Context, p project, scenes []*scene) bool {
	for _, s := range m.nearest(scenes) {
		if got, err := s.outcome(ctx, p); err != nil || got != s.allowed {
			return true
		}
	}
	return false
}

// nearest sorts scenes, so that those come first which are likely to turn: of the collection that has been changed, and
// reads or writes, as its operations are.
func (m mutant) nearest(scenes []*scene) []*scene {
	before := m.rules[:m.at]
	matches := collection.FindAllStringSubmatchIndex(before, -1)
	if matches == nil {
		return scenes
	}
	match := matches[len(matches)-1]
	name, rest := before[match[2]:match[3]], before[match[1]:]
	reads := strings.Contains(rest[strings.LastIndex(rest, "allow")+1:], "read")
	distance := func(s *scene) (d int) {
		if !strings.Contains(s.ask.path, name) {
			d = 2
		}
		if s.ask.writes == reads {
			d++
		}
		return d
	}
	scenes = slices.Clone(scenes)
	slices.SortStableFunc(scenes, func(a, b *scene) int { return distance(a) - distance(b) })
	return scenes
}

var collection = regexp.MustCompile(`match /(\w+)/\{\w+\} \{`)
