// Package openapitest holds requests and answers to an OpenAPI 3.1 document, for anybody's tests. The document is the whole
// truth: an operation, a status, a header, a parameter or a field that it does not name is a fault, as is one that it
// describes otherwise.
//
// Schemas are those of JSON Schema 2020-12, read by a library that knows nothing else; what surrounds them in the document is
// little enough to be read here.
package openapitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Document is an API's description. It does not change, and may be used by several tests at once.
type Document struct {
	operations []Operation
	problem    *jsonschema.Schema
}

// Operation is a method of a path.
type Operation struct {
	Method, Path string   // as in the document
	Needs        []string // x-needs
	Statuses     []int    // those of its answers

	path       *regexp.Regexp
	literals   int // parts of the path that are no parameters: the more, the better a match
	secured    bool
	parameters []parameter
	body       *jsonschema.Schema // nil: none
	answers    map[int]answer
}

type parameter struct {
	name, in string
	required bool
	schema   *jsonschema.Schema
}

type answer struct {
	headers []parameter
	media   string             // empty: no body
	body    *jsonschema.Schema // of media
}

// The parts of the document that are read here.
type (
	source struct {
		Paths      map[string]map[string]operationSource
		Components struct {
			Parameters map[string]parameterSource
			Headers    map[string]parameterSource
		}
	}
	operationSource struct {
		Needs       []string `json:"x-needs"`
		Security    []any
		Parameters  []parameterSource
		RequestBody *struct{ Content map[string]any }
		Responses   map[string]struct {
			Headers map[string]parameterSource
			Content map[string]any
		}
	}
	parameterSource struct {
		Ref      string `json:"$ref"`
		Name, In string
		Required bool
	}
)

const (
	location = "openapi.json"
	problem  = "application/problem+json"
)

// Parse reads a document in JSON.
func Parse(data []byte) (*Document, error) {
	var s source
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, err
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	closeSchemas(whole)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource(location, whole); err != nil {
		return nil, err
	}
	r := reader{s, compiler, nil}
	d := &Document{problem: r.schema("components", "schemas", "Problem")}
	for path, methods := range s.Paths {
		for method, op := range methods {
			d.operations = append(d.operations, r.operation(path, method, op))
		}
	}
	slices.SortFunc(d.operations, func(a, b Operation) int {
		return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
	})
	return d, r.err
}

// Operations are all of the document's, sorted by path and method.
func (d *Document) Operations() []Operation { return slices.Clone(d.operations) }

// closeSchemas makes the document's own types refuse fields that they do not have: the document leaves the API room to grow, a test
// does not.
func closeSchemas(whole any) {
	root, _ := whole.(map[string]any)
	components, _ := root["components"].(map[string]any)
	schemas, _ := components["schemas"].(map[string]any)
	for _, each := range schemas {
		schema, _ := each.(map[string]any)
		_, has := schema["properties"]
		if _, decided := schema["additionalProperties"]; has && !decided {
			schema["additionalProperties"] = false
		}
	}
}

// reader compiles the schemas of a document and keeps the first error.
type reader struct {
	source   source
	compiler *jsonschema.Compiler
	err      error
}

func (r *reader) schema(pointer ...string) *jsonschema.Schema {
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")
	at := location + "#"
	for _, part := range pointer {
		at += "/" + escape.Replace(part)
	}
	schema, err := r.compiler.Compile(at)
	if err != nil && r.err == nil {
		r.err = err
	}
	return schema
}

func (r *reader) operation(path, method string, from operationSource) Operation {
	op := Operation{Method: strings.ToUpper(method), Path: path, Needs: from.Needs, secured: len(from.Security) > 0, answers: make(map[int]answer)}
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i] = "(?P<" + strings.Trim(part, "{}") + ">[^/]+)"
		} else {
			parts[i] = regexp.QuoteMeta(part)
			op.literals++
		}
	}
	op.path = regexp.MustCompile("^" + strings.Join(parts, "/") + "$")
	for i, p := range from.Parameters {
		at := []string{"paths", path, method, "parameters", strconv.Itoa(i), "schema"}
		if name, ok := strings.CutPrefix(p.Ref, "#/components/parameters/"); ok {
			p, at = r.source.Components.Parameters[name], []string{"components", "parameters", name, "schema"}
		}
		op.parameters = append(op.parameters, parameter{p.Name, p.In, p.Required, r.schema(at...)})
	}
	if from.RequestBody != nil {
		op.body = r.schema("paths", path, method, "requestBody", "content", "application/json", "schema")
	}
	for status, response := range from.Responses {
		a := answer{}
		for name, h := range response.Headers {
			ref := strings.TrimPrefix(h.Ref, "#/components/headers/")
			a.headers = append(a.headers, parameter{name, "header", r.source.Components.Headers[ref].Required,
				r.schema("components", "headers", ref, "schema")})
		}
		for media := range response.Content {
			a.media, a.body = media, r.schema("paths", path, method, "responses", status, "content", media, "schema")
		}
		code, err := strconv.Atoi(status)
		if err != nil && r.err == nil {
			r.err = fmt.Errorf("%s %s: %w", method, path, err)
		}
		op.answers[code] = a
		op.Statuses = append(op.Statuses, code)
	}
	slices.Sort(op.Statuses)
	return op
}

// find returns the operation that a request is for.
func (d *Document) find(r *http.Request) (Operation, bool) {
	var best Operation
	for _, op := range d.operations {
		if op.Method == r.Method && op.path.MatchString(r.URL.EscapedPath()) && op.literals > best.literals {
			best = op
		}
	}
	return best, best.literals > 0
}
