package swarm

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/vigilhq/vigil/internal/socket"
)

const (
	requestTimeout = 30 * time.Second // as the client package's registration
	maxAnswer      = 64 << 10
	idlePerSource  = 2
)

// source is where browsers come from: an address of this machine.
type source struct {
	dialer *socket.Dialer
	http   *http.Client
}

// newSource returns a source at an address; the zero one: whichever the system chooses.
func newSource(origin string, from netip.Addr) *source {
	dialer := &net.Dialer{Timeout: requestTimeout}
	if from.IsValid() {
		dialer.LocalAddr = &net.TCPAddr{IP: from.AsSlice()}
	}
	return &source{
		dialer: socket.NewDialer(origin, from),
		http: &http.Client{Timeout: requestTimeout, Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, MaxIdleConnsPerHost: idlePerSource,
		}},
	}
}

// post sends JSON with a token, and decodes the answer unless that goes to nil. It fails with [answerError] when that is no success.
func (s *source) post(ctx context.Context, url, token, body string, answer any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := s.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // it has been read
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		var problem struct {
			Code string `json:"code"`
		}
		_ = json.Unmarshal(content, &problem) // a proxy's answer may be anything
		seconds, _ := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 16)
		return &answerError{response.StatusCode, problem.Code, time.Duration(seconds) * time.Second}
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(content, answer)
}
