package identity

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	firebase "firebase.google.com/go/v4"
	"firebase.google.com/go/v4/auth"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/iterator"
)

// adminSDK connects the unchanged Admin SDK to s over a real listener.
func adminSDK(t *testing.T, s *Server) *auth.Client {
	t.Helper()
	t.Setenv("FIREBASE_AUTH_EMULATOR_HOST", serve(t, s))
	app, err := firebase.NewApp(t.Context(), &firebase.Config{ProjectID: testProject})
	if err != nil {
		t.Fatal(err)
	}
	client, err := app.Auth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// serve returns the loopback address at which h is served for the test.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	listener, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return listener.Addr().String()
}

func TestAdminSDKReadsBackWhatItCreated(t *testing.T) {
	sdk := adminSDK(t, newTestServer(t))
	created, err := sdk.CreateUser(t.Context(), (&auth.UserToCreate{}).
		UID("ana").Email("Ana@Example.com").Password(anaPassword).DisplayName("Ana").
		PhotoURL("https://example.com/ana.png").PhoneNumber("+15551234567").EmailVerified(true))
	if err != nil {
		t.Fatal(err)
	}
	want := auth.UserInfo{
		UID: "ana", Email: "ana@example.com", DisplayName: "Ana", PhoneNumber: "+15551234567",
		PhotoURL: "https://example.com/ana.png", ProviderID: "firebase",
	}
	if diff := cmp.Diff(want, *created.UserInfo); diff != "" {
		t.Errorf("created user (-want +got):\n%s", diff)
	}
	if !created.EmailVerified || created.Disabled || created.TokensValidAfterMillis == 0 {
		t.Errorf("created user = %+v", created)
	}
	for name, get := range map[string]func() (*auth.UserRecord, error){
		"email": func() (*auth.UserRecord, error) { return sdk.GetUserByEmail(t.Context(), "ana@example.com") },
		"phone": func() (*auth.UserRecord, error) { return sdk.GetUserByPhoneNumber(t.Context(), "+15551234567") },
	} {
		if user, err := get(); err != nil || user.UID != "ana" {
			t.Errorf("by %s: %v, %v", name, user, err)
		}
	}
}

func TestAdminSDKTellsErrorsApart(t *testing.T) {
	sdk := adminSDK(t, newTestServer(t))
	ana := func() *auth.UserToCreate {
		return (&auth.UserToCreate{}).UID("ana").Email(anaEmail).PhoneNumber("+15551234567")
	}
	if _, err := sdk.CreateUser(t.Context(), ana()); err != nil {
		t.Fatal(err)
	}
	_, sameUID := sdk.CreateUser(t.Context(), ana())
	_, sameEmail := sdk.CreateUser(t.Context(), (&auth.UserToCreate{}).Email(anaEmail))
	_, samePhone := sdk.CreateUser(t.Context(), (&auth.UserToCreate{}).PhoneNumber("+15551234567"))
	_, nobody := sdk.GetUser(t.Context(), "nobody")
	_, nobodyUpdated := sdk.UpdateUser(t.Context(), "nobody", (&auth.UserToUpdate{}).Disabled(true))
	for name, ok := range map[string]bool{
		"uid exists":     auth.IsUIDAlreadyExists(sameUID),
		"email exists":   auth.IsEmailAlreadyExists(sameEmail),
		"phone exists":   auth.IsPhoneNumberAlreadyExists(samePhone),
		"get nobody":     auth.IsUserNotFound(nobody),
		"update nobody":  auth.IsUserNotFound(nobodyUpdated),
		"delete nobody":  auth.IsUserNotFound(sdk.DeleteUser(t.Context(), "nobody")),
		"revoke nobody":  auth.IsUserNotFound(sdk.RevokeRefreshTokens(t.Context(), "nobody")),
		"email is taken": auth.IsEmailAlreadyExists(createAndTake(t, sdk)),
	} {
		if !ok {
			t.Errorf("%s: the SDK does not recognise the error", name)
		}
	}
}

func createAndTake(t *testing.T, sdk *auth.Client) error {
	t.Helper()
	if _, err := sdk.CreateUser(t.Context(), (&auth.UserToCreate{}).UID("bo").Email("bo@example.com")); err != nil {
		t.Fatal(err)
	}
	_, err := sdk.UpdateUser(t.Context(), "bo", (&auth.UserToUpdate{}).Email("ANA@example.com"))
	return err
}

func TestAdminSDKUpdatesAndClearsFields(t *testing.T) {
	sdk := adminSDK(t, newTestServer(t))
	if _, err := sdk.CreateUser(t.Context(), (&auth.UserToCreate{}).
		UID("ana").DisplayName("Ana").PhotoURL("https://example.com/a.png").PhoneNumber("+15551234567")); err != nil {
		t.Fatal(err)
	}
	user, err := sdk.UpdateUser(t.Context(), "ana", (&auth.UserToUpdate{}).
		Email(anaEmail).EmailVerified(true).DisplayName("").PhotoURL("").PhoneNumber("").Disabled(true))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(auth.UserInfo{UID: "ana", Email: anaEmail, ProviderID: "firebase"}, *user.UserInfo); diff != "" {
		t.Errorf("updated user (-want +got):\n%s", diff)
	}
	if !user.EmailVerified || !user.Disabled {
		t.Errorf("verified = %v, disabled = %v, want both", user.EmailVerified, user.Disabled)
	}
	if err := sdk.SetCustomUserClaims(t.Context(), "ana", object{"admin": true}); err != nil {
		t.Fatal(err)
	}
	user, err = sdk.GetUser(t.Context(), "ana")
	if err != nil || !cmp.Equal(user.CustomClaims, object{"admin": true}) {
		t.Errorf("custom claims = %v, %v", user.CustomClaims, err)
	}
	if err := sdk.SetCustomUserClaims(t.Context(), "ana", nil); err != nil {
		t.Fatal(err)
	}
	if user, err = sdk.GetUser(t.Context(), "ana"); err != nil || user.CustomClaims != nil {
		t.Errorf("cleared claims = %v, %v", user.CustomClaims, err)
	}
}

func TestAdminSDKVerifiesTokensUntilTheyAreRevoked(t *testing.T) {
	// The SDK stamps a revocation with its own clock. The sign-in is of an
	// earlier second, so that nobody has to wait for the next one.
	var clock testClock
	clock.advance(-2 * time.Second)
	s := newTestServer(t)
	s.now = clock.now
	sdk := adminSDK(t, s)
	ana := wire{t, s}.signUpAna()

	token, err := sdk.VerifyIDTokenAndCheckRevoked(t.Context(), ana.text("idToken"))
	if err != nil {
		t.Fatal(err)
	}
	if token.UID != ana.text("localId") || token.Firebase.SignInProvider != "password" ||
		token.Claims["email"] != anaEmail || token.AuthTime != token.IssuedAt || token.Expires != token.IssuedAt+3600 {
		t.Errorf("token = %+v", token)
	}
	if err := sdk.RevokeRefreshTokens(t.Context(), token.UID); err != nil {
		t.Fatal(err)
	}
	if _, err := sdk.VerifyIDTokenAndCheckRevoked(t.Context(), ana.text("idToken")); !auth.IsIDTokenRevoked(err) {
		t.Errorf("after revocation: %v, want a revoked token", err)
	}
	clock.advance(2 * time.Second)
	if _, err := sdk.VerifyIDTokenAndCheckRevoked(t.Context(), wire{t, s}.signInAna().text("idToken")); err != nil {
		t.Errorf("a new sign-in: %v", err)
	}
}

func TestAdminSDKSeesDisabledAndDeletedUsers(t *testing.T) {
	s := newTestServer(t)
	sdk := adminSDK(t, s)
	ana := wire{t, s}.signUpAna()
	uid := ana.text("localId")

	if _, err := sdk.UpdateUser(t.Context(), uid, (&auth.UserToUpdate{}).Disabled(true)); err != nil {
		t.Fatal(err)
	}
	if _, err := sdk.VerifyIDTokenAndCheckRevoked(t.Context(), ana.text("idToken")); !auth.IsUserDisabled(err) {
		t.Errorf("disabled: %v", err)
	}
	if err := sdk.DeleteUser(t.Context(), uid); err != nil {
		t.Fatal(err)
	}
	if _, err := sdk.VerifyIDTokenAndCheckRevoked(t.Context(), ana.text("idToken")); !auth.IsUserNotFound(err) {
		t.Errorf("deleted: %v", err)
	}
}

func TestAdminSDKGetsAHundredUsersAtOnceWithSomeMissing(t *testing.T) {
	s := newTestServer(t)
	sdk := adminSDK(t, s)
	var identifiers []auth.UserIdentifier
	for i := range 97 {
		uid := fmt.Sprintf("user-%02d", i)
		if _, err := s.CreateUser(NewUser{UID: uid}); err != nil {
			t.Fatal(err)
		}
		identifiers = append(identifiers, auth.UIDIdentifier{UID: uid})
	}
	identifiers = append(identifiers,
		auth.UIDIdentifier{UID: "missing"},
		auth.EmailIdentifier{Email: "missing@example.com"},
		auth.ProviderIdentifier{ProviderID: "google.com", ProviderUID: "missing"})

	result, err := sdk.GetUsers(t.Context(), identifiers)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Users) != 97 || len(result.NotFound) != 3 {
		t.Errorf("found %d, missing %d, want 97 and 3", len(result.Users), len(result.NotFound))
	}
}

func TestAdminSDKListsEveryUserOnce(t *testing.T) {
	s := newTestServer(t)
	sdk := adminSDK(t, s)
	var want []string
	for i := range 23 {
		uid := fmt.Sprintf("user-%02d", i)
		want = append(want, uid)
		if _, err := s.CreateUser(NewUser{UID: uid, Password: anaPassword}); err != nil {
			t.Fatal(err)
		}
	}
	users := sdk.Users(t.Context(), "")
	pager := iterator.NewPager(users, 10, "")
	var got []string
	for {
		var page []*auth.ExportedUserRecord
		next, err := pager.NextPage(&page)
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range page {
			got = append(got, user.UID)
			if user.PasswordHash != "" {
				t.Errorf("%s: a password hash left the server", user.UID)
			}
		}
		if next == "" {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listed users (-want +got):\n%s", diff)
	}
}

func TestAdminSDKDeletesInBatches(t *testing.T) {
	s := newTestServer(t)
	sdk := adminSDK(t, s)
	for _, uid := range []string{"a", "b"} {
		if _, err := s.CreateUser(NewUser{UID: uid}); err != nil {
			t.Fatal(err)
		}
	}
	result, err := sdk.DeleteUsers(t.Context(), []string{"a", "b", "missing"})
	if err != nil || result.SuccessCount != 3 || result.FailureCount != 0 {
		t.Fatalf("batch delete = %+v, %v", result, err)
	}
	if _, err := sdk.Users(t.Context(), "").Next(); !errors.Is(err, iterator.Done) {
		t.Errorf("users are left: %v", err)
	}
}

func TestAdminSDKCustomTokenSignsInAndKeepsItsClaims(t *testing.T) {
	s := newTestServer(t)
	sdk := adminSDK(t, s)
	custom, err := sdk.CustomTokenWithClaims(t.Context(), "ana", object{"sid": "s-1"})
	if err != nil {
		t.Fatal(err)
	}
	w := wire{t, s}
	signedIn := w.must(w.client("signInWithCustomToken", object{"token": custom, "returnSecureToken": true}))
	if signedIn.fields["isNewUser"] != true {
		t.Error("the first sign-in is not that of a new user")
	}
	refreshed := w.must(w.refresh(signedIn.text("refreshToken")))
	for _, raw := range []string{signedIn.text("idToken"), refreshed.text("id_token")} {
		token, err := sdk.VerifyIDToken(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		if token.UID != "ana" || token.Claims["sid"] != "s-1" || token.Firebase.SignInProvider != "custom" {
			t.Errorf("token = %+v", token)
		}
	}
	again := w.must(w.client("signInWithCustomToken", object{"token": custom}))
	if again.fields["isNewUser"] != false {
		t.Error("the second sign-in is that of a new user")
	}
}

func TestAdminSDKIsRefusedTenantsAndOtherProjects(t *testing.T) {
	s := newTestServer(t)
	sdk := adminSDK(t, s)
	tenant, err := sdk.TenantManager.AuthForTenant("acme")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tenant.GetUser(t.Context(), "ana"); err == nil || auth.IsUserNotFound(err) {
		t.Errorf("tenant: %v, want a refusal", err)
	}
	app, err := firebase.NewApp(t.Context(), &firebase.Config{ProjectID: "another"})
	if err != nil {
		t.Fatal(err)
	}
	other, err := app.Auth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.GetUser(t.Context(), "ana"); err == nil || auth.IsUserNotFound(err) {
		t.Errorf("another project: %v, want a refusal", err)
	}
}

func TestSeededUsersAreWhatTheSDKsSee(t *testing.T) {
	s := newTestServer(t)
	sdk := adminSDK(t, s)
	uid, err := s.CreateUser(NewUser{
		Email: anaEmail, Password: anaPassword, DisplayName: "Ana", Claims: object{"admin": true, "level": 9007199254740993},
	})
	if err != nil {
		t.Fatal(err)
	}
	user, err := sdk.GetUser(t.Context(), uid)
	if err != nil || user.Email != anaEmail || user.DisplayName != "Ana" || user.CustomClaims["admin"] != true {
		t.Errorf("seeded user = %+v, %v", user, err)
	}
	claims := claimsOf(t, wire{t, s}.signInAna().text("idToken"))
	if claims["admin"] != true || claims["name"] != "Ana" || fmt.Sprint(claims["level"]) != "9007199254740993" {
		t.Errorf("claims = %v", claims)
	}
	for name, bad := range map[string]NewUser{
		"same address":   {Email: anaEmail},
		"same uid":       {UID: uid},
		"weak password":  {Password: "short"},
		"reserved claim": {Claims: object{"sub": "someone"}},
		"no JSON":        {Claims: object{"f": func() {}}},
	} {
		if _, err := s.CreateUser(bad); err == nil {
			t.Errorf("%s: created", name)
		}
	}
}
