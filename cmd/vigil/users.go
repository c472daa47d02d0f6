package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vigilhq/vigil/internal/session"
)

func newUsers(env environment) *cobra.Command {
	return group("users", "Revoke, disable and enable accounts, and make admins",
		newUsersRevoke(env), newUsersDisable(env), newUsersEnable(env), newUsersGrantAdmin(env))
}

// usersNote ends the help of these commands.
const usersNote = "An account is named by its uid, as in the Firebase console; there is no look-up by e-mail address. Needs STORE=firestore."

// outcome is what a command has done to an account.
type outcome struct {
	UserID    session.UserID     `json:"userId"`
	Ended     *int               `json:"ended,omitempty"`
	RevokedAt *session.Timestamp `json:"revokedAt,omitempty"`
	Disabled  *bool              `json:"disabled,omitempty"`
	Admin     *bool              `json:"admin,omitempty"`
	text      string
}

// userCommand completes a command that does something to each account that it is given. Ask returns the question that has to
// be answered first, empty if there is none.
func (m *maintenance) userCommand(
	cmd *cobra.Command, ask func(uids []string) string, do func(context.Context, *shell, session.UserID) (outcome, error),
) *cobra.Command {
	m.flags(cmd.Flags())
	check := func(uids []string) error {
		if len(uids) == 0 {
			return errors.New("whose account? Name it by its uid")
		}
		for _, uid := range uids {
			if !session.UserID(uid).Valid() {
				return fmt.Errorf("%q is not a uid", uid)
			}
		}
		m.asks = ask(uids) != ""
		return nil
	}
	return m.command(cmd, check, func(ctx context.Context, s *shell, uids []string) error {
		if question := ask(uids); question != "" {
			if err := s.confirm(ctx, question); err != nil {
				return err
			}
		}
		var failures []error
		for _, uid := range uids {
			done, err := do(ctx, s, session.UserID(uid))
			switch {
			case err != nil:
				err = s.told(ctx, "user "+uid, err)
			case s.json:
				err = s.print(done)
			default:
				_, err = fmt.Fprintf(s.env.stdout, "user %s: %s\n", uid, done.text)
			}
			failures = append(failures, err)
		}
		return errors.Join(failures...)
	})
}

func newUsersRevoke(env environment) *cobra.Command {
	m := &maintenance{env: env}
	cmd := &cobra.Command{
		Use:   "revoke UID...",
		Short: "End everything that users have: sessions, sockets, refresh tokens",
		Long: "End everything that users have: every sign-in up to now is refused on every instance, sockets close, and refresh tokens are\n" +
			"revoked. They may sign in anew. Asks first; without a terminal it needs --yes.\n\n" + usersNote,
		Example: "  vigil users revoke pXk3m0cQ --reason 'lost laptop'",
	}
	ask := func(uids []string) string { return "Revoke " + counted(len(uids), "user") + "?" }
	return m.userCommand(cmd, ask, func(ctx context.Context, s *shell, uid session.UserID) (outcome, error) {
		done, err := s.registry.RevokeUser(ctx, uid, s.actor())
		return revoked(uid, "revoked", done), err
	})
}

func newUsersDisable(env environment) *cobra.Command {
	m := &maintenance{env: env}
	cmd := &cobra.Command{
		Use:   "disable UID...",
		Short: "Disable accounts, and end everything that they have",
		Long: "Disable accounts in Firebase, and end everything that they have, as revoke does. Nobody signs in with them until they are enabled.\n" +
			"Asks first; without a terminal it needs --yes.\n\n" + usersNote,
		Example: "  vigil users disable pXk3m0cQ --reason 'left the company' --yes",
	}
	ask := func(uids []string) string { return "Disable " + counted(len(uids), "user") + "?" }
	return m.userCommand(cmd, ask, func(ctx context.Context, s *shell, uid session.UserID) (outcome, error) {
		done, err := s.registry.DisableUser(ctx, uid, s.actor())
		o := revoked(uid, "disabled", done)
		o.Disabled = new(true)
		return o, err
	})
}

func revoked(uid session.UserID, what string, done session.Revocation) outcome {
	at := session.Timestamp(done.RevokedAt)
	return outcome{UserID: uid, Ended: &done.Ended, RevokedAt: &at, text: what + ", " + counted(done.Ended, "session") + " ended"}
}

func newUsersEnable(env environment) *cobra.Command {
	m := &maintenance{env: env}
	cmd := &cobra.Command{
		Use:     "enable UID...",
		Short:   "Let disabled accounts sign in again",
		Long:    "Let disabled accounts sign in again. What has ended stays so. Never asks.\n\n" + usersNote,
		Example: "  vigil users enable pXk3m0cQ",
	}
	never := func([]string) string { return "" }
	return m.userCommand(cmd, never, func(ctx context.Context, s *shell, uid session.UserID) (outcome, error) {
		return outcome{UserID: uid, Disabled: new(false), text: "enabled"}, s.registry.EnableUser(ctx, uid, s.actor())
	})
}

func newUsersGrantAdmin(env environment) *cobra.Command {
	m := &maintenance{env: env}
	var remove bool
	cmd := &cobra.Command{
		Use:   "grant-admin UID...",
		Short: "Make users admins: this is how the first one comes to be",
		Long: "Make users admins, or with --remove no admins any more: sets or removes the custom claim that ADMIN_CLAIM names, and leaves the\n" +
			"account's other claims as they are. Who has the project's credentials needs no admin to do this, so this is how the first admin\n" +
			"comes to be. It counts from the user's next token on, which open dashboards are told to fetch; that a claim is gone counts at once.\n" +
			"--remove asks first; without a terminal it needs --yes.\n\n" + usersNote,
		Example: "  vigil users grant-admin pXk3m0cQ\n" +
			"  vigil users grant-admin pXk3m0cQ --remove --reason 'changed teams'",
	}
	cmd.Flags().BoolVar(&remove, "remove", false, "take the right away")
	ask := func(uids []string) string {
		if !remove {
			return ""
		}
		return "Take the admin's right from " + counted(len(uids), "user") + "?"
	}
	return m.userCommand(cmd, ask, func(ctx context.Context, s *shell, uid session.UserID) (outcome, error) {
		text := "is an admin, from the next token on"
		if remove {
			text = "is no admin any more"
		}
		return outcome{UserID: uid, Admin: new(!remove), text: text}, s.registry.SetAdmin(ctx, uid, s.actor(), !remove)
	})
}
