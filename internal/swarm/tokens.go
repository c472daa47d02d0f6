package swarm

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxToken is what the service accepts.
const maxToken = 8 << 10

// claims are those that are read of a token. Nobody has verified it: that is the server's to do.
type claims struct {
	Subject string `json:"sub"`
	Expires int64  `json:"exp"`
}

func readClaims(token string) (claims, error) {
	var c claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > maxToken {
		return c, errors.New("is not an ID token")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &c) != nil || c.Subject == "" || c.Expires == 0 || strings.ContainsFunc(token, notOfToken) {
		return c, errors.New("is not an ID token") // whatever is wrong with it, it is not to be quoted
	}
	return c, nil
}

// notOfToken reports what a token cannot have in it, so that it needs no escaping anywhere.
func notOfToken(c rune) bool {
	return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
}

// expiry is when a token ends by what it says itself, the zero time if it says nothing.
func expiry(token string) time.Time {
	c, err := readClaims(token)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(c.Expires, 0)
}

// ReadTokens reads ID tokens, one on a line, empty lines left out. It fails for a line that is no ID token, for one that has expired at
// now, and for one that is there twice, and never quotes one.
func ReadTokens(r io.Reader, now time.Time) ([]string, error) {
	var tokens []string
	seen := make(map[string]int)
	lines := bufio.NewScanner(r)
	for number := 1; lines.Scan(); number++ {
		token := strings.TrimSpace(lines.Text())
		if token == "" {
			continue
		}
		c, err := readClaims(token)
		switch {
		case err != nil:
			return nil, fmt.Errorf("line %d %w", number, err)
		case time.Unix(c.Expires, 0).Before(now):
			return nil, fmt.Errorf("line %d has expired at %s", number, time.Unix(c.Expires, 0).Format(time.DateTime))
		case seen[token] > 0:
			return nil, fmt.Errorf("line %d is line %d again", number, seen[token])
		}
		seen[token] = number
		tokens = append(tokens, token)
	}
	return tokens, lines.Err()
}
