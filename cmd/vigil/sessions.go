package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vigilhq/vigil/cmd/internal/config"
	"github.com/vigilhq/vigil/internal/session"
)

// listPage is how many sessions are read, and held, at a time.
const listPage = 200

func newSessions(env environment) *cobra.Command {
	return group("sessions", "List and end sessions of all users", newSessionsList(env), newSessionsEnd(env))
}

func newSessionsList(env environment) *cobra.Command {
	m := &maintenance{env: env}
	var f filterFlags
	var status string
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the sessions of all users, or those that a filter chooses",
		Long: "List the sessions of all users, or those that a filter chooses, in the order in which the store keeps them. --json prints one\n" +
			"session per line, in the words of the API (NDJSON). Needs STORE=firestore.",
		Example: "  vigil sessions list --user pXk3m0cQ --status all\n" +
			"  vigil sessions list --country MX --active-before 24h --limit 0 --json | jq -r .id",
	}
	f.flags(cmd.Flags())
	cmd.Flags().StringVar(&status, "status", "active", "active, ended (within RETENTION), or all")
	cmd.Flags().IntVar(&limit, "limit", 100, "how many at most; 0: all")
	check := func(args []string) error {
		switch {
		case len(args) > 0:
			return fmt.Errorf("unknown argument %q", args[0])
		case !slices.Contains([]string{"active", "ended", "all"}, status):
			return fmt.Errorf("--status %q is none of active, ended, all", status)
		case limit < 0:
			return fmt.Errorf("--limit %d is negative", limit)
		default:
			return f.check()
		}
	}
	return m.command(cmd, check, func(ctx context.Context, s *shell, _ []string) error {
		filter := f.filter(s.registry.Now())
		if status != "all" {
			filter.Status = session.Status(status)
		}
		return s.told(ctx, "list sessions", s.list(ctx, filter, limit))
	})
}

// list prints the sessions that pass a filter, at most limit of them unless that is 0, page by page.
func (s *shell) list(ctx context.Context, f session.Filter, limit int) error {
	lister := lister{shell: s, table: table{w: s.env.stdout}}
	shown := 0
	for after := (session.Cursor{}); ; {
		size := listPage
		if limit > 0 {
			size = min(size, limit-shown+1) // one more, to know whether there is one
		}
		page, next, err := s.registry.Search(ctx, f, after, size)
		if err != nil {
			return err
		}
		more := limit > 0 && shown+len(page) > limit
		if more {
			page = page[:limit-shown]
		}
		if err := lister.print(page); err != nil {
			return err
		}
		shown += len(page)
		switch {
		case more:
			_, err := fmt.Fprintf(s.env.stderr, "There are more than these %d: --limit 0 lists all.\n", limit)
			return err
		case next == nil && shown == 0 && !s.json:
			_, err := fmt.Fprintln(s.env.stderr, "No sessions.")
			return err
		case next == nil:
			return nil
		}
		after = *next
	}
}

// lister prints sessions, for people or as JSON.
type lister struct {
	*shell
	table table
}

func (l *lister) print(page []session.Session) error {
	if l.json {
		for _, each := range page {
			if err := l.shell.print(l.registry.Settings().ViewForAdmin(each, "")); err != nil {
				return err
			}
		}
		return nil
	}
	if len(page) == 0 {
		return nil
	}
	return l.rows(page)
}

// rows prints sessions for people, under a head if they are the first.
func (l *lister) rows(page []session.Session) error {
	var rows [][]string
	if l.table.widths == nil {
		rows = append(rows, sessionColumns)
	}
	now := l.registry.Now()
	for _, each := range page {
		rows = append(rows, sessionRow(each, now))
	}
	return l.table.print(rows...)
}

// filterFlags choose sessions.
type filterFlags struct {
	user, ip, deviceType, country string
	activeBefore                  moment
}

var countryForm = regexp.MustCompile(`^[A-Z]{2}$`)

func (f *filterFlags) flags(flags *pflag.FlagSet) {
	flags.StringVar(&f.user, "user", "", "only those of the user with this uid")
	flags.StringVar(&f.ip, "ip", "", "only those whose sign-in came from this address")
	flags.StringVar(&f.deviceType, "device-type", "", "only desktop, mobile, tablet, bot or other")
	flags.StringVar(&f.country, "country", "", "only those that began in this country, such as MX")
	flags.Var(&f.activeBefore, "active-before", "only those without activity since a moment, such as 2026-01-31T18:00:00Z, or for a time, such as 24h")
}

// check finds fault with the flags, and puts them into the form in which sessions have them.
func (f *filterFlags) check() error {
	f.country = strings.ToUpper(f.country)
	switch {
	case f.user != "" && !session.UserID(f.user).Valid():
		return fmt.Errorf("--user %q is not a uid", f.user)
	case f.deviceType != "" && !slices.Contains([]string{"desktop", "mobile", "tablet", "bot", "other"}, f.deviceType):
		return fmt.Errorf("--device-type %q is none of desktop, mobile, tablet, bot, other", f.deviceType)
	case f.country != "" && !countryForm.MatchString(f.country):
		return fmt.Errorf("--country %q is not a code of two letters", f.country)
	case f.ip != "":
		ip, err := netip.ParseAddr(f.ip)
		if err != nil {
			return fmt.Errorf("--ip %q is not an IP address", f.ip)
		}
		f.ip = ip.Unmap().WithZone("").String()
	}
	return nil
}

// any reports whether the flags choose at all.
func (f *filterFlags) any() bool { return *f != filterFlags{} }

// filter is what the flags choose at now.
func (f *filterFlags) filter(now time.Time) session.Filter {
	return session.Filter{
		UserID: session.UserID(f.user), IPAddress: f.ip, DeviceType: f.deviceType, Country: f.country,
		ActiveBefore: f.activeBefore.at(now),
	}
}

// moment is a flag: a time, or how long ago that is.
type moment struct {
	text string
	time time.Time
	ago  time.Duration
}

// String implements [pflag.Value].
func (m *moment) String() string { return m.text }

// Type implements [pflag.Value].
func (m *moment) Type() string { return "moment" }

// Set implements [pflag.Value].
func (m *moment) Set(text string) error {
	*m = moment{text: text}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		m.time = at
		return nil
	}
	if span, err := config.ParseDuration(text); err == nil && span > 0 {
		m.ago = span
		return nil
	}
	return errors.New("it is neither a moment such as 2026-01-31T18:00:00Z nor a positive duration such as 24h")
}

// at is the moment, seen from now; zero if none is given.
func (m *moment) at(now time.Time) time.Time {
	if m.ago > 0 {
		return now.Add(-m.ago)
	}
	return m.time
}
