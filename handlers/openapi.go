package handlers

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
	"github.com/swaggest/jsonschema-go"

	"github.com/vigilhq/vigil/internal/session"
)

// OpenAPI returns the description of the API, an OpenAPI 3.1 document in JSON: what the routes and the types of their bodies say. It
// is the same for every instance. Do not change it.
func OpenAPI() []byte { return document() }

var document = sync.OnceValue(func() []byte {
	d := describer{schemas: make(schemas)}
	paths := make(map[string]object)
	for _, r := range new(api).routes() {
		path := documentPath(r.path)
		if paths[path] == nil {
			paths[path] = make(object)
		}
		paths[path][strings.ToLower(r.method)] = d.operation(r)
	}
	data, err := json.Marshal(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Vigil", "version": "1", "summary": "A session companion for Firebase",
			"description": "Times are RFC 3339 in UTC with milliseconds where nothing else is said. Go by the `code` of a problem.",
			"license":     object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"servers": []object{{"url": "/", "description": "The instance that this comes from."}},
		"tags":    tags,
		"paths":   paths,
		"components": object{
			"schemas": d.schemas, "headers": headers, "parameters": requestHeaders,
			"securitySchemes": object{"bearer": object{
				"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "The Firebase ID token, once.",
			}},
		},
	})
	if err != nil {
		panic(err) // of our own making
	}
	return data
})

var tags = []object{
	{"name": "sessions", "description": "A user's own sessions."},
	{"name": "account", "description": "A user's own account, and what has happened to it."},
	{"name": "tokens", "description": "What a token is worth, for back ends and reverse proxies."},
	{"name": "admin", "description": "What admins may do."},
	{"name": "socket", "description": "The WebSocket."},
	{"name": "service", "description": "The service itself."},
}

func tagOf(r route) string {
	switch {
	case strings.HasPrefix(r.path, "/v1/admin/"):
		return "admin"
	case r.path == pathSocket:
		return "socket"
	case !strings.HasPrefix(r.path, "/v1/"):
		return "service"
	case strings.HasPrefix(r.path, "/v1/account"), r.path == "/v1/events":
		return "account"
	case r.path == "/v1/token", r.path == "/v1/check":
		return "tokens"
	default:
		return "sessions"
	}
}

func text(description, pattern string) object {
	schema := object{"type": "string"}
	if pattern != "" {
		schema["pattern"] = pattern
	}
	return object{"description": description, "required": true, "schema": schema}
}

func number(description string) object {
	return object{"description": description, "required": true, "schema": object{"type": "integer", "minimum": 0}}
}

// headers are those of answers.
var headers = map[string]object{
	headerRequestID:            text("What the log calls the request.", saneRequestID.String()),
	"Cache-Control":            text("Nothing may be kept.", "^no-store$"),
	"X-Content-Type-Options":   text("The content type is what it says.", "^nosniff$"),
	echo.HeaderVary:            text("What the answer depends on.", ""),
	headerContentLanguage:      {"description": "The language of title, detail and messages.", "schema": object{"enum": []string{"en", "es"}}},
	echo.HeaderWWWAuthenticate: text("What would help: another token, or a step up as in RFC 9470.", `^Bearer error="(invalid_token"|insufficient_user_authentication", max_age="\d+")$`),
	echo.HeaderRetryAfter:      number("Seconds until another try is worth it."),
	echo.HeaderLocation:        text("Where to find what was made.", "^/v1/"),
	headerUser:                 text("The user's id, percent-encoded where it is not visible ASCII.", "^[!-~]+$"),
	headerSession:              text("The session's id.", "^[0-9a-f]{64}$"),
	headerAuthTime:             number("Of the sign-in, in Unix seconds."),
}

// everyAnswer has these.
var everyAnswer = []string{headerRequestID, "Cache-Control", "X-Content-Type-Options", echo.HeaderVary}

// requestHeaders are what any request may have.
var requestHeaders = object{
	"RequestId": object{"name": headerRequestID, "in": "header", "description": "What the log is to call the request.",
		"schema": object{"type": "string", "maxLength": 64}},
	"AcceptLanguage": object{"name": headerAcceptLanguage, "in": "header", "description": "English or Spanish, for people's texts.",
		"schema": object{"type": "string"}},
}

// pathParameters are the parts of paths.
var pathParameters = map[string]object{
	"id": {"name": "id", "in": "path", "required": true, "description": "A session's id.",
		"schema": object{"type": "string", "pattern": "^[0-9a-f]{64}$"}},
	"uid": {"name": "uid", "in": "path", "required": true, "description": "A user's id.",
		"schema": object{"type": "string", "minLength": 1, "maxLength": 128}},
}

// revocationID is the id of a mass revocation.
var revocationID = object{"name": "id", "in": "path", "required": true, "description": "A mass revocation's id.",
	"schema": object{"type": "string", "pattern": saneRevocationID.String()}}

var pathPart = regexp.MustCompile(`:(\w+)`)

func documentPath(path string) string { return pathPart.ReplaceAllString(path, "{$1}") }

// describer collects the schemas while routes are described.
type describer struct{ schemas schemas }

func (d describer) operation(r route) object {
	op := object{
		"operationId": r.name, "summary": r.summary, "tags": []string{tagOf(r)}, "x-needs": append([]need{}, r.needs...),
		"parameters": parameters(r), "responses": d.responses(r), "security": []object{},
	}
	if len(r.needs) > 0 {
		op["security"] = []object{{"bearer": []string{}}}
	}
	if r.body != nil {
		op["requestBody"] = object{"content": object{"application/json": object{
			"schema": d.schemas.of(r.body, jsonschema.InterceptSchema(closed)),
		}}}
	}
	return op
}

func parameters(r route) []object {
	list := []object{{"$ref": "#/components/parameters/RequestId"}, {"$ref": "#/components/parameters/AcceptLanguage"}}
	for _, part := range pathPart.FindAllStringSubmatch(r.path, -1) {
		p := pathParameters[part[1]]
		if strings.HasPrefix(r.path, pathRevocations) {
			p = revocationID
		}
		list = append(list, p)
	}
	for _, p := range r.query {
		list = append(list, object{"name": p.name, "in": "query", "description": p.description, "required": p.required, "schema": p.schema})
	}
	return list
}

func (d describer) responses(r route) object {
	responses := make(object)
	for _, a := range r.answers {
		content := object(nil)
		if a.body != nil {
			content = object{"application/json": object{"schema": d.schemas.of(a.body)}}
		}
		responses[strconv.Itoa(a.status)] = response(a.description, content, a.headers...)
	}
	byStatus := make(map[int][]session.Code)
	for _, code := range codesOf(r) {
		byStatus[table[code].status] = append(byStatus[table[code].status], code)
	}
	for status, codes := range byStatus {
		responses[strconv.Itoa(status)] = d.refusal(status, codes)
	}
	return responses
}

// refusal is the problem document with one of the codes.
func (d describer) refusal(status int, codes []session.Code) object {
	titles := make([]string, len(codes))
	for i, code := range codes {
		titles[i] = table[code].title
	}
	more := []string{headerContentLanguage}
	switch status {
	case http.StatusUnauthorized:
		more = append(more, echo.HeaderWWWAuthenticate)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		more = append(more, echo.HeaderRetryAfter)
	}
	return response(strings.Join(titles, ", ")+".", object{mediaType: object{"schema": object{"allOf": []any{
		d.schemas.of(problem{}),
		object{"properties": object{"status": object{"const": status}, "code": object{"enum": codes}}},
	}}}}, more...)
}

func response(description string, content object, more ...string) object {
	has := make(object)
	for _, name := range slices.Concat(everyAnswer, more) {
		has[name] = object{"$ref": "#/components/headers/" + name}
	}
	response := object{"description": description, "headers": has}
	if content != nil {
		response["content"] = content
	}
	return response
}

// codesOf are the codes of the errors that a route may answer, sorted.
func codesOf(r route) []session.Code {
	codes := append([]session.Code{session.CodeInternal, codeMisdirected}, r.codes...)
	if len(r.needs) > 0 {
		codes = append(codes, session.CodeTokenMissing, session.CodeTokenInvalid, session.CodeTokenExpired, session.CodeUserDisabled,
			session.CodeTokenRevoked, session.CodeInvalidRequest, session.CodeUnavailable)
	}
	if slices.Contains(r.needs, needSession) {
		codes = append(codes, session.CodeSessionRequired, session.CodeSessionEnded, session.CodeIPChanged)
	}
	if slices.Contains(r.needs, needAdmin) {
		codes = append(codes, session.CodeForbidden)
	}
	if slices.Contains(r.needs, needRecent) {
		codes = append(codes, session.CodeReauthRequired)
	}
	if r.body != nil || len(r.needs) > 0 && r.method != http.MethodGet { // nothingElse reads what should not be there
		codes = append(codes, codeTooLarge)
	}
	if strings.Contains(r.path, ":") {
		codes = append(codes, session.CodeNotFound)
	}
	if r.class() != unlimited {
		codes = append(codes, session.CodeRateLimited)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}
