package handlers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sourceTexts are the texts for people that the source has: the constants of what is wrong with a field, here, and the messages of
// errors, in the packages whose errors reach an answer.
func sourceTexts(t *testing.T) []string {
	t.Helper()
	var texts []string
	for _, folder := range []string{".", "../internal/session", "../internal/fireauth", "../internal/memory", "../internal/socket", "../firestore"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(folder, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				texts = append(texts, textsOf(n)...)
				return true
			})
		}
	}
	return texts
}

func textsOf(n ast.Node) []string {
	var values []ast.Expr
	switch n := n.(type) {
	case *ast.ValueSpec:
		if strings.HasPrefix(n.Names[0].Name, "msg") {
			values = n.Values
		}
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Message" {
			values = []ast.Expr{n.Value}
		}
	}
	var texts []string
	for _, value := range values {
		if literal, ok := value.(*ast.BasicLit); ok {
			text, _ := strconv.Unquote(literal.Value)
			texts = append(texts, text)
		}
	}
	return texts
}

func TestEveryTextIsTranslated(t *testing.T) {
	texts := sourceTexts(t)
	for _, row := range table {
		texts = append(texts, row.title, row.detail)
	}
	if len(texts) < 45 {
		t.Fatalf("found %d texts only", len(texts))
	}
	for _, text := range texts {
		if spanish[text] == "" {
			t.Errorf("%q has no translation", text)
		}
	}
	verb := regexp.MustCompile(`%.`)
	for english, translated := range spanish {
		if !slices.Contains(texts, english) {
			t.Errorf("%q is said nowhere", english)
		}
		if english == translated {
			t.Errorf("%q is not translated", english)
		}
		if !slices.Equal(verb.FindAllString(english, -1), verb.FindAllString(translated, -1)) {
			t.Errorf("%q and %q take different arguments", english, translated)
		}
	}
}
