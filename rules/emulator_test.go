package rules

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"

	"cloud.google.com/go/firestore"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/vigilhq/vigil/firestore/firestoretest"
)

func TestMain(m *testing.M) { firestoretest.Main(m) }

// project is a project on the emulator that nobody else uses.
type project struct {
	*firestore.Client
	id, host string
	mutant   int // of its rules, if they have many
}

// dial connects to the emulator, once for all tests: whose a request is says its context, see [as].
var dial = sync.OnceValues(func() (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+emulator.host,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithPerRPCCredentials(bearer{}))
})

var emulator struct {
	once sync.Once
	host string
}

// open returns an empty project with these rules.
func open(t *testing.T, rules string) project {
	t.Helper()
	emulator.once.Do(func() { emulator.host = firestoretest.Start(t) })
	conn, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	p := project{id: firestoretest.ProjectID(t), host: emulator.host}
	if p.Client, err = firestore.NewClient(t.Context(), p.id, option.WithGRPCConn(conn)); err != nil {
		t.Fatal(err)
	}
	if err := p.load(t.Context(), rules); err != nil {
		t.Fatal(err)
	}
	return p
}

// load puts rules in the place of those before. It fails if they are none.
func (p project) load(ctx context.Context, rules string) error {
	type file struct {
		Name    string `json:"name"`
		Content string `json:"content"`
	}
	var body struct {
		Rules struct {
			Files []file `json:"files"`
		} `json:"rules"`
	}
	body.Rules.Files = []file{{Name: "firestore.rules", Content: rules}}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	_, err = p.call(ctx, http.MethodPut, "securityRules", data)
	return err
}

// call uses the emulator's own API.
func (p project) call(ctx context.Context, method, name string, body []byte) ([]byte, error) {
	url := fmt.Sprintf("http://%s/emulator/v1/projects/%s:%s", p.host, p.id, name)
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", name, response.Status, answer)
	}
	return answer, err
}

type tokenKey struct{}

// as makes requests those of a user by the claims of their ID token, which the emulator wants unsigned. Without claims they
// are nobody's.
func as(ctx context.Context, claims map[string]any) context.Context {
	if claims == nil {
		return context.WithValue(ctx, tokenKey{}, "")
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return context.WithValue(ctx, tokenKey{}, encode([]byte(`{"alg":"none","typ":"JWT"}`))+"."+encode(payload)+".")
}

// bearer sends the token of a request's context, and where that has none the one with which the emulator skips its rules.
type bearer struct{}

func (bearer) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	token, ok := ctx.Value(tokenKey{}).(string)
	switch {
	case !ok:
		token = "owner"
	case token == "":
		return nil, nil
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }

// read returns one of the files of this folder.
func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
