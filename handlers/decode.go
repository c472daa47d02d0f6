package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

const (
	maxBody = 64 << 10 // bytes
	maxText = 64       // characters of a short text

	fieldBody  = "body" // stands for all of it
	fieldQuery = "query"
)

// bodyOf reads the body of a request, a JSON object with the fields of T and no others. An absent body is {}. What it is
// declared as does not matter: no browser sends an Authorization header without asking first.
func bodyOf[T any](c echo.Context) (T, error) {
	var into T
	request := c.Request()
	// The server's own writer, so that the server knows and closes the connection.
	data, err := io.ReadAll(http.MaxBytesReader(c.Response().Writer, request.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return into, &session.Error{Op: "read body", Code: codeTooLarge}
	case err != nil:
		return into, faults{{fieldBody, msgRead, nil}}
	case len(bytes.TrimSpace(data)) == 0:
		return into, nil
	}
	return into, judge(decode(data, &into), &into)
}

// checked is a body that finds fault with what its fields hold.
type checked interface{ check() error }

// judge adds to what is wrong with the form of a body what is wrong with the fields that could be read.
func judge(err error, body any) error {
	var form, content faults
	b, ok := body.(checked)
	if !ok || !errors.As(err, &form) || form.names(fieldBody) || !errors.As(b.check(), &content) {
		return err
	}
	for _, each := range content {
		if !form.names(each.field) {
			form.add(each.field, each.message, each.args...)
		}
	}
	return form
}

// decode reads a JSON object into the struct that into points to. Unlike [json.Unmarshal] it takes a key only as it is
// spelled in the struct, and only once, and names every field that is wrong. Null is absent, but refused where a field is tagged
// nullable:"false".
func decode(data []byte, into any) error {
	if !utf8.Valid(data) || !json.Valid(data) {
		return faults{{fieldBody, msgSyntax, nil}}
	}
	var f faults
	decodeObject(&f, "", data, reflect.ValueOf(into).Elem())
	return f.err()
}

// decodeObject reads a valid JSON value into a struct. Path is the object's own, empty at the top.
func decodeObject(f *faults, path string, data []byte, into reflect.Value) {
	d := json.NewDecoder(bytes.NewReader(data))
	if open, _ := d.Token(); open != json.Delim('{') {
		f.add(orBody(path), msgObject)
		return
	}
	seen := make(map[string]bool)
	for d.More() {
		key, _ := d.Token()
		name, _ := key.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			f.add(orBody(path), msgSyntax)
			return
		}
		field, tag, known := fieldNamed(into, name)
		full := strings.TrimPrefix(path+"."+name, ".")
		switch {
		case !known:
			f.add(orBody(full), msgUnknown)
		case seen[name]:
			f.add(full, msgOnce)
		case string(value) != "null":
			decodeField(f, full, value, field)
		case tag.Get("nullable") == "false":
			f.add(full, msgNull)
		}
		seen[name] = true
	}
}

// decodeField reads a value that is not null. A pointer tells whether there is one.
func decodeField(f *faults, path string, data []byte, into reflect.Value) {
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	if into.Kind() == reflect.Struct {
		decodeObject(f, path, data, into)
	} else if json.Unmarshal(data, into.Addr().Interface()) != nil {
		f.add(path, msgFor(into.Kind()))
	}
}

func orBody(path string) string {
	if path == "" {
		return fieldBody
	}
	return path
}

func fieldNamed(object reflect.Value, name string) (reflect.Value, reflect.StructTag, bool) {
	for i := range object.NumField() {
		tag := object.Type().Field(i).Tag
		if own, _, _ := strings.Cut(tag.Get("json"), ","); own == name && name != "" {
			return object.Field(i), tag, true
		}
	}
	return reflect.Value{}, "", false
}

func msgFor(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return msgString
	case reflect.Bool:
		return msgBool
	default:
		return msgType
	}
}

// text checks a short text for people and returns it trimmed.
func (f *faults) text(field, value string, most int) string {
	value = strings.TrimSpace(value)
	if utf8.RuneCountInString(value) > most {
		f.add(field, msgLong, most)
	}
	if strings.ContainsFunc(value, unprintable) {
		f.add(field, msgPrintable)
	}
	return value
}

// unprintable is also what turns or hides its surroundings. The two joiners only join: scripts and emoji need them.
func unprintable(r rune) bool {
	return !unicode.IsPrint(r) && r != '\u200c' && r != '\u200d'
}

// oneOf checks that a value is one of those allowed.
func (f *faults) oneOf(field, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		f.add(field, msgOneOf, strings.Join(allowed, ", "))
	}
}

// clip shortens s to the given number of characters.
func clip(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most])
}

// query is the query of a request. What is wrong with it is collected while it is read.
type query struct {
	faults
	values url.Values
}

// queryOf reads the query of a request, which may have each of its route's parameters once: a limit that is misspelled is
// not to go unnoticed.
func queryOf(c echo.Context) *query {
	if c.Request().URL.RawQuery == "" {
		return &query{}
	}
	known := routeOf(c).query
	values, err := url.ParseQuery(c.Request().URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.add(fieldQuery, msgInvalid)
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		switch {
		case !slices.ContainsFunc(known, func(p parameter) bool { return p.name == name }):
			q.add(name, msgUnknown)
		case len(values[name]) > 1:
			q.add(name, msgOnce)
		}
	}
	return q
}

// word returns a parameter that is one of those allowed, or absent: then it is otherwise, or wrong where that is empty.
func (q *query) word(name, otherwise string, allowed ...string) string {
	value := q.values.Get(name)
	if !q.values.Has(name) {
		value = otherwise
	}
	q.oneOf(name, value, allowed...)
	return value
}

// flag returns a parameter that is true or false.
func (q *query) flag(name string) bool { return q.word(name, "false", "true", "false") == "true" }

// seconds returns a parameter that is a number of seconds, and whether there is a valid one.
func (q *query) seconds(name string) (time.Duration, bool) {
	if !q.values.Has(name) {
		return 0, false
	}
	n, err := strconv.ParseUint(q.values.Get(name), 10, 31)
	if err != nil {
		q.add(name, msgSeconds)
		return 0, false
	}
	return time.Duration(n) * time.Second, len(q.values[name]) == 1
}

// number returns a parameter that is a whole number within bounds, or absent.
func (q *query) number(name string, otherwise, least, most int) int {
	if !q.values.Has(name) {
		return otherwise
	}
	n, err := strconv.ParseUint(q.values.Get(name), 10, 31)
	if err != nil || int(n) < least || int(n) > most {
		q.add(name, msgBetween, least, most)
		return otherwise
	}
	return int(n)
}

// pathParam returns a part of the path, decoded once, empty if it is not text.
func pathParam(c echo.Context, name string) string {
	value := c.Param(name)
	if c.Request().URL.RawPath != "" { // then the framework has looked at the path as it was sent
		decoded, err := url.PathUnescape(value)
		if err != nil {
			return ""
		}
		value = decoded
	}
	if !utf8.ValidString(value) {
		return ""
	}
	return value
}
