package main

import (
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/ledger"
	"github.com/ipctrace/ipctrace/internal/view"
)

// What run --json writes. docs/run.md is about it.
type (
	jsonRun struct {
		V          int           `json:"v"`
		Command    []string      `json:"command"`
		PID        int           `json:"pid"`
		Ended      bool          `json:"ended"`
		Exit       *int          `json:"exit"`
		Signal     *int          `json:"signal"`
		From       string        `json:"from"`
		Seconds    float64       `json:"seconds"`
		Running    int           `json:"running"`
		Tier       string        `json:"tier"`
		Gaps       []string      `json:"gaps"`
		Namespaces []jsonDoings  `json:"namespaces"`
		Left       []jsonLeft    `json:"left"`
		InUse      []jsonLeft    `json:"in_use"`
		Doubt      []jsonLeft    `json:"doubt"`
		Died       []jsonLeft    `json:"died"`
		DiedMore   int           `json:"died_more"`
		ByOthers   int           `json:"removed_by_others"`
		Unseen     int           `json:"gone_unseen"`
		Lost       jsonRunLosses `json:"lost"`
	}
	jsonDoings struct {
		NS    *event.Namespace      `json:"ns"`
		Born  bool                  `json:"born"`
		Ended bool                  `json:"ended"`
		Kinds map[string]jsonCounts `json:"kinds"`
	}
	jsonCounts struct {
		Created uint64            `json:"created"`
		Opened  uint64            `json:"opened"`
		Got     uint64            `json:"got"`
		Removed uint64            `json:"removed"`
		Failed  uint64            `json:"failed"`
		Errnos  map[string]uint64 `json:"errnos"`
	}
	jsonLeft struct {
		Time      string           `json:"time"`
		NS        *event.Namespace `json:"ns"`
		Object    *event.Object    `json:"object"`
		Process   *event.Process   `json:"process,omitempty"`   // absent: not known
		Container *event.Container `json:"container,omitempty"` // absent: in none
		Remove    string           `json:"remove"`
		Allowed   bool             `json:"allowed"`
		Note      string           `json:"note"`
	}
	jsonRunLosses struct {
		Events     uint64 `json:"events"`
		AtMost     uint64 `json:"at_most"`
		Unplaced   int    `json:"unplaced"`
		Unfollowed uint64 `json:"unfollowed"`
	}
)

func (r *runReport) json() jsonRun {
	a, c := r.account, r.command
	j := jsonRun{
		V: event.Version, Command: c.args, PID: c.process.Pid, Ended: c.ended, From: jsonTime(c.began),
		Seconds: c.took.Seconds(), Running: r.running, Tier: r.tier, Gaps: append([]string{}, r.gaps...), Namespaces: []jsonDoings{},
		Left: jsonLeftovers(r.left), InUse: jsonLeftovers(r.inUse), Doubt: jsonLeftovers(r.doubt),
		Died: []jsonLeft{}, DiedMore: a.DiedMore, ByOthers: a.ByOthers, Unseen: a.Unseen,
		Lost: jsonRunLosses{a.Lost, a.Skipped, a.Unplaced, r.unfollowed},
	}
	if status := c.result.ExitStatus(); c.ended && status >= 0 {
		j.Exit = &status
	} else if signal := int(c.result.Signal()); c.ended {
		j.Signal = &signal
	}
	for _, n := range a.Namespaces {
		d := jsonDoings{NS: &n.Namespace, Born: n.Born, Ended: n.Ended, Kinds: map[string]jsonCounts{}}
		n.Rows(func(kind string, counts *ledger.Counts) { d.Kinds[kind] = jsonCounts(*counts) })
		j.Namespaces = append(j.Namespaces, d)
	}
	for _, o := range a.Died {
		j.Died = append(j.Died, jsonLeftover(view.Leftover{Object: o}))
	}
	return j
}

func jsonLeftovers(objects []view.Leftover) []jsonLeft {
	all := make([]jsonLeft, 0, len(objects))
	for _, o := range objects {
		all = append(all, jsonLeftover(o))
	}
	return all
}

func jsonLeftover(o view.Leftover) jsonLeft {
	return jsonLeft{
		Time: jsonTime(o.Time), NS: &o.NS, Object: &o.Object.Object, Process: o.Maker, Container: o.Container,
		Remove: o.Command, Allowed: o.Allowed, Note: o.Note,
	}
}
