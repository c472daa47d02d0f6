package openapitest

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Exchange is a request with its answer.
type Exchange struct {
	Request     *http.Request // its body is not looked at
	RequestBody []byte
	Status      int
	Header      http.Header
	Body        []byte
}

// Check fails the test for everything about an exchange that the document does not say. A request is looked at if its answer is 2xx.
func (d *Document) Check(t testing.TB, e Exchange) {
	t.Helper()
	for _, fault := range d.faults(e) {
		t.Errorf("%s %s: %d is not as the OpenAPI document says: %s", e.Request.Method, e.Request.URL.Path, e.Status, fault)
	}
}

// faults lists what is not as the document says.
func (d *Document) faults(e Exchange) []string {
	op, known := d.find(e.Request)
	if !known {
		return d.outside(e)
	}
	answer, known := op.answers[e.Status]
	if !known {
		return []string{"the status is not one of " + fmt.Sprint(op.Statuses)}
	}
	var faults []string
	if e.Status/100 == 2 {
		faults = op.request(e)
	}
	faults = append(faults, headers(answer.headers, e.Header)...)
	return append(faults, body(answer.media, answer.body, e)...)
}

// outside judges the answer to what is no operation: a preflight, a missing resource or a wrong method.
func (d *Document) outside(e Exchange) []string {
	switch {
	case e.Request.Method == http.MethodOptions && e.Status == http.StatusNoContent:
		return nil
	case e.Status == http.StatusNotFound, e.Status == http.StatusMethodNotAllowed:
		return body(problem, d.problem, e)
	default:
		return []string{"there is no such operation"}
	}
}

// request judges a request that has been accepted.
func (op Operation) request(e Exchange) []string {
	var faults []string
	if op.secured && e.Request.Header.Get("Authorization") == "" {
		faults = append(faults, "accepted without a token")
	}
	query := e.Request.URL.Query()
	for name := range query {
		if !slices.ContainsFunc(op.parameters, func(p parameter) bool { return p.in == "query" && p.name == name }) {
			faults = append(faults, "the query has "+name)
		}
	}
	match := op.path.FindStringSubmatch(e.Request.URL.EscapedPath())
	for _, p := range op.parameters {
		var values []string
		switch p.in {
		case "query":
			values = query[p.name]
		case "path":
			if value, err := url.PathUnescape(match[op.path.SubexpIndex(p.name)]); err == nil {
				values = []string{value}
			}
		default:
			continue // what any request may have, and the service ignores where it is not sane
		}
		faults = append(faults, p.judge(values)...)
	}
	if len(bytes.TrimSpace(e.RequestBody)) > 0 {
		if op.body == nil {
			return append(faults, "the request has a body")
		}
		faults = append(faults, validate("request body", op.body, e.RequestBody)...)
	}
	return faults
}

// judge says what is wrong with the values of a parameter.
func (p parameter) judge(values []string) []string {
	if len(values) == 0 {
		if p.required {
			return []string{p.name + " is missing"}
		}
		return nil
	}
	if len(values) > 1 {
		return []string{p.name + " is there more than once"}
	}
	if err := p.schema.Validate(typed(p.schema, values[0])); err != nil {
		return []string{fmt.Sprintf("%s: %q: %v", p.name, values[0], err)}
	}
	return nil
}

// typed reads a parameter's text as what its schema asks for, and leaves it as it is where it cannot be read.
func typed(s *jsonschema.Schema, text string) any {
	if s.Types == nil {
		return text
	}
	switch types := s.Types.ToStrings(); {
	case slices.Contains(types, "integer"):
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	case slices.Contains(types, "boolean") && (text == "true" || text == "false"):
		return text == "true"
	}
	return text
}

// transport are headers that say how an answer travels, or to which pages it may be shown, not what it is.
var transport = []string{"Content-Type", "Content-Length", "Date", "Connection", "Upgrade", "Transfer-Encoding"}

func headers(known []parameter, got http.Header) []string {
	var faults []string
	for name := range got {
		if slices.Contains(transport, name) || strings.HasPrefix(name, "Access-Control-") || strings.HasPrefix(name, "Sec-Websocket-") {
			continue
		}
		if !slices.ContainsFunc(known, func(p parameter) bool { return http.CanonicalHeaderKey(p.name) == name }) {
			faults = append(faults, "the header "+name+" is not known")
		}
	}
	for _, p := range known {
		values := got.Values(p.name)
		if len(values) > 1 { // of a list
			values = []string{strings.Join(values, ", ")}
		}
		faults = append(faults, p.judge(values)...)
	}
	return faults
}

func body(media string, schema *jsonschema.Schema, e Exchange) []string {
	if media == "" {
		if len(e.Body) > 0 {
			return []string{"it has a body"}
		}
		return nil
	}
	if got, _, err := mime.ParseMediaType(e.Header.Get("Content-Type")); err != nil || got != media {
		return []string{fmt.Sprintf("Content-Type is %q, want %s", e.Header.Get("Content-Type"), media)}
	}
	return validate("body", schema, e.Body)
}

func validate(what string, schema *jsonschema.Schema, data []byte) []string {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		return []string{fmt.Sprintf("%s: %v", what, err)}
	}
	return nil
}
