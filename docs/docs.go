// Package docs holds what tests hold the program against.
package docs

import _ "embed"

// EventSchema is the contract of package event as a JSON Schema.
//
//go:embed event-schema.json
var EventSchema []byte
