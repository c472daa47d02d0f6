package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// browser is what a page with the Firebase client SDK does, over Firebase Authentication's REST protocol
// (https://firebase.google.com/docs/reference/rest/auth).
type browser struct {
	identity        string // base URL of a local identity server; empty: Google's
	key             string // the project's web API key
	email, password string

	idToken, refreshToken string
	expires               time.Time
}

const (
	browserTimeout = 10 * time.Second
	renewBefore    = 5 * time.Minute // as the Firebase client SDK does
)

func (b *browser) endpoint(service, path string) string {
	host := "https://" + service
	if b.identity != "" {
		host = b.identity + "/" + service
	}
	return host + path + "?key=" + url.QueryEscape(b.key)
}

func (b *browser) signIn(ctx context.Context) error {
	var answer struct {
		IDToken      string `json:"idToken"`
		RefreshToken string `json:"refreshToken"`
		ExpiresIn    string `json:"expiresIn"`
	}
	err := post(ctx, b.endpoint("identitytoolkit.googleapis.com", "/v1/accounts:signInWithPassword"), "",
		map[string]any{"email": b.email, "password": b.password, "returnSecureToken": true}, &answer)
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	return b.hold(answer.IDToken, answer.RefreshToken, answer.ExpiresIn)
}

// refresh gets a new ID token when the held one is about to expire, or in any case.
func (b *browser) refresh(ctx context.Context, anyway bool) error {
	if !anyway && time.Until(b.expires) > renewBefore {
		return nil
	}
	var answer struct {
		IDToken      string `json:"id_token"`
		RefreshToken string `json:"refresh_token"`
		ExpiresIn    string `json:"expires_in"`
	}
	err := post(ctx, b.endpoint("securetoken.googleapis.com", "/v1/token"), "",
		map[string]any{"grant_type": "refresh_token", "refresh_token": b.refreshToken}, &answer)
	if err != nil {
		return fmt.Errorf("refresh the token: %w", err)
	}
	return b.hold(answer.IDToken, answer.RefreshToken, answer.ExpiresIn)
}

func (b *browser) hold(idToken, refreshToken, expiresIn string) error {
	seconds, err := strconv.Atoi(expiresIn)
	if err != nil {
		return fmt.Errorf("lifetime of the token: %w", err)
	}
	b.idToken, b.refreshToken = idToken, refreshToken
	b.expires = time.Now().Add(time.Duration(seconds) * time.Second)
	return nil
}

func (b *browser) register(ctx context.Context, api, deviceName string) error {
	err := post(ctx, api+"/v1/sessions", b.idToken, map[string]any{"deviceName": deviceName}, nil)
	if err != nil {
		return fmt.Errorf("begin the session: %w", err)
	}
	return nil
}

// post sends JSON and reads JSON; an answer that is no success is an error with what it says.
func post(ctx context.Context, url, token string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, browserTimeout)
	defer cancel()
	payload, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // it has been read
	data, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(data))
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(data, answer)
}
