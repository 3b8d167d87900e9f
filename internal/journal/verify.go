package journal

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/ipctrace/ipctrace/internal/event"
)

// Fault is a sort of what is wrong with a log.
type Fault string

// The sorts.
const (
	Altered    Fault = "altered"    // a line is not as it was sealed
	Gap        Fault = "gap"        // lines or files are missing inside
	Unsealed   Fault = "unsealed"   // nothing vouches for lines
	CutShort   Fault = "cut short"  // a seal that is known to have been made is not there
	WrongKey   Fault = "wrong key"  // it is sealed, but not by who was named
	Unreadable Fault = "unreadable" // what the file holds cannot be read to its end
	NoLog      Fault = "not sealed" // it is no log that was recorded
)

// Finding is something that is wrong, and where.
type Finding struct {
	Fault  Fault
	File   string
	Line   int   // from 1; 0: the whole file
	Offset int64 // of the line, in the uncompressed file
	Text   string
}

// Loss is what a log says of what it lacks.
type Loss struct {
	Kernel uint64 // events that never reached ipctrace
	AtMost uint64 // at most so many more
	Output uint64 // events that did not get into the log
}

// Report is what was found out of the files of a log.
type Report struct {
	Files  int
	Lines  uint64
	Bytes  int64 // uncompressed
	Events uint64
	Logs   int // that the files are of
	Traces int // of which there is anything
	Broken int // of these, those without trace.stop that another followed: nobody knows what they lost in the end

	Seals    int
	Late     uint64 // lines that were sealed by who continued the log
	Key      string // that seals are signed with, the last one, hexadecimal
	Signed   int    // seals
	Head     string // hash of the last seal
	After    string // hash of the seal before the first file; "": the log begins with it
	Part     uint32 // of the first file
	Headless int    // logs whose first part is not among the files
	Beyond   uint64 // lines after the head that was asked for
	Ended    bool   // the last trace has its trace.stop
	Lost     Loss

	Findings []Finding
	More     int // findings beyond mostFindings
}

// Whole says whether every byte is accounted for.
func (r *Report) Whole() bool { return len(r.Findings) == 0 }

const mostFindings = 100

// Check says what to check beside the seals.
type Check struct {
	Key  ed25519.PublicKey // all seals must be signed with it; nil: any or none
	Head string            // hash of a seal that must be there; "": none
}

// Verify reads the files of one log, or of several, and checks every byte of
// them. Memory does not grow with them.
func Verify(names []string, check Check) *Report {
	v := verifier{check: check, report: &Report{}}
	for _, f := range Files(names) {
		v.file(f)
	}
	if check.Head != "" && !v.headSeen {
		v.find(CutShort, Line{}, "the seal %s is not in it: the end, or the file that it was in, is missing", check.Head)
	}
	return v.report
}

// verifier checks one file after the other.
type verifier struct {
	check    Check
	report   *Report
	headSeen bool
	log      *event.Log // of the last file
	begun    bool       // a trace was, and has not stopped
	seq      uint64     // of the last line
	stopped  bool       // the last line that is no seal was trace.stop

	segment segment
}

// segment is what was read since the last seal.
type segment struct {
	chain   *chain
	base    Line    // the line that the segment begins behind: the last seal; Number 0: none in this file
	after   uint64  // seq of that seal
	broken  bool    // it was found altered
	lines   int     // behind it
	offsets []int64 // of these, of not more than mostPlaces
	bad     *Line   // the first of these that is no line of a log
	alien   bool    // and it is the first of the file, also where only its beginning is there
}

// mostPlaces bounds what is remembered of lines without a seal.
const mostPlaces = 1 << 16

func (v *verifier) find(fault Fault, at Line, format string, args ...any) {
	if len(v.report.Findings) == mostFindings {
		v.report.More++
		return
	}
	v.report.Findings = append(v.report.Findings, Finding{
		Fault: fault, File: at.File, Line: at.Number, Offset: at.Offset, Text: fmt.Sprintf(format, args...),
	})
}

func (v *verifier) file(f File) {
	v.report.Files++
	v.segment = segment{chain: newChain(), base: Line{File: f.Name}}
	first, failed := true, false
	for line, err := range Lines(f.Name) {
		if err != nil {
			failed = true
			v.find(Unreadable, line, "%v", brief(err))
			break
		}
		if first {
			first = false
			v.begin(line)
		} else if v.another(line) {
			v.tail()
			v.segment = segment{chain: newChain(), base: Line{File: f.Name, Number: line.Number - 1, Offset: line.Offset}}
			v.begin(line)
		}
		v.line(line)
	}
	switch {
	case first && failed:
	case first:
		v.find(NoLog, Line{File: f.Name}, "there is nothing in it")
	case v.segment.base.Number == 0 && v.segment.alien:
		v.find(NoLog, Line{File: f.Name}, "not recorded by ipctrace record: nothing in it is sealed")
	default:
		v.tail()
	}
}

// begin takes in the first line of a file: where it says that it belongs. Where it
// says nothing it may be altered: then the first seal shows it.
func (v *verifier) begin(line Line) {
	e, err := event.Parse(line.Text)
	if err != nil || e.Start == nil || e.Start.Log == nil {
		return
	}
	before, log := v.log, e.Start.Log
	v.log = log
	switch {
	case before == nil:
		v.report.Logs, v.report.After, v.report.Part = 1, log.After, log.Part
		v.headless(log)
		if e.Seq != 1 { // a trace that begins in a part before
			v.report.Traces, v.begun = 1, true
		}
	case before.ID != log.ID:
		v.report.Logs++
		v.headless(log)
	case log.Part == before.Part:
		v.find(Gap, line, "part %d of the log is there twice", log.Part)
	case log.Part != before.Part+1:
		v.find(Gap, line, "%s between this file and the one before", missing(before.Part+1, log.Part-1))
	case log.After != v.report.Head:
		v.find(Gap, line, "it continues behind the seal %s, but the file before ends with %s: its end is missing", log.After, v.report.Head)
	case e.Seq != 1 && e.Seq != v.seq+1:
		v.find(Gap, line, "seq %d after %d", e.Seq, v.seq)
	}
	v.seq = e.Seq - 1
}

// headless counts a log that begins with a later part. With Keep that is as it
// should be: only who has the seal before can tell.
func (v *verifier) headless(first *event.Log) {
	if first.Part > 1 || first.After != "" {
		v.report.Headless++
	}
}

// another says whether another log begins in the middle of a file: record -o - was
// appended to what had been recorded before.
func (v *verifier) another(line Line) bool {
	if seq, typ, _ := head(line.Text); typ != event.TraceStart || seq != 1 {
		return false
	}
	e, err := event.Parse(line.Text)
	if err != nil || e.Start == nil || e.Start.Log == nil || v.log == nil {
		return false
	}
	log := e.Start.Log
	return log.ID != v.log.ID && log.Part == 1 && log.After == ""
}

func missing(from, to uint32) string {
	if from == to {
		return fmt.Sprintf("part %d is missing", from)
	}
	return fmt.Sprintf("parts %d to %d are missing", from, to)
}

// sealField is what no other line has than that of a seal.
var sealField = []byte(`"crcs":"`)

func (v *verifier) line(line Line) {
	v.report.Lines++
	v.report.Bytes += int64(len(line.Text))
	if v.headSeen {
		v.report.Beyond++
	}
	seq, typ, ok := head(line.Text)
	s := &v.segment
	switch {
	case line.Torn && line.Number == 1 && !bytes.HasPrefix(lineHead, line.Text[:min(len(line.Text), len(lineHead))]):
		s.alien = true
		return
	case line.Torn:
		v.find(Unsealed, line, "half a line: who wrote it was killed, or writes it now")
		return
	case !ok || typ == "" && bytes.Contains(line.Text, sealField):
		if s.bad == nil {
			s.bad = &Line{File: line.File, Number: line.Number, Offset: line.Offset}
			s.alien = line.Number == 1
		}
	case typ == event.TraceSeal:
		v.seal(line)
		v.seq, s.after = seq, seq
		return
	default:
		v.event(seq, typ, line)
	}
	s.chain.lines(line.Text)
	if s.lines++; len(s.offsets) < mostPlaces {
		s.offsets = append(s.offsets, line.Offset)
	} else {
		s.chain.crcs = s.chain.crcs[:0] // so many are never sealed by one seal
	}
	if ok {
		v.seq = seq
	}
}

// event counts a line that is no seal.
func (v *verifier) event(seq uint64, typ event.Type, line Line) {
	v.stopped = typ == event.TraceStop
	switch typ {
	case event.TraceStart:
		if seq != 1 {
			break
		}
		v.report.Traces++
		if v.begun {
			v.report.Broken++
		}
		v.begun = true
	case event.TraceStop:
		v.begun = false
	case event.TraceLost:
		if e, err := event.Parse(line.Text); err == nil && e.Lost != nil {
			v.report.Lost.add(e.Lost)
		}
	case event.TraceState, event.NamespaceState, event.ObjectState:
	default:
		v.report.Events++
	}
}

func (l *Loss) add(lost *event.Lost) {
	switch {
	case lost.Stage == event.StageOutput:
		l.Output += lost.Count
	case lost.AtMost:
		l.AtMost += lost.Count
	default:
		l.Kernel += lost.Count
	}
}

// seal checks what was read since the last one.
func (v *verifier) seal(line Line) {
	s := &v.segment
	seal, err := s.chain.check(line.Text)
	broken := false
	switch {
	case errors.Is(err, errSealLine):
		broken = true
		v.find(Altered, line, "%v", err)
	case errors.Is(err, errSealed):
		v.locate(line, seal)
	case err != nil:
		v.find(Altered, line, "%v", err)
	}
	if seal != nil {
		v.sealedBy(line, seal)
	}
	s.chain.after(line.Text)
	*s = segment{chain: s.chain, base: Line{File: line.File, Number: line.Number, Offset: line.Offset}, broken: broken, offsets: s.offsets[:0]}
}

// sealedBy counts a seal, and looks whose it is.
func (v *verifier) sealedBy(line Line, seal *event.Seal) {
	r := v.report
	r.Seals++
	r.Head = seal.Hash
	if seal.Late {
		r.Late += seal.Last + 1 - seal.First
	}
	if seal.Key != "" {
		r.Signed++
		r.Key = seal.Key
	}
	if v.check.Key != nil && seal.Key != hex.EncodeToString(v.check.Key) {
		by := "by nobody"
		if seal.Key != "" {
			by = "by " + seal.Key
		}
		v.find(WrongKey, line, "signed %s", by)
	}
	if seal.Hash == v.check.Head {
		v.headSeen = true
	}
}

// locate names the first line of a segment that is not as its seal says.
func (v *verifier) locate(line Line, seal *event.Seal) {
	s := &v.segment
	want := []byte(seal.CRCs)
	n := len(want) / crcDigits
	between := fmt.Sprintf("between the seals of lines %d and %d", s.base.Number, line.Number)
	if s.base.Number == 0 {
		between = fmt.Sprintf("before the seal of line %d", line.Number)
	}
	have := s.chain.crcs
	if len(have) != s.lines*crcDigits {
		v.find(Altered, line, "%d lines %s, which seals %d", s.lines, between, n)
		return
	}
	i := 0
	for i < min(n, s.lines) && bytes.Equal(crcAt(have, i), crcAt(want, i)) {
		i++
	}
	switch {
	case s.lines == n && i == n && s.broken: // told already: the seal before
	case s.lines == n && i == n && s.after != 0 && seal.First > s.after+1:
		v.find(Gap, s.firstOr(line), "lines are missing before it, from seq %d to %d", s.after+1, seal.First-1)
	case s.lines == n && i == n:
		v.find(Altered, s.base, "the lines %s are as they were sealed, but not this one", between)
	case s.lines > n && bytes.HasSuffix(have, want): // the line before these was a seal
		v.find(Altered, s.at(s.lines-n-1), "not as it was written, or a seal behind it is missing, %s", between)
	case s.lines < n && i == s.lines:
		v.find(Gap, line, "the last %d lines %s are missing", n-s.lines, between)
	case s.lines < n && bytes.HasSuffix(want, have[i*crcDigits:]):
		v.find(Gap, s.at(i), "%d lines before it are missing, %s", n-s.lines, between)
	case len(s.offsets) == 0:
		v.find(Gap, line, "all %d lines %s are missing", n, between)
	case s.lines > n && bytes.HasSuffix(have, want[i*crcDigits:]):
		v.find(Altered, s.at(i), "it was put in, %s", between)
	default:
		v.find(Altered, s.at(i), "not as it was sealed, %s", between)
	}
}

func crcAt(crcs []byte, i int) []byte { return crcs[i*crcDigits : (i+1)*crcDigits] }

// firstOr is the place of the first line of the segment, or of the seal behind it
// where there is none.
func (s *segment) firstOr(seal Line) Line {
	if len(s.offsets) == 0 {
		return seal
	}
	return s.at(0)
}

// at is the place of a line of the segment, which has some.
func (s *segment) at(i int) Line {
	i = max(0, min(i, len(s.offsets)-1))
	return Line{File: s.base.File, Number: s.base.Number + 1 + i, Offset: s.offsets[i]}
}

// tail is what no seal follows.
func (v *verifier) tail() {
	s := &v.segment
	v.report.Ended = v.stopped && s.lines == 0
	switch {
	case s.bad != nil:
		v.find(Altered, *s.bad, "not a line of a log, and nothing seals it")
	case s.lines > 0:
		v.find(Unsealed, s.at(0), "nothing vouches for the last %d lines: who recorded was killed, or still records", s.lines)
	}
}
