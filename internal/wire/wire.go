// Package wire holds the messages and close codes of the WebSocket protocol, and nothing that acts on them. The fixtures in
// testdata are the protocol's examples, read by the tests of every implementation in any language.
//
//	client                         server
//	auth {token}            ──▶
//	                        ◀──    ready, or a last frame and a close
//	ping {token?}           ──▶
//	                        ◀──    pong
//	activity {}             ──▶
//	                        ◀──    idle_warning, idle_reset, session_started, session_closed, security_alert, claims_changed
//	                        ◀──    auth_expired or session_revoked, and then a close
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Type names a message. It stands first in every frame.
type Type string

// The messages of the client.
const (
	TypeAuth     Type = "auth"
	TypePing     Type = "ping"
	TypeActivity Type = "activity"
)

// The messages of the server.
const (
	TypeReady          Type = "ready"
	TypePong           Type = "pong"
	TypeIdleWarning    Type = "idle_warning"
	TypeIdleReset      Type = "idle_reset"
	TypeAuthExpired    Type = "auth_expired"
	TypeSessionRevoked Type = "session_revoked"
	TypeSessionStarted Type = "session_started"
	TypeSessionClosed  Type = "session_closed"
	TypeSecurityAlert  Type = "security_alert"
	TypeClaimsChanged  Type = "claims_changed"
)

// Request is any message of the client.
type Request struct {
	Type      Type            `json:"type"`
	Token     string          `json:"token,omitempty"`
	Timestamp json.RawMessage `json:"timestamp,omitempty"` // of a ping: echoed as it came
	// ReconnectedAfterMS is told by the first ping after a reconnection: milliseconds since the connection was lost.
	ReconnectedAfterMS float64 `json:"reconnectedAfterMs,omitempty"`
}

// Decode reads a frame of the client. It fails for what is not one JSON object with a known type.
func Decode(frame []byte) (Request, error) {
	if r, ok := quick(frame); ok {
		return r, nil
	}
	var r Request
	if trimmed := bytes.TrimLeft(frame, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return r, errors.New("a frame is one JSON object")
	}
	if err := json.Unmarshal(frame, &r); err != nil {
		return r, fmt.Errorf("decode frame: %w", err)
	}
	switch r.Type {
	case TypeAuth, TypePing, TypeActivity:
		return r, nil
	default:
		return r, fmt.Errorf("unknown type %.32q", r.Type)
	}
}

// Time is a time that JSON shows in RFC 3339, UTC, with milliseconds.
type Time time.Time

// MarshalJSON implements [json.Marshaler].
func (t Time) MarshalJSON() ([]byte, error) { return t.append(nil), nil }

func (t Time) append(b []byte) []byte {
	return time.Time(t).UTC().AppendFormat(b, `"2006-01-02T15:04:05.000Z"`)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Time) UnmarshalJSON(data []byte) error { return (*time.Time)(t).UnmarshalJSON(data) }

// Ready answers auth: the socket is the session's from now on.
type Ready struct {
	Type              Type  `json:"type"`
	Session           any   `json:"session"` // as HTTP shows it
	ServerTime        Time  `json:"serverTime"`
	HeartbeatInterval int64 `json:"heartbeatInterval"` // milliseconds
	WarnAt            Time  `json:"warnAt"`
	IdleDeadline      Time  `json:"idleDeadline"`
	ExpiresAt         Time  `json:"expiresAt"`
	TokenExpiresAt    Time  `json:"tokenExpiresAt"`
}

// Pong answers a ping.
type Pong struct {
	Type         Type            `json:"type"`
	Timestamp    json.RawMessage `json:"timestamp,omitempty"`
	ServerTime   Time            `json:"serverTime"`
	TokenValid   bool            `json:"tokenValid"`
	Error        string          `json:"error,omitempty"` // an error code, when the ping's token was not accepted
	IdleDeadline Time            `json:"idleDeadline"`
}

// IdleWarning says that the session is about to end for idleness.
type IdleWarning struct {
	Type         Type  `json:"type"`
	IdleDeadline Time  `json:"idleDeadline"`
	Remaining    int64 `json:"remaining"` // milliseconds
}

// IdleReset takes a warning back.
type IdleReset struct {
	Type         Type `json:"type"`
	WarnAt       Time `json:"warnAt"`
	IdleDeadline Time `json:"idleDeadline"`
}

// Last is the last frame before a close: auth_expired with an error code, or session_revoked with the reason of the end.
type Last struct {
	Type   Type   `json:"type"`
	Reason string `json:"reason"`
}

// SessionStarted says that another session of the user began.
type SessionStarted struct {
	Type    Type `json:"type"`
	Session any  `json:"session"` // as HTTP shows it
}

// SessionClosed says that another session of the user ended.
type SessionClosed struct {
	Type      Type   `json:"type"`
	SessionID string `json:"sessionId"`
	Reason    string `json:"reason"`
}

// SecurityAlert says that something about the user's sessions looks suspicious.
type SecurityAlert struct {
	Type  Type `json:"type"`
	Alert any  `json:"alert"` // as HTTP shows it
}

// ClaimsChanged says that the account's custom claims are not those of the token any more: refresh it.
type ClaimsChanged struct {
	Type Type `json:"type"`
}

// Encode writes a message of the server.
func Encode(message any) []byte {
	if pong, ok := message.(Pong); ok {
		if frame, ok := pong.quick(); ok {
			return frame
		}
	}
	frame, err := json.Marshal(message)
	if err != nil {
		panic(fmt.Sprintf("wire: encode %T: %v", message, err)) // the messages above cannot fail
	}
	return frame
}
