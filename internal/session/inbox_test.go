package session

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestInboxAppliesEveryNoticeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewInbox(time.Minute)
		applied := 0
		b.Subscribe(func(Notice) { applied++ })
		n := NewNotice(NoticeEnded, "ana", ReasonLogout, "one")
		for range 3 {
			b.Deliver(n)
		}
		b.Deliver(NewNotice(NoticeEnded, "ana", ReasonLogout, "one"))
		if applied != 2 {
			t.Errorf("applied %d times", applied)
		}
		for i := range 1000 {
			<-time.After(time.Minute)
			b.Deliver(Notice{ID: strconv.Itoa(i)})
		}
		if len(b.seen) > 15 {
			t.Errorf("remembers %d notices, one a minute", len(b.seen))
		}
	})
}

func TestInboxKnowsHowCurrentItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const period = 20 * time.Second
		b := NewInbox(period)
		gaps := 0
		b.OnGap(func() { gaps++ })
		state := func(current, steady bool, wantGaps int) {
			t.Helper()
			if b.Current() != current || b.Steady(time.Minute) != steady || gaps != wantGaps {
				t.Errorf("current %t, steady %t, %d gaps", b.Current(), b.Steady(time.Minute), gaps)
			}
		}
		state(false, true, 0)
		b.Prove(time.Now())
		state(true, true, 0)
		<-time.After(2 * period)
		state(true, true, 0)
		<-time.After(1)
		state(false, true, 0)
		b.Prove(time.Now().Add(-2*period - 1)) // a proof is worth what was known when it began
		state(false, true, 0)
		b.Prove(time.Now())
		state(true, false, 1)
		<-time.After(period)
		b.Prove(time.Now()) // the usual
		<-time.After(period + period/2)
		b.Prove(time.Now()) // late, but not too late
		<-time.After(15 * time.Second)
		b.Prove(time.Now())
		state(true, true, 1)
		<-time.After(period + period/2 + 1)
		b.Prove(time.Now()) // a catch-up has failed
		state(true, false, 1)
	})
}

func TestAnInstanceBornIntoAnOutageIsNotSteady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewInbox(20 * time.Second)
		<-time.After(31 * time.Second)
		b.Prove(time.Now())
		if b.Steady(time.Minute) {
			t.Error("steady")
		}
	})
}

func TestTokensAreBounded(t *testing.T) {
	const limit = 1000
	known := newTokens(limit)
	now := time.Unix(1000, 0)
	put := func(uid UserID, n byte) tokenKey {
		key := tokenKey{n}
		copy(key[1:], uid)
		known.Put(key, Identity{UserID: uid, ExpiresAt: now.Add(time.Minute)}, now)
		return key
	}
	bens := put("ben", 0)
	first := put("ana", 0)
	put("ana", 0)
	var last tokenKey
	for n := range byte(maxTokensPerUser) {
		last = put("ana", n+1)
	}
	for key, want := range map[tokenKey]bool{first: false, last: true, bens: true} {
		if _, ok := known.Get(key, now); ok != want {
			t.Errorf("%x: known %t", key[:4], ok)
		}
	}
	if _, ok := known.Get(last, now.Add(time.Minute)); ok {
		t.Error("known at its expiry")
	}
	for n := range limit {
		put(UserID("user "+strconv.Itoa(n)), 1)
	}
	if len(known.known) > limit || len(known.byUser) > limit {
		t.Errorf("%d tokens of %d users", len(known.known), len(known.byUser))
	}
	now = now.Add(time.Hour) // all of those have expired
	for n := range limit {
		put(UserID("later "+strconv.Itoa(n)), 1)
	}
	expired := 0
	for _, id := range known.known {
		if !now.Before(id.ExpiresAt) {
			expired++
		}
	}
	if expired > limit/10 {
		t.Errorf("%d expired tokens are kept", expired)
	}
}

// emptyStore has no sessions.
type emptyStore struct{ Store }

func (emptyStore) Session(context.Context, ID) (Session, error) {
	return Session{}, &Error{Code: CodeNotFound}
}

func TestWhatIsMissingIsRememberedOfAFew(t *testing.T) {
	st := newStates(emptyStore{}, nil, nil, NoMeter{})
	for n := range 10 * maxUserSessions {
		if _, err := st.Session(t.Context(), "ana", ID(strconv.Itoa(n))); CodeOf(err) != CodeNotFound {
			t.Fatal(err)
		}
	}
	if n := len(st.of("ana").missing); n > maxUserSessions {
		t.Errorf("%d sessions", n)
	}
}

func TestUsersAreBounded(t *testing.T) {
	st := newStates(nil, nil, nil, NoMeter{})
	for n := range maxUsers + 10 {
		st.of(UserID(strconv.Itoa(n)))
	}
	if len(st.known) > maxUsers {
		t.Errorf("%d users", len(st.known))
	}
}
