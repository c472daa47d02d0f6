package sessiontest

import (
	"fmt"

	"github.com/vigilhq/vigil/internal/session"
)

// restart replaces an instance as a roll-out does.
func (d *drive) restart(s step) (err error) {
	old := d.processes[s.instance]
	if err := old.registry.Flush(d.ctx); err != nil {
		return err
	}
	old.crash()
	d.processes[s.instance], err = d.run(d.ctx, d.directory, d.policy)
	return err
}

// crash replaces an instance that had no time for anything: it may lose the last interval's activity, and no more.
func (d *drive) crash(s step) (err error) {
	d.processes[s.instance].crash()
	for _, known := range d.model.sessions {
		if known.over != "" {
			continue
		}
		stored, err := d.data.Session(d.ctx, known.id)
		if err != nil {
			return err
		}
		if lost := known.lastActive().Sub(stored.LastActive); lost > d.policy.TouchInterval {
			return fmt.Errorf("%s of activity of %.6s was not stored", lost, known.id)
		}
		known.active[s.instance] = stored.LastActive
	}
	d.processes[s.instance], err = d.run(d.ctx, d.directory, d.policy)
	return err
}

// dieRevoking has an instance die once a revocation is decided, before anything else of it is done.
func (d *drive) dieRevoking(s step) error {
	u, p := d.user(s), d.processes[s.instance]
	if u.deleted || u.pending != "" {
		return nil
	}
	p.store.Before(func(op string) {
		if op == "UserSessions" {
			p.store.SetDown(true)
		}
	})
	reason, revoke := session.ReasonAdminRevoked, p.registry.RevokeUser
	if s.one%2 == 0 {
		reason, revoke = session.ReasonUserDisabled, p.registry.DisableUser
		u.barred = true
	}
	_, err := revoke(d.ctx, u.id, admin)
	if err := same("revoked", session.CodeOf(err), session.CodeUnavailable); err != nil {
		return err
	}
	stored, err := d.data.User(d.ctx, u.id)
	if err != nil {
		return err
	}
	u.revokedAt, u.pending = stored.RevokedAt, reason
	return d.crash(s)
}

// changeLimit is a roll-out with another limit.
func (d *drive) changeLimit(s step) error {
	d.policy.MaxSessions = 1 + s.one%4
	d.model.MaxSessions = d.policy.MaxSessions
	for n := range d.processes {
		if err := d.restart(step{instance: n}); err != nil {
			return err
		}
	}
	return d.registerAgain(s) // which keeps it, if it is soon enough
}
