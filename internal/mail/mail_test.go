package mail

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vigilhq/vigil/internal/session"
)

var update = flag.Bool("update", false, "write testdata anew")

const ana = "ana@example.com"

func composer(t testing.TB, options Options) *Composer {
	t.Helper()
	c, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func signIn() session.Session {
	return session.Session{
		UserID: "ana/1", AuthTime: time.Date(2026, 11, 5, 6, 7, 59, 0, time.FixedZone("", -6*3600)), SignInProvider: "password",
		Device: session.Device{
			Type: "tablet", Browser: "Chrome 142", OS: "iPadOS 26", Name: "Ana's", Kind: "desktop/Chrome/Windows",
		},
		UserAgent: "Mozilla/5.0", IPAddress: "203.0.113.7",
		Location: &session.Location{Country: "MX", Region: "CMX", City: "Mexico City"},
	}
}

func TestSignIn(t *testing.T) {
	full, empty := composer(t, Options{Product: "Ben & Co", SessionsURL: "https://app.example.com/sessions?a=1&b=2"}), composer(t, Options{})
	for name, test := range map[string]struct {
		c        *Composer
		language string
		s        session.Session
		subject  string
	}{
		"full.en":  {full, "de, en;q=0.5", signIn(), "New sign-in to your Ben & Co account"},
		"full.es":  {full, "es-MX,es;q=0.9,en;q=0.8", signIn(), "Nuevo inicio de sesión en tu cuenta de Ben & Co"},
		"empty.en": {empty, "", session.Session{UserID: "ana/1"}, "New sign-in to your account"},
		"empty.es": {empty, "es", session.Session{UserID: "ana/1"}, "Nuevo inicio de sesión en tu cuenta"},
	} {
		t.Run(name, func(t *testing.T) {
			m := test.c.SignIn(ana, test.language, test.s)
			if m.To != ana || m.Subject != test.subject {
				t.Errorf("to %q: %q", m.To, m.Subject)
			}
			golden(t, name+".txt", m.Text)
			golden(t, name+".html", m.HTML)
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestLanguages(t *testing.T) {
	for header, want := range map[string]string{
		"": "en", "*": "en", "en": "en", "es": "es", "ES-419": "es", "es-AR;q=0.1": "es", "en;q=0.1,es;q=0.2": "es", "es;q=0.1,en-GB": "en",
		"de": "en", "de,es;q=0.5": "es", "es;q=0,en": "en", "\x00": "en", "es\r\nX: y": "en", strings.Repeat("x", 9000): "en",
		"es," + strings.Repeat("en;q=0.1,", 1000): "es", strings.Repeat("-", 9000): "en",
	} {
		if got := wordsFor(header).Lang(); got != want {
			t.Errorf("%.40q: %s, want %s", header, got, want)
		}
	}
}

func TestDevices(t *testing.T) {
	for kind, want := range map[string][3]string{ // English, Spanish, the part of the key
		"desktop/Chrome/Windows":            {"Computer, Chrome on Windows", "Equipo de escritorio o portátil, Chrome en Windows", "desktop/Chrome/Windows"},
		"mobile/Safari/iOS":                 {"Phone, Safari on iOS", "Teléfono, Safari en iOS", "mobile/Safari/iOS"},
		"tablet//Android":                   {"Tablet, Android", "Tableta, Android", "tablet//Android"},
		"other/Opera/":                      {"Opera", "Opera", "other/Opera/"},
		"other//":                           {"Unknown device", "Dispositivo desconocido", "other//"},
		"":                                  {"Unknown device", "Dispositivo desconocido", "other//"},
		"bot/Googlebot/":                    {"Automated program", "Programa automatizado", "bot//"},
		"desktop/Call +1 555 1234/Windows":  {"Computer, Windows", "Equipo de escritorio o portátil, Windows", "desktop//Windows"},
		"desktop/chrome/WINDOWS":            {"Computer", "Equipo de escritorio o portátil", "desktop//"},
		"desktop/Chrome/Windows/x":          {"Unknown device", "Dispositivo desconocido", "other//"},
		"<b>/Chrome\n/\u202eWindows":        {"Unknown device", "Dispositivo desconocido", "other//"},
		"evil/https:evil.example/evil.test": {"Unknown device", "Dispositivo desconocido", "other//"},
	} {
		d := deviceOf(kind)
		if got := [3]string{d.in(english), d.in(spanish), d.kind()}; got != want {
			t.Errorf("%q: %q, want %q", kind, got, want)
		}
	}
	s := signIn()
	if got := composer(t, Options{}).SignIn(ana, "", s).Device; got != "ana/1/desktop/Chrome/Windows" {
		t.Errorf("the device is %q", got)
	}
}

func TestPlaces(t *testing.T) {
	for _, test := range []struct {
		country, city string
		en, es        string
	}{
		{"MX", "Mexico City", "Mexico City, Mexico", "Mexico City, México"},
		{"US", "St. Louis", "St. Louis, United States", "St. Louis, Estados Unidos"},
		{"CI", "", "Côte d’Ivoire", "Côte d’Ivoire"},
		{"", "L'Aquila", "L'Aquila", "L'Aquila"},
		{"JP", "東京", "東京, Japan", "東京, Japón"},
		{"", "", "", ""},
		{"ZZ", "", "", ""}, {"T1", "", "", ""}, {"XX", "", "", ""}, {"150", "", "", ""}, {"<b>", "", "", ""}, {"M\n", "", "", ""},
		{"DE", "evil.example", "Germany", "Alemania"},
		{"DE", "a@b", "Germany", "Alemania"},
		{"DE", "https://x", "Germany", "Alemania"},
		{"DE", "<b>Bonn</b>", "Germany", "Alemania"},
		{"DE", "Bonn\u202e", "Germany", "Alemania"},
		{"DE", "Bonn\r\nBcc: x", "Germany", "Alemania"},
		{"DE", "Bonn\xff", "Germany", "Alemania"},
		{"DE", strings.Repeat("x", maxCity+1), "Germany", "Alemania"},
	} {
		l := &session.Location{Country: test.country, Region: "<region>", City: test.city}
		if en, es := english.place(l), spanish.place(l); en != test.en || es != test.es {
			t.Errorf("%q in %q: %q, %q", test.city, test.country, en, es)
		}
	}
	if got := english.place(nil); got != "" {
		t.Errorf("nowhere: %q", got)
	}
}

func TestProviders(t *testing.T) {
	for name, want := range map[string][2]string{
		"password": {"Password", "Contraseña"}, "google.com": {"Google", "Google"}, "phone": {"Phone number", "Número de teléfono"},
		"custom": {"", ""}, "oidc.<b>": {"", ""}, "": {"", ""},
	} {
		if got := [2]string{english.provider(name), spanish.provider(name)}; got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestWordsAreComplete(t *testing.T) {
	for _, d := range []string{"desktop", "mobile", "tablet", "bot", "other"} {
		if english.types[d] == "" || spanish.types[d] == "" {
			t.Errorf("no words for a device %s", d)
		}
	}
	for name := range english.ways {
		if spanish.ways[name] == "" {
			t.Errorf("no Spanish for %s", name)
		}
	}
}

func TestAddresses(t *testing.T) {
	c := composer(t, Options{})
	for to, want := range map[string]bool{
		ana: true, "a.b+c@mail.example.co.uk": true, "ñandú@example.com": true, "o'neil@example.com": true,
		"": false, "ana": false, "@example.com": false, "ana@": false, "ana@localhost": false, "ana@example.": false, "ana@[127.0.0.1]": false,
		"Ana <ana@example.com>": false, "<ana@example.com>": false, " ana@example.com": false, "ana@example.com ": false,
		"ana@example.com, bo@example.com": false, "ana@example.com;bo@example.com": false, "ana@example.com,": false,
		"ana@example.com\r\nBcc: bo@example.com": false, "ana\n@example.com": false, "ana@example.com\x00": false,
		"ana(comment)@example.com": false, `"ana"@example.com`: false, `"a, b"@example.com`: false, "ana@b@example.com": false,
		"group: ana@example.com;": false, "\u202eana@example.com": false, "ana\u200b@example.com": false, "ana\u00a0@example.com": false,
		"\xff@example.com": false, "=?utf-8?q?a?=@example.com\n": false, strings.Repeat("a", 250) + "@example.com": false,
	} {
		if got := c.SignIn(to, "", signIn()); (got != nil) != want || got != nil && got.To != to {
			t.Errorf("%.60q: %+v, want %v", to, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, test := range []struct {
		options Options
		ok      bool
	}{
		{Options{}, true},
		{Options{Product: "Ben & <Co>", SessionsURL: "https://app.example.com/#/sessions"}, true},
		{Options{SessionsURL: "http://localhost:3000/sessions"}, true},
		{Options{SessionsURL: "http://127.0.0.1"}, true},
		{Options{SessionsURL: "http://[::1]:3000"}, true},
		{Options{Product: "a\nb"}, false},
		{Options{Product: "a\u202eb"}, false},
		{Options{Product: "a\xff"}, false},
		{Options{Product: strings.Repeat("é", maxProduct+1)}, false},
		{Options{SessionsURL: "http://app.example.com"}, false},
		{Options{SessionsURL: "http://localhost.example.com"}, false},
		{Options{SessionsURL: "javascript:alert(1)"}, false},
		{Options{SessionsURL: "https://"}, false},
		{Options{SessionsURL: "//app.example.com"}, false},
		{Options{SessionsURL: "app.example.com"}, false},
		{Options{SessionsURL: "https://user:secret@app.example.com"}, false},
		{Options{SessionsURL: "https://app.example.com/a b"}, false},
		{Options{SessionsURL: "https://app.example.com/\">"}, false},
		{Options{SessionsURL: "https://app.example.com/\nx"}, false},
		{Options{SessionsURL: "https://app.example.com/" + strings.Repeat("x", maxURL)}, false},
	} {
		if c, err := New(test.options); (err == nil) != test.ok || (c != nil) != test.ok {
			t.Errorf("%+.60q: %v, want %v", test.options, err, test.ok)
		}
	}
}

// The operator's name for the product is escaped, too.
func TestProductIsEscaped(t *testing.T) {
	m := composer(t, Options{Product: `<img src="x">`}).SignIn(ana, "", signIn())
	if strings.Contains(m.HTML, "<img") || !strings.Contains(m.HTML, "&lt;img") {
		t.Error(m.HTML)
	}
}

var tag = regexp.MustCompile(`<[^>]*>`)

// tags is what the HTML of a message may consist of, whatever is in it.
var tags = map[string]bool{`<a href="https://app.example.com/">`: true, `<html lang="es">`: true}

func init() {
	c := &Composer{}
	for _, found := range tag.FindAllString(c.SignIn(ana, "", signIn()).HTML+"</a>", -1) {
		tags[found] = true
	}
}

// FuzzSignIn: whatever a session holds, a message has the form of the templates, and nothing of what a client chose freely.
func FuzzSignIn(f *testing.F) {
	f.Add(ana, "es", "desktop/Chrome/Windows", "MX", "Mexico City", "password", "Ana's", "Mozilla/5.0", int64(1_700_000_000))
	f.Add("a@b.c\r\nBcc: d@e.f", "\x00", "<b>/\u202e/\n", "<>", "</td><script>", "{{.}}", "<i>", "\r\n", int64(-1))
	f.Add("a,b@c.d", strings.Repeat("a-", 200), "desktop/<script>/Windows", "ZZ", "&amp;", "saml.x", "", "", int64(1<<40))
	c := composer(f, Options{SessionsURL: "https://app.example.com/"})
	f.Fuzz(func(t *testing.T, to, acceptLanguage, kind, country, city, provider, name, agent string, second int64) {
		s := session.Session{
			UserID: "ana", AuthTime: time.Unix(second%253402300800, 0), SignInProvider: provider,
			Device: session.Device{Kind: kind}, Location: &session.Location{Country: country, Region: agent, City: city},
		}
		free := s
		free.Device = session.Device{Type: name, Browser: agent, OS: name, Name: name, Kind: kind}
		free.UserAgent, free.IPAddress = agent, name
		m, same := c.SignIn(to, acceptLanguage, s), c.SignIn(to, acceptLanguage, free)
		if diff := cmp.Diff(m, same); diff != "" {
			t.Fatalf("what a client chose shows:\n%s", diff)
		}
		if m == nil {
			return
		}
		if m.To != to || !printable(to) || strings.Count(to, "@") != 1 || strings.ContainsAny(to, ",; ") {
			t.Errorf("to %q", m.To)
		}
		if !printable(m.Subject) {
			t.Errorf("subject %q", m.Subject)
		}
		if rest := strings.ReplaceAll(m.Text, "\n", ""); !printable(rest) || strings.Count(m.Text, "://") != 1 {
			t.Errorf("text %q", m.Text)
		}
		for _, found := range tag.FindAllString(m.HTML, -1) {
			if !tags[found] {
				t.Errorf("a tag %q", found)
			}
		}
		rest := strings.ReplaceAll(tag.ReplaceAllString(m.HTML, ""), "\n", "")
		if strings.ContainsAny(rest, "<>\"") || !printable(rest) {
			t.Errorf("HTML %q", m.HTML)
		}
		if lines := strings.Count(m.Text, "\n"); lines > 13 {
			t.Errorf("%d lines: %q", lines, m.Text)
		}
		if !regexp.MustCompile(`^ana/(desktop|mobile|tablet|bot|other)/[A-Za-z ]*/[A-Za-z ]*$`).MatchString(m.Device) {
			t.Errorf("device %q", m.Device)
		}
	})
}

func ExampleComposer_SignIn() {
	c, err := New(Options{Product: "Acme"})
	if err != nil {
		panic(err)
	}
	m := c.SignIn("ana@example.com", "es", session.Session{Device: session.Device{Kind: "mobile/Safari/iOS"}})
	fmt.Println(m.Subject)
	// Output: Nuevo inicio de sesión en tu cuenta de Acme
}
