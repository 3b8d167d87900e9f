package otlp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// fate is what becomes of what was sent.
type fate int

const (
	refused  fate = iota // it will not be taken, however often it is sent
	waits                // it may be taken another time: nobody answers, or does not let us in
	accepted             // it was taken, but for what was rejected
)

// answer is what came back. The exporters say no more of it than a text.
type answer struct {
	fate     fate
	rejected int64         // of what was accepted
	text     string        // why
	after    time.Duration // not before
}

// grpc answers are by their code. OTLP says which of them are worth another try. Of
// the others, those that are about the way and not about what is sent wait too: a
// wrong password or a collector without OTLP is somebody's mistake, who will mend it.
func grpcAnswer(reply any, err error) answer {
	s := status.Convert(err)
	a := answer{text: fmt.Sprintf("%s: %s", s.Code(), s.Message())}
	switch s.Code() {
	case codes.OK:
		a.fate = accepted
		if r, ok := reply.(*collector.ExportLogsServiceResponse); ok {
			a.partial(r)
		}
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss,
		codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented, codes.NotFound:
		a.fate = waits
	}
	for _, detail := range s.Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok {
			a.fate, a.after = waits, retry.GetRetryDelay().AsDuration()
		}
	}
	return a
}

// httpAnswer likewise.
func httpAnswer(code int, header http.Header, body []byte) answer {
	a := answer{text: strconv.Itoa(code) + " " + http.StatusText(code)}
	switch {
	case code >= 200 && code <= 299:
		a.fate = accepted
		var r collector.ExportLogsServiceResponse
		kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
		if kind == "application/x-protobuf" && proto.Unmarshal(body, &r) == nil {
			a.partial(&r)
		}
		return a
	case code < 400, code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired,
		code == http.StatusNotFound, code == http.StatusMethodNotAllowed, code == http.StatusRequestTimeout,
		code == http.StatusTooManyRequests, code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		a.fate = waits
	}
	if s, err := strconv.Atoi(header.Get("Retry-After")); err == nil && s > 0 {
		a.after = time.Duration(min(s, 3600)) * time.Second
	}
	return a
}

func (a *answer) partial(r *collector.ExportLogsServiceResponse) {
	a.rejected = r.GetPartialSuccess().GetRejectedLogRecords()
	a.text = r.GetPartialSuccess().GetErrorMessage()
}

// answers keeps the last one, on its way to an exporter.
type answers struct {
	last *answer           // nil: nothing was sent
	next http.RoundTripper // of HTTP
}

func (a *answers) unary(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	err := invoke(ctx, method, request, reply, conn, options...)
	a.last = new(grpcAnswer(reply, err))
	return err
}

// maxResponse is as much of an answer as is read, in bytes.
const maxResponse = 1 << 20

// RoundTrip is of the http.RoundTripper.
func (a *answers) RoundTrip(request *http.Request) (*http.Response, error) {
	a.last = &answer{fate: waits}
	response, err := a.next.RoundTrip(request)
	if err != nil {
		a.last.text = err.Error()
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxResponse))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		a.last.text = err.Error()
		return nil, err
	}
	a.last = new(httpAnswer(response.StatusCode, response.Header, body))
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}
