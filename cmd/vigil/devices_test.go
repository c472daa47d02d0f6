package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/firebasetest"
)

// devices are browsers that read Firestore directly with the real client SDK; see devices.mjs.
type devices struct {
	*world
	host  string // of Firestore
	stdin io.Writer

	mu      sync.Mutex
	last    int
	waiting map[int]chan report
	news    map[string]chan report // what listeners hear, by device
}

// report is a line that the devices print.
type report struct {
	ID        int
	Device    string
	OK        bool
	Code      string // of the SDK, such as permission-denied
	Message   string
	Heard     string // "documents" or "end"
	Documents []string
	Token     string
}

const sdkFolder = "../../internal/identity/testdata/jssdk"

// devices starts browsers on the store at host, under the rules of the example application.
func (w *world) devices(host string) *devices {
	w.Helper()
	d := &devices{world: w, host: host, waiting: make(map[int]chan report), news: make(map[string]chan report)}
	d.useRules("../../rules/example.rules")
	cmd := exec.Command("node", "devices.mjs") //nolint:noctx // ends with its input, and killed by the cleanup
	cmd.Dir = sdkFolder
	cmd.Env = append(os.Environ(), "AUTH_URL="+w.identity.URL, "FIRESTORE_HOST="+host, "PROJECT_ID="+w.project)
	var stderr lockedBuffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		w.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		w.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.Fatal("Node.js 20 or newer is needed: ", err)
	}
	d.stdin = stdin
	read := make(chan struct{})
	go func() {
		defer close(read)
		d.read(stdout)
	}()
	w.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be gone
		<-read
		_ = cmd.Wait() // killed
		if w.Failed() {
			w.Logf("the devices (`make test` installs what they need):\n%s", stderr.String())
		}
	})
	return d
}

func (d *devices) read(stdout io.Reader) {
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var line report
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue
		}
		to := d.newsOf(line.Device)
		if line.Heard == "" {
			d.mu.Lock()
			to = d.waiting[line.ID]
			d.mu.Unlock()
		}
		to <- line
	}
}

func (d *devices) newsOf(device string) chan report {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.news[device] == nil {
		d.news[device] = make(chan report, 100)
	}
	return d.news[device]
}

// do has a device do something, and returns what comes of it.
func (d *devices) do(device, action string, details map[string]any) report {
	d.Helper()
	answer := make(chan report, 1)
	d.mu.Lock()
	d.last++
	d.waiting[d.last] = answer
	command := map[string]any{"id": d.last, "device": device, "action": action}
	d.mu.Unlock()
	for name, value := range details {
		command[name] = value
	}
	line, err := json.Marshal(command)
	if err != nil {
		d.Fatal(err)
	}
	if _, err := fmt.Fprintf(d.stdin, "%s\n", line); err != nil {
		d.Fatal(err)
	}
	return d.await(answer, device+" "+action)
}

func (d *devices) await(from chan report, what string) report {
	d.Helper()
	select {
	case h := <-from:
		return h
	case <-time.After(patience):
		d.Fatalf("nothing comes of: %s", what)
		return report{}
	}
}

// signIn signs a device in, in a second of its own, and returns its token.
func (d *devices) signIn(device string, details map[string]any) string {
	d.Helper()
	action := "signIn"
	if details["customToken"] != nil {
		action = "signInWithCustomToken"
	}
	h := d.do(device, action, details)
	if !h.OK {
		d.Fatal(h.Message)
	}
	return h.Token
}

// protected is the query of the example application that a dashboard makes.
var protected = map[string]any{"path": "projects", "field": "members", "value": "ana"}

// wantRead has a device read, and expects these documents, or to be refused if there are none.
func (d *devices) wantRead(action, device string, documents ...string) {
	d.Helper()
	h := d.do(device, action, protected)
	if len(documents) == 0 && h.Code != "permission-denied" || len(documents) > 0 && !slices.Equal(h.Documents, documents) {
		d.Errorf("%s: %s: %+v, want %v", device, action, h, documents)
	}
}

// wantNews expects the device's listener to hear of these documents next, or to end if there are none.
func (d *devices) wantNews(device string, documents ...string) {
	d.Helper()
	h := d.await(d.newsOf(device), device+" listens")
	if len(documents) == 0 && h.Code != "permission-denied" || len(documents) > 0 && !slices.Equal(h.Documents, documents) {
		d.Errorf("%s hears %+v, want %v", device, h, documents)
	}
}

// write stores a document of the example application as its server would.
func (d *devices) write(name string) {
	d.Helper()
	d.firestore(http.MethodPatch, "/v1/projects/"+d.project+"/databases/(default)/documents/projects/"+name,
		`{"fields": {"members": {"arrayValue": {"values": [{"stringValue": "ana"}]}}}}`)
}

func (d *devices) useRules(file string) {
	d.Helper()
	rules, err := os.ReadFile(file)
	if err != nil {
		d.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"rules": map[string]any{"files": []any{map[string]any{"name": "firestore.rules", "content": string(rules)}}}})
	if err != nil {
		d.Fatal(err)
	}
	d.firestore(http.MethodPut, "/emulator/v1/projects/"+d.project+":securityRules", string(body))
}

// firestore asks the emulator as its owner, whom no rules hold.
func (d *devices) firestore(method, path, body string) {
	d.Helper()
	r, err := http.NewRequestWithContext(d.Context(), method, "http://"+d.host+path, bytes.NewReader([]byte(body)))
	if err != nil {
		d.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer owner")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		d.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if answer, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK {
		d.Fatalf("%s %s: %s: %s", method, path, response.Status, answer)
	}
}

// The end of one device's session is the end of its access to Firestore, where it reads directly, and of nobody else's.
func TestTheEndOfOneDeviceInFirestore(t *testing.T) {
	password := func(*world) map[string]any {
		return map[string]any{"email": "ana@example.com", "password": userPass}
	}
	t.Run("without sid", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		testTheEndOfOneDevice(t, w.devices(firestoretest.Start(t)), password)
	})
	t.Run("with the sid of a custom token", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		testTheEndOfOneDevice(t, w.devices(firestoretest.Start(t)), func(w *world) map[string]any {
			return map[string]any{"customToken": w.customToken("ana")}
		})
	})
	// The official emulators, started with the shipped firebase.json. Their tokens need a sid: they forget whose auth_time is whose.
	t.Run("with the sid of BeforeSignIn", func(t *testing.T) {
		t.Parallel()
		official := firebasetest.New(t, firebasetest.Options{Firestore: true, FreePorts: true})
		w := newWorldOf(t, firebasetest.Project, httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: official.AuthHost()}))
		ana := map[string]any{"localId": "ana", "email": "ana@example.com", "password": userPass}
		accounts := w.identity.URL + "/identitytoolkit.googleapis.com/v1/projects/" + w.project + "/accounts"
		if err := post(t.Context(), accounts, "owner", ana, nil); err != nil {
			t.Fatal(err)
		}
		official.BeforeSignIn(t, w.serveFunctions(official.FirestoreHost(), "FUNCTION_TARGET=BeforeSignIn"))
		testTheEndOfOneDevice(t, w.devices(official.FirestoreHost()), password)
	})
}

func testTheEndOfOneDevice(t *testing.T, d *devices, signIn func(w *world) map[string]any) {
	p := d.serve(d.host)
	nextSecond()
	laptop := d.signIn("laptop", signIn(d.world))
	nextSecond()
	phone := d.signIn("phone", signIn(d.world))
	d.write("first")
	d.wantRead("read", "laptop") // signed in, and no session yet
	id := p.want(http.StatusCreated, "", http.MethodPost, "/v1/sessions", laptop, nil).id()
	p.want(http.StatusCreated, "", http.MethodPost, "/v1/sessions", phone, nil)
	for _, device := range []string{"laptop", "phone"} {
		d.wantRead("read", device, "first")
		d.wantRead("listen", device, "first")
	}
	d.write("second")
	d.wantNews("laptop", "first", "second")
	d.wantNews("phone", "first", "second")

	p.want(http.StatusNoContent, "", http.MethodDelete, "/v1/sessions/"+id, phone, nil)
	d.wantRead("read", "laptop")
	d.wantRead("read", "phone", "first", "second")
	d.write("third")
	d.wantNews("laptop") // and an SDK's listener that has ended hears nothing more
	d.wantNews("phone", "first", "second", "third")
	d.write("fourth")
	d.wantNews("phone", "first", "fourth", "second", "third")
	if news := d.newsOf("laptop"); len(news) > 0 {
		t.Errorf("the laptop still hears %+v", <-news)
	}

	if h := d.do("laptop", "refresh", nil); !h.OK {
		t.Errorf("Firebase goes on refreshing the tokens of this sign-in: %+v", h)
	}
	d.wantRead("read", "laptop")
	d.wantRead("listen", "laptop")
	nextSecond()
	again := d.signIn("laptop", signIn(d.world))
	d.wantRead("read", "laptop")
	p.want(http.StatusCreated, "", http.MethodPost, "/v1/sessions", again, nil)
	d.wantRead("read", "laptop", "first", "fourth", "second", "third")
}

// customToken is a token that an application's back end would mint for a sign-in with a sid of its own.
func (w *world) customToken(uid string) string {
	w.Helper()
	claims, err := json.Marshal(map[string]any{
		"aud": "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit",
		"uid": uid, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "claims": map[string]any{"sid": rand.Text()},
	})
	if err != nil {
		w.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims) + "."
}
