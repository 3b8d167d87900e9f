package otlp

import (
	"net/http"

	"google.golang.org/grpc/credentials"
)

// newTransport is one of our own: its connections can be closed.
func newTransport(l link) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = l.tls
	return t
}

func credentialsOf(l link) credentials.TransportCredentials { return credentials.NewTLS(l.tls) }

// stay does not follow: a POST would become a GET, and what answers that with 200, as a
// page to log in does, has taken nothing; and it would be told our headers.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
