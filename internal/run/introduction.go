package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
)

// What `vigil dev` and `make run-emulators` print for people, and the last line of it.
var (
	apiLine     = regexp.MustCompile(`(?m)^  API +(http://\S+)/v1$`)
	authLine    = regexp.MustCompile(`(?m)^  (?:Identity|Auth) +http://(\S+) +\(connectAuthEmulator, project (\S+)\)$`)
	accountLine = regexp.MustCompile(`(?m)^  (?:user|admin) +\S+ +password +\S+$`)
)

const lastLine = "Ctrl-C stops everything."

// introduction hands on what the service's program prints, and reads in it where the service is. Addresses are what settings, flags and
// free ports made of them, so that they are known there and nowhere else.
type introduction struct {
	to       io.Writer
	complete chan struct{} // closed when all of it is there

	mu   sync.Mutex
	text bytes.Buffer // until then
	done bool
}

func newIntroduction(to io.Writer) *introduction {
	return &introduction{to: to, complete: make(chan struct{})}
}

// Write implements [io.Writer].
func (i *introduction) Write(p []byte) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.done {
		i.text.Write(p)
		if strings.Contains(i.text.String(), lastLine) {
			i.done = true
			close(i.complete)
		}
	}
	return i.to.Write(p)
}

// environment is where the dashboard finds the service: its pages, and its own server.
func (i *introduction) environment() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var variables []string
	if found := apiLine.FindStringSubmatch(i.text.String()); found != nil {
		variables = append(variables, "VIGIL_URL="+found[1], "NEXT_PUBLIC_VIGIL_URL="+found[1])
	}
	if found := authLine.FindStringSubmatch(i.text.String()); found != nil {
		variables = append(variables, "NEXT_PUBLIC_AUTH_EMULATOR_URL=http://"+found[1], "NEXT_PUBLIC_FIREBASE_PROJECT_ID="+found[2])
	}
	return variables
}

// invite prints the one address to open, and whom to sign in as.
func (i *introduction) invite(w io.Writer, host string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		return err
	}
	// By name: a browser treats it as a secure place, and demonstrations of Firebase do, too.
	_, err = fmt.Fprintf(w, "\nOpen the dashboard:  http://localhost:%s\n\n%s\n\n", port, strings.Join(accountLine.FindAllString(i.text.String(), -1), "\n"))
	return err
}
