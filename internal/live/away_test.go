package live

import (
	"math"
	"testing"
)

func TestAwayRefusesWhatIsNotANumber(t *testing.T) {
	for _, ms := range []float64{math.NaN(), math.Inf(-1), -0.5, 0} {
		if after, ok := away(ms); ok {
			t.Errorf("%v: %s", ms, after)
		}
	}
	if after, ok := away(math.Inf(1)); !ok || after != maxAway {
		t.Errorf("infinity: %s, %t", after, ok)
	}
}
