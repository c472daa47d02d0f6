package wire

import (
	"strconv"
	"strings"
)

// Heartbeats are nearly all that ever goes over a socket, so the two messages of one have a way past encoding/json: for what browsers
// make of them, and for nothing else. Fuzzing holds both to what encoding/json makes of the same.

// quick decodes a message of known fields without spaces, escapes and fractions. Whatever it does not know is no error: it
// reports false, and encoding/json decides.
func quick(frame []byte) (r Request, ok bool) {
	begin := byte('{')
	for rest := frame; ; begin = ',' {
		if begin == ',' && string(rest) == "}" {
			return r, r.Type != ""
		}
		if len(rest) == 0 || rest[0] != begin {
			return r, false
		}
		rest = rest[1:]
		n := simple(rest)
		if n >= len(rest) || rest[n] != ':' {
			return r, false
		}
		name, value := rest[:n], rest[n+1:]
		n = simple(value)
		value, rest = value[:n], value[n:]
		switch text := n > 0 && value[0] == '"'; {
		case text && string(name) == `"type"` && r.Type == "" && clientType(value) != "":
			r.Type = clientType(value)
		case text && string(name) == `"token"` && r.Token == "":
			r.Token = string(value[1 : n-1])
		case n > 0 && string(name) == `"timestamp"` && r.Timestamp == nil:
			r.Timestamp = append(r.Timestamp, value...)
		default:
			return r, false
		}
	}
}

// clientType is the type of a client's message that a JSON text names, empty if it names none.
func clientType(quoted []byte) Type {
	switch string(quoted) {
	case `"ping"`:
		return TypePing
	case `"auth"`:
		return TypeAuth
	case `"activity"`:
		return TypeActivity
	default:
		return ""
	}
}

// simple is the length of the JSON value that b begins with, if it is a whole number or a text of printable ASCII that no encoder
// would write otherwise; else zero.
func simple(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	if b[0] != '"' {
		n := 0
		for n < len(b) && '0' <= b[n] && b[n] <= '9' {
			n++
		}
		if n > 1 && b[0] == '0' {
			return 0
		}
		return n
	}
	for i, c := range b[1:] {
		if !verbatim[c] {
			if c == '"' {
				return i + 2
			}
			return 0
		}
	}
	return 0
}

// verbatim are the bytes that stand for themselves in a JSON text, whoever writes it.
var verbatim = func() (is [256]bool) {
	for c := ' '; c <= '~'; c++ {
		is[c] = !strings.ContainsRune(`"\<>&`, c)
	}
	return is
}()

// quick encodes a pong without an error, and reports false for any other.
func (p Pong) quick() ([]byte, bool) {
	if p.Type != TypePong || p.Error != "" || simple(p.Timestamp) != len(p.Timestamp) {
		return nil, false
	}
	b := make([]byte, 0, 160+len(p.Timestamp))
	b = append(b, `{"type":"pong"`...)
	if len(p.Timestamp) > 0 {
		b = append(append(b, `,"timestamp":`...), p.Timestamp...)
	}
	b = p.ServerTime.append(append(b, `,"serverTime":`...))
	b = strconv.AppendBool(append(b, `,"tokenValid":`...), p.TokenValid)
	b = p.IdleDeadline.append(append(b, `,"idleDeadline":`...))
	return append(b, '}'), true
}
