package wire

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

type fixture struct {
	Name  string          `json:"name"`
	Frame json.RawMessage `json:"frame"`
}

func fixtures(t testing.TB, name string) []fixture {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var all []fixture
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestDecodeAcceptsTheClientsMessages(t *testing.T) {
	for _, f := range fixtures(t, "client.json") {
		t.Run(f.Name, func(t *testing.T) {
			r, err := Decode(f.Frame)
			if err != nil {
				t.Fatal(err)
			}
			sameJSON(t, Encode(r), f.Frame)
		})
	}
}

func TestDecodeRefusesEverythingElse(t *testing.T) {
	for _, f := range fixtures(t, "rejected.json") {
		t.Run(f.Name, func(t *testing.T) {
			var frame string
			if err := json.Unmarshal(f.Frame, &frame); err != nil {
				t.Fatal(err)
			}
			if r, err := Decode([]byte(frame)); err == nil {
				t.Errorf("Decode(%s) = %+v", frame, r)
			}
		})
	}
}

func TestServerMessagesKeepTheirShape(t *testing.T) {
	messages := map[Type]func() any{
		TypeReady:          func() any { return new(Ready) },
		TypePong:           func() any { return new(Pong) },
		TypeIdleWarning:    func() any { return new(IdleWarning) },
		TypeIdleReset:      func() any { return new(IdleReset) },
		TypeAuthExpired:    func() any { return new(Last) },
		TypeSessionRevoked: func() any { return new(Last) },
		TypeSessionStarted: func() any { return new(SessionStarted) },
		TypeSessionClosed:  func() any { return new(SessionClosed) },
		TypeSecurityAlert:  func() any { return new(SecurityAlert) },
		TypeClaimsChanged:  func() any { return new(ClaimsChanged) },
	}
	seen := make(map[Type]bool)
	for _, f := range fixtures(t, "server.json") {
		t.Run(f.Name, func(t *testing.T) {
			var head struct{ Type Type }
			if err := json.Unmarshal(f.Frame, &head); err != nil {
				t.Fatal(err)
			}
			seen[head.Type] = true
			message := messages[head.Type]()
			decoder := json.NewDecoder(bytes.NewReader(f.Frame))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(message); err != nil {
				t.Fatal(err)
			}
			encoded := Encode(message)
			sameJSON(t, encoded, f.Frame)
			if !bytes.HasPrefix(encoded, []byte(`{"type":"`)) {
				t.Errorf("type does not stand first: %s", encoded)
			}
		})
	}
	for name := range messages {
		if !seen[name] {
			t.Errorf("no fixture for %s", name)
		}
	}
}

func TestOnlyCodesBelow4500MayReconnect(t *testing.T) {
	for code, terminal := range map[CloseCode]bool{
		CloseRestart: false, CloseTokenExpired: false, CloseUnavailable: false, CloseSlow: false, CloseSilent: false,
		CloseTooMany: false, CloseReplaced: false,
		CloseProtocol: true, CloseUnauthorized: true, CloseRevoked: true, CloseIdle: true, CloseExpired: true,
		CloseAccountGone: true,
	} {
		if code.Terminal() != terminal {
			t.Errorf("%d: Terminal() = %t", code, code.Terminal())
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, each := range fixtures(f, "client.json") {
		f.Add([]byte(each.Frame))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		r, err := Decode(frame)
		if err != nil {
			return
		}
		again, err := Decode(Encode(r))
		if err != nil || again.Type != r.Type || again.Token != r.Token {
			t.Errorf("%q decodes to %+v, again to %+v, %v", frame, r, again, err)
		}
	})
}

func sameJSON(t *testing.T, got, want []byte) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(want, &b); err != nil {
		t.Fatal(err)
	}
	g, w := Encode(a), Encode(b)
	if !bytes.Equal(g, w) {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}
