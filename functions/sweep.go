package functions

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// sweep is Sweep, for Cloud Scheduler. Several at a time do no harm.
type sweep struct {
	log              *slog.Logger
	registry         Registry
	audience, caller string
	keys             *keys // nil: callers are the platform's to check
}

func (f *sweep) serve(w http.ResponseWriter, r *http.Request, _ []byte) error {
	if f.keys != nil {
		if err := f.admit(r); err != nil {
			return err
		}
	}
	report, err := f.registry.Sweep(r.Context(), session.SweepAll)
	if err != nil {
		return fmt.Errorf("clean-up incomplete after %+v: %w", report, err)
	}
	answer(w, http.StatusOK, report)
	return nil
}

// callerClaims are those of Google's OpenID Connect tokens for service accounts.
type callerClaims struct {
	times
	Issuer        string `json:"iss"`
	Audience      string `json:"aud"`
	Email         string `json:"email"`
	EmailVerified bool   `json:"email_verified"`
}

// admit fails unless the request comes with the token that Cloud Scheduler gets for the service account.
func (f *sweep) admit(r *http.Request) error {
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if strings.HasSuffix(bearer, ".SIGNATURE_REMOVED_BY_GOOGLE") {
		f.log.WarnContext(r.Context(), "the platform has checked the caller and taken the signature away: leave the audience of Sweep unset")
		return errCaller
	}
	var c callerClaims
	t, err := parse(bearer, signed, &c)
	if err != nil || len(r.Header.Values("Authorization")) != 1 || c.Issuer != "https://accounts.google.com" || c.Audience != f.audience ||
		c.Email != f.caller || !c.EmailVerified || !c.hold(time.Now()) {
		return errCaller
	}
	switch err := t.verify(r.Context(), f.keys); {
	case errors.Is(err, errKeys):
		return err
	case err != nil:
		return errCaller
	default:
		return nil
	}
}
