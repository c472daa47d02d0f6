package handlers

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

const (
	defaultPageSize = 50
	maxPageSize     = 200
	maxPageToken    = 512 // bytes
)

// paging are the parameters of every list that comes in pages.
var paging = []parameter{
	{"pageSize", "At most so many; there may be fewer, although more follow.", false,
		object{"type": "integer", "minimum": 1, "maximum": maxPageSize, "default": defaultPageSize}},
	{"pageToken", "The nextPageToken of the page before, for the same list.", false,
		object{"type": "string", "minLength": 1, "maxLength": maxPageToken, "pattern": "^[A-Za-z0-9_-]+$"}},
}

func (q *query) pageSize() int { return q.number("pageSize", defaultPageSize, 1, maxPageSize) }

// A page token says where a list goes on, and nothing about what is in the list: that is asked for anew with each page, so that
// somebody else's token shows nothing of theirs. It has one spelling only.
var pageTokens = base64.RawURLEncoding.Strict()

// pageToken returns the parameter of that name, or the zero cursor if there is none.
func pageToken[Cursor any](q *query, valid func(Cursor) bool) (after Cursor) {
	if !q.values.Has("pageToken") {
		return after
	}
	token := q.values.Get("pageToken")
	var told Cursor
	data, err := pageTokens.DecodeString(token[:min(len(token), maxPageToken)])
	if err == nil {
		err = json.Unmarshal(data, &told)
	}
	if err != nil || !valid(told) || nextPage(&told) != token {
		q.add("pageToken", msgPageToken)
		return after
	}
	return told
}

// nextPage is the token of where to go on, empty after the last page.
func nextPage[Cursor any](next *Cursor) string {
	if next == nil {
		return ""
	}
	data, _ := json.Marshal(next) // words, and times within the years that it has: it cannot fail
	return pageTokens.EncodeToString(data)
}

var saneEventID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// validEvents reports whether a list of events may go on at c.
func validEvents(c session.EventCursor) bool {
	return sensibleTime(c.At) && inUTC(c.At) && saneEventID.MatchString(c.ID)
}

// validSessions returns whether a search with f may go on at a cursor: it has the members that the order of the search has.
func validSessions(f session.Filter) func(session.Cursor) bool {
	return func(c session.Cursor) bool {
		if !f.ByActivity() {
			return c.ID.Valid() && c.LastActive.IsZero()
		}
		return c.ID.Valid() && sensibleTime(c.LastActive) && inUTC(c.LastActive)
	}
}

// sensibleTime reports whether t is one that every store can hold, and that nobody takes for none.
func sensibleTime(t time.Time) bool { return t.Unix() > 0 && t.UTC().Year() <= 9999 }

func inUTC(t time.Time) bool {
	_, offset := t.Zone()
	return offset == 0
}
