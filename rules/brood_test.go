package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A brood is mutants in one text, which the caller's token chooses among: to load rules costs the emulator more than
// many requests. The first is number 1.
type brood struct {
	mutants []mutant
	rules   string
}

// broodSize keeps a request below the 1,000 expressions that its rules may have.
const broodSize = 30

// alone reports whether a mutant is about callers without a token, who cannot choose.
func (m mutant) alone() bool {
	return m.to == "true" && strings.HasSuffix(m.name, "of request.auth != null")
}

// broodsOf are all mutants of the rules.
func broodsOf(rules string, all []mutant) (broods []brood) {
	var operations, expressions []mutant
	for _, m := range all {
		switch {
		case m.alone():
			broods = append(broods, brood{[]mutant{m}, rules[:m.start] + m.to + rules[m.end:]})
		case m.operations != nil:
			operations = append(operations, m)
		default:
			expressions = append(expressions, m)
		}
	}
	for some := range slices.Chunk(operations, broodSize) {
		broods = append(broods, brood{some, allowing(rules, some)})
	}
	for some := range slices.Chunk(expressions, broodSize) {
		broods = append(broods, brood{some, choosing(rules, some)})
	}
	return broods
}

const chosen = "request.auth.token.mutant"

// choosing are rules in which each mutant's expression is what the mutant has in its place if it is chosen.
func choosing(rules string, mutants []mutant) string {
	numbers := make([]int, len(mutants))
	for i := range numbers {
		numbers[i] = i
	}
	slices.SortStableFunc(numbers, func(a, b int) int { // the outer ones first
		return cmp.Or(mutants[a].start-mutants[b].start, mutants[b].end-mutants[a].end)
	})
	var text func(start, end int, inside []int) string
	text = func(start, end int, inside []int) string {
		var out strings.Builder
		for len(inside) > 0 {
			m := mutants[inside[0]]
			out.WriteString(rules[start:m.start] + "(")
			for len(inside) > 0 && mutants[inside[0]].start == m.start && mutants[inside[0]].end == m.end {
				fmt.Fprintf(&out, "%s == %d ? %s : ", chosen, inside[0]+1, mutants[inside[0]].to)
				inside = inside[1:]
			}
			n := 0
			for n < len(inside) && mutants[inside[n]].start < m.end {
				n++
			}
			out.WriteString(text(m.start, m.end, inside[:n]) + ")")
			start, inside = m.end, inside[n:]
		}
		return out.String() + rules[start:end]
	}
	return text(0, len(rules), numbers)
}

// allowing are rules in which each allow is for the operations of the chosen mutant.
func allowing(rules string, mutants []mutant) string {
	var out strings.Builder
	end := 0
	code := uncommented(rules)
	for _, at := range allowed.FindAllStringSubmatchIndex(code, -1) {
		out.WriteString(rules[end:at[0]])
		end = at[1]
		has, condition := single(code[at[2]:at[3]]), code[at[4]:at[5]]
		for _, op := range every {
			otherwise := []string{}
			for i, m := range mutants {
				if m.start == at[2] && slices.Contains(m.operations, op) != slices.Contains(has, op) {
					otherwise = append(otherwise, fmt.Sprint(i+1))
				}
			}
			fmt.Fprintf(&out, "allow %s: if (%s in [%s]) == %t && (%s);\n",
				op, chosen, strings.Join(otherwise, ", "), !slices.Contains(has, op), condition)
		}
	}
	return out.String() + rules[end:]
}

// uncommented has spaces in place of comments.
func uncommented(rules string) string {
	return comment.ReplaceAllStringFunc(rules, func(c string) string { return strings.Repeat(" ", len(c)) })
}
