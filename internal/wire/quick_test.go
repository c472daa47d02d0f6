package wire

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// heartbeat is a ping as browsers send it, with a token of the usual length.
var heartbeat = []byte(`{"type":"ping","timestamp":1764167695123,"token":"` + strings.Repeat("eyJhbGciOi.", 90) + `"}`)

func TestTheQuickWayTakesWhatBrowsersSend(t *testing.T) {
	for _, frame := range []string{
		string(heartbeat), `{"type":"ping"}`, `{"type":"ping","timestamp":"2026-01-02T03:04:05.678Z"}`, `{"type":"auth","token":"a.b.c"}`,
		`{"type":"activity"}`, `{"type":"ping","timestamp":0}`,
	} {
		if _, ok := quick([]byte(frame)); !ok {
			t.Errorf("left to encoding/json: %.60s", frame)
		}
	}
}

func TestTheQuickWayLeavesTheRest(t *testing.T) {
	for _, frame := range []string{
		``, `{`, `{}`, `{"type"`, `{"type":`, `{"type":"ping"`, `{"type":"ping"}}`, `{"type":"ping",}`, `{"type":"ping"} `, ` {"type":"ping"}`,
		`{"type": "ping"}`, `{"type":"pong"}`, `{"type":"ping","type":"auth"}`, `{"Type":"ping"}`, `{"type":"pi\u006eg"}`, `{type:"ping"}`,
		`{"type":"ping","token":1}`, `{"type":"ping","token":"a","token":"b"}`, `{"type":"ping","timestamp":01}`, `{"type":"ping","timestamp":1e3}`,
		`{"type":"ping","timestamp":null}`, `{"type":"ping","timestamp":"<"}`, `{"type":"ping","x":1}`, `{"token":"a.b.c"}`, `{"type":"","type":"ping"}`,
	} {
		if r, ok := quick([]byte(frame)); ok {
			t.Errorf("%s is %+v", frame, r)
		}
	}
}

func FuzzQuick(f *testing.F) {
	f.Add(heartbeat)
	f.Add([]byte(`{"timestamp":"x","type":"activity","token":""}`))
	for _, each := range fixtures(f, "client.json") {
		f.Add([]byte(each.Frame))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		got, ok := quick(frame)
		if !ok {
			return
		}
		var want Request
		if err := json.Unmarshal(frame, &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %+v, to encoding/json %+v, %v", frame, got, want, err)
		}
	})
}

func FuzzPong(f *testing.F) {
	f.Add([]byte(`1764167695123`), int64(1767323045678), true, int64(0), "")
	f.Add([]byte(`"<&>"`), int64(-1), false, int64(1<<50), "token_expired")
	f.Fuzz(func(t *testing.T, timestamp []byte, now int64, valid bool, deadline int64, fault string) {
		if len(timestamp) > 0 && !json.Valid(timestamp) {
			return
		}
		pong := Pong{
			Type: TypePong, Timestamp: timestamp, ServerTime: Time(time.UnixMilli(now)), TokenValid: valid, Error: fault,
			IdleDeadline: Time(time.UnixMilli(deadline)),
		}
		want, err := json.Marshal(pong)
		if err != nil {
			return // nobody's clock shows that
		}
		if got := Encode(pong); string(got) != string(want) {
			t.Errorf("%s, to encoding/json %s", got, want)
		}
	})
}

func BenchmarkHeartbeat(b *testing.B) {
	now := Time(time.Now())
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = Decode(heartbeat)
		}
	})
	b.Run("decode by encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var r Request
			_ = json.Unmarshal(heartbeat, &r)
		}
	})
	pong := Pong{Type: TypePong, Timestamp: []byte(`1764167695123`), ServerTime: now, TokenValid: true, IdleDeadline: now}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Encode(pong)
		}
	})
	b.Run("encode by encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = json.Marshal(pong)
		}
	})
}
