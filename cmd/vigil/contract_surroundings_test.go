package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// surroundingsTests are those of the settings that say what the program works with, and what it tells.
var surroundingsTests = map[string]func(*testing.T, *fleet){
	"ADDR": func(t *testing.T, f *fleet) {
		want := ""
		for _, each := range f.plain.cmd.Env {
			if address, ok := strings.CutPrefix(each, "ADDR="); ok {
				want = "http://" + address
			}
		}
		if f.plain.api != want {
			t.Errorf("serves at %s, want %s", f.plain.api, want)
		}
	},
	"OPS_ADDR": func(t *testing.T, f *fleet) {
		if status, _, _ := get(t, f.plain.opsURL()+"/metrics"); status != http.StatusOK {
			t.Errorf("%d", status)
		}
		if strings.Contains(f.off.stderr.String(), `"message":"metrics"`) {
			t.Errorf("switched off, it serves metrics:\n%s", f.off.stderr.String())
		}
	},
	"PPROF": func(t *testing.T, f *fleet) {
		for p, want := range map[*process]int{f.flags: http.StatusOK, f.plain: http.StatusNotFound} {
			if status, _, _ := get(t, p.opsURL()+"/debug/pprof/cmdline"); status != want {
				t.Errorf("%d, want %d", status, want)
			}
		}
	},
	"FIREBASE_PROJECT_ID": func(t *testing.T, f *fleet) {
		p := f.plain.in(t)
		p.want(http.StatusOK, "", http.MethodGet, "/v1/token", p.mint("ana", nil), nil)
		other := world{project: "another"}
		p.want(http.StatusUnauthorized, "token_invalid", http.MethodGet, "/v1/token", other.mint("ana", nil), nil)
	},
	"TENANT_ID": func(t *testing.T, f *fleet) {
		of := func(tenant string) map[string]any {
			firebase := map[string]any{"sign_in_provider": "password", "identities": map[string]any{}}
			if tenant != "" {
				firebase["tenant"] = tenant
			}
			return map[string]any{"firebase": firebase}
		}
		for tenant, code := range map[string]string{"customers": "", "staff": "token_invalid", "": "token_invalid"} {
			if got := f.tenant.in(t).code(http.MethodGet, "/v1/token", f.mint("ana", of(tenant))); got != code {
				t.Errorf("of the tenant %q: %q, want %q", tenant, got, code)
			}
		}
		f.plain.in(t).want(http.StatusUnauthorized, "token_invalid", http.MethodGet, "/v1/token", f.mint("ana", of("customers")), nil)
		f.off.in(t).want(http.StatusUnauthorized, "token_invalid", http.MethodGet, "/v1/token", f.mint("ana", of("customers")), nil)
	},
	"FIREBASE_AUTH_EMULATOR_HOST": func(t *testing.T, f *fleet) {
		p := f.plain.in(t)
		p.want(http.StatusOK, "", http.MethodGet, "/v1/token", p.mint("ben", nil), nil)
		p.want(http.StatusUnauthorized, "user_disabled", http.MethodGet, "/v1/token", p.mint("a-stranger", nil), nil)
	},
	"FIRESTORE_EMULATOR_HOST": func(t *testing.T, f *fleet) {
		p := f.plain.in(t)
		id := p.newcomer(nil).register(p)
		if doc, err := f.documents.Doc("activeSessions/" + id).Get(t.Context()); err != nil || doc.Data()["sessionId"] != id {
			t.Errorf("the emulator has %v, %v", doc.Data(), err)
		}
	},
	"ALLOW_EMULATORS": func(t *testing.T, f *fleet) { // that it allows them, all the other tests show
		for _, args := range []string{"serve", "sessions list", "users enable ana", "sweep"} {
			for _, variable := range []string{"FIREBASE_AUTH_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"} {
				p := launch(t, &world{TB: t}, strings.Fields(args), "FIREBASE_PROJECT_ID=demo", variable+"=127.0.0.1:1", "ALLOW_EMULATORS=false")
				if code := p.wait(); code != 2 || !strings.HasPrefix(p.stderr.String(), "vigil: "+variable+": ") {
					t.Errorf("%s with %s: exit code %d\n%s", args, variable, code, p.stderr.String())
				}
			}
		}
	},
	"IDENTITY_ADDR": func(t *testing.T, _ *fleet) {
		address := freeAddress(t)
		p := launchDev(t, "IDENTITY_ADDR="+address)
		contains(t, p.stdout.String(), "Identity   http://"+address+" ")
		if status, _, _ := get(t, "http://"+address+"/"); status != http.StatusOK {
			t.Errorf("%d", status)
		}
	},
	"STORE": func(t *testing.T, f *fleet) {
		p := f.off.in(t)
		id := p.newcomer(nil).register(p)
		if doc, _ := f.documents.Doc("activeSessions/" + id).Get(t.Context()); doc.Exists() {
			t.Error("what is in memory is in Firestore")
		}
		const warning = "the store is this process's memory: run one instance only"
		if !strings.Contains(f.off.stderr.String(), warning) || strings.Contains(f.plain.stderr.String(), warning) {
			t.Errorf("who is warned of a store in memory:\n%s\n%s", f.off.stderr.String(), f.plain.stderr.String())
		}
	},
	"TRUSTED_PROXIES": func(t *testing.T, f *fleet) {
		for p, want := range map[*process]string{f.tight: "192.0.2.99", f.off: "127.0.0.1", f.plain: "127.0.0.1"} {
			p := p.in(t)
			if got := p.newcomer(nil).begin(p, nil, from("192.0.2.99")).object("session")["ipAddress"]; got != want {
				t.Errorf("the address is %v, want %s", got, want)
			}
		}
	},
	"ALLOWED_ORIGINS": func(t *testing.T, f *fleet) {
		const ours = "https://dashboard.example.com"
		for _, c := range []struct {
			p            *process
			origin, want string
		}{{f.plain, ours, ours}, {f.plain, ours + ".evil.example", ""}, {f.plain, "null", ""}, {f.off, ours, ""}} {
			_, h, _ := get(t, c.p.api+"/v1/token", header("Origin", c.origin))
			if h.Get("Access-Control-Allow-Origin") != c.want || h.Get("Access-Control-Allow-Credentials") != "" || !strings.Contains(h.Get("Vary"), "Origin") {
				t.Errorf("%s: %v", c.origin, h)
			}
		}
	},
	"SWEEP_INTERVAL": func(t *testing.T, f *fleet) {
		p := f.short.in(t)
		id := p.newcomer(nil).register(p)
		eventually(t, "a clean-up writes the end down", func() bool {
			doc, err := p.store(f.plain.firestore(), 0).Session(t.Context(), asID(id))
			return err == nil && doc.EndReason == "absolute_timeout"
		})
		if strings.Contains(f.off.stderr.String(), "clean-up") {
			t.Error("switched off, it cleans up")
		}
	},
	"RETENTION": func(t *testing.T, f *fleet) {
		p := f.short.in(t)
		id := p.newcomer(nil).register(p)
		store := p.store(f.plain.firestore(), 0)
		if _, err := store.Session(t.Context(), asID(id)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "what has been kept for its time is deleted", func() bool {
			_, err := store.Session(t.Context(), asID(id))
			return err != nil
		})
	},
	"TOUCH_INTERVAL": func(t *testing.T, f *fleet) {
		for p, atOnce := range map[*process]bool{f.short: true, f.plain: false} {
			p := p.in(t)
			store := p.store(f.plain.firestore(), 0)
			u := p.newcomer(nil)
			id := u.register(p)
			nextSecond()
			active := p.at(p.want(http.StatusOK, "", http.MethodPost, "/v1/sessions/current/activity", u.idToken, nil).body, "lastActive")
			s, err := store.Session(t.Context(), asID(id))
			if err != nil || s.LastActive.Truncate(time.Millisecond).Equal(active) != atOnce {
				t.Errorf("active at %s, stored %s, at once: %t, %v", active, s.LastActive, atOnce, err)
			}
		}
	},
	"FEED_RESYNC": func(t *testing.T, f *fleet) {
		p, late := f.cut.in(t), f.late.in(t)
		u := p.newcomer(nil)
		u.register(p)
		late.want(http.StatusNoContent, "", http.MethodGet, "/v1/check", u.idToken, nil)
		f.proxy.Cut()
		eventually(t, "it does not vouch for what it has not heard", func() bool {
			return p.code(http.MethodGet, "/v1/check", u.idToken) == "unavailable"
		})
		late.want(http.StatusNoContent, "", http.MethodGet, "/v1/check", u.idToken, nil)
		f.proxy.Restore()
		eventually(t, "it catches up", func() bool {
			return p.call(http.MethodGet, "/v1/check", u.idToken, nil).status == http.StatusNoContent
		})
	},
	"GEOIP_DB": func(t *testing.T, f *fleet) {
		p := f.tight.in(t)
		place := p.newcomer(nil).begin(p, nil, from("203.0.113.7")).object("session")["location"]
		if l, _ := place.(map[string]any); l["country"] != "MX" {
			t.Errorf("located in %v", place)
		}
		if place := p.newcomer(nil).begin(p, nil, from("198.51.100.7")).object("session")["location"]; place != nil {
			t.Errorf("located in %v", place)
		}
	},
	"GEO_HEADERS": func(t *testing.T, f *fleet) {
		told := header("CF-Connecting-IP", "203.0.113.7", "CF-IPCountry", "DE", "cf-ipcity", "Berlin")
		p := f.tight.in(t)
		place := p.newcomer(nil).begin(p, nil, from("203.0.113.7"), told).object("session")["location"]
		if l, _ := place.(map[string]any); l["country"] != "DE" || l["city"] != "Berlin" {
			t.Errorf("located in %v", place)
		}
		p = f.plain.in(t)
		if place := p.newcomer(nil).begin(p, nil, from("203.0.113.7"), told).object("session")["location"]; place != nil {
			t.Errorf("a client locates itself in %v", place)
		}
	},
	"NOTIFY_MAIL_COLLECTION": func(t *testing.T, f *fleet) {
		p := f.plain.in(t)
		u := p.newcomer(nil)
		u.register(p)
		if mails := f.mailsTo(t, u); len(mails) != 1 {
			t.Errorf("%v", mails)
		}
	},
	"NOTIFY_SESSIONS_URL": func(t *testing.T, f *fleet) {
		p := f.plain.in(t)
		u := p.newcomer(nil)
		u.register(p)
		for _, mail := range f.mailsTo(t, u) {
			if text, _ := mail["text"].(string); !strings.Contains(text, "https://app.example.com/sessions") {
				t.Errorf("%v", mail)
			}
		}
	},
	"LOG_FORMAT": func(t *testing.T, f *fleet) {
		if !strings.Contains(f.plain.stderr.String(), `"severity":"INFO"`) {
			t.Errorf("not in Cloud Logging's words:\n%s", f.plain.stderr.String())
		}
		p := launch(t, f.world, []string{"serve"}, "FIREBASE_PROJECT_ID=demo", "STORE=memory", "ALLOW_EMULATORS=true", "LOG_FORMAT=text",
			"FIREBASE_AUTH_EMULATOR_HOST="+strings.TrimPrefix(f.world.identity.URL, "http://"))
		eventually(t, "a line of text", func() bool { return strings.Contains(p.stderr.String(), "msg=serving") })
		p.signal(syscall.SIGTERM)
		p.wait()
	},
	"LOG_LEVEL": func(t *testing.T, f *fleet) {
		p, quiet := f.off.in(t), f.flags.in(t)
		for _, each := range []*process{p, quiet} {
			each.want(http.StatusUnauthorized, "token_invalid", http.MethodGet, "/v1/check", "no.such.token", nil)
		}
		eventually(t, "a line of DEBUG", func() bool { return strings.Contains(f.off.stderr.String(), `"severity":"DEBUG"`) })
		if strings.Contains(f.flags.stderr.String(), `"severity":"DEBUG"`) {
			t.Errorf("info:\n%s", f.flags.stderr.String())
		}
	},
}

// firestore is the address of the process's emulator.
func (p *process) firestore() string {
	host := ""
	for _, each := range p.cmd.Env {
		if address, ok := strings.CutPrefix(each, "FIRESTORE_EMULATOR_HOST="); ok {
			host = address
		}
	}
	return host
}

// mailsTo are the messages of the mails to a user.
func (f *fleet) mailsTo(t *testing.T, u *user) (messages []map[string]any) {
	t.Helper()
	snaps, err := f.documents.Collection("mail").Where("to", "array-contains", u.email).Documents(t.Context()).GetAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, snap := range snaps {
		message, _ := snap.Data()["message"].(map[string]any)
		messages = append(messages, message)
	}
	return messages
}
