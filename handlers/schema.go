package handlers

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/swaggest/jsonschema-go"

	"github.com/vigilhq/vigil/internal/session"
)

// object is a piece of the document.
type object = map[string]any

// schemas are what the Go types of bodies are in JSON Schema, by the names that the document gives them.
type schemas map[string]any

// typeNames are those of types whose name in the document is not their own.
var typeNames = map[reflect.Type]string{
	reflect.TypeFor[session.View](): "Session", reflect.TypeFor[session.DeviceView](): "Device", reflect.TypeFor[tokenView](): "Token",
	reflect.TypeFor[session.EventView](): "Event", reflect.TypeFor[filterBody](): "Filter", reflect.TypeFor[checkView](): "Check", reflect.TypeFor[faultView](): "Fault", reflect.TypeFor[struct{}](): "Empty",
}

// words are the types that are closed sets of words.
func words(t reflect.Type) []any {
	switch t {
	case reflect.TypeFor[session.Status]():
		return []any{session.StatusActive, session.StatusEnded}
	case reflect.TypeFor[session.Reason]():
		return anys(session.Reasons)
	case reflect.TypeFor[session.EventType]():
		return anys(session.EventTypes)
	case reflect.TypeFor[session.AlertType]():
		return anys(session.AlertTypes)
	case reflect.TypeFor[session.Audience]():
		return []any{session.AudienceUser, session.AudienceAdmin}
	case reflect.TypeFor[session.JobState]():
		return []any{session.JobRunning, session.JobDone, session.JobFailed}
	case reflect.TypeFor[session.Code]():
		return anys(slices.Sorted(maps.Keys(table)))
	default:
		return nil
	}
}

func anys[T any](list []T) []any {
	all := make([]any, len(list))
	for i, v := range list {
		all[i] = v
	}
	return all
}

// of returns the schema of a body, and remembers the schemas that it refers to.
func (s schemas) of(body any, options ...func(*jsonschema.ReflectContext)) any {
	if _, anything := body.(object); anything {
		return object{"type": "object"}
	}
	var reflector jsonschema.Reflector
	options = append(options, jsonschema.RootRef, jsonschema.DefinitionsPrefix("#/components/schemas/"),
		jsonschema.CollectDefinitions(func(name string, schema jsonschema.Schema) { s[name] = schema }),
		jsonschema.InterceptDefName(func(t reflect.Type, _ string) string { return nameOf(t) }),
		jsonschema.InterceptSchema(special), jsonschema.InterceptProp(present), jsonschema.InterceptNullability(pointersOnly))
	schema, err := reflector.Reflect(body, options...)
	if err != nil {
		panic(err) // a type that cannot be described, which every test finds
	}
	return schema
}

func nameOf(t reflect.Type) string {
	if name := typeNames[t]; name != "" {
		return name
	}
	name := []rune(t.Name())
	name[0] = unicode.ToUpper(name[0])
	return string(name)
}

// special describes the types that JSON shows otherwise than their kind says.
func special(p jsonschema.InterceptSchemaParams) (stop bool, err error) {
	t := p.Value.Type()
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch list := words(t); {
	case t == reflect.TypeFor[session.Timestamp]():
		p.Schema.AddType(jsonschema.String)
		p.Schema.WithFormat("date-time")
		return true, nil
	case list != nil:
		p.Schema.AddType(jsonschema.String)
		p.Schema.WithEnum(list...)
		return true, nil
	default:
		return false, nil
	}
}

// present are the fields that are always there.
func present(p jsonschema.InterceptPropParams) error {
	if tag := p.Field.Tag.Get("json"); p.Processed && !strings.Contains(tag, ",omit") {
		p.ParentSchema.Required = append(p.ParentSchema.Required, p.Name)
	}
	return nil
}

// pointersOnly are null, unless they are left out then: the API answers with empty lists and objects.
func pointersOnly(p jsonschema.InterceptNullabilityParams) {
	if p.OmitEmpty || p.Type.Kind() == reflect.Slice || p.Type.Kind() == reflect.Map {
		p.Schema.RemoveType(jsonschema.Null)
		return
	}
	if p.Type.Kind() == reflect.Pointer && p.Schema.Ref != nil {
		to := jsonschema.Schema{Ref: p.Schema.Ref}
		p.Schema.Ref, p.Schema.Type = nil, nil
		p.Schema.AnyOf = []jsonschema.SchemaOrBool{to.ToSchemaOrBool(), jsonschema.Null.ToSchemaOrBool()}
	}
}

// closed marks a body that refuses fields it does not know, and those of its parts.
func closed(p jsonschema.InterceptSchemaParams) (stop bool, err error) {
	if p.Processed && p.Schema.HasType(jsonschema.Object) {
		p.Schema.AdditionalProperties = (&jsonschema.SchemaOrBool{}).WithTypeBoolean(false)
	}
	return false, nil
}
