package functions

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/googleapis/google-cloudevents-go/cloud/firestoredata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/vigilhq/vigil/internal/session"
)

const written = "google.cloud.firestore.document.v1.written"

func text(s string) *firestoredata.Value {
	return &firestoredata.Value{ValueType: &firestoredata.Value_StringValue{StringValue: s}}
}

func flag(b bool) *firestoredata.Value {
	return &firestoredata.Value{ValueType: &firestoredata.Value_BooleanValue{BooleanValue: b}}
}

// userData is what an event says about a write of a document of sessionUsers. Nil fields: it was deleted.
func userData(fields map[string]*firestoredata.Value) *firestoredata.DocumentEventData {
	data := &firestoredata.DocumentEventData{OldValue: &firestoredata.Document{Fields: map[string]*firestoredata.Value{
		"userId": text("ana"), "tokensPending": flag(true),
	}}}
	if fields != nil {
		data.Value = &firestoredata.Document{Name: "projects/p/databases/(default)/documents/sessionUsers/sha256:0", Fields: fields}
	}
	return data
}

func binary(kind, contentType string) http.Header {
	return http.Header{
		"Ce-Id": {"event-1"}, "Ce-Type": {kind}, "Ce-Specversion": {"1.0"}, "Content-Type": {contentType},
		"Ce-Source": {"//firestore.googleapis.com/projects/p/databases/(default)"}, "Ce-Time": {"2026-11-26T11:36:41Z"},
	}
}

func inProtobuf(t *testing.T, data proto.Message) []byte {
	t.Helper()
	body, err := proto.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestOnRevocation(t *testing.T) {
	d := &domain{}
	f := newServer(t, d).functions[OnRevocation]
	pending := map[string]*firestoredata.Value{"userId": text("a/b"), "tokensPending": flag(true)}
	inJSON, err := protojson.Marshal(userData(pending))
	if err != nil {
		t.Fatal(err)
	}
	structured := encode(object{
		"specversion": "1.0", "id": "event-1", "source": "//firestore.googleapis.com/", "type": written,
		"datacontenttype": "application/json", "data": json.RawMessage(inJSON),
	})
	for name, c := range map[string]struct {
		header http.Header
		body   []byte
		code   int
		want   string
	}{
		"pending": {binary(written, "application/protobuf"), inProtobuf(t, userData(pending)), 204, "finish a/b"},
		"pending, of another type of write": {
			binary("google.cloud.firestore.document.v1.created.withAuthContext", "application/protobuf"), inProtobuf(t, userData(pending)), 204, "finish a/b",
		},
		"pending, in JSON":         {binary(written, "application/json; charset=utf-8"), inJSON, 204, "finish a/b"},
		"pending, in one document": {http.Header{"Content-Type": {"application/cloudevents+json"}}, structured, 204, "finish a/b"},
		"done": {
			binary(written, "application/protobuf"),
			inProtobuf(t, userData(map[string]*firestoredata.Value{"userId": text("ana"), "tokensPending": flag(false)})), 204, "",
		},
		"pending, as a text": {
			binary(written, "application/protobuf"),
			inProtobuf(t, userData(map[string]*firestoredata.Value{"userId": text("ana"), "tokensPending": text("true")})), 204, "",
		},
		"no user": {
			binary(written, "application/protobuf"), inProtobuf(t, userData(map[string]*firestoredata.Value{"tokensPending": flag(true)})), 204, "",
		},
		"no user that there can be": {
			binary(written, "application/protobuf"),
			inProtobuf(t, userData(map[string]*firestoredata.Value{"userId": text(strings.Repeat("a", 129)), "tokensPending": flag(true)})), 204, "",
		},
		"deleted":            {binary(written, "application/protobuf"), inProtobuf(t, userData(nil)), 204, ""},
		"nothing":            {binary(written, "application/protobuf"), nil, 204, ""},
		"of another service": {binary("google.cloud.storage.object.v1.finalized", "application/json"), []byte(`{}`), 204, ""},
		"unreadable":         {binary(written, "application/protobuf"), []byte("hello"), 400, ""},
		"JSON unreadable":    {binary(written, "application/json"), []byte("hello"), 400, ""},
		"no event":           {http.Header{"Content-Type": {"application/json"}}, []byte(`{}`), 400, ""},
		"no id":              {without(binary(written, "application/protobuf"), "Ce-Id"), inProtobuf(t, userData(pending)), 400, ""},
		"no source":          {without(binary(written, "application/protobuf"), "Ce-Source"), inProtobuf(t, userData(pending)), 400, ""},
		"too large":          {binary(written, "application/protobuf"), make([]byte, maxEvent+1), 413, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if w := post(t, f, c.body, c.header); w.Code != c.code {
				t.Errorf("%d %s, want %d", w.Code, w.Body, c.code)
			}
			if got := d.took(); got != c.want {
				t.Errorf("asked for %q, want %q", got, c.want)
			}
		})
	}
}

func without(header http.Header, name string) http.Header {
	header.Del(name)
	return header
}

func legacyDeletion(uid, tenant string) []byte {
	return encode(object{
		"eventId": "event-1", "eventType": deletedLegacy, "notSupported": object{}, "resource": "projects/p", "timestamp": "2020-09-29T11:32:00.000Z",
		"data": over(object{
			"uid": uid, "email": "ana@example.com", "metadata": object{"createdAt": "2020-05-26T10:42:27Z", "lastSignedInAt": "2020-10-24T11:00:00Z"},
		}, object{"tenantId": nonEmpty(tenant)}),
	})
}

func nonEmpty(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// deletion2 is an event of the second generation, as Eventarc and the Firebase CLI's emulators send it.
func deletion2(data string, change ...func(http.Header)) (http.Header, []byte) {
	header := binary(deletedV2, "application/json")
	header.Set("Ce-Source", "//identitytoolkit.googleapis.com/projects/p")
	header.Set("Ce-Subject", "users/ana")
	for _, c := range change {
		c(header)
	}
	return header, []byte(data)
}

func TestOnUserDeleted(t *testing.T) {
	type sent struct {
		header http.Header
		body   []byte
	}
	second := func(data string, change ...func(http.Header)) sent {
		header, body := deletion2(data, change...)
		return sent{header, body}
	}
	set := func(name, value string) func(http.Header) { return func(h http.Header) { h.Set(name, value) } }
	legacy := http.Header{"Content-Type": {"application/json"}}
	for name, c := range map[string]struct {
		sent
		tenant string
		code   int
		want   string
	}{
		"second generation": {sent: second(`{"oldValue":{"uid":"ana","email":"ana@example.com"}}`), code: 204, want: "deleted ana by event-1"},
		"second generation, protobuf": {
			sent: second("\x12\x05\n\x03bea", set("Content-Type", "application/protobuf")), code: 204, want: "deleted ana by event-1",
		},
		"a uid with slashes":   {sent: second(`{"oldValue":{"uid":"a/b"}}`, set("Ce-Subject", "users/a")), code: 204, want: "deleted a/b by event-1"},
		"another tenant's":     {sent: second(`{}`, set("Ce-Tenantid", "acme")), code: 204},
		"our tenant's":         {sent: second(`{}`, set("Ce-Tenantid", "acme")), tenant: "acme", code: 204, want: "deleted ana by event-1"},
		"no user":              {sent: second(`{}`, set("Ce-Subject", "")), code: 204},
		"a user of 129 signs":  {sent: second(`{}`, set("Ce-Subject", "users/"+strings.Repeat("a", 129))), code: 204},
		"created":              {sent: second(`{"value":{"uid":"ana"}}`, set("Ce-Type", "google.firebase.auth.user.v2.created")), code: 204},
		"unreadable":           {sent: second(`{`), code: 400},
		"first generation":     {sent: second(`{"uid":"ana"}`, set("Ce-Type", deletedV1)), code: 204, want: "deleted ana by event-1"},
		"before CloudEvents":   {sent: sent{legacy, legacyDeletion("ana", "")}, code: 204, want: "deleted ana by event-1"},
		"of a tenant, before":  {sent: sent{legacy, legacyDeletion("ana", "acme")}, code: 204},
		"with a context":       {sent: sent{legacy, []byte(`{"context":{"eventId":"7","eventType":"` + deletedLegacy + `"},"data":{"uid":"ana"}}`)}, code: 204, want: "deleted ana by 7"},
		"created, before":      {sent: sent{legacy, []byte(`{"eventId":"7","eventType":"providers/firebase.auth/eventTypes/user.create","data":{"uid":"ana"}}`)}, code: 400},
		"no data, before":      {sent: sent{legacy, []byte(`{"eventId":"7","eventType":"` + deletedLegacy + `"}`)}, code: 400},
		"no id, before":        {sent: sent{legacy, []byte(`{"eventType":"` + deletedLegacy + `","data":{"uid":"ana"}}`)}, code: 400},
		"no JSON, before":      {sent: sent{legacy, []byte(`hello`)}, code: 400},
		"too large":            {sent: sent{legacy, make([]byte, maxEvent+1)}, code: 413},
		"nothing, of any kind": {sent: sent{nil, nil}, code: 400},
	} {
		t.Run(name, func(t *testing.T) {
			d := &domain{}
			f := newServer(t, d, func(o *Options) { o.TenantID = c.tenant }).functions[OnUserDeleted]
			if w := post(t, f, c.body, c.header); w.Code != c.code {
				t.Errorf("%d %s, want %d", w.Code, w.Body, c.code)
			}
			if got := d.took(); got != c.want {
				t.Errorf("asked for %q, want %q", got, c.want)
			}
		})
	}
}

// An event of the first generation is read as the framework would convert it for a function that takes CloudEvents.
func TestLegacyEventsAreReadAsTheFrameworkDoes(t *testing.T) {
	converted := make(chan event.Event, 1)
	if err := funcframework.RegisterCloudEventFunctionContext(t.Context(), "/Reference", func(_ context.Context, e event.Event) error {
		converted <- e
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t)
	host, port, _ := net.SplitHostPort(addr)
	go func() { _ = funcframework.StartHostPort(host, port) }() // until the process ends
	await(t, addr)
	for _, body := range [][]byte{legacyDeletion("ana", ""), legacyDeletion("a/b ñ", "acme")} {
		status, _ := send(t, "http://"+addr+"/Reference", http.Header{"Content-Type": {"application/json"}}, body)
		if status != http.StatusOK {
			t.Fatalf("the framework answers %d", status)
		}
		want := <-converted
		got, err := readLegacy(body)
		if err != nil {
			t.Fatal(err)
		}
		wantUID, wantTenant, _ := deletedAccount(want)
		gotUID, gotTenant, err := deletedAccount(got)
		if err != nil || got.ID() != want.ID() || got.Type() != want.Type() || got.Subject() != want.Subject() || gotUID != wantUID || gotTenant != wantTenant {
			t.Errorf("read as %v, the framework says %v", got, want)
		}
	}
}

func TestWhatIsNotDoneIsSentAgain(t *testing.T) {
	pending := inProtobuf(t, userData(map[string]*firestoredata.Value{"userId": text("ana"), "tokensPending": flag(true)}))
	deleted, gone := deletion2(`{"oldValue":{"uid":"ana"}}`)
	d := &domain{err: session.Unavailable("x", context.DeadlineExceeded)}
	s := newServer(t, d)
	wantError(t, post(t, s.functions[OnRevocation], pending, binary(written, "application/protobuf")), http.StatusServiceUnavailable, "UNAVAILABLE")
	wantError(t, post(t, s.functions[OnUserDeleted], gone, deleted), http.StatusServiceUnavailable, "UNAVAILABLE")
	d.panics = true
	wantError(t, post(t, s.functions[OnRevocation], pending, binary(written, "application/protobuf")), http.StatusInternalServerError, "INTERNAL")
	wantError(t, post(t, s.functions[OnUserDeleted], gone, deleted), http.StatusInternalServerError, "INTERNAL")
	wantError(t, post(t, s.functions[Sweep], nil, nil), http.StatusInternalServerError, "INTERNAL")
}

// A process that is about to end cuts short what waits, and takes nothing on.
func TestDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &domain{wait: true}
		s := newServer(t, d)
		answers := make(chan *httptest.ResponseRecorder, 1)
		go func() { answers <- post(t, s.functions[Sweep], nil, nil) }()
		synctest.Wait()
		began := time.Now()
		s.drain()
		if time.Since(began) > 0 {
			t.Errorf("drained after %s", time.Since(began))
		}
		wantError(t, <-answers, http.StatusServiceUnavailable, "UNAVAILABLE")
		d.took()
		wantError(t, post(t, s.functions[Sweep], nil, nil), http.StatusServiceUnavailable, "UNAVAILABLE")
		if d.took() != "" {
			t.Error("a new call was taken on")
		}
	})
}

// One that does not end is left behind.
func TestDrainingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, &domain{})
		release := make(chan struct{})
		stuck := s.call("stuck", 0, maxSweep, func(http.ResponseWriter, *http.Request, []byte) error { <-release; return nil })
		go post(t, stuck, nil, nil)
		synctest.Wait()
		began := time.Now()
		s.drain()
		if took := time.Since(began); took != leaveTimeout {
			t.Errorf("drained after %s", took)
		}
		close(release)
		synctest.Wait()
	})
}

// line is a listener with one connection.
type line chan net.Conn

func (l line) Accept() (net.Conn, error) {
	if conn, ok := <-l; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (l line) Close() error   { return nil }
func (l line) Addr() net.Addr { return &net.TCPAddr{} }

// connect returns a connection to a server of a function, within a bubble. What the server sends has arrived when it has been read.
func connect(t *testing.T, f http.HandlerFunc) net.Conn {
	t.Helper()
	near, far := net.Pipe()
	l := make(line, 1)
	l <- far
	server := &http.Server{Handler: f, ReadHeaderTimeout: time.Hour}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { close(l); _ = server.Close(); synctest.Wait() })
	return near
}

// The process may end as soon as nothing runs: what runs no more has been answered, on the wire.
func TestDrainingWaitsForAnswersToBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, &domain{})
		near := connect(t, s.functions[Sweep])
		if _, err := io.WriteString(near, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // it is answered, and nobody has read the answer
		drained := make(chan struct{})
		go func() { s.drain(); close(drained) }()
		synctest.Wait()
		select {
		case <-drained:
			t.Error("drained before the answer was sent")
		default:
		}
		answer, err := http.ReadResponse(bufio.NewReader(near), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if <-drained; answer.StatusCode != http.StatusOK {
			t.Error(answer.Status)
		}
	})
}

// A caller who does not send what it has announced is given up on, and one who waits for an answer is not.
func TestSlowCallers(t *testing.T) {
	for _, c := range []struct {
		function, body, status string
		after                  time.Duration
	}{
		{BeforeSignIn, "{", "400", signInBudget},
		{OnRevocation, "{", "400", bodyTimeout},
		{Sweep, "{}", "503", time.Hour},
	} {
		t.Run(c.function, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &domain{wait: true}, func(o *Options) { o.SignInURI, o.ProjectID = testURI, testProject })
				near := connect(t, s.functions[c.function])
				began := time.Now()
				if c.status == "503" {
					time.AfterFunc(time.Hour, s.leave)
				}
				if _, err := io.WriteString(near, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"+c.body); err != nil {
					t.Fatal(err)
				}
				answer, err := http.ReadResponse(bufio.NewReader(near), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer answer.Body.Close()
				if took := time.Since(began); !strings.HasPrefix(answer.Status, c.status) || took != c.after {
					t.Errorf("%s after %s", answer.Status, took)
				}
			})
		})
	}
}

// Nothing that is posted makes a function fail.
func FuzzEvents(f *testing.F) {
	s, err := New(Options{Registry: &domain{}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(written, "application/protobuf", "", []byte("\x12\x05\n\x03bea"))
	f.Add(deletedV2, "application/json", "users/ana", []byte(`{"oldValue":{"uid":"ana"}}`))
	f.Add("", "application/json", "", legacyDeletion("ana", ""))
	f.Add("", "application/cloudevents+json", "", []byte(`{"specversion":"1.0","id":"1","source":"/","type":"`+written+`","data":{}}`))
	f.Fuzz(func(t *testing.T, kind, contentType, subject string, body []byte) {
		header := binary(kind, contentType)
		if header.Set("Ce-Subject", subject); kind == "" {
			header = http.Header{"Content-Type": {contentType}}
		}
		for _, name := range []string{OnRevocation, OnUserDeleted} {
			if w := post(t, s.functions[name], body, header); w.Code != 204 && w.Code != 400 && w.Code != 413 {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
	})
}
