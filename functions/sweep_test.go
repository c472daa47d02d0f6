package functions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

const waiting = "a call waits"

// domain is a registry that writes down what it is asked.
type domain struct {
	mu     sync.Mutex
	asked  []string
	err    error
	report session.SweepReport
	panics bool
	wait   bool // until the caller gives up
}

func (d *domain) ask(ctx context.Context, what string) error {
	if d.panics {
		panic("broken")
	}
	d.mu.Lock()
	d.asked = append(d.asked, what)
	wait, err := d.wait, d.err
	d.mu.Unlock()
	if wait {
		fmt.Println(waiting)
		<-ctx.Done()
		return session.Unavailable("wait", ctx.Err())
	}
	return err
}

func (d *domain) FinishRevocation(ctx context.Context, uid session.UserID) error {
	return d.ask(ctx, "finish "+string(uid))
}

func (d *domain) UserDeleted(ctx context.Context, uid session.UserID, report string) error {
	return d.ask(ctx, "deleted "+string(uid)+" by "+report)
}

func (d *domain) Sweep(ctx context.Context, duties session.Duty) (session.SweepReport, error) {
	if duties != session.SweepAll {
		return session.SweepReport{}, errors.New("not all duties")
	}
	return d.report, d.ask(ctx, "sweep")
}

// took is what the domain has been asked since it was last looked at.
func (d *domain) took() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	asked := strings.Join(d.asked, ", ")
	d.asked = nil
	return asked
}

func newServer(t *testing.T, d *domain, change ...func(*Options)) *Server {
	t.Helper()
	o := Options{Registry: d}
	for _, c := range change {
		c(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSweep(t *testing.T) {
	d := &domain{report: session.SweepReport{Expired: 1, Purged: 2, Limited: 3}}
	f := newServer(t, d).functions[Sweep]
	w := post(t, f, nil, nil)
	if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusOK || got != `{"expired":1,"purged":2,"limited":3}` || d.took() != "sweep" {
		t.Errorf("%d %s", w.Code, got)
	}
	d.err = session.Unavailable("sweep", context.DeadlineExceeded)
	wantError(t, post(t, f, []byte("{}"), nil), http.StatusServiceUnavailable, "UNAVAILABLE")
	d.took()
	wantError(t, post(t, f, make([]byte, maxSweep+1), nil), http.StatusRequestEntityTooLarge, "INVALID_ARGUMENT")
	r := httptest.NewRecorder()
	f(r, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	wantError(t, r, http.StatusMethodNotAllowed, "INVALID_ARGUMENT")
	if d.took() != "" {
		t.Error("swept for a request that is refused")
	}
}

const (
	testAudience = "https://vigil-functions-abc.a.run.app/Sweep"
	testCaller   = "vigil-scheduler@demo-vigil.iam.gserviceaccount.com"
)

// callerClaimsOf is what Google says about a service account that Cloud Scheduler calls for.
func callerClaimsOf(with object) object {
	return over(object{
		"iss": "https://accounts.google.com", "aud": testAudience, "azp": "117512345", "sub": "117512345",
		"email": testCaller, "email_verified": true, "iat": seconds(0), "exp": seconds(time.Hour),
	}, with)
}

func callerToken(with object) string {
	return "Bearer " + jwt(encode(goodHeader), encode(callerClaimsOf(with)), firstKey())
}

func newSweep(t *testing.T, d *domain, g *google) http.HandlerFunc {
	t.Helper()
	s := newServer(t, d)
	f := &sweep{log: slog.New(slog.DiscardHandler), registry: d, audience: testAudience, caller: testCaller, keys: newKeys(accountKeys)}
	g.through(f.keys)
	return s.call(Sweep, 0, maxSweep, f.serve)
}

func TestSweepAdmitsItsCallerAlone(t *testing.T) {
	without := func(name string) func() []string {
		return func() []string { return []string{callerToken(object{name: nil})} }
	}
	with := func(name string, value any) func() []string {
		return func() []string { return []string{callerToken(object{name: value})} }
	}
	for name, authorization := range map[string]func() []string{
		"nothing":                    func() []string { return nil },
		"no token":                   func() []string { return []string{"Bearer "} },
		"another scheme":             func() []string { return []string{"Basic dmlnaWw6dmlnaWw="} },
		"two":                        func() []string { return []string{callerToken(nil), callerToken(nil)} },
		"another audience":           with("aud", testAudience+"/"),
		"no audience":                without("aud"),
		"audiences":                  with("aud", []string{testAudience}),
		"another issuer":             with("iss", "https://securetoken.google.com/demo-vigil"),
		"another service account":    with("email", "vigil-scheduler@evil.iam.gserviceaccount.com"),
		"an address in another case": with("email", strings.ToUpper(testCaller)),
		"no address":                 without("email"),
		"an address not verified":    with("email_verified", false),
		"nobody says it is verified": without("email_verified"),
		"verified, as a text":        with("email_verified", "true"),
		"expired":                    func() []string { return []string{callerToken(object{"exp": seconds(-time.Second)})} },
		"not yet":                    func() []string { return []string{callerToken(object{"iat": seconds(2 * time.Minute)})} },
		"look-alikes": func() []string {
			return []string{callerToken(object{"aud": "foreign", "Aud": testAudience, "email": "x", "Email": testCaller})}
		},
		"another key": func() []string {
			return []string{"Bearer " + jwt(encode(goodHeader), encode(callerClaimsOf(nil)), secondKey())}
		},
		"no signature": func() []string {
			return []string{"Bearer " + b64(encode(object{"alg": "none"})) + "." + b64(encode(callerClaimsOf(nil))) + "."}
		},
		"a signature taken away": func() []string {
			return []string{"Bearer " + b64(encode(goodHeader)) + "." + b64(encode(callerClaimsOf(nil))) + ".SIGNATURE_REMOVED_BY_GOOGLE"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &domain{}
				f := newSweep(t, d, newGoogle())
				w := post(t, f, nil, http.Header{"Authorization": authorization()})
				wantError(t, w, http.StatusUnauthorized, "UNAUTHENTICATED")
				if d.took() != "" {
					t.Error("swept")
				}
				if w := post(t, f, nil, http.Header{"Authorization": {callerToken(nil)}}); w.Code != http.StatusOK || d.took() != "sweep" {
					t.Errorf("its caller: %d %s", w.Code, w.Body)
				}
			})
		})
	}
}

func TestSweepWithoutKeysIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, g := &domain{}, newGoogle()
		g.instead = fail(http.StatusServiceUnavailable)
		w := post(t, newSweep(t, d, g), nil, http.Header{"Authorization": {callerToken(nil)}})
		wantError(t, w, http.StatusServiceUnavailable, "UNAVAILABLE")
		if d.took() != "" {
			t.Error("swept for somebody who is not known")
		}
	})
}

func TestOptions(t *testing.T) {
	good := Options{SignInURI: testURI, ProjectID: testProject, Registry: &domain{}, SweepAudience: testAudience, SweepCaller: testCaller}
	s, err := New(good)
	if err != nil || len(s.functions) != 4 {
		t.Fatalf("%v, %v", s, err)
	}
	for name, change := range map[string]func(*Options){
		"nothing to serve":           func(o *Options) { o.SignInURI, o.Registry = "", nil },
		"no project":                 func(o *Options) { o.ProjectID = "" },
		"no TLS":                     func(o *Options) { o.SignInURI = "http://example.com/BeforeSignIn" },
		"no URI":                     func(o *Options) { o.SignInURI = "BeforeSignIn" },
		"a caller of no audience":    func(o *Options) { o.SweepAudience = "" },
		"an audience for no caller":  func(o *Options) { o.SweepCaller = "" },
		"a URI that cannot be read ": func(o *Options) { o.SignInURI = "https://\x00" },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	o := Options{SignInURI: "http://127.0.0.1:8081/BeforeSignIn", ProjectID: testProject, Unsigned: true}
	if s, err := New(o); err != nil || len(s.functions) != 1 {
		t.Errorf("BeforeSignIn alone, for the emulator: %v", err)
	}
}
