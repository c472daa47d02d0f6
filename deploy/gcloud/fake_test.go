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
	Deleted  map[string]bool // of what exists, what can be had back
	Number   string          // the project's
	Serves   string          // what the function before sign-ins answers once it is deployed
	FailAt   int             // the call from which on all that are the same fail; 0: none
	Location string          // of the database
	Config   json.RawMessage
	Calls    []called
}

func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); name == "sleep" {
		return
	} else if slices.Contains([]string{"gcloud", "curl", "firebase"}, name) {
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
	p.Calls = append(p.Calls, c)
	switch {
	case p.FailAt > 0 && len(p.Calls) >= p.FailAt && slices.Equal(args, p.Calls[p.FailAt-1].Args):
		// What a program prints before it fails may look like an answer.
		answer, err = map[string]string{"gcloud": p.Number, "curl": "{}"}[name], errors.New("ERROR: ("+name+") PERMISSION_DENIED: not now")
	case name == "curl":
		answer, err = p.curl(&p.Calls[len(p.Calls)-1])
	case name == "gcloud":
		answer, err = p.gcloud(args)
	}
	if writing := writeProject(file, p); writing != nil {
		return writing
	}
	if answer != "" {
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
		return p.Number, nil
	case strings.HasPrefix(line, "run deploy "):
		p.Exists[line] = true
	case strings.HasPrefix(line, "iam roles undelete "):
		delete(p.Deleted, key(words, "undelete"))
	case strings.HasPrefix(line, "iam roles update ") && p.Deleted[key(words, "update")]:
		return "", errors.New("ERROR: (gcloud) FAILED_PRECONDITION: deleted")
	case strings.Contains(line, " create"):
		p.Exists[key(words, "create")] = true
		if line == "firestore databases create" {
			p.Location = after(args, "--location=")
		}
		return "", nil
	case strings.Contains(line, " describe"):
		if !p.Exists[key(words, "describe")] {
			if strings.HasPrefix(line, "storage ") {
				return "", errors.New("ERROR: (gcloud.storage.buckets.describe) " + words[len(words)-1] + " not found: 404.")
			}
			return "", errors.New("ERROR: (gcloud) NOT_FOUND: it is not there")
		}
		switch after(args, "--format=") {
		case "value(deleted)":
			if p.Deleted[key(words, "describe")] {
				return "True", nil
			}
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

// curl stands for Identity Platform, and for the function before sign-ins.
func (p *project) curl(c *called) (string, error) {
	if strings.HasSuffix(c.Args[len(c.Args)-1], ".run.app") {
		if !p.Exists["run deploy vigil-signin"] {
			return "", errors.New("curl: nobody is there")
		}
		return p.Serves, nil
	}
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
