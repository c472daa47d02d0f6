package rules

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// TestBlock holds that what the example application has copied is all that firestore.rules has.
func TestBlock(t *testing.T) {
	t.Parallel()
	const from, to = "    // ---- Vigil: copy from here", "    // ---- Vigil: to here"
	cut := func(name string) (block, rest string) {
		before, after, found := strings.Cut(read(t, name), from)
		block, after, ended := strings.Cut(after, to)
		if !found || !ended {
			t.Fatalf("%s has no block to copy", name)
		}
		end, after, _ := strings.Cut(after, "\n")
		return block + end, before + after
	}
	original, rest := cut("firestore.rules")
	if copied, _ := cut("example.rules"); copied != original {
		t.Error("the block in example.rules is not that of firestore.rules")
	}
	if rest = comment.ReplaceAllString(rest, ""); strings.Contains(rest, "allow") || strings.Contains(rest, "function") {
		t.Errorf("firestore.rules has more than its block: %s", rest)
	}
}

// TestExample runs the whole table on the rules of the example application, and asks the emulator afterwards what it has seen.
func TestExample(t *testing.T) {
	t.Parallel()
	p, scenes := open(t, frozen(read(t, "example.rules"))), everything(t)
	store(t, p, scenes)
	play(t, p, scenes)
	seen := coverage(t, p)
	for _, gap := range unseen(seen) {
		t.Error(gap)
	}
	t.Run("mutants", func(t *testing.T) {
		rules := read(t, "example.rules")
		killAll(t, p, rules, mutants(rules, seen), scenes)
	})
}

// everything is the whole table.
func everything(t *testing.T) []*scene { return scenesOf(slices.Concat(application(), vigil(t))...) }

// play has every scene come out as it should.
func play(t *testing.T, p project, scenes []*scene) {
	t.Helper()
	var together errgroup.Group
	together.SetLimit(8)
	for _, s := range scenes {
		together.Go(func() error {
			allowed, err := s.outcome(t.Context(), p)
			switch {
			case err != nil:
				t.Errorf("%s: %v", s.name, err)
			case allowed && !s.allowed:
				t.Errorf("%s: allowed", s.name)
			case !allowed && s.allowed:
				t.Errorf("%s: denied", s.name)
			}
			return nil
		})
	}
	_ = together.Wait()
	t.Logf("%d requests", len(scenes))
}
