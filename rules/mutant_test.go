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

// A mutant is one mistake in the rules.
type mutant struct {
	name       string
	start, end int      // of what is changed in the text: an expression, or the operations of an allow
	to         string   // what stands there instead
	operations []string // the same, if it is operations
	collection string   // whose rules it is in; empty: all
	asked      []string // the operations that it matters for; empty: all
}

// leastMutants is below what mutants makes of example.rules: were it to find nothing any more, nobody would notice.
const leastMutants = 110

// mutants are all mistakes that can be made of rules by changing one thing in them: a condition that always or never holds, another
// comparison, another number or text, one operation more or less.
func mutants(rules string, expressions []*expression) (all []mutant) {
	change := func(start, end int, to string) *mutant {
		line := 1 + strings.Count(rules[:start], "\n")
		all = append(all, mutant{
			name:  fmt.Sprintf("line %d: %s in place of %s", line, to, rules[start:end]),
			start: start, end: end, to: to,
		})
		all[len(all)-1].place(rules[:start])
		return &all[len(all)-1]
	}
	for _, e := range expressions {
		if e.end > len(rules) || !e.condition() || strings.HasPrefix(e.text, "let ") {
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
					change(start, end, rules[start:start+op[0]]+other+rules[start+op[1]:end])
				}
			}
		}
	}
	code := uncommented(rules)
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
			m := change(at[2], at[3], strings.Join(other, ", "))
			m.operations = other
			has := single(code[at[2]:at[3]])
			m.asked = slices.DeleteFunc(slices.Clone(every), func(op string) bool {
				return slices.Contains(has, op) == slices.Contains(other, op)
			})
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
	allows      = regexp.MustCompile(`allow ([a-z, ]+):`)
	collection  = regexp.MustCompile(`match /(\w+)/\{\w+\} \{`)
	comparison  = regexp.MustCompile(`[=!<>]=|[<>]`)
	comparisons = map[string][]string{
		"==": {"!=", "<=", ">="}, "<": {"<=", "==", ">"}, "<=": {"<", "==", ">"}, ">=": {">", "==", "<"}, ">": {">=", "==", "<"},
	}
	every  = []string{"get", "list", "create", "update", "delete"}
	wholes = map[string][]string{"read": {"get", "list"}, "write": {"create", "update", "delete"}}
)

// operations are all lists that have one operation less or more than that of an allow, without those that its condition cannot hold
// for: what is created is no resource yet, and only what is created or updated is in the request.
func operations(list, condition string) (others [][]string) {
	has := single(list)
	requested := strings.Contains(condition, "request.resource")
	stored := strings.Contains(strings.ReplaceAll(condition, "request.resource", ""), "resource.data")
	for _, op := range every {
		switch {
		case slices.Contains(has, op):
			rest := slices.DeleteFunc(slices.Clone(has), func(other string) bool { return other == op })
			if len(rest) > 0 {
				others = append(others, rest)
			}
		case op == "create" && stored, op != "create" && op != "update" && requested:
		default:
			others = append(others, append(slices.Clone(has), op))
		}
	}
	return others
}

// single are the operations that a list of an allow means.
func single(list string) (ops []string) {
	for _, op := range strings.Split(list, ", ") {
		if parts, ok := wholes[op]; ok {
			ops = append(ops, parts...)
		} else {
			ops = append(ops, op)
		}
	}
	return ops
}

// killAll holds that every mutant turns a scene, in a project that has them stored, and another one.
func killAll(t *testing.T, first project, rules string, all []mutant, scenes []*scene) {
	if len(all) < leastMutants {
		t.Errorf("%d mutants, want at least %d", len(all), leastMutants)
	}
	broods := broodsOf(rules, all)
	queue := make(chan brood, len(broods))
	for _, b := range broods {
		queue <- b
	}
	close(queue)
	second := open(t, frozen(rules))
	store(t, second, scenes)
	var workers errgroup.Group
	for _, p := range []project{first, second} {
		workers.Go(func() error {
			for b := range queue {
				if err := p.load(t.Context(), frozen(b.rules)); err != nil {
					return fmt.Errorf("%s: %w", b.mutants[0].name, err)
				}
				for i, m := range b.mutants {
					p.mutant = i + 1
					if !m.turns(t.Context(), p, scenes) {
						t.Errorf("nothing turns with %s", m.name)
					}
				}
			}
			return nil
		})
	}
	if err := workers.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("%d mutants, loaded %d times", len(all), len(broods))
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

// nearest are the scenes of who can choose the mutant, or of nobody, those first that it is likely to turn.
func (m mutant) nearest(scenes []*scene) (near []*scene) {
	for _, s := range scenes {
		if m.alone() == (s.claims == nil) {
			near = append(near, s)
		}
	}
	slices.SortStableFunc(near, func(a, b *scene) int { return m.distance(a) - m.distance(b) })
	return near
}

// place notes which requests the end of this text is for.
func (m *mutant) place(before string) {
	if matches := collection.FindAllStringSubmatchIndex(before, -1); matches != nil {
		match := matches[len(matches)-1]
		m.collection, before = before[match[2]:match[3]], before[match[1]:]
		if lists := allows.FindAllStringSubmatch(before, -1); lists != nil {
			m.asked = single(lists[len(lists)-1][1])
		}
	}
}

// distance says how unlike the requests that the mutant is about a scene's is. What always holds allows what was denied; what is
// wrong in another way mostly denies what was allowed.
func (m mutant) distance(s *scene) (d int) {
	if (m.to == "true") == s.allowed {
		d++
	}
	if m.asked != nil && !slices.Contains(m.asked, s.ask.op) {
		d += 2
	}
	if !strings.Contains(s.ask.path, m.collection) {
		d += 4
	}
	return d
}
