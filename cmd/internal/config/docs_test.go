package config

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// variables are names of settings, as code.
var variables = regexp.MustCompile("`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)`")

func readDoc(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tabled returns the names in the first column of a document's tables of settings, with the rows that they stand in.
func tabled(text string) map[string]string {
	rows := make(map[string]string)
	inTable := false
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			inTable = false
			continue
		}
		first, _, _ := strings.Cut(line[1:], "|")
		if strings.TrimSpace(first) == "variable" {
			inTable = true
		}
		if inTable {
			for _, found := range variables.FindAllStringSubmatch(first, -1) {
				rows[found[1]] = line
			}
		}
	}
	return rows
}

// states reports whether a row has each part of a default in it, as code.
func states(row, value string) bool {
	for part := range strings.SplitAfterSeq(value, ",") {
		if !strings.Contains(row, "`"+part+"`") {
			return false
		}
	}
	return true
}

// ASVS 7.1.1 and 7.1.2: every limit is documented, with the default that it has.
func TestEverySettingIsDocumented(t *testing.T) {
	handbook, first := tabled(readDoc(t, "docs/operations.md")), tabled(readDoc(t, "README.md"))
	known := make(map[string]bool)
	for field := range settings(Functions) { // which has all
		variable := field.Tag.Get("env")
		known[variable] = true
		if handbook[variable] == "" {
			t.Errorf("docs/operations.md has no row for %s", variable)
			continue
		}
		serve, dev := defaultOf(field, Functions), defaultOf(field, Dev)
		if serve != "" && !states(handbook[variable], serve) || serve != "" && first[variable] != "" && !states(first[variable], serve) {
			t.Errorf("%s is %s by default, and a document does not say so", variable, serve)
		}
		if dev != serve && !states(handbook[variable], dev) {
			t.Errorf("%s is %s by default in dev, and docs/operations.md does not say so", variable, dev)
		}
	}
	for name, rows := range map[string]map[string]string{"docs/operations.md": handbook, "README.md": first} {
		if len(rows) == 0 {
			t.Errorf("%s has no settings", name)
		}
		for variable := range rows {
			if !known[variable] {
				t.Errorf("%s has a row for %s, which is no setting", name, variable)
			}
		}
	}
}
