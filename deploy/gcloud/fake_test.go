package gcloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The test's binary is also the programs that the scripts call: under their names it notes what it is called with, and remembers what has
// been made.

// called is one call of a program.
type called struct {
	Program string
	Args    []string
	Input   string            // of curl
	Files   map[string]string // what is in the files that arguments name
}

// project is what exists, in a file between calls.
type project struct {
	Exists   map[string]bool
	Location string // of the database
	Config   json.RawMessage
	Calls    []called
}

func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); slices.Contains([]string{"gcloud", "curl", "firebase"}, name) {
		if err := pretend(name, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	m.Run()
}

// pretend is the program: it fails for what is not there.
func pretend(name string, args []string) error {
	file := os.Getenv("FAKE_PROJECT")
	p, err := readProject(file)
	if err != nil {
		return err
	}
	c := called{Program: name, Args: args, Files: make(map[string]string)}
	for _, arg := range args {
		if _, path, ok := strings.Cut(arg, "--env-vars-file="); ok {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			c.Files["env-vars"] = string(text)
		}
	}
	answer := ""
	switch name {
	case "curl":
		answer, err = p.curl(&c)
	case "gcloud":
		answer, err = p.gcloud(args)
	}
	p.Calls = append(p.Calls, c)
	if writing := writeProject(file, p); writing != nil {
		return writing
	}
	if err == nil && answer != "" {
		fmt.Println(answer)
	}
	return err
}

func (p *project) gcloud(args []string) (string, error) {
	words := args[:slices.IndexFunc(append(args, "--"), func(arg string) bool { return strings.HasPrefix(arg, "--") })]
	line := strings.Join(words, " ")
	switch {
	case line == "auth print-access-token":
		return "a-secret-token", nil
	case strings.HasPrefix(line, "projects describe"):
		return "123456789012", nil
	case strings.Contains(line, " create"):
		p.Exists[key(words, "create")] = true
		if line == "firestore databases create" {
			p.Location = after(args, "--location=")
		}
		return "", nil
	case strings.Contains(line, " describe"):
		if !p.Exists[key(words, "describe")] {
			return "", errors.New("NOT_FOUND")
		}
		switch after(args, "--format=") {
		case "value(locationId)":
			return p.Location, nil
		case "value(transport.pubsub.subscription)":
			return "projects/demo/subscriptions/eventarc-" + words[len(words)-1], nil
		}
	}
	return "", nil
}

// key names what a command creates or describes.
func key(words []string, verb string) string {
	rest := slices.DeleteFunc(slices.Clone(words), func(word string) bool { return word == verb || word == "http" })
	name, _, _ := strings.Cut(rest[len(rest)-1], "@") // an account is created by its name and described by its address
	return strings.Join(append(rest[:len(rest)-1], name), " ")
}

func after(args []string, flag string) string {
	for _, arg := range args {
		if value, ok := strings.CutPrefix(arg, flag); ok {
			return value
		}
	}
	return ""
}

// curl stands for Identity Platform.
func (p *project) curl(c *called) (string, error) {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return "", err
	}
	c.Input = string(input)
	if data := slices.Index(c.Args, "--data"); data >= 0 {
		if p.Config, err = os.ReadFile(strings.TrimPrefix(c.Args[data+1], "@")); err != nil {
			return "", err
		}
	}
	return string(p.Config), nil
}

func readProject(file string) (*project, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p := new(project)
	return p, json.Unmarshal(text, p)
}

func writeProject(file string, p *project) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}
