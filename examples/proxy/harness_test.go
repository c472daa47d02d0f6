package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/tied"
)

// The examples are run as they are: the real nginx with the file beside this one, the real `vigil dev`, and an application that tells
// what has reached it.

var program string // `vigil`

// patience is how long a test waits for what must come: a failure's delay, not an assertion about speed.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "vigil-proxy")
	if err == nil {
		program = filepath.Join(dir, "vigil")
		var out []byte
		if out, err = exec.Command("go", "build", "-o", program, "../../cmd/vigil").CombinedOutput(); err != nil { //nolint:noctx // go test's timeout covers it
			err = fmt.Errorf("%w: %s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build the program under test:", err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir) // a temporary folder
	os.Exit(code)
}

// start starts a process that is sent this signal at the end of the test, and returns how to end it before.
func start(t *testing.T, cmd *exec.Cmd, signal syscall.Signal) (end func()) {
	t.Helper()
	exited, err := tied.Start(cmd, signal)
	if err != nil {
		t.Fatal(err)
	}
	end = func() {
		_ = cmd.Process.Signal(signal) // it may be gone
		<-exited
	}
	t.Cleanup(end)
	return end
}

// vigil is a running `vigil dev`.
type vigil struct {
	*testing.T
	api, identity string // base URLs
	kill          func()
}

var printed = regexp.MustCompile(`(?m)^  (API|Identity) +(http://[^/\s]+)`)

func newVigil(t *testing.T) *vigil {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	t.Cleanup(func() { _ = read.Close() })
	var logs tied.Tail
	cmd := exec.Command(program, "dev") //nolint:noctx // killed by the cleanup
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "ADDR=127.0.0.1:0", "IDENTITY_ADDR=127.0.0.1:0", "OPS_ADDR=", "RATE_LIMITS=off", "TRUSTED_PROXIES=127.0.0.1/32"}
	cmd.Stdout, cmd.Stderr = write, &logs
	v := &vigil{T: t, kill: start(t, cmd, syscall.SIGKILL)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("vigil: %s", logs.String())
		}
	})
	if err := read.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var introduction []byte
	for v.identity == "" {
		chunk := make([]byte, 4096)
		n, err := read.Read(chunk)
		if err != nil {
			t.Fatalf("vigil dev does not say where it is: %v\n%s%s", err, introduction, logs.String())
		}
		introduction = append(introduction, chunk[:n]...)
		if all := printed.FindAllSubmatch(introduction, -1); len(all) == 2 {
			v.api, v.identity = string(all[0][2]), string(all[1][2])
		}
	}
	for deadline := time.Now().Add(patience); ask(t, http.DefaultClient, http.MethodGet, v.api+"/readyz", "", http.Header{}).status != http.StatusOK; {
		if time.Now().After(deadline) {
			t.Fatal("vigil dev does not become ready")
		}
	}
	return v
}

// post makes a request with a JSON body to Vigil or its identity server, and returns the answer's fields.
func (v *vigil) post(url, token, body string) map[string]any {
	v.Helper()
	header := http.Header{"Content-Type": {"application/json"}}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	a := ask(v.T, http.DefaultClient, http.MethodPost, url, body, header)
	if a.status >= 300 {
		v.Fatalf("POST %s: %d %s", url, a.status, a.body)
	}
	return a.fields()
}

// signUp makes a user and signs them in.
func (v *vigil) signUp(email string) (uid, token string) {
	v.Helper()
	answer := v.post(v.identity+"/identitytoolkit.googleapis.com/v1/accounts:signUp?key=dev", "", `{"email":"`+email+`","password":"a password","returnSecureToken":true}`)
	return answer["localId"].(string), answer["idToken"].(string)
}

// begin makes a user, signs them in and begins their session.
func (v *vigil) begin(email string) (uid, token, sessionID string) {
	v.Helper()
	uid, token = v.signUp(email)
	s := v.post(v.api+"/v1/sessions", token, "")["session"].(map[string]any)
	return uid, token, s["id"].(string)
}

// answer is what a request was answered.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) fields() map[string]any {
	var fields map[string]any
	_ = json.Unmarshal([]byte(a.body), &fields) // an empty map where it is none
	return fields
}

// seen is what reached the application: the request, and its headers.
func (a answer) seen(t *testing.T) *http.Request {
	t.Helper()
	var r struct {
		Method, Path, Body string
		Header             http.Header
	}
	if err := json.Unmarshal([]byte(a.body), &r); err != nil || a.status != http.StatusOK {
		t.Fatalf("the application has not answered: %d %s", a.status, a.body)
	}
	request := httptest.NewRequestWithContext(t.Context(), r.Method, r.Path, strings.NewReader(r.Body))
	request.Header = r.Header
	return request
}

func ask(t *testing.T, client *http.Client, method, url, body string, header http.Header) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header.Clone()
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

// echo is an application that answers with the request that reached it.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"Method": r.Method, "Path": r.URL.RequestURI(), "Body": string(body), "Header": r.Header}) // the client may be gone
}

// front is a running nginx.
type front struct {
	*testing.T
	client *http.Client
	url    string
	pool   *x509.CertPool
}

// get asks nginx for a page.
func (f *front) get(path string, header http.Header) answer {
	f.Helper()
	return ask(f.T, f.client, http.MethodGet, f.url+path, "", header)
}

// nginx finds Debian's nginx, which is not in everybody's PATH.
func nginx(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	t.Fatal("no nginx: the examples of proxies are tried with it (apt-get install nginx-light)")
	return ""
}

// replace changes text, all of which has to be there.
func replace(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("there is no %q to change", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// newFront starts nginx with nginx.conf in front of an application that echoes, asking the Vigil at this address; edits change the file further.
func newFront(t *testing.T, vigilAddress string, edits ...string) *front {
	t.Helper()
	found := nginx(t)
	app := httptest.NewServer(http.HandlerFunc(echo))
	t.Cleanup(app.Close)
	dir := t.TempDir()
	f := &front{T: t}
	certificate, key := f.certify(dir)

	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	f.url = "https://" + listener.Addr().String()

	text, err := os.ReadFile("nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	var temporary strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temporary, "%s_temp_path %s/%s;\n", kind, dir, kind)
	}
	conf := replace(t, string(text), edits...)
	conf = replace(t, conf,
		"listen 443 ssl;", "listen "+listener.Addr().String()+" ssl;",
		"/etc/ssl/dashboard.pem", certificate, "/etc/ssl/dashboard.key", key,
		"server 127.0.0.1:8080;", "server "+vigilAddress+";",
		"server 127.0.0.1:3000;", "server "+app.Listener.Addr().String()+";",
		"http {\n", "http {\naccess_log off;\n"+temporary.String())
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	global := "daemon off; error_log stderr; pid " + dir + "/pid;"
	if os.Getuid() == 0 {
		global += " user root;" // whom the test's folders belong to
	}
	if out, err := exec.CommandContext(t.Context(), found, "-t", "-q", "-c", file, "-g", global).CombinedOutput(); err != nil {
		t.Fatalf("nginx refuses the file: %v\n%s", err, out)
	}
	cmd := exec.Command(found, "-c", file, "-g", global) //nolint:noctx // killed by the cleanup
	cmd.ExtraFiles = []*os.File{socket}
	cmd.Env = []string{"NGINX=3;"} // the socket is handed over, as when nginx is upgraded: connections wait in it from now on
	var logs tied.Tail
	cmd.Stderr = &logs
	start(t, cmd, syscall.SIGTERM) // which it passes on to its workers
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("nginx: %s", logs.String())
		}
	})
	return f
}

// certify makes a certificate that the front's client trusts.
func (f *front) certify(dir string) (certificate, key string) {
	f.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	f.client = &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	f.Cleanup(f.client.CloseIdleConnections)
	pair := server.TLS.Certificates[0]
	f.pool = f.client.Transport.(*http.Transport).TLSClientConfig.RootCAs
	f.pool.AddCert(server.Certificate())
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		f.Fatal(err)
	}
	certificate, key = filepath.Join(dir, "pem"), filepath.Join(dir, "key")
	for name, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, bytes.TrimSpace(pem.EncodeToMemory(block)), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	return certificate, key
}
