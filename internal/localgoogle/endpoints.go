package localgoogle

import (
	"encoding/json"
	"net/http"
	"strconv"
)

const (
	maxRequest  = 1 << 20
	maxAccounts = 100 // as Google: https://cloud.google.com/identity-platform/docs/reference/rest/v1/projects.accounts/lookup
	// longAgo is when accounts were created and their tokens began to count: Unix seconds, 2020.
	longAgo = 1577836800
)

// account is what one account has that the others have not.
type account struct {
	validSince int64 // Unix seconds
	claims     map[string]any
}

func (s *Server) account(uid string) account {
	if known, ok := s.accounts.Load(uid); ok {
		return known.(account) //nolint:forcetypeassert // there is nothing else in it
	}
	return account{validSince: longAgo}
}

// endpoints answers for all hosts.
func (s *Server) endpoints() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com", s.serveKeys)
	mux.HandleFunc("POST oauth2.googleapis.com/token", s.serveAccessToken)
	accounts := "POST identitytoolkit.googleapis.com/v1/projects/" + s.options.ProjectID + "/accounts:"
	mux.HandleFunc(accounts+"lookup", s.authorized(s.lookUp))
	mux.HandleFunc(accounts+"update", s.authorized(s.update))
	return mux
}

func (s *Server) serveKeys(w http.ResponseWriter, _ *http.Request) {
	s.asked.keys.Add(1)
	w.Header().Set("Cache-Control", "public, max-age=21600, must-revalidate, no-transform")
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_, _ = w.Write(s.keys) // the client may be gone
}

func (s *Server) serveAccessToken(w http.ResponseWriter, _ *http.Request) {
	s.asked.accessTokens.Add(1)
	answer(w, map[string]any{"access_token": s.access, "token_type": "Bearer", "expires_in": 3600})
}

// accountsRequest is what is read of a request about accounts.
type accountsRequest struct {
	LocalID          json.RawMessage `json:"localId"` // one, or several to look up
	ValidSince       string          `json:"validSince"`
	CustomAttributes *string         `json:"customAttributes"`
}

// authorized lets requests through that have the access token.
func (s *Server) authorized(next func(http.ResponseWriter, accountsRequest)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+s.access {
			refuse(w, http.StatusUnauthorized, "UNAUTHENTICATED")
			return
		}
		var request accountsRequest
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&request); err != nil {
			refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT")
			return
		}
		next(w, request)
	}
}

func (s *Server) lookUp(w http.ResponseWriter, request accountsRequest) {
	s.asked.lookUps.Add(1)
	var uids []string
	if err := json.Unmarshal(request.LocalID, &uids); err != nil || len(uids) > maxAccounts {
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT")
		return
	}
	s.asked.accounts.Add(int64(len(uids)))
	users := make([]map[string]any, 0, len(uids))
	for _, uid := range uids {
		a := s.account(uid)
		user := map[string]any{
			"localId": uid, "validSince": strconv.FormatInt(a.validSince, 10), "createdAt": strconv.FormatInt(longAgo*1000, 10),
		}
		if a.claims != nil {
			user["customAttributes"] = string(encode(a.claims))
		}
		users = append(users, user)
	}
	answer(w, map[string]any{"users": users})
}

// update takes over what ends tokens, and custom claims.
func (s *Server) update(w http.ResponseWriter, request accountsRequest) {
	s.asked.updates.Add(1)
	var uid string
	if err := json.Unmarshal(request.LocalID, &uid); err != nil {
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT")
		return
	}
	a := s.account(uid)
	if seconds, err := strconv.ParseInt(request.ValidSince, 10, 64); err == nil {
		a.validSince = seconds
	}
	if request.CustomAttributes != nil {
		a.claims = nil
		if err := json.Unmarshal([]byte(*request.CustomAttributes), &a.claims); err != nil {
			refuse(w, http.StatusBadRequest, "INVALID_CLAIMS")
			return
		}
	}
	s.accounts.Store(uid, a)
	answer(w, map[string]any{"localId": uid})
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_, _ = w.Write(encode(body)) // the client may be gone
}

// refuse answers as Google does: https://cloud.google.com/apis/design/errors#http_mapping.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(encode(map[string]any{"error": map[string]any{"code": status, "message": message}}))
}
