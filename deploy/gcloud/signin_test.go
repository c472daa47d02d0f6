package gcloud

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestSignIn(t *testing.T) {
	const ours, theirs = "https://vigil-signin-123456789012.europe-west4.run.app", "https://their.example.com/before"
	for name, c := range map[string]struct {
		config, script, want, says string
		environment                []string
	}{
		"registered":                {`{}`, "sign-in.sh", `{"blockingFunctions":{"triggers":{"beforeSignIn":{"functionUri":"` + ours + `"}}}}`, "", nil},
		"another event's is kept":   {`{"blockingFunctions":{"triggers":{"beforeCreate":{"functionUri":"x","updateTime":"t"}},"forwardInboundCredentials":{"idToken":true}}}`, "sign-in.sh", `{"blockingFunctions":{"triggers":{"beforeCreate":{"functionUri":"x"},"beforeSignIn":{"functionUri":"` + ours + `"}},"forwardInboundCredentials":{"idToken":true}}}`, "", nil},
		"another's is not":          {`{"blockingFunctions":{"triggers":{"beforeSignIn":{"functionUri":"` + theirs + `"}}}}`, "sign-in.sh", `{"blockingFunctions":{"triggers":{"beforeSignIn":{"functionUri":"` + theirs + `"}}}}`, theirs, nil},
		"unregistered":              {`{"blockingFunctions":{"triggers":{"beforeCreate":{"functionUri":"x"},"beforeSignIn":{"functionUri":"` + ours + `"}}}}`, "sign-in.sh off", `{"blockingFunctions":{"triggers":{"beforeCreate":{"functionUri":"x"}}}}`, "", nil},
		"unregistered, not theirs":  {`{"blockingFunctions":{"triggers":{"beforeSignIn":{"functionUri":"` + theirs + `"}}}}`, "sign-in.sh off", `{"blockingFunctions":{"triggers":{"beforeSignIn":{"functionUri":"` + theirs + `"}}}}`, theirs, nil},
		"neither on nor off":        {`{}`, "sign-in.sh maybe", `{}`, "on or off", nil},
		"unregistered, asked twice": {`{"blockingFunctions":{"triggers":{"beforeSignIn":{"functionUri":"` + theirs + `"}}}}`, "sign-in.sh off", `{"blockingFunctions":{"triggers":{}}}`, "", []string{"FORCE=yes"}},
		"forced a little":           {`{"blockingFunctions":{"triggers":{"beforeSignIn":{"functionUri":"` + theirs + `"}}}}`, "sign-in.sh off", `{"blockingFunctions":{"triggers":{"beforeSignIn":{"functionUri":"` + theirs + `"}}}}`, "yes or nothing", []string{"FORCE=1"}},
		"another's, forced":         {`{"blockingFunctions":{"triggers":{"beforeSignIn":{"functionUri":"` + theirs + `"}}}}`, "sign-in.sh", `{"blockingFunctions":{"triggers":{"beforeSignIn":{"functionUri":"` + theirs + `"}}}}`, "for off alone", []string{"FORCE=yes"}},
		"no answer":                 {`""`, "sign-in.sh", `""`, "not an answer", nil},
		"no object":                 {`null`, "sign-in.sh", `null`, "not an answer", nil},
		"functions that are none":   {`{"blockingFunctions":"x"}`, "sign-in.sh off", `{"blockingFunctions":"x"}`, "not an answer", nil},
		"an answer of another kind": {`[]`, "sign-in.sh off", `[]`, "not an answer", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.change(func(p *project) { p.Config = json.RawMessage(c.config) })
			out, err := w.try(c.script, append(slices.Clone(parameters), c.environment...)...)
			if (err != nil) != (c.says != "") || !strings.Contains(out, c.says) {
				t.Errorf("%v\n%s", err, out)
			}
			p := w.project()
			if got := strings.TrimSpace(string(p.Config)); got != c.want {
				t.Errorf("registered is now\n%s, want\n%s", got, c.want)
			}
			for _, call := range p.Calls {
				if strings.Contains(call.line(), "a-secret-token") {
					t.Errorf("the token is there for every process to see: %s", call.line())
				}
				if call.Program == "curl" && strings.HasPrefix(call.Args[len(call.Args)-1], "https://identitytoolkit.") && call.Input != "Authorization: Bearer a-secret-token\n" {
					t.Errorf("the token is not handed over: %q", call.Input)
				}
				if err != nil && call.Args[0] == "run" {
					t.Errorf("deployed all the same: %s", call.line())
				}
			}
		})
	}
}

// A sign-in goes to the function only once it is there: registered earlier, it would keep everybody out.
func TestTheFunctionIsThereBeforeItIsRegistered(t *testing.T) {
	calls := newWorld(t).run("sign-in.sh")
	deployed := slices.IndexFunc(calls, func(c called) bool { return strings.HasPrefix(c.line(), "gcloud run deploy vigil-signin ") })
	registered := slices.IndexFunc(calls, func(c called) bool { return slices.Contains(c.Args, "PATCH") })
	if deployed < 0 || registered < deployed {
		t.Errorf("deployed %d., registered %d.", deployed, registered)
	}
}

// A host that does not answer, or as something else, is not registered.
func TestOnlyTheFunctionIsRegistered(t *testing.T) {
	for name, serves := range map[string]string{
		"Cloud Run refuses": "<html>401 Unauthorized</html> 401",
		"another service":   `{"ok":true} 200`,
		"another function":  `{"error":{"message":"The request cannot be read.","status":"INVALID_ARGUMENT"}} 400`,
		"nothing to add":    `{} 200`,
		"nothing":           " 000",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.change(func(p *project) { p.Serves = serves })
			out, err := w.try("sign-in.sh", parameters...)
			if err == nil || !strings.Contains(out, "is not registered") {
				t.Errorf("%v\n%s", err, out)
			}
			if got := string(w.project().Config); got != "{}" {
				t.Errorf("registered: %s", got)
			}
		})
	}
}

// The way back has to be open also to a function that Vigil has had somewhere else: the refusal says how.
func TestOffSaysHowToUnregisterAnother(t *testing.T) {
	w := newWorld(t)
	w.change(func(p *project) {
		p.Config = json.RawMessage(`{"blockingFunctions":{"triggers":{"beforeSignIn":{"functionUri":"https://vigil-signin-1.us-east1.run.app"}}}}`)
	})
	out, err := w.try("sign-in.sh off", parameters...)
	if err == nil || !strings.Contains(out, "https://vigil-signin-1.us-east1.run.app") || !strings.Contains(out, "FORCE=yes sign-in.sh off") {
		t.Errorf("%v\n%s", err, out)
	}
	w.change(func(p *project) { p.Number = "" }) // not even the project can be looked up
	w.run("sign-in.sh off", "FORCE=yes")
}
