package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	gcp "cloud.google.com/go/firestore"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/session"
)

// unsigned is a token without a signature, as emulators take them.
func unsigned(claims map[string]any) string {
	part := func(v any) string {
		text, _ := json.Marshal(v) // maps of texts and numbers
		return base64.RawURLEncoding.EncodeToString(text)
	}
	return part(map[string]any{"alg": "none", "typ": "JWT"}) + "." + part(claims) + "."
}

// customToken is a custom token, as the Admin SDK mints them for an emulator, of a sign-in that has a name of its own:
// so any number of them may fall into one second.
func customToken(uid, sid string) string {
	now := time.Now().Unix()
	return unsigned(map[string]any{
		"aud": "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit",
		"iss": "firebase-auth-emulator@example.com", "sub": "firebase-auth-emulator@example.com",
		"iat": now, "exp": now + 3600, "uid": uid, "claims": map[string]any{"sid": sid},
	})
}

// signInNamed signs a user in with a custom token and returns the ID token.
func (w *world) signInNamed(uid, sid string) string {
	w.Helper()
	b := browser{identity: w.identity.URL, key: "test"}
	var answer struct{ IDToken string }
	err := post(w.Context(), b.endpoint("identitytoolkit.googleapis.com", "/v1/accounts:signInWithCustomToken"), "",
		map[string]any{"token": customToken(uid, sid), "returnSecureToken": true}, &answer)
	if err != nil {
		w.Fatal(err)
	}
	return answer.IDToken
}

// The limit under fire: 200 sign-ins of one user at once, over two instances. Exactly the newest are live in the end, and no answer has
// said anything else than what became of its session.
func TestLimitUnderFire(t *testing.T) {
	t.Parallel()
	const signIns, limit = 200, 5
	w := newWorld(t)
	host := firestoretest.Start(t)
	settings := []string{"RATE_LIMITS=off", "MAX_SESSIONS=" + strconv.Itoa(limit)}
	instances := []*process{w.serve(host, settings...), w.serve(host, settings...)}
	tokens := make([]string, signIns)
	for i := range tokens {
		tokens[i] = w.signInNamed("ana", fmt.Sprint("sign-in-", i))
	}
	answers := make([]answer, signIns)
	var all sync.WaitGroup
	for i, token := range tokens {
		all.Go(func() {
			for { // a client tries again what could not be answered
				a, err := instances[i%2].tryCall(http.MethodPost, "/v1/sessions", token, nil)
				if err != nil {
					t.Errorf("sign-in %d: %v", i, err)
					return
				}
				if answers[i] = a; a.status != http.StatusServiceUnavailable {
					return
				}
			}
		})
	}
	all.Wait()

	stored, err := w.store(host, 0).UserSessions(t.Context(), "ana", true) // in the order of their creation
	if err != nil || len(stored) != signIns {
		t.Fatalf("%d sessions stored, error %v", len(stored), err)
	}
	byID := make(map[string]session.Session)
	for i, s := range stored {
		byID[string(s.ID)] = s
		newest := i >= signIns-limit
		if (s.Status == session.StatusActive) != newest || !newest && s.EndReason != session.ReasonSessionLimit {
			t.Errorf("session %d of %d is %s %s", i+1, signIns, s.Status, s.EndReason)
		}
	}
	statuses, evicted := make(map[int]int), make(map[string]int)
	for i, a := range answers {
		statuses[a.status]++
		s := byID[string(session.NewID("ana", fmt.Sprint("sign-in-", i), time.Time{}))]
		switch {
		case a.status == http.StatusCreated || a.status == http.StatusOK:
			if a.id() != string(s.ID) {
				t.Errorf("sign-in %d was told of session %s", i, a.id())
			}
			list, _ := a.body["evicted"].([]any)
			for _, id := range list {
				evicted[id.(string)]++
			}
		case a.status == http.StatusUnauthorized && a.text("code") == "reauth_required" && a.text("reason") == "session_limit":
			if s.Status != session.StatusEnded {
				t.Errorf("sign-in %d was told that it has ended, and it has not", i)
			}
		default:
			t.Errorf("sign-in %d: %d %v", i, a.status, a.body)
		}
	}
	for id, n := range evicted {
		if n != 1 || byID[id].Status != session.StatusEnded {
			t.Errorf("session %s, %s, was ended %d times", id, byID[id].Status, n)
		}
	}
	t.Logf("answers by status: %v; %d evictions told", statuses, len(evicted))
}

// fill stores n copies of a session, each a sign-in of a user of its own, past the service.
func fill(t *testing.T, client *gcp.Client, like map[string]any, from, n int, createdAt time.Time) []string {
	t.Helper()
	ids := make([]string, n)
	writer := client.BulkWriter(t.Context())
	jobs := make([]*gcp.BulkWriterJob, n)
	for i := range n {
		uid := "crowd-" + strconv.Itoa(from+i)
		id := string(session.NewID(session.UserID(uid), "crowd", time.Time{}))
		doc := maps.Clone(like)
		doc["userId"], doc["sessionId"], doc["createdAt"] = uid, id, createdAt
		doc["shard"] = strings.IndexByte("0123456789abcdef", id[0])
		ids[i] = id
		var err error
		if jobs[i], err = writer.Create(client.Doc("activeSessions/"+id), doc); err != nil {
			t.Fatal(err)
		}
	}
	writer.End()
	for _, job := range jobs {
		if _, err := job.Results(); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

// Mass revocation: 10,000 sessions, the instance that works on it killed in the middle, another one goes on. Each ends exactly once in
// the audit trail, and sessions begun meanwhile are left alone.
func TestMassRevocationOutlivesItsInstance(t *testing.T) {
	const crowd, later = 10_000, 500
	w := newWorld(t)
	emulator := firestoretest.New(t) // of its own: it is busy
	host := emulator.Host()
	a := w.serve(host, "RATE_LIMITS=off", "SWEEP_INTERVAL=")
	admin := w.signIn("boss", adminPass)
	adminID := admin.register(a)
	ana := w.signIn("ana", userPass)
	anas := ana.register(a)
	t.Setenv("FIRESTORE_EMULATOR_HOST", host)
	client, err := gcp.NewClient(t.Context(), w.project)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	alive, err := client.Doc("activeSessions/" + anas).Get(t.Context()) // which the revocation may end before the newcomers come
	if err != nil {
		t.Fatal(err)
	}
	fill(t, client, alive.Data(), 0, crowd-1, time.Now().Add(-time.Minute)) // and Ana's own
	b := w.serve(host, "RATE_LIMITS=off", "SWEEP_INTERVAL=")

	var preview answer
	patient(t, "a dry run", func() bool { // the emulator is busy with what it was filled with
		preview = a.call(http.MethodPost, "/v1/admin/revocations", admin.idToken, map[string]any{"all": true, "dryRun": true})
		return preview.status != http.StatusServiceUnavailable
	})
	if preview.status != http.StatusOK || preview.body["matched"] != float64(crowd) {
		t.Errorf("a dry run is answered %d and matches %v", preview.status, preview.body["matched"])
	}
	began := time.Now()
	job := a.want(http.StatusAccepted, "", http.MethodPost, "/v1/admin/revocations", admin.idToken,
		map[string]any{"all": true, "reason": "leaked database"})
	if job.body["matched"] != float64(crowd) || job.header.Get("Location") != "/v1/admin/revocations/"+job.text("id") {
		t.Errorf("%v %v", job.body, job.header)
	}
	progress := func() (state string, ended int) {
		got := b.want(http.StatusOK, "", http.MethodGet, "/v1/admin/revocations/"+job.text("id"), admin.idToken, nil)
		n, _ := got.body["ended"].(float64)
		return got.text("state"), int(n)
	}
	eventually(t, "progress", func() bool { _, ended := progress(); return ended >= crowd/10 })
	a.signal(syscall.SIGKILL)
	a.wait()
	state, half := progress()
	if state != "running" || half >= crowd {
		t.Fatalf("killed too late: %s, %d ended", state, half)
	}
	newcomers := fill(t, client, alive.Data(), crowd, later, time.Now())

	patient(t, "the other instance goes on", func() bool { state, _ := progress(); return state == "done" })
	took := time.Since(began)
	if _, ended := progress(); ended != crowd {
		t.Errorf("%d ended, want %d", ended, crowd)
	}
	store := w.store(host, 0)
	active, _, err := store.Search(t.Context(), session.Filter{Status: session.StatusActive}, session.Cursor{}, crowd)
	if err != nil {
		t.Fatal(err)
	}
	left := []string{adminID}
	left = append(left, newcomers...)
	var found []string
	for _, s := range active {
		found = append(found, string(s.ID))
	}
	slices.Sort(left)
	slices.Sort(found)
	if !slices.Equal(found, left) {
		t.Errorf("%d sessions are live, want %d: the admin's own and those that began later", len(found), len(left))
	}
	ends := make(map[string]int)
	trail, err := client.Collection("securityEvents").Where("type", "==", string(session.EventSessionEnded)).Documents(t.Context()).GetAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range trail {
		if e.Data()["audience"] == string(session.AudienceUser) {
			id, _ := e.Data()["sessionId"].(string)
			ends[id]++
		}
	}
	for id, n := range ends {
		if n != 1 {
			t.Errorf("session %s has ended %d times", id, n)
		}
	}
	if len(ends) != crowd {
		t.Errorf("%d ends in the audit trail, want %d", len(ends), crowd)
	}
	t.Logf("%d ended when the instance was killed, all after %s; peak memory of the survivor %s", half, took.Round(time.Second), peak(b.cmd.Process.Pid))
}

// patient is eventually for what takes minutes on a busy machine.
func patient(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for tick := time.NewTicker(200 * time.Millisecond); !holds(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("in vain: %s", what)
		}
	}
}

// peak is the most memory that a process has had resident, as the system says it.
func peak(pid int) string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
