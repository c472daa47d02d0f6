package sessiontest

import (
	"context"
	"maps"
	"net/mail"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// shortestPassword is Firebase's minimum, in characters.
const shortestPassword = 6

// Email is the address that was last set, empty if none was.
func (d *Directory) Email(uid session.UserID) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.emails[uid]
}

// Password is the password that was last set, empty if none was.
func (d *Directory) Password(uid session.UserID) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.passwords[uid]
}

// SetEmail implements [session.Editor].
func (d *Directory) SetEmail(_ context.Context, uid session.UserID, email string) error {
	const op = "set email"
	return d.edit(op, uid, func(a *session.Account) error {
		if address, err := mail.ParseAddress(email); err != nil || address.Address != email {
			return refused(op, "email", "The e-mail address is malformed.")
		}
		for other, taken := range d.emails {
			if taken == email && other != uid {
				return refused(op, "email", "Another account has this e-mail address.")
			}
		}
		d.emails[uid] = email
		a.TokensValidAfter = thisSecond()
		return nil
	})
}

// SetPassword implements [session.Editor].
func (d *Directory) SetPassword(_ context.Context, uid session.UserID, password string) error {
	const op = "set password"
	return d.edit(op, uid, func(a *session.Account) error {
		if len([]rune(password)) < shortestPassword {
			return refused(op, "password", "The password is too short.")
		}
		d.passwords[uid] = password
		a.TokensValidAfter = thisSecond()
		return nil
	})
}

// SetDisabled implements [session.Editor].
func (d *Directory) SetDisabled(_ context.Context, uid session.UserID, disabled bool) error {
	return d.edit("set disabled", uid, func(a *session.Account) error {
		a.Disabled = disabled
		return nil
	})
}

// SetClaim implements [session.Editor].
func (d *Directory) SetClaim(_ context.Context, uid session.UserID, claim string, on bool) error {
	return d.edit("set claim", uid, func(a *session.Account) error {
		claims := maps.Clone(a.Claims) // the old ones are shared
		delete(claims, claim)
		if on {
			if claims == nil {
				claims = make(map[string]any)
			}
			claims[claim] = true
		}
		a.Claims = claims
		return nil
	})
}

// Delete implements [session.Editor].
func (d *Directory) Delete(_ context.Context, uid session.UserID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return session.Unavailable("delete", errDown)
	}
	d.remove(uid)
	return nil
}

// edit changes an account that is there, unless change refuses. It calls change with d.mu held.
func (d *Directory) edit(op string, uid session.UserID, change func(*session.Account) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return session.Unavailable(op, errDown)
	}
	a, ok := d.accounts[uid]
	if !ok {
		return &session.Error{Op: op, Code: session.CodeNotFound}
	}
	if err := change(&a); err != nil {
		return err
	}
	d.accounts[uid] = a
	return nil
}

func refused(op, field, message string) error {
	return &session.Error{Op: op, Code: session.CodeInvalidRequest, Field: field, Message: message}
}

func thisSecond() time.Time { return time.Now().Truncate(time.Second).UTC() }
