// Package eventtest holds lines against docs/event-schema.json. It is for tests:
// the program does not link it.
package eventtest

import (
	"bytes"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ipctrace/ipctrace/docs"
)

// Check is that a line is what the schema says, and has no field that it does not
// name.
func Check(t testing.TB, line []byte) {
	t.Helper()
	if err := Strict(line); err != nil {
		t.Errorf("%v: %s", err, line)
	}
}

// Published is why a line is refused by the schema as it is published, which takes
// fields that it does not name: later programs of version 1 may add some.
func Published(line []byte) error { return validate(published, line) }

// Strict is why a line is refused if it may have no others.
func Strict(line []byte) error { return validate(strict, line) }

var (
	published = sync.OnceValues(func() (*jsonschema.Schema, error) {
		return compile(func(any) {})
	})
	strict = sync.OnceValues(func() (*jsonschema.Schema, error) {
		return compile(forbidOthers)
	})
)

// compile compiles the schema after a change. That it is a schema at all, the
// compiler checks against the metaschema.
func compile(change func(schema any)) (*jsonschema.Schema, error) {
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(docs.EventSchema))
	if err != nil {
		return nil, err
	}
	change(schema)
	const id = "urn:ipctrace:event:1"
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(id, schema); err != nil {
		return nil, err
	}
	return c.Compile(id)
}

// forbidOthers closes all objects of a schema. Those without a type are no objects
// but conditions, and name what they are about.
func forbidOthers(schema any) {
	switch schema := schema.(type) {
	case map[string]any:
		for _, v := range schema {
			forbidOthers(v)
		}
		if schema["type"] == "object" {
			schema["additionalProperties"] = false
		}
	case []any:
		for _, v := range schema {
			forbidOthers(v)
		}
	}
}

func validate(schema func() (*jsonschema.Schema, error), line []byte) error {
	s, err := schema()
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		return err
	}
	return s.Validate(v)
}
