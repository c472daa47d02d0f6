package handlers

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

// The codes that only the edge knows.
const (
	codeMethodNotAllowed session.Code = "method_not_allowed"
	codeTooLarge         session.Code = "too_large"
	codeMisdirected      session.Code = "misdirected"
)

// table says how each code is answered. Title names the problem, detail tells a person what to do about it.
var table = map[session.Code]struct {
	status        int
	title, detail string
}{
	session.CodeTokenMissing: {http.StatusUnauthorized, "Token missing",
		"Send a Firebase ID token as Authorization: Bearer."},
	session.CodeTokenInvalid: {http.StatusUnauthorized, "Token invalid",
		"The token is not an ID token of this project."},
	session.CodeTokenExpired: {http.StatusUnauthorized, "Token expired",
		"The token has expired. Refresh it and try again."},
	session.CodeUserDisabled: {http.StatusUnauthorized, "Account disabled",
		"The account has been disabled or deleted."},
	session.CodeTokenRevoked: {http.StatusUnauthorized, "Sign-in revoked",
		"This sign-in has been revoked. Sign in again."},
	session.CodeSessionRequired: {http.StatusUnauthorized, "Session required",
		"No session has been registered for this sign-in."},
	session.CodeSessionEnded: {http.StatusUnauthorized, "Session ended",
		"The session has ended. Sign in again."},
	session.CodeReauthRequired: {http.StatusUnauthorized, "Sign-in required",
		"This needs a more recent sign-in. Sign in again."},
	session.CodeIPChanged: {http.StatusUnauthorized, "Network changed",
		"The session has ended because it was used from another network. Sign in again."},
	session.CodeForbidden: {http.StatusForbidden, "Forbidden",
		"This is for admins only."},
	session.CodeInvalidRequest: {http.StatusBadRequest, "Invalid request",
		"The request is not valid. The errors say where."},
	session.CodeNotFound: {http.StatusNotFound, "Not found",
		"There is nothing here by that name."},
	codeMethodNotAllowed: {http.StatusMethodNotAllowed, "Method not allowed",
		"The method is not one of those that the Allow header names."},
	session.CodeSessionLimit: {http.StatusConflict, "Too many sessions",
		"The account has as many sessions as it may have. End one of them first."},
	codeTooLarge: {http.StatusRequestEntityTooLarge, "Body too large",
		"The body of a request has at most 64 KiB."},
	codeMisdirected: {http.StatusMisdirectedRequest, "Misdirected request",
		"This server answers to loopback host names only: localhost, 127.0.0.1 or [::1]."},
	session.CodeRateLimited: {http.StatusTooManyRequests, "Too many requests",
		"Too many requests at once. Try again after the time that Retry-After says."},
	session.CodeInternal: {http.StatusInternalServerError, "Internal error",
		"Something went wrong here. The request id helps to find out what."},
	session.CodeUnavailable: {http.StatusServiceUnavailable, "Unavailable",
		"The request cannot be answered right now. Your session is not affected; try again soon."},
}

// What is wrong with a field.
const (
	msgOnce      = "must be given once"
	msgNull      = "must not be null"
	msgUnknown   = "is not known"
	msgObject    = "must be a JSON object"
	msgSyntax    = "is not valid JSON"
	msgRead      = "could not be read"
	msgBool      = "must be true or false"
	msgString    = "must be a string"
	msgType      = "has the wrong type"
	msgSeconds   = "must be a whole number of seconds"
	msgOneOf     = "must be one of: %s"
	msgLong      = "must have at most %d characters"
	msgPrintable = "must be printable"
	msgSessionID = "must be the id of a session"
	msgRequired  = "is required"
	msgUnicode   = "is not valid Unicode"
	msgUserID    = "must be the id of a user"
	msgIP        = "must be an IP address"
	msgCountry   = "must be a country's code of two letters"
	msgTime      = "must be a time in RFC 3339, such as 2026-01-31T09:00:00Z"
	msgBetween   = "must be a whole number from %d to %d"
	msgPageToken = "must be the nextPageToken of a page"
	msgChoose    = "is required, unless all is true"
	msgNotBoth   = "must not be true where there is a filter"
	msgNoFilter  = "must say something; set all to true to end every session"
	msgSelf      = "must be true, since this would end the session that you are using"
	msgInvalid   = "is not valid"
)

// fault is one thing that is wrong with a request. Message is English, for fmt.Sprintf where there are args.
type fault struct {
	field, message string
	args           []any
}

// faultView is a fault as it is shown.
type faultView struct {
	Field   string `json:"field" description:"body, query or the name of a header where no single field is at fault"`
	Message string `json:"message" description:"for people, in the language of the answer"`
}

// faults is the error invalid_request, with each field that is wrong.
type faults []fault

// maxFaults bounds the answer to a request that is nothing but wrong.
const maxFaults = 16

func (f *faults) add(field, message string, args ...any) {
	if len(*f) < maxFaults {
		*f = append(*f, fault{clip(field, maxText), message, args})
	}
}

// names reports whether a field is among them.
func (f faults) names(field string) bool {
	return slices.ContainsFunc(f, func(each fault) bool { return each.field == field })
}

// err is nil when there is nothing wrong.
func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// Error names the fields, not what they hold.
func (f faults) Error() string {
	return fmt.Sprintf("%s: %d faults, first: %s %s", session.CodeInvalidRequest, len(f), f[0].field, in(languages[0], f[0].message, f[0].args...))
}

// Unwrap makes it an error of the domain.
func (f faults) Unwrap() error { return &session.Error{Code: session.CodeInvalidRequest} }

// problem is an answer of RFC 9457.
type problem struct {
	Type      string             `json:"type" format:"uri" description:"urn:vigil:problem: and the code"`
	Title     string             `json:"title" description:"for people, in the language of the answer"`
	Status    int                `json:"status"`
	Detail    string             `json:"detail" description:"for people, in the language of the answer"`
	Code      session.Code       `json:"code"`
	RequestID string             `json:"requestId"`
	Reason    session.Reason     `json:"reason,omitempty" description:"why the session ended"`
	EndedAt   *session.Timestamp `json:"endedAt,omitempty"`
	MaxAge    *int64             `json:"maxAge,omitempty" description:"seconds that a sign-in may be old"`
	Errors    []faultView        `json:"errors,omitempty" description:"each field that is wrong"`
}

const (
	problemType = "urn:vigil:problem:"
	mediaType   = "application/problem+json"
	retryAfter  = 2 * time.Second // where nobody knows better
)

// errorOf finds the domain's error in err, or makes one of it.
func errorOf(err error) *session.Error {
	var e *session.Error
	var framework *echo.HTTPError
	switch {
	case errors.As(err, &e):
		if _, known := table[e.Code]; !known {
			return &session.Error{Code: session.CodeInternal, Err: err}
		}
		return e
	case errors.Is(err, echo.ErrNotFound):
		return &session.Error{Code: session.CodeNotFound}
	case errors.Is(err, echo.ErrMethodNotAllowed):
		return &session.Error{Code: codeMethodNotAllowed}
	case errors.As(err, &framework):
		return &session.Error{Code: session.CodeInternal, Err: err}
	default:
		return &session.Error{Code: session.CodeOf(err), Err: err}
	}
}

// faultsOf are the fields at fault: those of the request, or the one that the domain names.
func faultsOf(err error) faults {
	var wrong faults
	var e *session.Error
	if !errors.As(err, &wrong) && errors.As(err, &e) && e.Field != "" {
		wrong.add(e.Field, cmp.Or(e.Message, msgInvalid))
	}
	return wrong
}

// shown is what a person may read about e. What is wrong with a field is said beside its name.
func shown(e *session.Error) string {
	if e.Message != "" && e.Field == "" {
		return e.Message
	}
	return table[e.Code].detail
}

// fail answers an error.
func (a *api) fail(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	e := errorOf(err)
	row, lang := table[e.Code], languageOf(c)
	p := problem{
		Type: problemType + string(e.Code), Title: in(lang, row.title), Status: row.status, Detail: in(lang, shown(e)),
		Code: e.Code, RequestID: requestID(c), Reason: e.Reason,
	}
	for _, f := range faultsOf(err) {
		p.Errors = append(p.Errors, faultView{f.field, in(lang, f.message, f.args...)})
	}
	if !e.EndedAt.IsZero() {
		p.EndedAt = (*session.Timestamp)(&e.EndedAt)
	}
	if e.Code == session.CodeReauthRequired {
		maxAge := int64(e.MaxAge / time.Second)
		p.MaxAge = &maxAge
	}
	h := c.Response().Header()
	h.Set(headerContentLanguage, lang.String())
	h.Add(echo.HeaderVary, headerAcceptLanguage)
	switch row.status {
	case http.StatusUnauthorized:
		h.Set(echo.HeaderWWWAuthenticate, challenge(p))
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		h.Set(echo.HeaderRetryAfter, wholeSeconds(cmp.Or(e.RetryAfter, retryAfter)))
	}
	body, err := json.Marshal(p)
	if err == nil {
		err = c.Blob(row.status, mediaType, body)
	}
	if err != nil {
		a.Log.Info("answer not written", "requestId", p.RequestID, "error", err)
	}
}

// wholeSeconds is a time that is not over before d is.
func wholeSeconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }

// challenge says what would help: another token, or a step up as in RFC 9470.
func challenge(p problem) string {
	if p.MaxAge == nil {
		return `Bearer error="invalid_token"`
	}
	return `Bearer error="insufficient_user_authentication", max_age="` + strconv.FormatInt(*p.MaxAge, 10) + `"`
}
