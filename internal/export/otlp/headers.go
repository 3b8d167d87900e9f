package otlp

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// checkHeaders says what is wrong with those of a signal, but none of their values: they
// are passwords, and the exporters' own words would have them. What gRPC cannot send it
// would refuse with each request, and events would be lost.
func (c *Config) checkHeaders(s flow) error {
	for name, value := range c.Headers {
		if err := checkHeader(name, value); err != nil {
			return wrong("headers", "%w", err)
		}
	}
	for _, variable := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_" + s.name + "_HEADERS"} {
		text := os.Getenv(variable)
		if text == "" {
			continue
		}
		for i, header := range strings.Split(text, ",") {
			name, value, found := strings.Cut(header, "=")
			value, err := url.PathUnescape(value)
			if !found || err != nil || checkHeader(strings.TrimSpace(name), strings.TrimSpace(value)) != nil {
				return fmt.Errorf("%s: header %d: must be KEY=VALUE, in printable ASCII, with %%25 for %%", variable, i+1)
			}
		}
	}
	return nil
}

func checkHeader(name, value string) error {
	if !httpguts.ValidHeaderFieldName(name) {
		return fmt.Errorf("%q: is no name of a header", name)
	}
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return fmt.Errorf("%s: must be printable ASCII", name)
		}
	}
	return nil
}
