package handlers

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/vigilhq/vigil/internal/session"
)

var agents = map[string]session.Device{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36":                            {Type: "desktop", Browser: "Chrome 142", OS: "Windows"},
	"Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/109.0.0.0 Safari/537.36":                                  {Type: "desktop", Browser: "Chrome 109", OS: "Windows 7"},
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.3595.53":          {Type: "desktop", Browser: "Edge 142", OS: "Windows"},
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15":                      {Type: "desktop", Browser: "Safari 26", OS: "macOS"},
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 15_1) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15":                         {Type: "desktop", Browser: "Safari 18", OS: "macOS 15"},
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0":                                                       {Type: "desktop", Browser: "Firefox 145", OS: "macOS"},
	"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0":                                                                     {Type: "desktop", Browser: "Firefox 145", OS: "Linux"},
	"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36":                             {Type: "desktop", Browser: "Chrome 142", OS: "ChromeOS"},
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1":    {Type: "mobile", Browser: "Safari 18", OS: "iOS 18"},
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0.0.0 Mobile/15E148 Safari/604.1": {Type: "mobile", Browser: "Chrome 142", OS: "iOS 18"},
	"Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.7 Mobile/15E148 Safari/604.1":             {Type: "tablet", Browser: "Safari 17", OS: "iOS 17"},
	"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36":                            {Type: "mobile", Browser: "Chrome 142", OS: "Android"},
	"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36":                                   {Type: "tablet", Browser: "Chrome 142", OS: "Android"},
	"Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36": {Type: "mobile", Browser: "Samsung Browser 28", OS: "Android 14"},
	"Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0":                                                                       {Type: "mobile", Browser: "Firefox 145", OS: "Android 15"},
	"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)":                                                                   {Type: "bot", Browser: "Googlebot 2"},
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0 Safari/537.36":                              {Type: "bot", Browser: "Headless Chrome 142", OS: "Linux"},
	"curl/8.14.1":         {Type: "other", Browser: "curl 8"},
	"Go-http-client/2.0":  {Type: "other", Browser: "Go-http-client 2"},
	"vigil":               {Type: "other", Browser: "vigil"},
	"":                    {Type: "other"},
	"evil\u202e\x07agent": {Type: "other", Browser: "evilagent"},
}

func TestDeviceOf(t *testing.T) {
	for agent, want := range agents {
		if got := deviceOf(agent); got != want {
			t.Errorf("%s\ngot  %+v\nwant %+v", agent, got, want)
		}
	}
}

func TestHints(t *testing.T) {
	const mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15"
	var in signIn
	in.DeviceName, in.Device.Type, in.Device.OS = "Ana's", deviceTablet, "iPadOS 26"
	if got, want := in.device(mac), (session.Device{Type: "tablet", Browser: "Safari 26", OS: "iPadOS 26", Name: "Ana's"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := new(signIn).device(mac), deviceOf(mac); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestUserAgentIsBounded(t *testing.T) {
	for agent, want := range map[string]string{
		"short":                                  "short",
		strings.Repeat("x", 600):                 strings.Repeat("x", 512),
		strings.Repeat("x", 511) + "é":           strings.Repeat("x", 511),
		strings.Repeat("x", 510) + "é":           strings.Repeat("x", 510) + "é",
		strings.Repeat("x", 510) + "\U0001f600y": strings.Repeat("x", 510),
		"a\xffb":                                 "ab",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("User-Agent", agent)
		if got := userAgent(r); got != want {
			t.Errorf("%q became %q", agent, got)
		}
	}
}
