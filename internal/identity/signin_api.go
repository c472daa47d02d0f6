package identity

import (
	"cmp"
	"net/url"
	"strconv"
)

// tenantField is in every client request. It is read only to be refused.
type tenantField struct {
	TenantID string `json:"tenantId"`
}

func (f tenantField) tenant() string { return f.TenantID }

// tokenFields is the part of an answer that signs a user in. Its numbers are
// strings, as the protocol has them.
type tokenFields struct {
	IDToken      string `json:"idToken,omitempty"`
	RefreshToken string `json:"refreshToken,omitempty"`
	ExpiresIn    string `json:"expiresIn,omitempty"`
}

func (s *Server) tokenFields(g grant) tokenFields {
	return tokenFields{IDToken: g.idToken, RefreshToken: g.refreshToken, ExpiresIn: s.expiresIn()}
}

func (s *Server) expiresIn() string { return strconv.FormatInt(s.ttlSeconds(), 10) }

type signUpRequest struct {
	tenantField
	IDToken       string  `json:"idToken"`
	LocalID       string  `json:"localId"`
	Email         *string `json:"email"`
	Password      *string `json:"password"`
	DisplayName   string  `json:"displayName"`
	PhotoURL      string  `json:"photoUrl"`
	PhoneNumber   string  `json:"phoneNumber"`
	EmailVerified bool    `json:"emailVerified"`
	Disabled      bool    `json:"disabled"`
}

type signUpAnswer struct {
	Kind        string `json:"kind"`
	LocalID     string `json:"localId"`
	Email       string `json:"email,omitempty"`
	DisplayName string `json:"displayName,omitempty"`
	tokenFields
}

// signUp creates an account: with any properties for an administrator, by
// password or anonymously for a client. A client's id token makes it add a
// password to that account instead.
func (s *Server) signUp(c call, request signUpRequest) (any, error) {
	if c.admin {
		return s.createByAdmin(c, request)
	}
	if request.LocalID != "" {
		return nil, unexpectedLocalID
	}
	provider, profile, err := request.credentials()
	if err != nil {
		return nil, err
	}
	a, err := s.signUpAccount(c, request.IDToken, profile)
	if err != nil {
		return nil, err
	}
	g, err := s.signIn(a, provider, extraClaims{}, c.now)
	if err != nil {
		return nil, err
	}
	answer := signUpAnswerFor(a)
	answer.tokenFields = s.tokenFields(g)
	return answer, nil
}

// credentials tells a sign-up by password from an anonymous one. An empty
// address is a mistake in a form, not a wish to be anonymous.
func (r signUpRequest) credentials() (provider string, profile change, err error) {
	switch {
	case r.Email == nil && r.Password == nil && r.IDToken == "":
		return providerAnonymous, change{}, nil
	case r.Email == nil || *r.Email == "":
		return "", change{}, missingEmail
	case r.Password == nil || *r.Password == "":
		return "", change{}, missingPassword
	}
	return providerPassword, change{
		email: r.Email, password: r.Password, displayName: unlessEmpty(r.DisplayName),
	}, nil
}

func (s *Server) signUpAccount(c call, idToken string, profile change) (*account, error) {
	if idToken == "" {
		return s.directory.create("", profile, c.now)
	}
	a, _, err := s.bearer(idToken, c.now)
	if err != nil {
		return nil, err
	}
	return a, s.directory.update(a, profile, c.now)
}

func (s *Server) createByAdmin(c call, request signUpRequest) (any, error) {
	a, err := s.directory.create(request.LocalID, change{
		email:         request.Email,
		password:      request.Password,
		displayName:   unlessEmpty(request.DisplayName),
		photoURL:      unlessEmpty(request.PhotoURL),
		phone:         unlessEmpty(request.PhoneNumber),
		emailVerified: &request.EmailVerified,
		disabled:      &request.Disabled,
	}, c.now)
	if err != nil {
		return nil, err
	}
	return signUpAnswerFor(a), nil
}

func signUpAnswerFor(a *account) signUpAnswer {
	return signUpAnswer{
		Kind:        "identitytoolkit#SignupNewUserResponse",
		LocalID:     a.uid,
		Email:       a.email,
		DisplayName: a.displayName,
	}
}

type passwordRequest struct {
	tenantField
	Email    *string `json:"email"`
	Password string  `json:"password"`
}

func (s *Server) signInWithPassword(c call, request passwordRequest) (any, error) {
	if request.Email == nil {
		return nil, missingEmail
	}
	email, err := normalEmail(*request.Email)
	if err != nil {
		return nil, err
	}
	if request.Password == "" {
		return nil, missingPassword
	}
	a := s.directory.byEmail[email]
	if a == nil || !a.password.matches(request.Password) {
		return nil, invalidCredentials
	}
	if a.disabled {
		return nil, userDisabled
	}
	g, err := s.signIn(a, providerPassword, extraClaims{}, c.now)
	if err != nil {
		return nil, err
	}
	return struct {
		Kind        string `json:"kind"`
		Registered  bool   `json:"registered"`
		LocalID     string `json:"localId"`
		Email       string `json:"email"`
		DisplayName string `json:"displayName"`
		tokenFields
	}{"identitytoolkit#VerifyPasswordResponse", true, a.uid, a.email, a.displayName, s.tokenFields(g)}, nil
}

type customTokenRequest struct {
	tenantField
	Token string `json:"token"`
}

func (s *Server) signInWithCustomToken(c call, request customTokenRequest) (any, error) {
	if request.Token == "" {
		return nil, missingCustomToken
	}
	uid, claims, err := parseCustomToken(request.Token, s.project, c.now)
	if err != nil {
		return nil, err
	}
	a := s.directory.byUID[uid]
	isNew := a == nil
	if isNew {
		if a, err = s.directory.create(uid, change{}, c.now); err != nil {
			return nil, err
		}
	}
	if a.disabled {
		return nil, userDisabled
	}
	a.custom = true
	g, err := s.signIn(a, providerCustom, claims, c.now)
	if err != nil {
		return nil, err
	}
	return struct {
		Kind      string `json:"kind"`
		IsNewUser bool   `json:"isNewUser"`
		tokenFields
	}{"identitytoolkit#VerifyCustomTokenResponse", isNew, s.tokenFields(g)}, nil
}

// tokenRequest is the Secure Token protocol's: a form in snake case from the
// JS SDK, JSON in either case from others.
type tokenRequest struct {
	GrantType         string `json:"grant_type"`
	RefreshToken      string `json:"refresh_token"`
	GrantTypeCamel    string `json:"grantType"`
	RefreshTokenCamel string `json:"refreshToken"`
}

func (t *tokenRequest) fromForm(form url.Values) {
	t.GrantType, t.RefreshToken = form.Get("grant_type"), form.Get("refresh_token")
}

type tokenAnswer struct {
	IDToken      string `json:"id_token"`
	AccessToken  string `json:"access_token"`
	ExpiresIn    string `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	UserID       string `json:"user_id"`
	ProjectID    string `json:"project_id"`
}

func (s *Server) token(c call, request tokenRequest) (any, error) {
	grantType := cmp.Or(request.GrantType, request.GrantTypeCamel)
	refreshToken := cmp.Or(request.RefreshToken, request.RefreshTokenCamel)
	switch {
	case grantType == "":
		return nil, missingGrantType
	case grantType != "refresh_token":
		return nil, invalidGrantType
	case refreshToken == "":
		return nil, missingRefreshToken
	}
	g, err := s.refresh(refreshToken, c.now)
	if err != nil {
		return nil, err
	}
	return tokenAnswer{
		IDToken:      g.idToken,
		AccessToken:  g.idToken,
		ExpiresIn:    s.expiresIn(),
		RefreshToken: g.refreshToken,
		TokenType:    "Bearer",
		UserID:       g.uid,
		ProjectID:    s.project,
	}, nil
}
