package rules

import (
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"
)

// TestRules runs the table on the rules of a database that has nothing but Vigil's collections.
func TestRules(t *testing.T) {
	t.Parallel()
	p, scenes := open(t, frozen(read(t, "firestore.rules"))), scenesOf(vigil(t)...)
	store(t, p, scenes)
	play(t, p, scenes)
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
	t.Run("mutants", func(t *testing.T) { killAll(t, mutants(read(t, "example.rules"), seen), scenes) })
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
