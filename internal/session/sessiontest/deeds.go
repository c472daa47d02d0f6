package sessiontest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

func errorAs(err error) (*session.Error, bool) { return errors.AsType[*session.Error](err) }

// same reports a difference between what was answered and what the model says.
func same[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s: %v, not %v", what, got, want)
	}
	return nil
}

// choose picks one of what is there, false if there is nothing.
func choose[T any](from []T, n int) (one T, ok bool) {
	if len(from) == 0 {
		return one, false
	}
	return from[n%len(from)], true
}

func (d *drive) user(s step) *modelUser { return d.users[s.user%len(d.users)] }

// signIn signs in and registers, as browsers do: seldom it stays at the first.
func (d *drive) signIn(s step) error {
	u := d.user(s)
	if u.barred || u.pending != "" {
		return nil // Firebase lets nobody in; and to finish a revocation ends whoever came in meanwhile
	}
	id := d.directory.Identity(d.directory.SignIn(u.id))
	id.AuthTime = d.now() // to the microsecond: a second in which nothing else happens would be too long to wait for
	id.SessionID, id.ExpiresAt = session.NewID(u.id, id.AuthTime.String(), id.AuthTime), id.AuthTime.Add(48*time.Hour)
	in := signIn{user: u, token: d.directory.Issue(id), id: id, device: []string{"desktop", "mobile"}[s.one%2]}
	d.signIns = append(d.signIns, in)
	if s.other%8 == 0 {
		return nil
	}
	return d.registerAs(s, in)
}

func (d *drive) register(s step) error {
	in, ok := choose(d.signIns, s.one)
	if !ok {
		return nil
	}
	return d.registerAs(s, in)
}

// registerAgain comes soon after the last sign-in, as a second tab does.
func (d *drive) registerAgain(s step) error {
	if len(d.signIns) == 0 {
		return nil
	}
	return d.registerAs(s, d.signIns[len(d.signIns)-1])
}

func (d *drive) registerAs(s step, in signIn) error {
	var replaces session.ID
	if old, ok := choose(d.signIns, s.other); ok && s.other%5 == 0 {
		replaces = old.id.SessionID
	}
	if d.model.unsure(d.model.find(in.id.SessionID), s.instance, d.now()) {
		return nil
	}
	p := d.processes[s.instance]
	want, evicted := d.model.register(in, replaces, d.now())
	id, err := p.gate.Authenticate(d.ctx, in.token)
	var reg session.Registration
	if err == nil {
		reg, err = p.registry.Register(d.ctx, id, session.SignIn{Device: session.Device{Type: in.device}, Replaces: replaces})
	}
	if err := same("registered", answerOf(err), want); err != nil {
		return err
	}
	got := slices.Clone(reg.Evicted)
	slices.Sort(got)
	if slices.Sort(evicted); !slices.Equal(got, evicted) {
		return fmt.Errorf("evicted %v, not %v", got, evicted)
	}
	return nil
}

// as has a request of one of the sign-ins admitted; done is false if it is refused, as it has to be, or there is none.
func (d *drive) as(s step) (p *process, in signIn, a session.Admission, done bool, err error) {
	p = d.processes[s.instance]
	among := d.signIns
	if s.other%4 != 0 { // mostly of those who may
		among = d.admitted()
	}
	in, ok := choose(among, s.one)
	if !ok {
		return p, in, a, true, nil
	}
	want := d.model.admit(in)
	a, err = p.gate.Admit(d.ctx, in.token, session.Origin{})
	if err := same("admitted", answerOf(err), want); err != nil {
		return p, in, a, true, err
	}
	d.model.age(d.now()) // a refusal may have taken a second
	return p, in, a, want.code != "", nil
}

// admitted are the sign-ins that are let in.
func (d *drive) admitted() []signIn {
	return slices.DeleteFunc(slices.Clone(d.signIns), func(in signIn) bool { return d.model.admit(in) != answer{} })
}

// touchAll has everybody do something, by turns at either instance.
func (d *drive) touchAll(s step) error {
	for n := range d.admitted() {
		if err := d.touch(step{instance: (s.instance + n) % 2, one: n, other: 1}); err != nil {
			return err
		}
	}
	return nil
}

func (d *drive) touch(s step) error {
	p, in, a, done, err := d.as(s)
	if done {
		return err
	}
	known := d.model.find(in.id.SessionID)
	known.active[s.instance] = d.now()
	_, err = p.registry.Touch(d.ctx, a.Session)
	return err
}

// ownEnd is why a session ends that its user ends from another, or from itself.
func ownEnd(in signIn, s *modelSession) session.Reason {
	if s.id == in.id.SessionID {
		return session.ReasonLogout
	}
	return session.ReasonRevoked
}

func (d *drive) endOwn(s step) error {
	p, in, a, done, err := d.as(s)
	if done {
		return err
	}
	target, _ := choose(d.signIns, s.other)
	known := d.model.find(target.id.SessionID)
	want := session.Code("")
	if known == nil || known.user != in.user {
		want = session.CodeNotFound
	} else {
		d.model.end(d.now(), func(each *modelSession) session.Reason {
			if each == known {
				return ownEnd(in, each)
			}
			return ""
		})
	}
	return same("ended", session.CodeOf(p.registry.EndOwn(d.ctx, a, target.id.SessionID)), want)
}

func (d *drive) endOthers(s step) error {
	p, in, a, done, err := d.as(s)
	if done {
		return err
	}
	want := d.model.end(d.now(), func(each *modelSession) session.Reason {
		if each.user == in.user && each.id != in.id.SessionID {
			return session.ReasonRevoked
		}
		return ""
	})
	return d.counted("ended", len(want))(p.registry.EndOthers(d.ctx, a))
}

func (d *drive) endAll(s step) error {
	p, in, a, done, err := d.as(s)
	if done {
		return err
	}
	want := d.model.end(d.now(), func(each *modelSession) session.Reason {
		if each.user == in.user {
			return ownEnd(in, each)
		}
		return ""
	})
	return d.counted("ended", len(want))(p.registry.EndAll(d.ctx, a))
}

func (d *drive) counted(what string, want int) func(int, error) error {
	return func(got int, err error) error {
		if err != nil {
			return err
		}
		return same(what, got, want)
	}
}

var admin = session.Actor{By: "boss"}

func (d *drive) adminEnd(s step) error {
	target, ok := choose(d.signIns, s.one)
	if !ok {
		return nil
	}
	known, want := d.model.find(target.id.SessionID), session.Code("")
	if known == nil {
		want = session.CodeNotFound
	}
	d.model.end(d.now(), func(each *modelSession) session.Reason {
		if each == known {
			return session.ReasonAdminRevoked
		}
		return ""
	})
	return same("ended", session.CodeOf(d.processes[s.instance].registry.AdminEnd(d.ctx, admin, target.id.SessionID)), want)
}

// revoked compares what a revocation has ended.
func (d *drive) revoked(u *modelUser, reason session.Reason, got session.Revocation, err error) error {
	if err != nil {
		return err
	}
	return same("revoked", got.Ended, d.model.revoke(u, got.RevokedAt, reason, d.now()))
}

func (d *drive) revoke(s step) error {
	u := d.user(s)
	if u.deleted {
		return nil
	}
	got, err := d.processes[s.instance].registry.RevokeUser(d.ctx, u.id, admin)
	return d.revoked(u, session.ReasonAdminRevoked, got, err)
}

func (d *drive) disable(s step) error {
	u := d.user(s)
	if u.deleted {
		return nil
	}
	u.barred = true
	got, err := d.processes[s.instance].registry.DisableUser(d.ctx, u.id, admin)
	return d.revoked(u, session.ReasonUserDisabled, got, err)
}

func (d *drive) enable(s step) error {
	u := d.user(s)
	if u.deleted {
		return nil
	}
	u.barred = false
	return d.processes[s.instance].registry.EnableUser(d.ctx, u.id, admin)
}

func (d *drive) deleteAccount(s step) error {
	if s.user != 0 || s.other%2 == 0 {
		return nil // three users do not last long
	}
	p, in, a, done, err := d.as(s)
	if done {
		return err
	}
	if err := p.registry.DeleteAccount(d.ctx, a); err != nil {
		return err
	}
	in.user.barred, in.user.deleted = true, true
	stored, err := d.data.User(d.ctx, in.user.id)
	if err != nil {
		return err
	}
	d.model.revoke(in.user, stored.RevokedAt, session.ReasonUserDeleted, d.now())
	return nil
}

func (d *drive) askMass(s step) error {
	f := []session.Filter{{}, {UserID: d.user(s).id}, {DeviceType: "mobile"}}[s.one%3]
	j, err := d.processes[s.instance].registry.StartRevocation(d.ctx, admin, f)
	d.model.jobs = append(d.model.jobs, &modelJob{j.ID, f, j.CreatedAt})
	return err
}

func (d *drive) workMass(s step) error {
	p := d.processes[s.instance]
	jobs := d.model.jobs
	if err := p.registry.WorkOnRevocations(d.ctx); err != nil {
		return err
	}
	ended := 0
	for _, each := range jobs {
		j, err := p.registry.MassRevocation(d.ctx, each.id)
		if err != nil {
			return err
		}
		if ended += j.Ended; j.State == session.JobRunning {
			return fmt.Errorf("a mass revocation is still %s", j.State)
		}
	}
	return same("ended", ended, d.model.work(d.now()))
}

func (d *drive) sweep(s step) error {
	limited, purged := d.model.sweep(d.now(), 2*modelResync)
	got, err := d.processes[s.instance].registry.Sweep(d.ctx, session.SweepAll)
	if err != nil {
		return err
	}
	if err := same("limited", got.Limited, limited); err != nil {
		return err
	}
	return same("purged", got.Purged, purged)
}

// passes are spans of time that matter to the policy, or not.
var passes = []time.Duration{
	time.Second, 30 * time.Second, 59 * time.Second, time.Minute, 3 * time.Minute, 8 * time.Minute, 9 * time.Minute,
	599 * time.Second, 10 * time.Minute, 11 * time.Minute, 31 * time.Minute,
}

func (d *drive) pass(s step) error {
	span, _ := choose(passes, s.one)
	d.Pass(span)
	return nil
}

// stayBusy has everybody do something often enough never to be idle, until their lifetime is over.
func (d *drive) stayBusy(s step) error {
	for range 1 + d.policy.Lifetime/passes[5] {
		if err := d.touchAll(s); err != nil {
			return err
		}
		d.Pass(passes[5])
		d.model.age(d.now())
	}
	return nil
}
