package identity

import (
	"crypto/rand"
	"net/http"
)

const (
	toolkit     = "/identitytoolkit.googleapis.com"
	secureToken = "/securetoken.googleapis.com"
)

// refusedOperations are those of Google's that the SDKs may call and this
// server does not carry out, with the reason it gives.
var refusedOperations = map[string]string{
	"batchCreate":           "Import of users is not supported by the local identity server.",
	"query":                 "Queries are not supported by the local identity server. List the users.",
	"resetPassword":         "The local identity server sends no e-mail.",
	"sendOobCode":           "The local identity server sends no e-mail.",
	"sendVerificationCode":  "The local identity server sends no text messages.",
	"signInWithEmailLink":   "The local identity server sends no e-mail.",
	"signInWithIdp":         "Federated sign-in is not supported by the local identity server.",
	"signInWithPhoneNumber": "The local identity server sends no text messages.",
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	client := func(operation string, h http.Handler) {
		mux.Handle("POST "+toolkit+"/v1/accounts:"+operation, h)
	}
	admin := func(operation string, h http.Handler) {
		mux.Handle("POST "+toolkit+"/v1/projects/{project}/accounts:"+operation, h)
	}
	both := func(operation string, h http.Handler) {
		client(operation, h)
		admin(operation, h)
	}

	client("signUp", endpoint(s, s.signUp))
	client("signInWithPassword", endpoint(s, s.signInWithPassword))
	client("signInWithCustomToken", endpoint(s, s.signInWithCustomToken))
	client("createAuthUri", endpoint(s, s.createAuthURI))
	both("lookup", endpoint(s, s.lookup))
	both("update", endpoint(s, s.update))
	both("delete", endpoint(s, s.delete))
	admin("batchDelete", endpoint(s, s.batchDelete))
	mux.Handle("POST "+toolkit+"/v1/projects/{project}/accounts", endpoint(s, s.signUp))
	mux.Handle("GET "+toolkit+"/v1/projects/{project}/accounts:batchGet", endpoint(s, s.batchGet))
	mux.Handle("POST "+secureToken+"/v1/token", endpoint(s, s.token))
	for operation, reason := range refusedOperations {
		both(operation, refuse(s, notAllowed.because(reason)))
	}
	mux.Handle(toolkit+"/v1/projects/{project}/tenants/", refuse(s, tenantsUnsupported))
	mux.Handle(toolkit+"/v2/projects/{project}/tenants/", refuse(s, tenantsUnsupported))

	mux.Handle("GET "+toolkit+"/v1/projects", constant(s, projectConfig{
		ProjectID: s.project, AuthorizedDomains: []string{"localhost", "127.0.0.1"},
	}))
	mux.Handle("GET "+toolkit+"/v2/passwordPolicy", constant(s, localPasswordPolicy))
	mux.Handle("GET "+toolkit+"/v2/recaptchaConfig", constant(s, localRecaptchaConfig))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"authEmulator": map[string]any{"ready": true}})
	})
	mux.HandleFunc("/", s.notFound)
	return mux
}

// notFound also answers a known path with another method: the SDKs read JSON
// and nothing else.
func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	err := &statusError{
		code: http.StatusNotFound, status: "NOT_FOUND", reason: "notFound",
		message: "The local identity server has no " + r.Method + " " + r.URL.Path,
	}
	s.logRequest(r, err)
	writeError(w, err)
}

func refuse(s *Server, err error) http.Handler {
	return endpoint(s, func(call, struct{}) (any, error) { return nil, err })
}

func constant(s *Server, answer any) http.Handler {
	return endpoint(s, func(call, struct{}) (any, error) { return answer, nil })
}

// What the JS SDK asks about a project before it does something. Both answers
// say that nothing beyond the minimum is demanded.
type (
	projectConfig struct {
		ProjectID         string   `json:"projectId"`
		AuthorizedDomains []string `json:"authorizedDomains"`
	}
	passwordPolicy struct {
		CustomStrengthOptions struct {
			Min int `json:"minPasswordLength"`
			Max int `json:"maxPasswordLength"`
		} `json:"customStrengthOptions"`
		EnforcementState string `json:"enforcementState"`
		SchemaVersion    int    `json:"schemaVersion"`
	}
	recaptchaConfig struct {
		RecaptchaKey string   `json:"recaptchaKey"`
		Enforcement  []string `json:"recaptchaEnforcementState"`
	}
)

var (
	localPasswordPolicy = func() (policy passwordPolicy) {
		policy.CustomStrengthOptions.Min = minPasswordLength
		policy.CustomStrengthOptions.Max = maxPasswordLength
		policy.EnforcementState = "ENFORCE"
		policy.SchemaVersion = 1
		return policy
	}()
	localRecaptchaConfig = recaptchaConfig{Enforcement: []string{}}
)

type authURIRequest struct {
	tenantField
	Identifier string `json:"identifier"`
}

// createAuthURI never says whether an address is known: that is what e-mail
// enumeration protection is for.
func (s *Server) createAuthURI(_ call, request authURIRequest) (any, error) {
	if request.Identifier == "" {
		return nil, missingIdentifier
	}
	if _, err := normalEmail(request.Identifier); err != nil {
		return nil, invalidIdentifier
	}
	return struct {
		Kind      string `json:"kind"`
		SessionID string `json:"sessionId"`
	}{"identitytoolkit#CreateAuthUriResponse", rand.Text()}, nil
}
