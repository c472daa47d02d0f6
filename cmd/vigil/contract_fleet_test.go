package main

import (
	"crypto/rand"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gcp "cloud.google.com/go/firestore"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/vigilhq/vigil/firestore/firestoretest"
)

// fleet is the instances that the tests of the settings share, named after what is special about their settings.
type fleet struct {
	*world
	documents *gcp.Client // of plain
	proxy     *firestoretest.Proxy

	plain   *process // in Firestore, with mail, and the defaults otherwise
	short   *process // in Firestore, of another world: short lives, everything stored at once
	cut     *process // in Firestore, behind proxy, and soon at a loss without it
	late    *process // in Firestore, behind proxy
	off     *process // in memory, everything off that can be
	flags   *process // in memory, its settings are flags
	quick   *process // in memory, soon idle
	tight   *process // in memory, behind a proxy, little allowed
	sockets *process // in memory, impatient with sockets
	tenant  *process // in memory, of one tenant
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	host := firestoretest.Start(t)
	f := &fleet{world: newWorld(t), proxy: firestoretest.NewProxy(t, host)}
	f.documents = f.world.documents(host)
	f.intercept(func(r *http.Request) bool { // the local identity server has no tenants: this one's users are everybody's
		r.URL.Path = strings.Replace(r.URL.Path, "/tenants/customers/", "/", 1)
		return true
	})
	f.plain = f.serve(host, "ADDR="+freeAddress(t), "NOTIFY_MAIL_COLLECTION=mail", "NOTIFY_SESSIONS_URL=https://app.example.com/sessions")
	f.short = newWorld(t).serve(host, "SESSION_LIFETIME=4s", "RETENTION=5s", "SWEEP_INTERVAL=1s", "TOUCH_INTERVAL=1")
	f.cut = f.serve(f.proxy.Host(), "FEED_RESYNC=500ms")
	f.late = f.serve(f.proxy.Host())
	f.off = f.serve("", "STORE=memory", "MAX_SESSIONS=", "SUSPICIOUS_SESSIONS=", "SUSPICIOUS_DEVICE_TYPES=", "IP_POLICY=", "OPS_ADDR=",
		"SWEEP_INTERVAL=", "RATE_LIMITS=", "GEOIP_DB=", "GEO_HEADERS=", "NOTIFY_MAIL_COLLECTION=", "NOTIFY_SESSIONS_URL=", "TENANT_ID=",
		"TRUSTED_PROXIES=", "ALLOWED_ORIGINS=")
	f.flags = f.serveWith([]string{"--store=memory", "--max-sessions=1", "--session-limit-policy=reject", "--pprof", "--log-level=info", "--ws-token-check-interval=1000"},
		"", "STORE=firestore", "MAX_SESSIONS=3", "SESSION_LIMIT_POLICY=evict", "PPROF=false", "LOG_LEVEL=debug")
	f.quick = f.serve("", "STORE=memory", "IDLE_TIMEOUT=5s", "IDLE_WARNING=2000")
	f.tight = f.serve("", "STORE=memory", "MAX_SESSIONS=2", "SUSPICIOUS_SESSIONS=1", "SUSPICIOUS_DEVICE_TYPES=1", "IP_POLICY=strict",
		"REAUTH_MAX_AGE=1s", "IP_PREFIX_V4=24", "IP_PREFIX_V6=48", "TRUSTED_PROXIES=127.0.0.0/8", "ADMIN_CLAIM=operator", "GEO_HEADERS=cloudflare",
		"GEOIP_DB="+atlas(t), "RATE_LIMITS=handshake=1/h:2", "WS_MAX_TOKEN_AGE=3s", "WS_REAUTH_GRACE=12s")
	f.sockets = f.serve("", "STORE=memory", "WS_HEARTBEAT_INTERVAL=500ms", "WS_DISCONNECT_TIMEOUT=2s", "WS_AUTH_TIMEOUT=1s",
		"SOCKETS_PER_SESSION=2", "USER_STATE_TTL=1s")
	f.tenant = f.serve("", "STORE=memory", "TENANT_ID=customers")
	return f
}

// in is the process as a subtest sees it: what fails there fails that one.
func (p *process) in(t testing.TB) *process {
	w := &world{TB: t, project: p.project, accounts: p.accounts, identity: p.identity}
	return &process{world: w, cmd: p.cmd, api: p.api, exited: p.exited}
}

// documents opens the Firestore of the world's project, past the service.
func (w *world) documents(host string) *gcp.Client {
	w.Helper()
	conn, err := grpc.NewClient("passthrough:///"+host, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		w.Fatal(err)
	}
	client, err := gcp.NewClient(w.Context(), w.project, option.WithGRPCConn(conn))
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = client.Close() })
	return client
}

// all reads the documents of a collection, by name.
func (w *world) all(client *gcp.Client, collection string) map[string]map[string]any {
	w.Helper()
	snaps, err := client.Collection(collection).Documents(w.Context()).GetAll()
	if err != nil {
		w.Fatal(err)
	}
	found := make(map[string]map[string]any)
	for _, snap := range snaps {
		found[snap.Ref.ID] = snap.Data()
	}
	return found
}

// freeAddress is one that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// atlas is a file in MaxMind's format in which one network is in Mexico.
func atlas(t testing.TB) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-Country", RecordSize: 24, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	_, network, err := net.ParseCIDR("203.0.113.0/24")
	if err == nil {
		err = tree.Insert(network, mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String("MX")}})
	}
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "atlas.mmdb")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.WriteTo(file); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// newcomer is a new user who has signed in once.
func (w *world) newcomer(claims map[string]any) *user {
	w.Helper()
	uid := "u" + strings.ToLower(rand.Text()) // as the address, which has no capitals
	w.createUser(uid, userPass, claims)
	return w.signIn(uid, userPass)
}

// again is another sign-in of the user.
func (u *user) again() *user {
	u.Helper()
	return u.world.signIn(u.uid(), userPass)
}

func (u *user) uid() string { return strings.TrimSuffix(u.email, "@example.com") }

// mint is an ID token that nobody has issued, as emulators take them.
func (w *world) mint(uid string, more map[string]any) string {
	now := time.Now().Unix()
	claims := map[string]any{
		"iss": "https://securetoken.google.com/" + w.project, "aud": w.project, "sub": uid, "user_id": uid, "auth_time": now, "iat": now,
		"exp": now + 3600, "firebase": map[string]any{"sign_in_provider": "password", "identities": map[string]any{}},
	}
	maps.Copy(claims, more)
	return unsigned(claims)
}

// header sets headers, given as name and value in turns.
func header(pairs ...string) func(*http.Request) {
	return func(r *http.Request) {
		for i := 0; i+1 < len(pairs); i += 2 {
			r.Header.Set(pairs[i], pairs[i+1])
		}
	}
}

// from is a request that a proxy has forwarded for somebody.
func from(address string) func(*http.Request) { return header("X-Forwarded-For", address) }

const (
	laptopAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
	phoneAgent  = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36"
)

// begin registers the user's session with a request of its own, and returns the answer.
func (u *user) begin(p *process, body any, edits ...func(*http.Request)) answer {
	u.Helper()
	return p.want(http.StatusCreated, "", http.MethodPost, "/v1/sessions", u.idToken, body, edits...)
}

// list is a member of an answer.
func (a answer) list(name string) []any { l, _ := a.body[name].([]any); return l }

// object is a member of an answer.
func (a answer) object(name string) map[string]any { o, _ := a.body[name].(map[string]any); return o }

// alertTypes are those of the alerts that a registration was answered with.
func (a answer) alertTypes() []string {
	var types []string
	for _, each := range a.list("alerts") {
		alert, _ := each.(map[string]any)
		t, _ := alert["type"].(string)
		types = append(types, t)
	}
	return types
}
