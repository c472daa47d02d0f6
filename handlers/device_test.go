package handlers

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/vigilhq/vigil/internal/session"
)

// The hints of browsers of the same engine differ in brands alone.
const (
	chromeBrands  = `"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"`
	edgeBrands    = `"Chromium";v="142", "Microsoft Edge";v="142", "Not_A Brand";v="99"`
	braveBrands   = `"Chromium";v="142", "Brave";v="142", "Not_A Brand";v="99"`
	operaBrands   = `"Opera";v="124", "Chromium";v="140", "Not_A Brand";v="24"`
	samsungBrands = `"Samsung Internet";v="29.0", "Chromium";v="136", "Not.A/Brand";v="99"`
	webViewBrands = `"Chromium";v="142", "Android WebView";v="142", "Not_A Brand";v="99"`
)

// What Chromium's User-Agent looks like on each system, since its reduction.
const (
	onWindows  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
	onMac      = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
	onLinux    = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
	onChromeOS = "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
	onPhone    = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36"
	onTablet   = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
	safariMac  = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15"
	googlebot  = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
)

// devices are what devices send, and what is to be seen of them: type, browser, system, and the kind of device.
var devices = []struct {
	agent, brands, mobile, platform string
	want                            [4]string
}{
	// With hints, as Chromium sends them over TLS.
	{onWindows, chromeBrands, "?0", `"Windows"`, [4]string{"desktop", "Chrome 142", "Windows", "desktop/Chrome/Windows"}},
	{onMac, chromeBrands, "?0", `"macOS"`, [4]string{"desktop", "Chrome 142", "macOS", "desktop/Chrome/macOS"}},
	{onLinux, chromeBrands, "?0", `"Linux"`, [4]string{"desktop", "Chrome 142", "Linux", "desktop/Chrome/Linux"}},
	{onChromeOS, chromeBrands, "?0", `"Chrome OS"`, [4]string{"desktop", "Chrome 142", "ChromeOS", "desktop/Chrome/ChromeOS"}},
	{onPhone, chromeBrands, "?1", `"Android"`, [4]string{"mobile", "Chrome 142", "Android", "mobile/Chrome/Android"}},
	{onTablet, chromeBrands, "?0", `"Android"`, [4]string{"tablet", "Chrome 142", "Android", "tablet/Chrome/Android"}},
	{onWindows + " Edg/142.0.0.0", edgeBrands, "?0", `"Windows"`, [4]string{"desktop", "Edge 142", "Windows", "desktop/Edge/Windows"}},
	{onMac + " Edg/142.0.0.0", edgeBrands, "?0", `"macOS"`, [4]string{"desktop", "Edge 142", "macOS", "desktop/Edge/macOS"}},
	{onPhone + " EdgA/142.0.0.0", edgeBrands, "?1", `"Android"`, [4]string{"mobile", "Edge 142", "Android", "mobile/Edge/Android"}},
	{onWindows, braveBrands, "?0", `"Windows"`, [4]string{"desktop", "Brave 142", "Windows", "desktop/Brave/Windows"}},
	{onLinux, braveBrands, "?0", `"Linux"`, [4]string{"desktop", "Brave 142", "Linux", "desktop/Brave/Linux"}},
	{onWindows + " OPR/124.0.0.0", operaBrands, "?0", `"Windows"`, [4]string{"desktop", "Opera 124", "Windows", "desktop/Opera/Windows"}},
	{onLinux, `"Chromium";v="142", "Not_A Brand";v="99"`, "?0", `"Linux"`, [4]string{"desktop", "Chromium 142", "Linux", "desktop/Chromium/Linux"}},
	{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36",
		samsungBrands, "?1", `"Android"`, [4]string{"mobile", "Samsung Browser 29", "Android", "mobile/Samsung Browser/Android"}},
	{"Mozilla/5.0 (Linux; Android 15; Pixel 9 Build/BP1A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/142.0.7444.48 Mobile Safari/537.36",
		webViewBrands, "?1", `"Android"`, [4]string{"mobile", "Android WebView 142", "Android 15", "mobile/Android WebView/Android"}},
	{"Mozilla/5.0 (Linux; Android 15; Pixel 9 Build/BP1A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/142.0.7444.48 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/480.0.0.1;]",
		webViewBrands, "?1", `"Android"`, [4]string{"mobile", "Facebook App 480", "Android 15", "mobile/Facebook App/Android"}},
	{onWindows + " Vivaldi/7.6", `"Chromium";v="142", "Vivaldi";v="7.6", "Not_A Brand";v="99"`, "?0", `"Windows"`,
		[4]string{"desktop", "Vivaldi 7", "Windows", "desktop/Vivaldi/Windows"}},

	// Where the two disagree, the hints are right, but no bot is made a browser.
	{onLinux, chromeBrands, "?1", `"Android"`, [4]string{"mobile", "Chrome 142", "Android", "mobile/Chrome/Android"}}, // "desktop site"
	{onPhone, chromeBrands, "?0", `"Chrome OS"`, [4]string{"desktop", "Chrome 142", "ChromeOS", "desktop/Chrome/ChromeOS"}},
	{safariMac, chromeBrands, "?0", `"Windows"`, [4]string{"desktop", "Chrome 142", "Windows", "desktop/Chrome/Windows"}},
	{"", chromeBrands, "?0", `"Windows"`, [4]string{"desktop", "Chrome 142", "Windows", "desktop/Chrome/Windows"}},
	{googlebot, chromeBrands, "?0", `"Linux"`, [4]string{"bot", "Googlebot 2", "", "bot/Googlebot/"}},
	{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0 Safari/537.36",
		chromeBrands, "?0", `"Windows"`, [4]string{"bot", "Headless Chrome 142", "Linux", "bot/Headless Chrome/Linux"}},

	// Hints in bad form, too long, or without meaning are none.
	{onWindows, `"Chromium`, "true", `Windows`, [4]string{"desktop", "Chrome 142", "Windows", "desktop/Chrome/Windows"}},
	{onWindows, `Opera;v="1", ("Opera" "Brave"), 7, ?1`, "?1, ?0", `"Unknown"`, [4]string{"desktop", "Chrome 142", "Windows", "desktop/Chrome/Windows"}},
	{onWindows, strings.Repeat(`"Opera";v="1",`, 100) + `"Opera";v="1"`, "", "", [4]string{"desktop", "Chrome 142", "Windows", "desktop/Chrome/Windows"}},
	{onWindows, `" Not A;Brand";v="99"`, "", `"Plan 9"`, [4]string{"desktop", "Chrome 142", "Windows", "desktop/Chrome/Windows"}},
	{onWindows, `"Opera"`, "", "", [4]string{"desktop", "Opera", "Windows", "desktop/Opera/Windows"}},
	{onWindows, `"a/b/c";v="x"`, "", "", [4]string{"desktop", "a/b/c", "Windows", "desktop/a b c/Windows"}},

	// Without: before the hints, other engines, and what is no browser.
	{onWindows, "", "", "", [4]string{"desktop", "Chrome 142", "Windows", "desktop/Chrome/Windows"}},
	{"Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/109.0.0.0 Safari/537.36", "", "", "",
		[4]string{"desktop", "Chrome 109", "Windows 7", "desktop/Chrome/Windows"}},
	{onWindows + " Edg/142.0.3595.53", "", "", "", [4]string{"desktop", "Edge 142", "Windows", "desktop/Edge/Windows"}},
	{safariMac, "", "", "", [4]string{"desktop", "Safari 26", "macOS", "desktop/Safari/macOS"}},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 15_1) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15", "", "", "",
		[4]string{"desktop", "Safari 18", "macOS 15", "desktop/Safari/macOS"}},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0", "", "", "",
		[4]string{"desktop", "Firefox 145", "macOS", "desktop/Firefox/macOS"}},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0", "", "", "",
		[4]string{"desktop", "Firefox 145", "Windows", "desktop/Firefox/Windows"}},
	{"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "", "", "",
		[4]string{"desktop", "Firefox 145", "Linux", "desktop/Firefox/Linux"}},
	{onChromeOS, "", "", "", [4]string{"desktop", "Chrome 142", "ChromeOS", "desktop/Chrome/ChromeOS"}},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1", "", "", "",
		[4]string{"mobile", "Safari 18", "iOS 18", "mobile/Safari/iOS"}},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0.0.0 Mobile/15E148 Safari/604.1", "", "", "",
		[4]string{"mobile", "Chrome 142", "iOS 18", "mobile/Chrome/iOS"}},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/145.0 Mobile/15E148 Safari/604.1", "", "", "",
		[4]string{"mobile", "Firefox 145", "iOS 18", "mobile/Firefox/iOS"}},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 EdgiOS/142.0.0.0 Mobile/15E148 Safari/604.1", "", "", "",
		[4]string{"mobile", "Edge 142", "iOS 18", "mobile/Edge/iOS"}},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 400.0.0.1 (iPhone14,5; iOS 18_6)", "", "", "",
		[4]string{"mobile", "Instagram App 400", "iOS 18", "mobile/Instagram App/iOS"}},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148", "", "", "",
		[4]string{"mobile", "iPhone", "iOS 18", "mobile/iPhone/iOS"}},
	{"Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.7 Mobile/15E148 Safari/604.1", "", "", "",
		[4]string{"tablet", "Safari 17", "iOS 17", "tablet/Safari/iOS"}},
	{"Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0.0.0 Mobile/15E148 Safari/604.1", "", "", "",
		[4]string{"tablet", "Chrome 142", "iOS 17", "tablet/Chrome/iOS"}},
	{onPhone, "", "", "", [4]string{"mobile", "Chrome 142", "Android", "mobile/Chrome/Android"}},
	{onTablet, "", "", "", [4]string{"tablet", "Chrome 142", "Android", "tablet/Chrome/Android"}},
	{"Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36", "", "", "",
		[4]string{"mobile", "Samsung Browser 28", "Android 14", "mobile/Samsung Browser/Android"}},
	{"Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0", "", "", "",
		[4]string{"mobile", "Firefox 145", "Android 15", "mobile/Firefox/Android"}},
	{"Mozilla/5.0 (Android 15; Tablet; rv:145.0) Gecko/145.0 Firefox/145.0", "", "", "",
		[4]string{"tablet", "Firefox 145", "Android 15", "tablet/Firefox/Android"}},
	{googlebot, "", "", "", [4]string{"bot", "Googlebot 2", "", "bot/Googlebot/"}},
	{"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "", "", "", [4]string{"bot", "Bingbot 2", "", "bot/Bingbot/"}},
	{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0 Safari/537.36", "", "", "",
		[4]string{"bot", "Headless Chrome 142", "Linux", "bot/Headless Chrome/Linux"}},
	{"curl/8.14.1", "", "", "", [4]string{"other", "curl 8", "", "other/curl/"}},
	{"Go-http-client/2.0", "", "", "", [4]string{"other", "Go-http-client 2", "", "other/Go-http-client/"}},
	{"vigil", "", "", "", [4]string{"other", "vigil", "", "other/vigil/"}},
	{"", "", "", "", [4]string{"other", "", "", "other//"}},
	{"evil\u202e\x07agent", "", "", "", [4]string{"other", "evilagent", "", "other/evilagent/"}},
}

func headerOf(brands, mobile, platform string) http.Header {
	h := make(http.Header)
	for name, value := range map[string]string{"Sec-CH-UA": brands, "Sec-CH-UA-Mobile": mobile, "Sec-CH-UA-Platform": platform} {
		if value != "" {
			h.Set(name, value)
		}
	}
	return h
}

func TestDeviceOf(t *testing.T) {
	for _, c := range devices {
		want := session.Device{Type: c.want[0], Browser: c.want[1], OS: c.want[2], Kind: c.want[3]}
		if got := deviceOf(c.agent, hintsOf(headerOf(c.brands, c.mobile, c.platform))); got != want {
			t.Errorf("%s %s %s %s\ngot  %+v\nwant %+v", c.agent, c.brands, c.mobile, c.platform, got, want)
		}
	}
}

// Every form in which browsers have mixed a brand of no meaning into theirs.
func TestNoBrand(t *testing.T) {
	for _, brand := range []string{"Not A;Brand", " Not A;Brand", " Not;A Brand", "Not)A;Brand", "Not;A=Brand", "Not_A Brand", "Not/A)Brand",
		"Not?A_Brand", "Not=A?Brand", "Not.A/Brand", "Not:A-Brand", "(Not(A:Brand", "Not A(Brand", `\Not"A;Brand`} {
		if !noBrand.MatchString(brand) {
			t.Errorf("%q counts", brand)
		}
	}
	for _, brand := range []string{"Brand", "A Brand", "Notable Brand", "NotABrand", "Chromium"} {
		if noBrand.MatchString(brand) {
			t.Errorf("%q does not count", brand)
		}
	}
}

// What the client says about itself is shown, and decides nothing.
func TestHintsOfTheClient(t *testing.T) {
	var in signIn
	in.DeviceName, in.Device.Type, in.Device.OS = "Ana's", deviceTablet, "iPadOS 26"
	want := session.Device{Type: "tablet", Browser: "Safari 26", OS: "iPadOS 26", Name: "Ana's", Kind: "desktop/Safari/macOS"}
	if got := in.device(safariMac, hints{}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := new(signIn).device(safariMac, hints{}), deviceOf(safariMac, hints{}); got != want {
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
