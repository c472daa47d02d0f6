package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// held are the ids of what the service is held to: of OWASP's ASVS 5.0, and of faults.
var held = strings.Fields(`7.1.1 7.1.2 7.1.3 7.2.1 7.2.2 7.2.3 7.2.4 7.3.1 7.3.2 7.4.1 7.4.2 7.4.3 7.4.4 7.4.5 7.5.1 7.5.2 7.5.3 7.6.1 7.6.2
	4.4.1 4.4.2 4.4.3 4.4.4 6.3.5 6.3.7 8.3.2 14.2.1 14.3.1 16.2.5 16.3.1
	R1 R2 R3 R4 R5 R6 R7 R8 R9 R10 R11 R13 R14 R16 R17 R18`)

// named is a test in a document: `package.Test` or `package.Test/subtest`.
var named = regexp.MustCompile("`([a-z]+)\\.((?:Test|Fuzz)[A-Za-z0-9_]*)(?:/([^`]+))?`")

// tests are the tests of the packages of one name, and the texts in their files, of which the names of subtests are some.
type tests struct{ functions, texts map[string]bool }

// testsOf reads all tests of the repository, by the last part of their package's folder.
func testsOf(t *testing.T, root string) map[string]tests {
	t.Helper()
	all := make(map[string]tests)
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || name != root && strings.HasPrefix(entry.Name(), ".")):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		folder := path.Base(filepath.ToSlash(filepath.Dir(name)))
		if _, ok := all[folder]; !ok {
			all[folder] = tests{make(map[string]bool), make(map[string]bool)}
		}
		return all[folder].read(name)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (found tests) read(name string) error {
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil {
				found.functions[n.Name.Name] = true
			}
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil {
				found.texts[text] = true
			}
		}
		return true
	})
	return nil
}

// A document that says which test proves what is worth as much as its tests are there.
func TestSecurityNamesRealTests(t *testing.T) {
	const root = "../.."
	text, err := os.ReadFile(root + "/docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	all := testsOf(t, root)
	found := named.FindAllStringSubmatch(string(text), -1)
	if len(found) == 0 {
		t.Error("no tests are named")
	}
	for _, each := range found {
		in, function, subtest := all[each[1]], each[2], each[3]
		if !in.functions[function] {
			t.Errorf("%s.%s does not exist", each[1], function)
		} else if subtest != "" && !in.texts[subtest] {
			t.Errorf("%s.%s has no subtest %q", each[1], function, subtest)
		}
	}
	for _, id := range held {
		if n := strings.Count(string(text), "\n| "+id+" |"); n != 1 {
			t.Errorf("%s is answered %d times", id, n)
		}
	}
}
