// Package mail composes what Vigil writes to users: that somebody has signed in to their account.
//
// Whoever signs in with a stolen password chooses everything that a browser says of itself, and must not choose what its victim
// reads. So a message holds words of this package and of its operator, and from a session nothing but
//
//	device     a type, a browser and a system of the lists here (see device.go); any other name is left out
//	place      the country's name by its code, and a city's name that looks like one
//	provider   a word of the list here
//	time       of the sign-in
//
// and never the name that a user gave a device, a User-Agent header or an IP address. Everything is escaped for the form
// it is written in, and a message has one recipient or does not exist.
package mail

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	html "html/template"
	"net/netip"
	"net/url"
	"strings"
	text "text/template"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/vigilhq/vigil/internal/session"
)

const (
	maxProduct  = 64   // characters
	maxURL      = 2000 // bytes
	maxLanguage = 256  // bytes of an Accept-Language header that are looked at
)

// Options are the operator's part of a message.
type Options struct {
	// Product is what users know the account as, for example the name of an app; at most 64 printable characters. Empty: it
	// is "your account".
	Product string
	// SessionsURL is the page on which users see and end their sessions: https, or http on this machine. Empty: none is linked.
	SessionsURL string
}

// Composer composes messages. Use [New]. Safe for concurrent use.
type Composer struct{ options Options }

// New returns a composer, or an error that says what is wrong with an option.
func New(options Options) (*Composer, error) {
	if utf8.RuneCountInString(options.Product) > maxProduct || !printable(options.Product) {
		return nil, fmt.Errorf("product %q is not a name of at most %d printable characters", options.Product, maxProduct)
	}
	if options.SessionsURL != "" {
		if err := checkURL(options.SessionsURL); err != nil {
			return nil, fmt.Errorf("%q: %w", options.SessionsURL, err)
		}
	}
	return &Composer{options}, nil
}

var errURL = errors.New("not an https URL such as https://app.example.com/sessions (http only on this machine)")

// checkURL accepts what can stand in a message as it is.
func checkURL(link string) error {
	u, err := url.Parse(link)
	if err != nil || len(link) > maxURL || u.Hostname() == "" || u.User != nil ||
		strings.ContainsFunc(link, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'<>\\`", r) }) {
		return errURL
	}
	if u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) {
		return nil
	}
	return errURL
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

var (
	//go:embed signin.txt
	plainText string
	//go:embed signin.html
	richText string

	plain = text.Must(text.New("text").Parse(plainText))
	rich  = html.Must(html.New("html").Parse(richText))
)

// letter is what the templates are filled with.
type letter struct {
	words
	Title, Intro, Link string
	Facts              []fact
}

// A fact is a line about the sign-in.
type fact struct{ Name, Value string }

// SignIn composes the message to the account's address about the sign-in of s, in the best of the languages there are for an
// Accept-Language header. It is nil, and there is no message, when the address is not one plausible address.
func (c *Composer) SignIn(to, acceptLanguage string, s session.Session) *session.Mail {
	if !plausible(to) {
		return nil
	}
	w := wordsFor(acceptLanguage)
	d := deviceOf(s.Device.Kind)
	l := letter{words: w, Title: w.title(c.options.Product), Intro: w.intro(c.options.Product), Link: c.options.SessionsURL}
	for _, f := range []fact{
		{w.When, w.moment(s.AuthTime)},
		{w.Device, d.in(w)},
		{w.Place, w.place(s.Location)},
		{w.Provider, w.provider(s.SignInProvider)},
	} {
		if f.Value != "" {
			l.Facts = append(l.Facts, f)
		}
	}
	// Neither can fail: the templates read fields that are there, and a buffer takes everything.
	var asText, asHTML bytes.Buffer
	_ = plain.Execute(&asText, l)
	_ = rich.Execute(&asHTML, l)
	return &session.Mail{
		To: to, Subject: l.Title, Text: asText.String(), HTML: asHTML.String(),
		Device: string(s.UserID) + "/" + d.kind(),
	}
}

// tongues are the languages there are, the default first.
var tongues = []words{english, spanish}

var matcher = language.NewMatcher([]language.Tag{english.tag, spanish.tag})

func wordsFor(acceptLanguage string) words {
	if len(acceptLanguage) > maxLanguage {
		acceptLanguage, _, _ = cutLast(acceptLanguage[:maxLanguage], ",")
	}
	_, i := language.MatchStrings(matcher, acceptLanguage)
	return tongues[i]
}

func cutLast(text, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(text, separator); i >= 0 {
		return text[:i], text[i+len(separator):], true
	}
	return text, "", false
}

// moment is a time in words, in UTC. Empty: there is none.
func (w words) moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	at = at.UTC()
	return fmt.Sprintf(w.date, at.Day(), w.months[at.Month()-1], at.Year(), at.Format("15:04"))
}

// printable refuses what could break a line, or turn the direction of what follows.
func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}
