package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	firebase "firebase.google.com/go/v4"
	"firebase.google.com/go/v4/auth"
	"github.com/labstack/echo/v4"
	"google.golang.org/api/option"
)

// jsonServer answers at the path of Vigil's check.
func jsonServer(around ...echo.MiddlewareFunc) http.Handler {
	e := echo.New()
	e.GET("/v1/check", func(c echo.Context) error {
		uid, _ := c.Get("uid").(string)
		return c.JSON(http.StatusOK, struct {
			UserID string `json:"userId"`
			OK     bool   `json:"ok"`
		}{uid, true})
	}, around...)
	return e
}

type verify func(context.Context, string) (*auth.Token, error)

// verified is the middleware of the Admin SDK's documentation.
func verified(verify verify) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			bearer, ok := strings.CutPrefix(c.Request().Header.Get(echo.HeaderAuthorization), "Bearer ")
			if !ok {
				return echo.ErrUnauthorized
			}
			token, err := verify(c.Request().Context(), bearer)
			if err != nil {
				return echo.ErrUnauthorized.WithInternal(err)
			}
			c.Set("uid", token.UID)
			return next(c)
		}
	}
}

func verifier(ctx context.Context, mode string) (verify, error) {
	var options []option.ClientOption
	if mode == "verify-revoked-in-process" {
		options = append(options, option.WithHTTPClient(&http.Client{Transport: anyAccount{}}))
	}
	app, err := firebase.NewApp(ctx, nil, options...)
	if err != nil {
		return nil, err
	}
	client, err := app.Auth(ctx)
	if err != nil {
		return nil, err
	}
	if mode == "verify" {
		return client.VerifyIDToken, nil
	}
	return client.VerifyIDTokenAndCheckRevoked, nil
}

// anyAccount answers every look-up of an account at once: there is one, and nothing was revoked. The SDK's keys have a client of their
// own, which is not this one.
type anyAccount struct{}

func (anyAccount) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	// The request is {"localId":["UID"]}.
	_, uid, _ := bytes.Cut(body, []byte(`["`))
	uid, _, _ = bytes.Cut(uid, []byte(`"]`))
	answer := fmt.Sprintf(`{"users":[{"localId":"%s","email":"%[1]s@example.com","emailVerified":true,"validSince":"0","createdAt":"0"}]}`, uid)
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(answer)),
		Body: io.NopCloser(strings.NewReader(answer)), Request: r,
	}, nil
}
