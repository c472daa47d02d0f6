package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

func fieldsOf(t *testing.T, err error) []string {
	t.Helper()
	var f faults
	if err != nil && (!errors.As(err, &f) || session.CodeOf(err) != session.CodeInvalidRequest || err.Error() == "") {
		t.Fatalf("not invalid_request: %v", err)
	}
	var fields []string
	for _, each := range f {
		fields = append(fields, each.field)
	}
	return fields
}

func TestDecode(t *testing.T) {
	tests := map[string][]string{ // body to the fields at fault
		`{}`:                 nil,
		"\r\n\t {} ":         nil,
		`{"deviceName":"x"}`: nil,
		`{"deviceName":null,"device":null,"replaces":null}`: nil,
		`{"device":{"type":"tablet","os":"iPadOS 26"}}`:     nil,
		`{"deviceName":"x","device":{},"replaces":""}`:      nil,
		`{"DeviceName":"x"}`:                                {"DeviceName"},
		`{"device":{"Type":"tablet"}}`:                      {"device.Type"},
		`{"devicename":"x","deviceName":"y"}`:               {"devicename"},
		`{"deviceName":"x","deviceName":"x"}`:               {"deviceName"},
		`{"deviceName":null,"deviceName":"x"}`:              {"deviceName"},
		`{"deviceName":"x","device\u004eame":"y"}`:          {"deviceName"},
		`{"device":{"os":"a","os":"b"}}`:                    {"device.os"},
		`{"device":{"os":"a"},"device":{"type":"other"}}`:   {"device"},
		`{"userId":"bob"}`:                                  {"userId"},
		`{"userId":{"a":[{"b":1}]},"deviceName":1}`:         {"userId", "deviceName"},
		`{"":""}`:                        {"body"},
		`{"device":{"":1}}`:              {"device."},
		`{"device":{"type":{"type":1}}}`: {"device.type"},
		`{"deviceName":1,"device":{"os":true},"replaces":[]}`: {"deviceName", "device.os", "replaces"},
		`{"device":"desktop"}`:                                {"device"},
		`{"device":[]}`:                                       {"device"},
		``:                                                    {"body"},
		`null`:                                                {"body"},
		`[]`:                                                  {"body"},
		`[{}]`:                                                {"body"},
		`"{}"`:                                                {"body"},
		`1`:                                                   {"body"},
		`{`:                                                   {"body"},
		`{}{}`:                                                {"body"},
		`{} x`:                                                {"body"},
		`{"deviceName":"x",}`:                                 {"body"},
		`{'deviceName':'x'}`:                                  {"body"},
		`{"deviceName":"x"/**/}`:                              {"body"},
		"{\"deviceName\":\"\xff\"}":                           {"body"},
		"{\"deviceName\":\"a\nb\"}":                           {"body"},
		"\ufeff{}":                                            {"body"},
		strings.Repeat(`{"device":`, 20_000) + strings.Repeat(`}`, 20_000): {"body"},
	}
	for data, want := range tests {
		var into signIn
		got := fieldsOf(t, decode([]byte(data), &into))
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%.80q: faults %q, want %q", data, got, want)
		}
	}
	var kinds struct {
		N int  `json:"n"`
		B bool `json:"b"`
	}
	if got := fieldsOf(t, decode([]byte(`{"n":"1","b":1}`), &kinds)); len(got) != 2 {
		t.Errorf("faults %q", got)
	}
	many := `{` + strings.TrimSuffix(strings.Repeat(`"`+strings.Repeat("x", 1000)+`":1,`, 1000), ",") + `}`
	got := fieldsOf(t, decode([]byte(many), &kinds))
	if len(got) != maxFaults || len(got[0]) != maxText {
		t.Errorf("a thousand faults are answered by %d of %d bytes", len(got), len(got[0]))
	}
}

func TestSignInCheck(t *testing.T) {
	name := func(s string) signIn { return signIn{DeviceName: s} }
	var odd signIn
	odd.Device.Type, odd.Device.OS, odd.Replaces = "phone", strings.Repeat("x", 65), "../x"
	var loud signIn
	loud.Device.Type, loud.Replaces = "Desktop", strings.Repeat("A", 64)
	tests := []struct {
		in   signIn
		want []string
	}{
		{name(""), nil}, {name("Ana's laptop"), nil}, {name("  spaces  "), nil}, {name(strings.Repeat("é", 64)), nil},
		{name("👩\u200d💻 Küche"), nil}, {name("می\u200cخواهم"), nil},
		{name(strings.Repeat("é", 65)), []string{"deviceName"}}, {name("a\x00b"), []string{"deviceName"}},
		{name("a\nb"), []string{"deviceName"}}, {name("a\u202eb"), []string{"deviceName"}}, {name("a\u200bb"), []string{"deviceName"}},
		{odd, []string{"device.os", "device.type", "replaces"}}, {loud, []string{"device.type", "replaces"}},
	}
	for _, test := range tests {
		if got := fieldsOf(t, test.in.check()); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%+v: faults %q, want %q", test.in, got, test.want)
		}
	}
	in := name(" \t spaces\u00a0 ")
	if in.check() != nil || in.DeviceName != "spaces" {
		t.Errorf("trimmed to %q", in.DeviceName)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{}`, `{"deviceName":"x","device":{"type":"tablet","os":"a"},"replaces":"b"}`, `{"device":{"os":1,"os":2}}`,
		`{"deviceName":"\ud800"}`, `[1,2]`, `{"a":{"b":[{}]}}`, `null`, ``, `{"deviceName":null}{}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got signIn
		if err := decode(data, &got); err != nil {
			fields := fieldsOf(t, err)
			if len(fields) == 0 || len(fields) > maxFaults {
				t.Errorf("%d faults", len(fields))
			}
			return
		}
		var want signIn
		strict := json.NewDecoder(bytes.NewReader(data))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&want); err != nil {
			t.Errorf("accepted what encoding/json refuses: %v", err)
		}
		if got != want {
			t.Errorf("got %+v, encoding/json reads %+v", got, want)
		}
		_ = got.check()
	})
}

func FuzzDevice(f *testing.F) {
	for _, c := range devices {
		f.Add(c.agent, c.brands, c.mobile, c.platform)
	}
	f.Add("(((;;;)))[[[/ / // http:// CrOS x86_64", `"a";v="1.2", (b c);v=3, ?1`, "?2", `"mac`)
	f.Fuzz(func(t *testing.T, header, brands, mobile, platform string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("User-Agent", header)
		r.Header.Set("Sec-CH-UA", brands)
		r.Header.Set("Sec-CH-UA-Mobile", mobile)
		r.Header.Set("Sec-CH-UA-Platform", platform)
		agent := userAgent(r)
		if len(agent) > maxUserAgent || !utf8.ValidString(agent) {
			t.Errorf("kept %q", agent)
		}
		d := deviceOf(agent, hintsOf(r.Header))
		var known faults
		known.oneOf("type", d.Type, deviceTypes...)
		known.text("browser", d.Browser, maxText+20)
		known.text("os", d.OS, maxText+20)
		known.text("kind", d.Kind, 2*maxText+20)
		known.oneOf("kind", strings.Split(d.Kind, "/")[0], d.Type)
		if strings.Count(d.Kind, "/") != 2 {
			t.Errorf("%q does not have three parts", d.Kind)
		}
		if known != nil {
			t.Errorf("%+v: %v", d, known)
		}
	})
}

func FuzzClientIP(f *testing.F) {
	f.Add("10.0.0.1:1", "1.2.3.4, 10.0.0.2")
	f.Add("[::1]:1", "[::1%x]:80,::ffff:1.2.3.4,,")
	trusted := netip.MustParsePrefix("10.0.0.0/8")
	find := newProxies([]netip.Prefix{trusted}).clientIP
	f.Fuzz(func(t *testing.T, peer, named string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = peer
		direct := find(r)
		r.Header.Set("X-Forwarded-For", named)
		got := find(r)
		ip, err := netip.ParseAddr(got)
		if got != "" && (err != nil || ip.Unmap() != ip || ip.Zone() != "") {
			t.Errorf("%q is no address", got)
		}
		if before, err := netip.ParseAddr(direct); got != direct && (err != nil || !trusted.Contains(before)) {
			t.Errorf("%q from a peer that is not trusted became %q", direct, got)
		}
	})
}

// What is not of the domain is still answered, as what it most probably is.
func TestErrorOf(t *testing.T) {
	for want, err := range map[session.Code]error{
		session.CodeUnavailable:  errors.New("a dependency"),
		session.CodeInternal:     echo.ErrTeapot,
		session.CodeNotFound:     echo.ErrNotFound,
		session.CodeSessionEnded: errors.Join(errors.New("x"), &session.Error{Code: session.CodeSessionEnded}),
	} {
		if got := errorOf(err).Code; got != want {
			t.Errorf("%v is %s, want %s", err, got, want)
		}
	}
	if got := errorOf(&session.Error{Code: "unheard_of"}).Code; got != session.CodeInternal {
		t.Errorf("an unknown code is %s", got)
	}
}
