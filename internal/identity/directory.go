package identity

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"
)

// directory holds every account and sign-in of the project. It is not safe for
// concurrent use: the server holds one lock over each whole request, so that
// no request sees half of another.
type directory struct {
	byUID   map[string]*account
	byEmail map[string]*account
	byPhone map[string]*account
	signIns map[refreshHash]*signIn
}

func newDirectory() *directory {
	return &directory{
		byUID:   make(map[string]*account),
		byEmail: make(map[string]*account),
		byPhone: make(map[string]*account),
		signIns: make(map[refreshHash]*signIn),
	}
}

// create adds an account. An empty uid gets a random one.
func (d *directory) create(uid string, c change, now time.Time) (*account, error) {
	if uid == "" {
		uid = rand.Text()
	}
	if len(uid) > maxUIDLength {
		return nil, invalidLocalID
	}
	if d.byUID[uid] != nil {
		return nil, duplicateLocalID
	}
	// From its first second on: the id tokens of a deleted account must not
	// come back to life with a new account of the same uid.
	a := &account{uid: uid, createdAt: now, validSince: now.Unix()}
	if err := d.update(a, c, now); err != nil {
		return nil, err
	}
	d.byUID[uid] = a
	return a, nil
}

// update applies all of c or nothing. A new password or address ends every
// sign-in of the account.
func (d *directory) update(a *account, c change, now time.Time) error {
	if err := d.check(a, &c); err != nil {
		return err
	}
	var password *passwordHash
	if c.password != nil && *c.password != "" {
		hash, err := hashPassword(*c.password)
		if err != nil {
			return err
		}
		password = hash
	}

	if a.changesCredentials(c) {
		a.endSignIns(now.Unix())
	}
	if c.password != nil {
		a.password, a.passwordUpdatedAt = password, now
	}
	if c.email != nil && *c.email != a.email {
		reindex(d.byEmail, a, a.email, *c.email)
		a.email, a.emailVerified = *c.email, false
	}
	if c.phone != nil {
		reindex(d.byPhone, a, a.phone, *c.phone)
		a.phone = *c.phone
	}
	if c.validSince != nil {
		a.endSignIns(*c.validSince)
	}
	set(&a.displayName, c.displayName)
	set(&a.photoURL, c.photoURL)
	set(&a.emailVerified, c.emailVerified)
	set(&a.disabled, c.disabled)
	set(&a.claims, c.claims)
	return nil
}

// check refuses what update could not carry out, and normalises the address.
func (d *directory) check(a *account, c *change) error {
	if c.email != nil && *c.email != "" {
		email, err := normalEmail(*c.email)
		if err != nil {
			return err
		}
		if owner := d.byEmail[email]; owner != nil && owner != a {
			return emailExists
		}
		c.email = &email
	}
	if c.phone != nil && *c.phone != "" {
		if err := checkPhone(*c.phone); err != nil {
			return err
		}
		if owner := d.byPhone[*c.phone]; owner != nil && owner != a {
			return phoneExists
		}
	}
	if c.password != nil && *c.password != "" {
		return checkPassword(*c.password)
	}
	return nil
}

func (d *directory) remove(a *account) {
	a.deleted = true
	delete(d.byUID, a.uid)
	reindex(d.byEmail, a, a.email, "")
	reindex(d.byPhone, a, a.phone, "")
}

// page returns up to n accounts in the order of their uids, beginning after
// one uid, and whether more follow.
func (d *directory) page(after string, n int) (accounts []*account, more bool) {
	for uid, a := range d.byUID {
		if uid > after {
			accounts = append(accounts, a)
		}
	}
	slices.SortFunc(accounts, func(a, b *account) int { return strings.Compare(a.uid, b.uid) })
	if len(accounts) <= n {
		return accounts, false
	}
	return accounts[:n], true
}

func reindex(index map[string]*account, a *account, from, to string) {
	if from != "" {
		delete(index, from)
	}
	if to != "" {
		index[to] = a
	}
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}
