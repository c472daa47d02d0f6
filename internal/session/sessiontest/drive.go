package sessiontest

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vigilhq/vigil/internal/session"
)

// step is one thing that happens. Its numbers choose among what is there.
type step struct {
	do                         string
	instance, user, one, other int
	look                       bool // everything is compared afterwards
}

func (s step) String() string {
	return fmt.Sprintf("%s instance %d user %d one %d other %d", s.do, s.instance, s.user, s.one, s.other)
}

// nothing is what a step that makes no difference is shortened to.
const nothing = "nothing"

// deeds are what may happen, and how. Those in timed need a world where time can be made to pass.
var (
	deeds = map[string]func(*drive, step) error{
		"sign in": (*drive).signIn, "register": (*drive).register, "register again": (*drive).registerAgain, "touch": (*drive).touch, "touch all": (*drive).touchAll,
		"end own": (*drive).endOwn, "end others": (*drive).endOthers, "end all": (*drive).endAll, "admin end": (*drive).adminEnd,
		"revoke": (*drive).revoke, "disable": (*drive).disable, "enable": (*drive).enable, "delete": (*drive).deleteAccount,
		"ask for a mass revocation": (*drive).askMass, "work on mass revocations": (*drive).workMass, "sweep": (*drive).sweep,
		"restart": (*drive).restart, "crash": (*drive).crash, "pass": (*drive).pass, "die in a revocation": (*drive).dieRevoking,
		"change the limit": (*drive).changeLimit, "stay busy": (*drive).stayBusy,
	}
	timed  = []string{"pass", "crash", "die in a revocation", "change the limit", "stay busy"}
	common = []string{"sign in", "sign in", "sign in", "sign in", "touch", "touch", "touch all", "touch all", "touch all", "pass", "pass", "pass", "pass"}
)

func steps(n int, timeless bool) *rapid.Generator[[]step] {
	names := append(slices.Sorted(maps.Keys(deeds)), common...)
	if timeless {
		names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(timed, name) })
	}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			do:       rapid.SampledFrom(append([]string{nothing}, names...)).Draw(t, "do"),
			instance: rapid.IntRange(0, 1).Draw(t, "instance"), user: rapid.IntRange(0, 2).Draw(t, "user"),
			one: rapid.IntRange(0, 1<<10).Draw(t, "one"), other: rapid.IntRange(0, 1<<10).Draw(t, "other"),
			look: timeless || rapid.IntRange(0, 2).Draw(t, "look") == 0,
		}
	}), n/2, n)
}

// TestModel drives the real thing and a small model of the policy with the same random sequences of steps, and finds no difference: in
// what the gate and every deed answer, in what is listed, and in why sessions have ended. A sequence that makes a
// difference is shortened and printed, with the seed to repeat it.
//
// Within calls play once with an empty world, and returns what play returns. Timeless says that its time cannot be made to pass.
func TestModel(t *testing.T, checks, length int, timeless bool, within func(t *testing.T, play func(context.Context, World) error) error) {
	if err := flag.Set("rapid.checks", strconv.Itoa(checks)); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []session.LimitPolicy{session.LimitEvict, session.LimitReject} {
		t.Run(string(limit), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				script := steps(length, timeless).Draw(rt, "steps")
				if err := within(t, func(ctx context.Context, w World) error { return play(ctx, w, limit, script) }); err != nil {
					rt.Fatal(err)
				}
			})
		})
	}
}

// signIn is a sign-in that somebody has made, with its token.
type signIn struct {
	user   *modelUser
	token  string
	id     session.Identity
	device string
}

// drive is one run.
type drive struct {
	ctx context.Context
	World
	policy    session.Policy
	directory *Directory
	processes [2]*process
	data      Data
	model     *model
	users     []*modelUser
	signIns   []signIn
	story     []string
}

// play plays the steps of a script, and says where the world differs from the model.
func play(ctx context.Context, w World, limit session.LimitPolicy, script []step) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := &drive{ctx: ctx, World: w, policy: modelPolicy, directory: NewDirectory()}
	d.policy.LimitPolicy = limit
	d.data, _ = w.Connect()
	d.model = &model{Policy: d.policy, users: make(map[session.UserID]*modelUser)}
	for _, uid := range []session.UserID{"ana", "bea", "cem"} {
		u := &modelUser{id: uid}
		d.directory.SignIn(uid) // the account
		d.model.users[uid], d.users = u, append(d.users, u)
	}
	defer func() {
		for _, p := range d.processes {
			if p != nil {
				p.crash()
			}
		}
		if err != nil {
			err = fmt.Errorf("%w\nafter\n%s", err, strings.Join(d.story, "\n"))
		}
	}()
	for n := range d.processes {
		if d.processes[n], err = w.run(ctx, d.directory, d.policy); err != nil {
			return err
		}
	}
	for _, s := range script {
		if err := d.step(s); err != nil {
			return err
		}
	}
	return d.compare()
}

func (d *drive) step(s step) error {
	if s.do == nothing {
		return nil
	}
	if d.Pass != nil {
		d.Pass(time.Second)
	}
	d.story = append(d.story, fmt.Sprintf("%s %s", d.now().Format("15:04:05.000000"), s))
	d.model.age(d.now())
	old := d.now().Add(-d.policy.Retention)
	d.signIns = slices.DeleteFunc(d.signIns, func(in signIn) bool { return in.id.AuthTime.Before(old) })
	if err := deeds[s.do](d, s); err != nil {
		return err
	}
	if !s.look {
		return nil
	}
	return d.compare()
}

func (d *drive) now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// compare asks every instance about everything.
func (d *drive) compare() error {
	return d.eventually(func() error {
		for n, p := range d.processes {
			for _, in := range d.signIns {
				if err := d.compareGate(n, p, in); err != nil {
					return err
				}
			}
			for _, u := range d.users {
				if err := d.compareList(n, p, u); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (d *drive) compareGate(n int, p *process, in signIn) error {
	d.model.age(d.now())
	want := d.model.admit(in)
	if want.code == session.CodeSessionRequired && d.Pass == nil {
		return nil // to ask for what is missing takes a second
	}
	_, err := p.gate.Admit(d.ctx, in.token, session.Origin{})
	if got := answerOf(err); got != want {
		return fmt.Errorf("instance %d admits %s's %.6s with %v, not %v", n, in.user.id, in.id.SessionID, got, want)
	}
	return nil
}

// answerOf is an error in the words of the model.
func answerOf(err error) (a answer) {
	a.code = session.CodeOf(err)
	if e, ok := errorAs(err); ok && (a.code == session.CodeSessionEnded || a.code == session.CodeReauthRequired) {
		a.reason = e.Reason
	}
	return a
}

// compareList compares what is listed of a user: which sessions there are, live or ended, why and how long ago.
func (d *drive) compareList(n int, p *process, u *modelUser) error {
	d.model.age(d.now())
	listed, err := p.registry.Sessions(d.ctx, u.id, true)
	if err != nil {
		return err
	}
	got := make(map[session.ID]session.Reason, len(listed))
	for _, s := range listed {
		got[s.ID] = s.EndReason
		if (s.Status == session.StatusEnded) != (s.EndReason != "") {
			return fmt.Errorf("%.6s is %s for the reason %q", s.ID, s.Status, s.EndReason)
		}
	}
	for _, s := range d.model.sessions {
		if s.user != u || s.over != "" && d.now().Sub(s.overAt) > d.policy.Retention {
			continue
		}
		reason, ok := got[s.id]
		if !ok || reason != s.over {
			return fmt.Errorf("instance %d lists %.6s of %s as %q (%t), not %q", n, s.id, u.id, reason, ok, s.over)
		}
		delete(got, s.id)
	}
	for id := range got {
		return fmt.Errorf("instance %d lists %.6s of %s, which is not there", n, id, u.id)
	}
	return d.compareActivity(n, listed)
}

// compareActivity allows what is stored to lag behind by an interval.
func (d *drive) compareActivity(n int, listed []session.Session) error {
	for _, s := range listed {
		known := d.model.find(s.ID)
		if known.over != "" || d.Pass == nil {
			continue
		}
		if lag := known.lastActive().Sub(s.LastActive); lag < 0 || lag > d.policy.TouchInterval {
			return fmt.Errorf("instance %d lists %.6s as last active at %s, not %s", n, s.ID, s.LastActive, known.lastActive())
		}
	}
	return nil
}
