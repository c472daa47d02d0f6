package tied

import (
	"strings"
	"testing"
)

func TestTail(t *testing.T) {
	var kept Tail
	for _, part := range []string{strings.Repeat("a", tailSize), "b"} {
		_, _ = kept.Write([]byte(part))
	}
	if got := kept.String(); len(got) != tailSize || !strings.HasSuffix(got, "ab") {
		t.Errorf("kept %d bytes", len(got))
	}
}
