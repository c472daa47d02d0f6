package identity

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// passwordRedacted is what production shows instead of a hash: base64 for
// REDACTED. To the SDKs it says that there is a password.
const passwordRedacted = "UkVEQUNURUQ="

// userInfo is an account as the SDKs read it.
type userInfo struct {
	LocalID           string         `json:"localId"`
	Email             string         `json:"email,omitempty"`
	EmailVerified     bool           `json:"emailVerified"`
	DisplayName       string         `json:"displayName,omitempty"`
	PhotoURL          string         `json:"photoUrl,omitempty"`
	PhoneNumber       string         `json:"phoneNumber,omitempty"`
	PasswordHash      string         `json:"passwordHash,omitempty"`
	PasswordUpdatedAt int64          `json:"passwordUpdatedAt,omitempty"`
	ProviderUserInfo  []providerInfo `json:"providerUserInfo,omitempty"`
	ValidSince        int64          `json:"validSince,string"`
	Disabled          bool           `json:"disabled,omitempty"`
	CustomAuth        bool           `json:"customAuth,omitempty"`
	CustomAttributes  string         `json:"customAttributes,omitempty"`
	CreatedAt         int64          `json:"createdAt,string"`
	LastLoginAt       int64          `json:"lastLoginAt,string,omitempty"`
	LastRefreshAt     string         `json:"lastRefreshAt,omitempty"`
}

// providerInfo is one way of signing in that an account is linked to.
type providerInfo struct {
	ProviderID  string `json:"providerId"`
	RawID       string `json:"rawId"`
	FederatedID string `json:"federatedId,omitempty"`
	Email       string `json:"email,omitempty"`
	DisplayName string `json:"displayName,omitempty"`
	PhotoURL    string `json:"photoUrl,omitempty"`
	PhoneNumber string `json:"phoneNumber,omitempty"`
}

func userInfoFor(a *account) userInfo {
	info := userInfo{
		LocalID:          a.uid,
		Email:            a.email,
		EmailVerified:    a.emailVerified,
		DisplayName:      a.displayName,
		PhotoURL:         a.photoURL,
		PhoneNumber:      a.phone,
		ProviderUserInfo: providersOf(a),
		ValidSince:       a.validSince,
		Disabled:         a.disabled,
		CustomAuth:       a.custom,
		CustomAttributes: a.claims.raw,
		CreatedAt:        a.createdAt.UnixMilli(),
	}
	if a.password != nil {
		info.PasswordHash = passwordRedacted
		info.PasswordUpdatedAt = a.passwordUpdatedAt.UnixMilli()
	}
	if !a.lastLoginAt.IsZero() {
		info.LastLoginAt = a.lastLoginAt.UnixMilli()
		info.LastRefreshAt = a.lastRefreshAt.UTC().Format(time.RFC3339Nano)
	}
	return info
}

func providersOf(a *account) (providers []providerInfo) {
	if a.email != "" && a.password != nil {
		providers = append(providers, providerInfo{
			ProviderID: providerPassword, RawID: a.email, FederatedID: a.email, Email: a.email,
			DisplayName: a.displayName, PhotoURL: a.photoURL,
		})
	}
	if a.phone != "" {
		providers = append(providers, providerInfo{ProviderID: "phone", RawID: a.phone, PhoneNumber: a.phone})
	}
	return providers
}

type lookupRequest struct {
	tenantField
	IDToken     string   `json:"idToken"`
	LocalID     []string `json:"localId"`
	Email       []string `json:"email"`
	PhoneNumber []string `json:"phoneNumber"`
}

type lookupAnswer struct {
	Kind string `json:"kind"`
	// Absent when nobody is found: an empty list confuses the Node Admin SDK.
	Users []userInfo `json:"users,omitempty"`
}

// lookup finds the bearer of an id token for a client, and any accounts for an
// administrator. Identifiers of federated providers are accepted and match
// nobody.
func (s *Server) lookup(c call, request lookupRequest) (any, error) {
	answer := lookupAnswer{Kind: "identitytoolkit#GetAccountInfoResponse"}
	if !c.admin {
		a, _, err := s.bearer(request.IDToken, c.now)
		if err != nil {
			return nil, err
		}
		answer.Users = []userInfo{userInfoFor(a)}
		return answer, nil
	}
	var found []*account
	add := func(a *account) {
		if a != nil && !slices.Contains(found, a) {
			found = append(found, a)
			answer.Users = append(answer.Users, userInfoFor(a))
		}
	}
	for _, uid := range request.LocalID {
		add(s.directory.byUID[uid])
	}
	for _, address := range request.Email {
		if email, err := normalEmail(address); err == nil {
			add(s.directory.byEmail[email])
		}
	}
	for _, phone := range request.PhoneNumber {
		add(s.directory.byPhone[phone])
	}
	return answer, nil
}

type updateRequest struct {
	tenantField
	IDToken         string   `json:"idToken"`
	Email           string   `json:"email"`
	Password        string   `json:"password"`
	DisplayName     *string  `json:"displayName"`
	PhotoURL        *string  `json:"photoUrl"`
	DeleteAttribute []string `json:"deleteAttribute"`
	DeleteProvider  []string `json:"deleteProvider"`

	OobCode              string          `json:"oobCode"`
	LinkProviderUserInfo json.RawMessage `json:"linkProviderUserInfo"`

	// For administrators only.
	LocalID          string  `json:"localId"`
	PhoneNumber      string  `json:"phoneNumber"`
	EmailVerified    *bool   `json:"emailVerified"`
	DisableUser      *bool   `json:"disableUser"`
	CustomAttributes *string `json:"customAttributes"`
	ValidSince       *int64s `json:"validSince"`
}

// int64s is an integer that the Go SDK sends as a string and others as a
// number.
type int64s int64

func (i *int64s) UnmarshalJSON(data []byte) error {
	text := string(data)
	if unquoted, err := strconv.Unquote(text); err == nil {
		text = unquoted
	}
	n, err := strconv.ParseInt(text, 10, 64)
	*i = int64s(n)
	return err
}

type updateAnswer struct {
	Kind             string         `json:"kind"`
	LocalID          string         `json:"localId"`
	Email            string         `json:"email,omitempty"`
	EmailVerified    bool           `json:"emailVerified"`
	DisplayName      string         `json:"displayName,omitempty"`
	PhotoURL         string         `json:"photoUrl,omitempty"`
	PasswordHash     string         `json:"passwordHash,omitempty"`
	ProviderUserInfo []providerInfo `json:"providerUserInfo,omitempty"`
	tokenFields
}

func (s *Server) update(c call, request updateRequest) (any, error) {
	if request.OobCode != "" {
		return nil, notAllowed.because(refusedOperations["sendOobCode"])
	}
	if request.LinkProviderUserInfo != nil {
		return nil, notAllowed.because(refusedOperations["signInWithIdp"])
	}
	if c.admin {
		return s.updateByAdmin(c, request)
	}
	return s.updateByClient(c, request)
}

func (s *Server) updateByAdmin(c call, request updateRequest) (any, error) {
	a, err := s.accountOf(request.LocalID)
	if err != nil {
		return nil, err
	}
	ch := request.change()
	if request.PhoneNumber != "" {
		ch.phone = &request.PhoneNumber
	}
	ch.emailVerified = request.EmailVerified
	ch.disabled = request.DisableUser
	ch.validSince = (*int64)(request.ValidSince)
	if request.CustomAttributes != nil {
		claims, err := parseExtraClaims(*request.CustomAttributes)
		if err != nil {
			return nil, err
		}
		ch.claims = &claims
	}
	if err := s.directory.update(a, ch, c.now); err != nil {
		return nil, err
	}
	return updateAnswerFor(a), nil
}

// updateByClient lets a user change what is theirs. A new password or address
// is a new sign-in, and the answer carries its tokens.
func (s *Server) updateByClient(c call, request updateRequest) (any, error) {
	switch {
	case request.IDToken == "":
		return nil, invalidRequest
	case request.DisableUser != nil:
		return nil, notAllowed
	case request.LocalID != "" || request.PhoneNumber != "" || request.EmailVerified != nil ||
		request.CustomAttributes != nil || request.ValidSince != nil:
		return nil, insufficientRights
	}
	a, token, err := s.bearer(request.IDToken, c.now)
	if err != nil {
		return nil, err
	}
	ch := request.change()
	signsIn := a.changesCredentials(ch)
	if signsIn && !token.recent(c.now) {
		return nil, credentialTooOld
	}
	if err := s.directory.update(a, ch, c.now); err != nil {
		return nil, err
	}
	answer := updateAnswerFor(a)
	if !signsIn {
		return answer, nil
	}
	provider := token.Firebase.Provider
	if request.Password != "" {
		provider = providerPassword
	}
	g, err := s.signIn(a, provider, extraClaims{}, c.now)
	if err != nil {
		return nil, err
	}
	answer.tokenFields = s.tokenFields(g)
	return answer, nil
}

// change is the part of an update that both administrators and clients may ask
// for. Removing the password provider removes what it signs in with.
func (r updateRequest) change() change {
	c := change{
		email:       unlessEmpty(r.Email),
		password:    unlessEmpty(r.Password),
		displayName: r.DisplayName,
		photoURL:    r.PhotoURL,
	}
	for _, name := range slices.Concat(r.DeleteAttribute, r.DeleteProvider) {
		switch name {
		case "DISPLAY_NAME":
			c.displayName = new("")
		case "PHOTO_URL":
			c.photoURL = new("")
		case "EMAIL":
			c.email = new("")
		case "PASSWORD":
			c.password = new("")
		case "password":
			c.email, c.password = new(""), new("")
		case "phone":
			c.phone = new("")
		}
	}
	return c
}

func updateAnswerFor(a *account) updateAnswer {
	info := userInfoFor(a)
	return updateAnswer{
		Kind:             "identitytoolkit#SetAccountInfoResponse",
		LocalID:          info.LocalID,
		Email:            info.Email,
		EmailVerified:    info.EmailVerified,
		DisplayName:      info.DisplayName,
		PhotoURL:         info.PhotoURL,
		PasswordHash:     info.PasswordHash,
		ProviderUserInfo: info.ProviderUserInfo,
	}
}
