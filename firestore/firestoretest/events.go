package firestoretest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Events is an emulator of a test's own that tells of writes, by real CloudEvents over HTTP, as Eventarc does: at least once, and again
// until they are acknowledged.
type Events struct {
	*Emulator

	ctx       context.Context
	mu        sync.Mutex
	next      int
	targets   map[string]string // URLs, by the path that the emulator posts to
	delivered []Event
	under     sync.WaitGroup
}

// Event is one that has been acknowledged.
type Event struct {
	ID     string
	Header http.Header
	Body   []byte
}

// NewEvents starts an emulator that ends with the test.
func NewEvents(tb testing.TB) *Events {
	tb.Helper()
	e := &Events{ctx: tb.Context(), targets: make(map[string]string)}
	hook := httptest.NewServer(e)
	tb.Cleanup(func() { hook.Close(); e.under.Wait() })
	e.Emulator = New(tb, "--functions_emulator="+strings.TrimPrefix(hook.URL, "http://"))
	return e
}

// Subscribe has every write of a document that matches the pattern, such as sessionUsers/{uid}, posted to a URL.
func (e *Events) Subscribe(tb testing.TB, projectID, pattern, target string) {
	tb.Helper()
	e.mu.Lock()
	e.next++
	name := fmt.Sprintf("trigger-%d", e.next)
	e.targets["/functions/projects/"+projectID+"/triggers/"+name] = target
	e.mu.Unlock()
	trigger, err := json.Marshal(map[string]any{
		"eventType": "google.cloud.firestore.document.v1.written", "database": "(default)", "namespace": "(default)",
		"document": map[string]string{"value": pattern, "matchType": "PATH_PATTERN"},
	})
	if err != nil {
		tb.Fatal(err)
	}
	path := "http://" + e.Host() + "/emulator/v1/projects/" + projectID + "/eventarcTrigger?eventarcTriggerId=" + url.QueryEscape(name)
	if status, err := post(tb.Context(), path, http.Header{"Content-Type": {"application/json"}}, trigger); err != nil || status != http.StatusOK {
		tb.Fatalf("firestoretest: no trigger: %d, %v", status, err)
	}
}

// Delivered are the events that have been acknowledged so far.
func (e *Events) Delivered() []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]Event(nil), e.delivered...)
}

// ServeHTTP takes an event from the emulator and mends what keeps it from being one: a header that repeats the content type, and a body
// that is the base64 of itself.
func (e *Events) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	target, ok := e.targets[r.URL.Path]
	e.mu.Unlock()
	body, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, r.Body))
	if !ok || err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	header := http.Header{"Content-Type": r.Header["Content-Type"]}
	for name, values := range r.Header {
		if strings.HasPrefix(name, "Ce-") && name != "Ce-Datacontenttype" {
			header[name] = values
		}
	}
	e.under.Go(func() { e.deliver(target, Event{ID: header.Get("Ce-Id"), Header: header, Body: body}) })
}

// deliver posts an event until it is acknowledged, or the test is over.
func (e *Events) deliver(target string, event Event) {
	for {
		if status, err := post(e.ctx, target, event.Header, event.Body); err == nil && status/100 == 2 {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.delivered = append(e.delivered, event)
			return
		}
		select {
		case <-e.ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Redeliver posts an event once more and returns the status of the answer.
func Redeliver(tb testing.TB, target string, event Event) (status int) {
	tb.Helper()
	status, err := post(tb.Context(), target, event.Header, event.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return status
}

func post(ctx context.Context, target string, header http.Header, body []byte) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header = header.Clone()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}
