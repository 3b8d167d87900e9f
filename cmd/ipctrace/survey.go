package main

import (
	"context"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/export/metrics"
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
)

// survey looks now and then for what no hook tells: limits, and who still uses what.
// However large the machine is, that takes a twentieth of the time of one CPU at most.
func (s *server) survey(ctx context.Context) error {
	wait := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		began := time.Now()
		found, err := snapshot.TakeAll(ctx, s.trace.resolver)
		took := time.Since(began)
		wait = max(s.cfg.Metrics.Survey, lookShare*took) - min(took, s.cfg.Metrics.Survey)
		if err != nil { // the series stay, with their time: there is no /proc, or no right to it
			continue
		}
		s.metrics.Surveyed(surveyOf(found, s.filter.Load(), began, took))
	}
}

func surveyOf(found *snapshot.Snapshot, filter *stream.Filter, at time.Time, took time.Duration) *metrics.Survey {
	v := &metrics.Survey{Limits: map[uint64][]metrics.Limit{}, Orphans: map[metrics.Orphans]int{}, At: at, Took: took}
	j := newJudge(found)
	for i := range found.Namespaces {
		n := &found.Namespaces[i]
		if n.Err != nil || !filter.Covers(&event.Namespace{Inode: n.Inode}, "") {
			continue
		}
		v.Limits[n.Inode] = limitsOf(&n.Limits)
		for k := range n.Objects {
			o := &n.Objects[k]
			if !filter.Covers(&event.Namespace{Inode: n.Inode}, o.Kind) {
				continue
			}
			if verdict, _ := j.orphan(n, o); verdict == orphanYes || verdict == orphanMaybe {
				v.Orphans[metrics.Orphans{Kind: o.Kind, Sure: verdict == orphanYes}]++
			}
		}
	}
	return v
}

// limitsOf are those that could be found out.
func limitsOf(l *sysvipc.Limits) (known []metrics.Limit) {
	for _, limit := range limits {
		if at := limit.of(l); at.Known {
			known = append(known, metrics.Limit{Name: limit.name, Used: at.Used, Max: at.Max})
		}
	}
	return known
}
