package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	maxBody = 1 << 20

	// adminCredential is what every Admin SDK sends in emulator mode.
	adminCredential = "Bearer owner"
)

// call is what an endpoint may know of its request besides the body.
type call struct {
	admin bool
	query url.Values
	now   time.Time
}

// statusError is a refusal by the protocol's transport rather than by the
// identity service, with a status code of its own.
type statusError struct {
	code                    int
	status, reason, message string
}

func (e *statusError) Error() string { return e.message }

// formRequest is a request body that may also come as an HTML form.
type formRequest interface{ fromForm(form url.Values) }

// endpoint adapts one operation to HTTP: it checks the caller's credential,
// decodes the body and holds the server's lock while the operation runs.
func endpoint[Request any](s *Server, run func(call, Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := func() (any, error) {
			admin, err := s.authorize(r)
			if err != nil {
				return nil, err
			}
			var request Request
			if err := decodeBody(w, r, &request); err != nil {
				return nil, err
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			return run(call{admin: admin, query: r.URL.Query(), now: s.now()}, request)
		}()
		s.logRequest(r, err)
		if err != nil {
			writeError(w, err)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	})
}

// authorize tells administrators from clients. A project in the path is the
// administrators' form of an operation.
func (s *Server) authorize(r *http.Request) (admin bool, err error) {
	project := r.PathValue("project")
	credential := r.Header.Get("Authorization")
	switch {
	case credential != "" && !strings.EqualFold(credential, adminCredential):
		return false, &statusError{
			code: http.StatusUnauthorized, status: "UNAUTHENTICATED", reason: "authError",
			message: "Request had invalid authentication credentials. Expected \"" + adminCredential + "\".",
		}
	case credential != "":
		if project != "" && project != s.project {
			return false, refusal("PROJECT_NOT_FOUND").
				because(fmt.Sprintf("This server is project %q, not %q", s.project, project))
		}
		return true, nil
	case r.URL.Query().Get("key") == "":
		return false, &statusError{
			code: http.StatusForbidden, status: "PERMISSION_DENIED", reason: "forbidden",
			message: "The request is missing a valid API key.",
		}
	case project != "":
		return false, insufficientRights.because("Only authenticated requests can specify a project. Expected \"" + adminCredential + "\".")
	}
	return false, nil
}

func decodeBody(w http.ResponseWriter, r *http.Request, request any) error {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return &statusError{
				code: http.StatusRequestEntityTooLarge, status: "INVALID_ARGUMENT", reason: "uploadTooLarge",
				message: fmt.Sprintf("Request payload size exceeds the limit: %d bytes.", maxBody),
			}
		}
		return invalidPayload(err)
	}
	if form, ok := request.(formRequest); ok && isForm(r) {
		values, err := url.ParseQuery(string(data))
		if err != nil {
			return invalidPayload(err)
		}
		form.fromForm(values)
		return nil
	}
	if len(data) == 0 {
		return nil
	}
	if err := decodeExact(data, request); err != nil {
		return invalidPayload(err)
	}
	if tenant, ok := request.(interface{ tenant() string }); ok && tenant.tenant() != "" {
		return tenantsUnsupported
	}
	return nil
}

func isForm(r *http.Request) bool {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && mediaType == "application/x-www-form-urlencoded"
}

func invalidPayload(err error) error {
	return &statusError{
		code: http.StatusBadRequest, status: "INVALID_ARGUMENT", reason: "parseError",
		message: "Invalid JSON payload received. " + err.Error(),
	}
}

// writeError answers in the shape of Google's APIs, which the SDKs parse.
func writeError(w http.ResponseWriter, err error) {
	e, ok := errors.AsType[*statusError](err)
	if !ok {
		if word, ok := errors.AsType[refusal](err); ok {
			e = &statusError{code: http.StatusBadRequest, reason: "invalid", message: string(word)}
		} else {
			e = &statusError{code: http.StatusInternalServerError, status: "INTERNAL", reason: "backendError", message: "INTERNAL_ERROR"}
		}
	}
	type detail struct {
		Message string `json:"message"`
		Reason  string `json:"reason"`
		Domain  string `json:"domain"`
	}
	type body struct {
		Code    int      `json:"code"`
		Message string   `json:"message"`
		Errors  []detail `json:"errors"`
		Status  string   `json:"status,omitempty"`
	}
	writeJSON(w, e.code, map[string]body{"error": {
		Code:    e.code,
		Message: e.message,
		Errors:  []detail{{Message: e.message, Reason: e.reason, Domain: "global"}},
		Status:  e.status,
	}})
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		code, data = http.StatusInternalServerError, []byte(`{"error":{"code":500,"message":"INTERNAL_ERROR"}}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write(data) // the client is gone: nobody is left to tell
}

// logRequest leaves out the query, which holds the key, and the body.
func (s *Server) logRequest(r *http.Request, err error) {
	attrs := []slog.Attr{slog.String("method", r.Method), slog.String("path", r.URL.Path)}
	if err != nil {
		attrs = append(attrs, slog.String("refusal", err.Error()))
	}
	s.log.LogAttrs(r.Context(), slog.LevelDebug, "identity request", attrs...)
}
