package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vigilhq/vigil/internal/session"
)

// table prints rows in columns as wide as the first of them need. Rows may come in any number of parts.
type table struct {
	w      io.Writer
	widths []int
}

// print writes rows; the last column has no width.
func (t *table) print(rows ...[]string) error {
	if t.widths == nil && len(rows) > 0 {
		t.widths = make([]int, len(rows[0]))
		for _, row := range rows {
			for i, cell := range row {
				t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cell))
			}
		}
	}
	var text strings.Builder
	for _, row := range rows {
		last := len(row) - 1
		for i, cell := range row[:last] {
			fmt.Fprintf(&text, "%-*s  ", t.widths[i], harmless(cell))
		}
		text.WriteString(harmless(row[last]) + "\n")
	}
	_, err := io.WriteString(t.w, text.String())
	return err
}

// harmless is text for a terminal: what a client has made up must not move its cursor.
func harmless(cell string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, cell)
}

// sessionColumns are the head of a table of sessions.
var sessionColumns = []string{"USER", "STATUS", "DEVICE", "PLACE", "IP", "ACTIVE", "REASON", "ID"}

// sessionRow is a session in a table, at now.
func sessionRow(s session.Session, now time.Time) []string {
	reason := ""
	if s.Status == session.StatusEnded {
		reason = string(s.EndReason) + " by " + s.EndedBy
	}
	return []string{
		string(s.UserID), string(s.Status), orDash(joined(", ", s.Device.Type, s.Device.Browser, s.Device.OS)), orDash(place(s.Location)),
		orDash(s.IPAddress), ago(now.Sub(s.LastActive)), orDash(reason), string(s.ID),
	}
}

func place(l *session.Location) string {
	if l == nil {
		return ""
	}
	return joined(", ", l.City, l.Region, l.Country)
}

func joined(separator string, parts ...string) string {
	var given []string
	for _, part := range parts {
		if part != "" {
			given = append(given, part)
		}
	}
	return strings.Join(given, separator)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// ago is a span of time up to now in its largest unit that tells something.
func ago(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%ds ago", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh ago", d/time.Hour)
	default:
		return fmt.Sprintf("%dd ago", d/day)
	}
}
