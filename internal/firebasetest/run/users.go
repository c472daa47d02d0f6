package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"text/template"

	"github.com/vigilhq/vigil/internal/firebasetest"
)

// The seeded users are those of `vigil dev`. Their passwords are no secrets: the emulators answer to this machine only.
const (
	anaEmail, anaPassword     = "ana@example.com", "ana-password"
	adminEmail, adminPassword = "admin@example.com", "admin-password"
)

type user map[string]any

// seed creates the users, as an administrator would.
func seed(ctx context.Context, authHost string) error {
	accounts := "http://" + authHost + "/identitytoolkit.googleapis.com/v1/projects/" + firebasetest.Project + "/accounts"
	for _, step := range []struct {
		operation string
		user      user
	}{
		{"", user{"localId": "ana", "email": anaEmail, "password": anaPassword, "displayName": "Ana"}},
		{"", user{"localId": "admin", "email": adminEmail, "password": adminPassword, "displayName": "Admin"}},
		{":update", user{"localId": "admin", "customAttributes": `{"admin":true}`}},
	} {
		if err := post(ctx, accounts+step.operation, step.user); err != nil {
			return fmt.Errorf("seed the user %v: %w", step.user["localId"], err)
		}
	}
	return nil
}

// warm has Firestore's emulator write for the first time, which may take it longer than the service waits for a write.
func warm(ctx context.Context, firestoreHost string) error {
	documents := "projects/" + firebasetest.Project + "/databases/(default)/documents"
	nothing := map[string]any{"writes": []map[string]any{{"delete": documents + "/nothing/here"}}}
	if err := post(ctx, "http://"+firestoreHost+"/v1/"+documents+":commit", nothing); err != nil {
		return fmt.Errorf("write to Firestore: %w", err)
	}
	return nil
}

func post(ctx context.Context, url string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(data))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer owner") // what administrators have in an emulator
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10)) // for people
		return fmt.Errorf("%s: %s", response.Status, said)
	}
	return nil
}

func ready(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// introduce prints what a newcomer can do now.
func introduce(w io.Writer, api string, emulators *firebasetest.Emulators) error {
	return introduction.Execute(w, map[string]string{
		"API": api, "Auth": emulators.AuthHost(), "Firestore": emulators.FirestoreHost(), "Project": firebasetest.Project,
		"Ana": anaEmail, "AnaPassword": anaPassword, "Admin": adminEmail, "AdminPassword": adminPassword,
	})
}

var introduction = template.Must(template.New("introduction").Parse(`
Vigil is running on Firebase's official emulators, with the rules of firebase.json. Nothing survives a restart.

  API        {{.API}}/v1
  Auth       http://{{.Auth}}   (connectAuthEmulator, project {{.Project}})
  Firestore  {{.Firestore}}   (connectFirestoreEmulator)

  user       {{.Ana}}     password  {{.AnaPassword}}
  admin      {{.Admin}}   password  {{.AdminPassword}}

Paste these commands into another terminal. Sign in, begin a session, and check a request as a back end would:

  signin() { curl -s 'http://{{.Auth}}/identitytoolkit.googleapis.com/v1/accounts:signInWithPassword?key=dev' -H 'Content-Type: application/json' -d '{"email":"'$1'","password":"'$2'","returnSecureToken":true}' | sed -n 's/.*"idToken": *"\([^"]*\)".*/\1/p'; }
  TOKEN=$(signin {{.Ana}} {{.AnaPassword}})
  curl -s -X POST {{.API}}/v1/sessions -H "Authorization: Bearer $TOKEN" -d '{"deviceName":"my terminal"}'; echo
  curl -si {{.API}}/v1/check -H "Authorization: Bearer $TOKEN"; echo

Throw the user out, and check again:

  ADMIN=$(signin {{.Admin}} {{.AdminPassword}})
  curl -s -X POST {{.API}}/v1/sessions -H "Authorization: Bearer $ADMIN"; echo
  curl -s -X POST {{.API}}/v1/admin/users/ana/revoke -H "Authorization: Bearer $ADMIN" -d '{"reason":"lost laptop"}'; echo
  curl -si {{.API}}/v1/check -H "Authorization: Bearer $TOKEN"; echo

The official Auth emulator ends no refresh token, and a refreshed token bears the time of the user's latest sign-in on any device:
docs/parity.md says where it differs from production. Ctrl-C stops everything.

`))
