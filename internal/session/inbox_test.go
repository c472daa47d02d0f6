package session

import (
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
		b := NewInbox(30 * time.Second)
		state := func(current, steady bool) {
			t.Helper()
			if b.Current() != current || b.Steady(time.Minute) != steady {
				t.Errorf("current %t, steady %t", b.Current(), b.Steady(time.Minute))
			}
		}
		state(false, true)
		b.Prove(time.Now())
		state(true, true)
		<-time.After(30 * time.Second)
		state(true, true)
		<-time.After(1)
		state(false, true)
		b.Prove(time.Now().Add(-40 * time.Second)) // a proof is worth what was known when it began
		state(false, true)
		b.Prove(time.Now())
		state(true, false)
		<-time.After(time.Minute)
		b.Prove(time.Now().Add(-30 * time.Second))
		b.Prove(time.Now())
		state(true, true)
	})
}

func TestTokensAreBounded(t *testing.T) {
	known := newTokens()
	now := time.Unix(1000, 0)
	put := func(uid UserID, n byte) tokenKey {
		key := tokenKey{n}
		copy(key[1:], uid)
		known.Put(key, Identity{UserID: uid, ExpiresAt: now.Add(time.Minute)})
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
	for n := range maxTokens {
		put(UserID("user "+strconv.Itoa(n)), 1)
	}
	if len(known.known) > maxTokens || len(known.byUser) > maxTokens {
		t.Errorf("%d tokens of %d users", len(known.known), len(known.byUser))
	}
}

func TestUsersAreBounded(t *testing.T) {
	st := newStates(nil, nil, nil)
	for n := range maxUsers + 10 {
		st.of(UserID(strconv.Itoa(n)))
	}
	if len(st.known) > maxUsers {
		t.Errorf("%d users", len(st.known))
	}
}
