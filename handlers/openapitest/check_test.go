package openapitest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const described = `{"openapi":"3.1.0","paths":{
"/things":{"post":{"security":[{"bearer":[]}],"x-needs":["token"],
  "parameters":[{"name":"n","in":"query","required":false,"schema":{"type":"integer","minimum":0}},
    {"name":"flag","in":"query","schema":{"type":"boolean"}},{"$ref":"#/components/parameters/Id"}],
  "requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Thing"}}}},
  "responses":{"200":{"headers":{"X-Count":{"$ref":"#/components/headers/X-Count"},"X-Note":{"$ref":"#/components/headers/X-Note"}},
    "content":{"application/json":{"schema":{"$ref":"#/components/schemas/Thing"}}}},"204":{"headers":{}}}}},
"/things/current":{"get":{"responses":{"204":{}}}},
"/things/{id}":{"get":{"parameters":[{"name":"id","in":"path","required":true,"schema":{"pattern":"^[a-z/]+$","type":"string"}}],
  "responses":{"200":{"content":{"application/json":{"schema":{"type":"array"}}}}}}}},
"components":{"parameters":{"Id":{"name":"X-Id","in":"header","schema":{"type":"string"}}},
 "headers":{"X-Count":{"required":true,"schema":{"type":"integer"}},"X-Note":{"schema":{"type":"string"}}},
 "schemas":{"Thing":{"type":"object","required":["at"],"properties":{"at":{"type":"string","format":"date-time"},"name":{"type":["string","null"]}}},
  "Problem":{"type":"object","required":["code"],"properties":{"code":{"type":"string"}}}}}}`

func TestFaults(t *testing.T) {
	d, err := Parse([]byte(described))
	if err != nil {
		t.Fatal(err)
	}
	const good = `{"at":"2026-01-01T00:00:00.000Z","name":null}`
	for name, test := range map[string]struct {
		request, sent string // method and target; body
		anonymous     bool
		status        int
		headers       string // name: value, separated by |
		body          string
		fault         string // part of the only fault; empty: none
	}{
		"right":                        {request: "POST /things?n=1&flag=true", sent: good, status: 200, headers: "X-Count: 3|X-Note: a", body: good},
		"no header or body":            {request: "POST /things", status: 204},
		"status":                       {request: "POST /things", status: 201, fault: "the status is not one of [200 204]"},
		"unknown header":               {request: "POST /things", status: 204, headers: "X-Secret: 1", fault: "X-Secret is not known"},
		"missing header":               {request: "POST /things", status: 200, body: good, fault: "X-Count is missing"},
		"wrong header":                 {request: "POST /things", status: 200, headers: "X-Count: many", body: good, fault: "X-Count"},
		"transport's headers":          {request: "POST /things", status: 204, headers: "Date: x|Access-Control-Allow-Origin: x|Content-Length: 0"},
		"unknown field":                {request: "POST /things", status: 200, headers: "X-Count: 3", body: `{"at":"2026-01-01T00:00:00Z","x":1}`, fault: "'x'"},
		"missing field":                {request: "POST /things", status: 200, headers: "X-Count: 3", body: `{}`, fault: "'at'"},
		"not a time":                   {request: "POST /things", status: 200, headers: "X-Count: 3", body: `{"at":"today"}`, fault: "date-time"},
		"body where none is":           {request: "POST /things", status: 204, body: "{}", fault: "it has a body"},
		"no body where one is":         {request: "POST /things", status: 200, headers: "X-Count: 3", fault: "Content-Type"},
		"not JSON":                     {request: "POST /things", status: 200, headers: "X-Count: 3", body: "{", fault: "body"},
		"media type":                   {request: "POST /things", status: 200, headers: "X-Count: 3|Content-Type: text/html", body: good, fault: "Content-Type"},
		"accepted anonymously":         {request: "POST /things", anonymous: true, status: 204, fault: "without a token"},
		"accepted query":               {request: "POST /things?m=1", status: 204, fault: "the query has m"},
		"accepted value":               {request: "POST /things?n=-1", status: 204, fault: "n: \"-1\""},
		"accepted twice":               {request: "POST /things?n=1&n=1", status: 204, fault: "more than once"},
		"accepted flag":                {request: "POST /things?flag=yes", status: 204, fault: "flag"},
		"accepted body":                {request: "POST /things", sent: `{"at":1}`, status: 204, fault: "request body"},
		"a literal before a parameter": {request: "GET /things/current", status: 204},
		"unexpected body":              {request: "GET /things/current", sent: "{}", status: 204, fault: "the request has a body"},
		"escaped parameter":            {request: "GET /things/a%2Fb", status: 200, body: "[]"},
		"accepted parameter":           {request: "GET /things/A", status: 200, body: "[]", fault: "id"},
		"unknown path":                 {request: "GET /nothing", status: 404, headers: "Content-Type: application/problem+json", body: `{"code":"x"}`},
		"unknown path, no problem":     {request: "GET /nothing", status: 404, headers: "Content-Type: application/problem+json", body: `{}`, fault: "'code'"},
		"unknown method":               {request: "PUT /things", status: 405, headers: "Content-Type: application/problem+json", body: `{"code":"x"}`},
		"unknown path that answers":    {request: "GET /nothing", status: 200, body: "{}", fault: "no such operation"},
		"preflight":                    {request: "OPTIONS /things", status: 204},
	} {
		t.Run(name, func(t *testing.T) {
			method, target, _ := strings.Cut(test.request, " ")
			r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
			if !test.anonymous {
				r.Header.Set("Authorization", "Bearer x")
			}
			header := make(http.Header)
			if test.body != "" {
				header.Set("Content-Type", "application/json; charset=utf-8")
			}
			for line := range strings.SplitSeq(test.headers, "|") {
				if name, value, ok := strings.Cut(line, ": "); ok {
					header.Set(name, value)
				}
			}
			got := d.faults(Exchange{r, []byte(test.sent), test.status, header, []byte(test.body)})
			if test.fault == "" && len(got) > 0 || test.fault != "" && (len(got) != 1 || !strings.Contains(got[0], test.fault)) {
				t.Errorf("%q, want %q", got, test.fault)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		`[`, strings.Replace(described, "#/components/schemas/Thing", "#/components/schemas/Other", 1),
		strings.Replace(described, `"200":`, `"2xx":`, 1),
	} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("accepted: %.60s", text)
		}
	}
}
