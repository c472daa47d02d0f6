package identity

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClientErrorsAreGooglesWords(t *testing.T) {
	w := wire{t, newTestServer(t)}
	ana := w.signUpAna()
	idToken := ana.text("idToken")
	signedToken := idToken + "c2lnbmF0dXJl"
	_, unsignedPart, _ := strings.Cut(idToken, ".")
	rs256Token := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}`)) + "." + unsignedPart
	foreignToken, err := encodeToken(object{"iss": issuerPrefix + "another", "aud": "another", "sub": ana.text("localId")})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		operation string
		body      object
		want      refusal
	}{
		{"signUp", object{"email": "ANA@example.com", "password": anaPassword}, emailExists},
		{"signUp", object{"email": "bo@example.com", "password": "short"}, weakPassword},
		{"signUp", object{"email": "bo@example.com", "password": strings.Repeat("x", 4097)}, "PASSWORD_DOES_NOT_MEET_REQUIREMENTS"},
		{"signUp", object{"email": "bo@example.com"}, missingPassword},
		{"signUp", object{"password": anaPassword}, missingEmail},
		{"signUp", object{"email": "", "password": ""}, missingEmail},
		{"signUp", object{"email": "bo", "password": anaPassword}, invalidEmail},
		{"signUp", object{"email": "b o@example.com", "password": anaPassword}, invalidEmail},
		{"signUp", object{"email": "bo@a@example.com", "password": anaPassword}, invalidEmail},
		{"signUp", object{"localId": "mine"}, unexpectedLocalID},
		{"signUp", object{"idToken": "nonsense", "email": "bo@example.com", "password": anaPassword}, invalidIDToken},
		{"signUp", object{"tenantId": "acme"}, tenantsUnsupported},

		{"signInWithPassword", object{"password": anaPassword}, missingEmail},
		{"signInWithPassword", object{"email": anaEmail}, missingPassword},
		{"signInWithPassword", object{"email": "nonsense", "password": anaPassword}, invalidEmail},
		{"signInWithPassword", object{"email": anaEmail, "password": "wrong password"}, invalidCredentials},
		{"signInWithPassword", object{"email": "bo@example.com", "password": anaPassword}, invalidCredentials},

		{"signInWithCustomToken", object{}, missingCustomToken},
		{"signInWithCustomToken", object{"token": "nonsense"}, invalidCustomToken},
		{"signInWithCustomToken", object{"token": idToken}, invalidCustomToken},
		{"signInWithCustomToken", object{"token": mintCustomToken(t, object{"uid": "x"}) + "c2ln"}, invalidCustomToken},
		{"signInWithCustomToken", object{"token": mintCustomToken(t, object{})}, missingIdentifier},
		{"signInWithCustomToken", object{"token": mintCustomToken(t, object{"uid": strings.Repeat("x", 129)})}, invalidLocalID},
		{"signInWithCustomToken", object{"token": mintCustomToken(t, object{"uid": "x", "tenant_id": "acme"})}, tenantsUnsupported},
		{"signInWithCustomToken", object{"token": mintCustomToken(t, object{"uid": "x", "claims": object{"sub": "y"}})}, forbiddenClaim},
		{"signInWithCustomToken", object{"token": mintCustomToken(t, object{"uid": "x", "claims": "text"})}, invalidClaims},
		{"signInWithCustomToken", object{"token": mintCustomToken(t,
			object{"uid": "x", "iss": "sdk@another.iam.gserviceaccount.com"})}, credentialMismatch},

		{"lookup", object{}, missingIDToken},
		{"lookup", object{"localId": []string{ana.text("localId")}}, missingIDToken},
		{"lookup", object{"idToken": "a.b.c"}, invalidIDToken},
		{"lookup", object{"idToken": signedToken}, invalidIDToken},
		{"lookup", object{"idToken": rs256Token}, invalidIDToken},
		{"lookup", object{"idToken": foreignToken}, invalidIDToken},

		{"update", object{"displayName": "Ana"}, invalidRequest},
		{"update", object{"idToken": "nonsense", "displayName": "Ana"}, invalidIDToken},
		{"update", object{"idToken": idToken, "disableUser": false}, notAllowed},
		{"update", object{"idToken": idToken, "customAttributes": `{"admin":true}`}, insufficientRights},
		{"update", object{"idToken": idToken, "emailVerified": true}, insufficientRights},
		{"update", object{"idToken": idToken, "validSince": "0"}, insufficientRights},
		{"update", object{"idToken": idToken, "localId": "another"}, insufficientRights},
		{"update", object{"idToken": idToken, "password": "short"}, weakPassword},
		{"update", object{"idToken": idToken, "email": "nonsense"}, invalidEmail},
		{"update", object{"oobCode": "code"}, notAllowed},
		{"update", object{"idToken": idToken, "linkProviderUserInfo": object{"providerId": "google.com"}}, notAllowed},
		{"delete", object{}, missingIDToken},
		{"delete", object{"localId": ana.text("localId")}, missingIDToken},

		{"createAuthUri", object{}, missingIdentifier},
		{"createAuthUri", object{"identifier": "nonsense"}, invalidIdentifier},
		{"sendOobCode", object{"requestType": "PASSWORD_RESET", "email": anaEmail}, notAllowed},
		{"signInWithIdp", object{}, notAllowed},
	} {
		body := fmt.Sprint(test.body)
		t.Run(test.operation+" "+string(test.want)+" "+body[:min(len(body), 40)], func(t *testing.T) {
			w := wire{t, w.h}
			w.wantWord(w.client(test.operation, test.body), test.want)
		})
	}
	w.must(w.client("lookup", object{"idToken": idToken}))
}

func TestAdminErrorsAreGooglesWords(t *testing.T) {
	w := wire{t, newTestServer(t)}
	uid := w.signUpAna().text("localId")
	for _, test := range []struct {
		operation string
		body      object
		want      refusal
	}{
		{"", object{"localId": uid}, duplicateLocalID},
		{"", object{"localId": strings.Repeat("x", 129)}, invalidLocalID},
		{"", object{"phoneNumber": "555"}, invalidPhone},
		{":update", object{"displayName": "Ana"}, missingLocalID},
		{":update", object{"localId": "nobody"}, userNotFound},
		{":update", object{"localId": uid, "customAttributes": `{"exp":1}`}, forbiddenClaim},
		{":update", object{"localId": uid, "customAttributes": `[1]`}, invalidClaims},
		{":update", object{"localId": uid, "customAttributes": `null`}, invalidClaims},
		{":update", object{"localId": uid, "customAttributes": `{} {}`}, invalidClaims},
		{":update", object{"localId": uid, "customAttributes": `{"a":"` + strings.Repeat("x", 1000) + `"}`}, claimsTooLarge},
		{":delete", object{}, missingLocalID},
		{":delete", object{"localId": "nobody"}, userNotFound},
		{":batchDelete", object{}, tooManyLocalIDs},
		{":batchDelete", object{"localIds": make([]string, 1001)}, tooManyLocalIDs},
		{":batchCreate", object{"users": []object{}}, notAllowed},
	} {
		t.Run(test.operation+" "+string(test.want), func(t *testing.T) {
			w := wire{t, w.h}
			w.wantWord(w.admin(test.operation, test.body), test.want)
		})
	}
}

func TestARefusedUpdateChangesNothing(t *testing.T) {
	w := wire{t, newTestServer(t)}
	ana := w.signUpAna()
	w.must(w.client("signUp", object{"email": "bo@example.com", "password": anaPassword}))
	w.wantWord(w.admin(":update", object{
		"localId": ana.text("localId"), "displayName": "Ana", "password": "battery staple", "email": "bo@example.com",
	}), emailExists)
	w.must(w.refresh(ana.text("refreshToken")))
	if name := w.signInAna().text("displayName"); name != "" {
		t.Errorf("display name = %q, want none", name)
	}
}

func TestANewAddressIsNotVerifiedYet(t *testing.T) {
	w := wire{t, newTestServer(t)}
	uid := w.signUpAna().text("localId")
	w.must(w.admin(":update", object{"localId": uid, "emailVerified": true}))
	if claims := claimsOf(t, w.signInAna().text("idToken")); claims["email_verified"] != true {
		t.Errorf("claims = %v, want a verified address", claims)
	}
	updated := w.must(w.client("update", object{"idToken": w.signInAna().text("idToken"), "email": "new@example.com"}))
	if claims := claimsOf(t, updated.text("idToken")); claims["email_verified"] != false {
		t.Errorf("claims = %v, want an unverified address", claims)
	}
}

func TestRefreshWordsAndBothEncodings(t *testing.T) {
	w := wire{t, newTestServer(t)}
	refreshToken := w.signUpAna().text("refreshToken")
	form := func(values url.Values) answer {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, secureToken+"/v1/token?key=any", strings.NewReader(values.Encode()))
		r.Host = "localhost"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		return w.send(r)
	}
	refreshed := w.must(form(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}))
	want := object{
		"id_token": refreshed.text("id_token"), "access_token": refreshed.text("id_token"), "expires_in": "3600",
		"refresh_token": refreshToken, "token_type": "Bearer", "project_id": testProject,
		"user_id": claimsOf(t, refreshed.text("id_token"))["sub"],
	}
	if diff := cmp.Diff(want, refreshed.fields); diff != "" {
		t.Errorf("refresh answer (-want +got):\n%s", diff)
	}
	json := func(body object) answer { return w.send(newRequest(t, secureToken+"/v1/token?key=any", body)) }
	w.must(json(object{"grantType": "refresh_token", "refreshToken": refreshToken}))

	w.wantWord(form(url.Values{}), missingGrantType)
	w.wantWord(form(url.Values{"grant_type": {"password"}}), invalidGrantType)
	w.wantWord(json(object{"grant_type": "refresh_token"}), missingRefreshToken)
	w.wantWord(w.refresh("nonsense"), invalidRefreshToken)
	if malformed := w.send(withBody(t, "grant_type=%zz", "application/x-www-form-urlencoded")); malformed.code != http.StatusBadRequest {
		t.Errorf("malformed form: %d %s", malformed.code, malformed.word)
	}
}

func withBody(t *testing.T, body, contentType string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, secureToken+"/v1/token?key=any", strings.NewReader(body))
	r.Host = "localhost"
	r.Header.Set("Content-Type", contentType)
	return r
}

func TestBodiesAreBoundedAndMustBeOneJSONValue(t *testing.T) {
	w := wire{t, newTestServer(t)}
	for name, test := range map[string]struct {
		body string
		want int
	}{
		"no JSON":    {"nonsense", http.StatusBadRequest},
		"two values": {"{}{}", http.StatusBadRequest},
		"wrong type": {`{"grant_type":1}`, http.StatusBadRequest},
		"too large":  {`{"x":"` + strings.Repeat("x", maxBody) + `"}`, http.StatusRequestEntityTooLarge},
		"empty":      {"", http.StatusBadRequest},
	} {
		if got := w.send(withBody(t, test.body, "application/json")); got.code != test.want {
			t.Errorf("%s: %d %s, want %d", name, got.code, got.word, test.want)
		}
	}
	w.must(w.client("signUp", nil))
}

func TestOperationsWantTheirCredential(t *testing.T) {
	w := wire{t, newTestServer(t)}
	ana := w.signUpAna()
	const base = toolkit + "/v1"
	for _, test := range []struct {
		method, path, authorization string
		want                        int
	}{
		{"POST", base + "/projects/" + testProject + "/accounts", "", http.StatusForbidden},
		{"POST", base + "/projects/" + testProject + "/accounts:lookup", "", http.StatusForbidden},
		{"POST", base + "/projects/" + testProject + "/accounts:update?key=any", "", http.StatusBadRequest},
		{"POST", base + "/projects/" + testProject + "/accounts:delete", "Bearer " + ana.text("idToken"), http.StatusUnauthorized},
		{"GET", base + "/projects/" + testProject + "/accounts:batchGet", "", http.StatusForbidden},
		{"GET", base + "/projects/" + testProject + "/accounts:batchGet", "Basic b3duZXI6", http.StatusUnauthorized},
		{"GET", base + "/projects/" + testProject + "/accounts:batchGet", "bearer owner", http.StatusOK},
		{"GET", base + "/projects/another/accounts:batchGet", adminCredential, http.StatusBadRequest},
		{"POST", base + "/projects/" + testProject + "/tenants/acme/accounts:lookup", adminCredential, http.StatusBadRequest},
		{"POST", base + "/accounts:signUp", "", http.StatusForbidden},
		{"POST", base + "/accounts:signUp?key=", "", http.StatusForbidden},
		{"POST", base + "/accounts:signUp?key=any", "", http.StatusOK},
		{"POST", secureToken + "/v1/token", "", http.StatusForbidden},
		{"GET", base + "/projects?key=any", "", http.StatusOK},
		{"GET", toolkit + "/v2/passwordPolicy?key=any", "", http.StatusOK},
		{"GET", toolkit + "/v2/recaptchaConfig?key=any", "", http.StatusOK},
		{"GET", "/", "", http.StatusOK},
		{"GET", base + "/accounts:signUp?key=any", "", http.StatusNotFound},
		{"POST", base + "/accounts:unheardOf?key=any", "", http.StatusNotFound},
		{"DELETE", "/emulator/v1/projects/" + testProject + "/accounts", adminCredential, http.StatusNotFound},
	} {
		r := httptest.NewRequestWithContext(t.Context(), test.method, test.path, nil)
		r.Host = "[::1]:9099"
		if test.authorization != "" {
			r.Header.Set("Authorization", test.authorization)
		}
		if got := w.send(r); got.code != test.want {
			t.Errorf("%s %s with %q: %d %s, want %d", test.method, test.path, test.authorization, got.code, got.word, test.want)
		}
	}
}

func TestIDTokenIsTheOfficialEmulators(t *testing.T) {
	w := wire{t, newTestServer(t)}
	ana := w.signUpAna()
	header, _, _ := strings.Cut(ana.text("idToken"), ".")
	if header != "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0" || !strings.HasSuffix(ana.text("idToken"), ".") {
		t.Errorf("token = %s, want an unsigned one", ana.text("idToken"))
	}
	claims := claimsOf(t, ana.text("idToken"))
	for _, name := range []string{"iat", "exp", "auth_time"} {
		seconds(t, claims, name)
		delete(claims, name)
	}
	want := object{
		"iss": "https://securetoken.google.com/demo-vigil", "aud": "demo-vigil",
		"sub": ana.text("localId"), "user_id": ana.text("localId"),
		"email": anaEmail, "email_verified": false,
		"firebase": object{"identities": object{"email": []any{anaEmail}}, "sign_in_provider": "password"},
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	anonymous := claimsOf(t, w.must(w.client("signUp", object{"returnSecureToken": true})).text("idToken"))
	if anonymous["provider_id"] != "anonymous" || anonymous["email"] != nil {
		t.Errorf("anonymous claims = %v", anonymous)
	}
}

func TestCustomClaimsCannotPassForTheServersOwn(t *testing.T) {
	w := wire{t, newTestServer(t)}
	custom := mintCustomToken(t, object{"uid": "ana", "claims": object{
		"email": "boss@example.com", "email_verified": true, "user_id": "boss", "phone_number": "+1", "provider_id": "x", "sid": "s-1",
	}})
	claims := claimsOf(t, w.must(w.client("signInWithCustomToken", object{"token": custom})).text("idToken"))
	for _, name := range []string{"email", "email_verified", "phone_number", "provider_id"} {
		if claims[name] != nil {
			t.Errorf("%s = %v, want none", name, claims[name])
		}
	}
	if claims["user_id"] != "ana" || claims["sid"] != "s-1" {
		t.Errorf("claims = %v", claims)
	}
}

func TestUnlinkingRemovesAWayToSignIn(t *testing.T) {
	w := wire{t, newTestServer(t)}
	ana := w.signUpAna()
	w.must(w.admin(":update", object{"localId": ana.text("localId"), "phoneNumber": "+15551234567"}))
	for _, request := range []object{
		{"deleteProvider": []string{"phone"}},
		{"deleteAttribute": []string{"PASSWORD", "EMAIL", "DISPLAY_NAME", "PHOTO_URL"}},
	} {
		w.must(w.client("update", with(request, "idToken", ana.text("idToken"))))
	}
	user := w.must(w.client("lookup", object{"idToken": ana.text("idToken")})).fields["users"].([]any)[0].(object)
	for _, name := range []string{"email", "passwordHash", "phoneNumber", "providerUserInfo"} {
		if user[name] != nil {
			t.Errorf("%s = %v, want none", name, user[name])
		}
	}
	// What was given up is free again.
	w.must(w.client("signUp", object{"email": anaEmail, "password": anaPassword}))
}

func TestBatchDeleteSparesEnabledAccountsUnlessForced(t *testing.T) {
	s := newTestServer(t)
	w := wire{t, s}
	w.must(w.admin("", object{"localId": "enabled"}))
	w.must(w.admin("", object{"localId": "disabled", "disabled": true}))
	result := w.must(w.admin(":batchDelete", object{"localIds": []string{"enabled", "disabled"}}))
	if errs, _ := result.fields["errors"].([]any); len(errs) != 1 || s.directory.byUID["enabled"] == nil || s.directory.byUID["disabled"] != nil {
		t.Errorf("result = %v, accounts = %v", result.fields, s.directory.byUID)
	}
}

func TestPageSizeIsChecked(t *testing.T) {
	w := wire{t, newTestServer(t)}
	for _, size := range []string{"0", "-1", "1001", "many"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, toolkit+"/v1/projects/"+testProject+"/accounts:batchGet?maxResults="+size, nil)
		r.Host = "localhost"
		r.Header.Set("Authorization", adminCredential)
		w.wantWord(w.send(r), invalidPageSize)
	}
}
