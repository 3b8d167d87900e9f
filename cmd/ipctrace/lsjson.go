package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ipctrace/ipctrace/internal/container"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/ipctrace/ipctrace/tracer"
)

// What ls --json writes. docs/ls.md is about it.
type (
	jsonList struct {
		From          string       `json:"from"`
		To            string       `json:"to"`
		Unreadable    int          `json:"unreadable"`     // processes
		UnreadableFDs int          `json:"unreadable_fds"` // processes
		Partial       bool         `json:"partial"`
		Namespaces    []jsonListed `json:"namespaces"`
	}
	jsonListed struct {
		NS          jsonNS               `json:"ns"`
		Processes   int                  `json:"processes"`
		Pins        []jsonPin            `json:"pins"`
		Error       string               `json:"error"`
		QueuesError string               `json:"queues_error"`
		Limits      map[string]jsonLimit `json:"limits"`
		Objects     []jsonObject         `json:"objects"`
		Containers  []*event.Container   `json:"containers"`
	}
	jsonNS struct {
		Inode    uint64 `json:"inode"`
		ID       uint64 `json:"id,omitempty"` // 0: the kernel has none
		Initial  bool   `json:"initial"`
		Label    string `json:"label"`
		LabelHex string `json:"label_hex,omitempty"`
	}
	jsonPin struct {
		Kind    string `json:"kind"`
		PID     int    `json:"pid"`
		Path    string `json:"path"`
		PathHex string `json:"path_hex,omitempty"`
	}
	jsonLimit struct {
		Used uint64 `json:"used"`
		Max  uint64 `json:"max"`
	}
	jsonObject view.ListedObject
)

func jsonListing(found *snapshot.Snapshot, list []listed, names *container.Names) jsonList {
	var clock tracer.Clock
	out := jsonList{
		From: jsonTime(clock.Wall(found.From)), To: jsonTime(clock.Wall(found.To)),
		Unreadable: found.Unreadable, UnreadableFDs: found.UnreadableFDs, Partial: found.Partial, Namespaces: []jsonListed{},
	}
	for _, n := range list {
		out.Namespaces = append(out.Namespaces, jsonListedOf(&n, names))
	}
	return out
}

func jsonListedOf(n *listed, names *container.Names) jsonListed {
	j := jsonListed{
		NS:        jsonNS{n.Inode, n.ID, n.Initial, n.Label, notUnicode(n.Label)},
		Processes: len(n.Processes), Pins: []jsonPin{}, Error: errorText(n.Err), QueuesError: errorText(n.MQ),
		Limits: map[string]jsonLimit{}, Objects: []jsonObject{}, Containers: containersIn(&n.Namespace.Namespace, names),
	}
	for _, p := range n.Pins {
		j.Pins = append(j.Pins, jsonPin{string(p.Kind), p.PID, p.Path, notUnicode(p.Path)})
	}
	for _, limit := range limits {
		if at := limit.of(&n.Limits); at.Known {
			j.Limits[strings.ToLower(limit.name)] = jsonLimit{at.Used, at.Max}
		}
	}
	for _, o := range n.objects {
		j.Objects = append(j.Objects, jsonObject(o))
	}
	return j
}

// MarshalJSON writes the object as it stands in an event, and what ls adds.
func (o jsonObject) MarshalJSON() ([]byte, error) {
	object, err := o.Object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	more, err := json.Marshal(struct {
		Orphan         string `json:"orphan,omitempty"`
		CreatorComm    string `json:"creator_comm,omitempty"`
		CreatorCommHex string `json:"creator_comm_hex,omitempty"`
	}{o.Orphan, o.CreatorComm, notUnicode(o.CreatorComm)})
	if err != nil || bytes.Equal(more, []byte("{}")) {
		return object, err
	}
	object[len(object)-1] = ','
	return append(object, more[1:]...), nil
}

// notUnicode is the bytes of text that JSON cannot hold, "" for other text.
func notUnicode(text string) string {
	if utf8.ValidString(text) {
		return ""
	}
	return hex.EncodeToString([]byte(text))
}

// jsonTime is as in events: all nine digits, so that times compare as text.
func jsonTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
