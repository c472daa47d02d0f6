package mail

import (
	"net/mail"
	"strings"
	"unicode"
)

// maxAddress is the longest that can be delivered to, in bytes (RFC 5321, section 4.5.3.1.3, less its angle brackets).
const maxAddress = 254

// plausible reports whether to is one e-mail address and nothing else: no name, comment, quotes, list or line break, which mail
// software could take for another recipient or header, and a domain that is a name with a dot.
func plausible(to string) bool {
	if len(to) > maxAddress || !printable(to) || strings.ContainsFunc(to, unicode.IsSpace) || strings.ContainsAny(to, `"()<>[]\,;:`) {
		return false
	}
	parsed, err := mail.ParseAddress(to)
	if err != nil || parsed.Name != "" || parsed.Address != to {
		return false
	}
	_, domain, _ := cutLast(to, "@")
	return strings.Contains(strings.Trim(domain, "."), ".")
}
