package proxy

import (
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// configuration is the part of Traefik's dynamic configuration that the example uses. There is no Traefik here to run it with.
type configuration struct {
	HTTP struct {
		Routers map[string]struct {
			Rule        string
			EntryPoints []string `yaml:"entryPoints"`
			TLS         *struct{}
			Middlewares []string
			Service     string
		}
		Middlewares map[string]struct {
			ForwardAuth *struct {
				Address                  string
				TrustForwardHeader       bool     `yaml:"trustForwardHeader"`
				AuthRequestHeaders       []string `yaml:"authRequestHeaders"`
				AuthResponseHeadersRegex string   `yaml:"authResponseHeadersRegex"`
			} `yaml:"forwardAuth"`
			Headers *struct {
				CustomRequestHeaders map[string]string `yaml:"customRequestHeaders"`
			}
		}
		Services map[string]struct {
			LoadBalancer struct{ Servers []struct{ URL string } } `yaml:"loadBalancer"`
		}
	}
}

func readTraefik(t *testing.T) configuration {
	t.Helper()
	file, err := os.Open("traefik.yml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	var c configuration
	if err := decoder.Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

// spellings are a header's name with each of its hyphens as it is, and as an underscore.
func spellings(name string) []string {
	head, tail, more := strings.Cut(name, "-")
	if !more {
		return []string{name}
	}
	var all []string
	for _, rest := range spellings(tail) {
		all = append(all, head+"-"+rest, head+"_"+rest)
	}
	return all
}

var names = []string{"X-Vigil-User", "X-Vigil-Session", "X-Vigil-Auth-Time"}

func TestTraefikRouters(t *testing.T) {
	c := readTraefik(t)
	checks := map[string][]string{
		"app":        {"vigil-names", "vigil-check"},
		"app-recent": {"vigil-names", "vigil-check-recent"},
		"app-public": {"vigil-names"},
		"vigil":      nil,
	}
	for name, router := range c.HTTP.Routers {
		want, known := checks[name]
		if !known || !slices.Equal(router.Middlewares, want) {
			t.Errorf("%s goes through %v", name, router.Middlewares)
		}
		if router.TLS == nil || !slices.Equal(router.EntryPoints, []string{"websecure"}) || !strings.HasPrefix(router.Rule, "Host(`dashboard.example.com`)") {
			t.Errorf("%s: %+v", name, router)
		}
		if len(c.HTTP.Services[router.Service].LoadBalancer.Servers) != 1 {
			t.Errorf("%s leads to %q", name, router.Service)
		}
		for _, middleware := range router.Middlewares {
			if _, ok := c.HTTP.Middlewares[middleware]; !ok {
				t.Errorf("%s goes through %s, which is not there", name, middleware)
			}
		}
	}
	if len(c.HTTP.Routers) != len(checks) {
		t.Errorf("there are %d routers", len(c.HTTP.Routers))
	}
}

func TestTraefikChecks(t *testing.T) {
	c := readTraefik(t)
	vigil := c.HTTP.Services["vigil"].LoadBalancer.Servers[0].URL
	for name, query := range map[string]string{"vigil-check": "", "vigil-check-recent": "maxAge=300"} {
		check := c.HTTP.Middlewares[name].ForwardAuth
		if check == nil {
			t.Fatalf("%s checks nothing", name)
		}
		address, err := url.Parse(check.Address)
		if err != nil || address.Scheme+"://"+address.Host != vigil || address.Path != "/v1/check" || address.RawQuery != query {
			t.Errorf("%s asks %s", name, check.Address)
		}
		if check.TrustForwardHeader || !slices.Equal(check.AuthRequestHeaders, []string{"Authorization", "Accept-Language"}) {
			t.Errorf("%s: %+v", name, check)
		}
		pattern, err := regexp.Compile(check.AuthResponseHeadersRegex)
		if err != nil {
			t.Fatal(err)
		}
		for _, own := range append(names, "X-Vigil-Role") {
			for _, spelling := range append(spellings(own), strings.ToLower(own), strings.ToUpper(own), strings.ReplaceAll(own, "-", ".")) {
				if !pattern.MatchString(spelling) {
					t.Errorf("%s lets %s through", name, spelling)
				}
			}
		}
		for _, foreign := range []string{"Authorization", "X-Vigilant", "X-Vigilance-User", "My-X-Vigil-User"} {
			if pattern.MatchString(foreign) {
				t.Errorf("%s deletes %s", name, foreign)
			}
		}
	}
}

func TestTraefikDeletesWhatClientsCallThemselves(t *testing.T) {
	headers := readTraefik(t).HTTP.Middlewares["vigil-names"].Headers
	if headers == nil {
		t.Fatal("nothing is deleted")
	}
	var want int
	for _, name := range names {
		for _, spelling := range spellings(name) {
			want++
			if value, there := headers.CustomRequestHeaders[spelling]; !there || value != "" { // an empty value deletes
				t.Errorf("%s is not deleted", spelling)
			}
		}
	}
	if len(headers.CustomRequestHeaders) != want {
		t.Errorf("%d headers are changed, not %d", len(headers.CustomRequestHeaders), want)
	}
}
