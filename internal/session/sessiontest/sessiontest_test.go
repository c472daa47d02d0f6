package sessiontest

import (
	"reflect"
	"slices"
	"testing"
)

// TestNewSession: what is not set could be lost by a store, and no case of the contract would notice.
func TestNewSession(t *testing.T) {
	unset := []string{"EndedAt", "EndReason", "EndedBy", "Version"} // of an end, and the store's own
	if got := zeros("", reflect.ValueOf(NewSession("ana", SignIn))); !slices.Equal(got, unset) {
		t.Errorf("not set: %v, want %v", got, unset)
	}
}

// zeros are the paths of the exported fields in v that are zero.
func zeros(path string, v reflect.Value) (found []string) {
	if v.IsZero() {
		return []string{path}
	}
	switch v.Kind() { //nolint:exhaustive // the other kinds have nothing in them
	case reflect.Pointer:
		return zeros(path, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				found = append(found, zeros(field.Name, v.Field(i))...)
			}
		}
	}
	return found
}
