// Command load asks one URL as fast as it is answered, over connections that are kept, and prints what came of it as JSON.
//
// Each connection has one request under way, as a browser's or a proxy's has. The requests are built before and the answers are read no
// further than to their end, over plain connections: net/http's client costs more than the servers that are measured, and would be what
// is measured.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// result is what is printed.
type result struct {
	Requests int64   `json:"requests"`
	Seconds  float64 `json:"seconds"`
	CPU      float64 `json:"cpu"` // share of one core that this process took
}

func main() {
	host := flag.String("host", "127.0.0.1:8080", "host and port")
	path := flag.String("path", "/v1/check", "path to GET")
	tokens := flag.String("tokens", "", "file with an ID token a line, which take turns; empty: none")
	connections := flag.Int("connections", 32, "connections")
	duration := flag.Duration("duration", 5*time.Second, "how long to ask")
	flag.Parse()
	r, err := run(context.Background(), *host, *path, *tokens, *connections, *duration)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, host, path, tokens string, connections int, duration time.Duration) (result, error) {
	requests, err := build(host, path, tokens)
	if err != nil {
		return result{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var answered atomic.Int64
	var asking sync.WaitGroup
	began := time.Now()
	for i := range connections {
		asking.Go(func() {
			cancel(ask(ctx, host, requests, i, connections, &answered)) // of several reasons the first counts
		})
	}
	select {
	case <-ctx.Done():
	case <-time.After(duration):
	}
	r := result{Requests: answered.Load(), Seconds: time.Since(began).Seconds()}
	r.CPU = cpuTime().Seconds() / r.Seconds
	err = context.Cause(ctx)
	cancel(nil) // what was being asked fails, which is no news
	asking.Wait()
	return r, err
}

// build returns a request for each token.
func build(host, path, tokens string) ([][]byte, error) {
	const form = "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: vigil-bench\r\nAccept: */*\r\n%s\r\n"
	if tokens == "" {
		return [][]byte{fmt.Appendf(nil, form, path, host, "")}, nil
	}
	text, err := os.ReadFile(tokens)
	if err != nil {
		return nil, err
	}
	var requests [][]byte
	for token := range bytes.FieldsSeq(text) {
		requests = append(requests, fmt.Appendf(nil, form, path, host, "Authorization: Bearer "+string(token)+"\r\n"))
	}
	if len(requests) == 0 {
		return nil, errors.New("no tokens")
	}
	return requests, nil
}

// ask sends every step-th request from the first on, over and over, each when the one before has been answered.
func ask(ctx context.Context, host string, requests [][]byte, first, step int, answered *atomic.Int64) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", host)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(c)
	for i := first; ; i += step {
		if _, err := c.Write(requests[i%len(requests)]); err != nil {
			return err
		}
		if err := read(in); err != nil {
			return err
		}
		answered.Add(1)
	}
}

var contentLength = []byte("Content-Length: ")

// read takes one answer from in, which must be a success and say how long it is.
func read(in *bufio.Reader) error {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 2")) {
		return fmt.Errorf("answer: %q", line)
	}
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= len("\r\n") {
			break
		}
		if value, ok := bytes.CutPrefix(line, contentLength); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	_, err = in.Discard(length)
	return err
}

// cpuTime is what this process has taken so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
