package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// paste takes the commands that vigil prints for this part of its introduction, as a newcomer would paste them.
func (p *process) paste(from, to string) string {
	p.Helper()
	_, text, ok := strings.Cut(p.stdout.String(), from)
	if !ok {
		p.Fatalf("%q is not in the introduction:\n%s", from, p.stdout.String())
	}
	text, _, _ = strings.Cut(text, to)
	var commands []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "  ") {
			commands = append(commands, strings.ReplaceAll(strings.TrimSpace(line), "go run ./cmd/vigil", program))
		}
	}
	return strings.Join(commands, "\n")
}

// shell runs commands as one terminal does.
func (p *process) shell(commands string) string {
	p.Helper()
	cmd := exec.CommandContext(p.Context(), "bash", "-c", commands)
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.Fatalf("%v\n%s\n%s", err, commands, out)
	}
	return string(out)
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s is missing in:\n%s", part, text)
		}
		_, text, _ = strings.Cut(text, part) // in this order
	}
}

// launchDev starts `vigil dev` and waits until it is ready.
func launchDev(t *testing.T, settings ...string) *process {
	t.Helper()
	p := launch(t, &world{TB: t}, []string{"dev"}, append([]string{"IDENTITY_ADDR=127.0.0.1:0"}, settings...)...)
	p.awaitReady()
	return p
}

func TestTheIntroductionsCommandsWalkThroughTheMainJob(t *testing.T) {
	t.Parallel()
	p := launchDev(t)
	first := p.paste("Paste these", "Hold a socket")
	contains(t, p.shell(first),
		`"name":"my terminal"`, `"evicted":[]`, `"sessions":[`, "HTTP/1.1 204 No Content", "X-Vigil-Auth-Time:", "X-Vigil-Session:", "X-Vigil-User: ana")

	nextSecond() // a sign-in of its own
	connect := exec.CommandContext(t.Context(), "bash", "-c", "exec "+p.paste("prints what it hears", "Without activity"))
	var heard lockedBuffer
	connect.Stdout, connect.Stderr = &heard, &heard
	if err := connect.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the socket is ready", func() bool { return strings.Contains(heard.String(), `"type":"ready"`) })

	revoke := p.paste("from a third terminal", "Back in the terminal")
	again := p.paste("worth nothing any more", "Ctrl-C")
	signIn := p.paste("Paste these", "Begin a session")
	contains(t, p.shell(signIn+"\n"+revoke+"\n"+again),
		`"userId":"admin"`, `"ended":2`, `"revokedAt":"`, "HTTP/1.1 401 Unauthorized", `"code":"token_revoked"`)
	if err := connect.Wait(); err != nil {
		t.Error(err)
	}
	contains(t, heard.String(), `{"type":"session_revoked","reason":"admin_revoked"}`, "closed by the server: 4502, the client must not reconnect")

	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestIdlenessInSeconds(t *testing.T) {
	t.Parallel()
	p := launchDev(t, "IDLE_TIMEOUT=6s", "IDLE_WARNING=3s")
	contains(t, p.shell("exec </dev/null "+p.paste("prints what it hears", "Without activity")),
		`"type":"ready"`, `"type":"idle_warning"`, `"remaining":`, `{"type":"session_revoked","reason":"idle_timeout"}`, "closed by the server: 4503")
}

// A request that an instance still answers while it ends is in its log, although lines about requests wait for each other.
func TestAnEndInOrderLosesNoLine(t *testing.T) {
	t.Parallel()
	p := launchDev(t)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.api, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	send := func(text string) {
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	token := strings.TrimSpace(p.shell(p.paste("Paste these", "Begin a session") + "\necho $TOKEN"))
	send("POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: the-last\r\nAuthorization: Bearer " + token +
		"\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q (%v)", line, err)
	}
	p.signal(syscall.SIGTERM)
	eventually(t, "it shuts down", func() bool { return strings.Contains(p.stderr.String(), "shutting down") })
	send("{}")
	if answer, err := io.ReadAll(in); err != nil || !strings.Contains(string(answer), "HTTP/1.1 201") {
		t.Errorf("answered %q (%v)", answer, err)
	}
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	contains(t, p.stderr.String(), "shutting down", `"requestId":"the-last"`)
}

// The standard library would answer this one by itself, without what every answer carries.
func TestTheServerAsAWholeIsAskedLikeTheRest(t *testing.T) {
	t.Parallel()
	p := launchDev(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, p.api, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = "*"
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if h := response.Header; h.Get("X-Request-Id") == "" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("%s with %v", response.Status, h)
	}
}

func TestDevAnswersLoopbackNamesOnly(t *testing.T) {
	t.Parallel()
	p := launchDev(t)
	_, identity, _ := strings.Cut(p.stdout.String(), "Identity   ")
	identity, _, _ = strings.Cut(identity, " ")
	for _, server := range []string{p.api + "/healthz", identity + "/"} {
		for host, status := range map[string]int{
			"localhost": http.StatusOK, "127.0.0.1:8080": http.StatusOK, "[::1]": http.StatusOK,
			"rebound.example.com": http.StatusMisdirectedRequest, "localhost.example.com:8080": http.StatusMisdirectedRequest,
		} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = host
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if response.StatusCode != status {
				t.Errorf("%s as %s: %d, want %d", server, host, response.StatusCode, status)
			}
			if status == http.StatusMisdirectedRequest && !strings.Contains(string(text), "localhost, 127.0.0.1 or [::1]") {
				t.Errorf("%s as %s does not say by which names: %s", server, host, text)
			}
			if ours := strings.HasPrefix(server, p.api); ours && (response.Header.Get("X-Request-Id") == "" || response.Header.Get("Cache-Control") != "no-store") {
				t.Errorf("%s as %s: %v", server, host, response.Header)
			} else if ours && status == http.StatusMisdirectedRequest && !strings.Contains(string(text), `"code":"misdirected"`) {
				t.Errorf("%s as %s: %s", server, host, text)
			}
		}
	}
	for _, variable := range []string{"ADDR", "IDENTITY_ADDR"} {
		open := launch(t, nil, []string{"dev"}, "IDENTITY_ADDR=127.0.0.1:0", variable+"=0.0.0.0:0")
		<-open.exited
		if open.cmd.ProcessState.ExitCode() != 2 || !strings.Contains(open.stderr.String(), variable+": ") {
			t.Errorf("%s open to the network: %s", variable, open.stderr.String())
		}
	}
}
