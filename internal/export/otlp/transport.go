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
