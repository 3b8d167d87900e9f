package otlp

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"golang.org/x/sys/unix"
)

// describe is who sends: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES have the last
// word.
func describe(ctx context.Context, version string) (*resource.Resource, error) {
	var name unix.Utsname
	_ = unix.Uname(&name) // fails only for a bad pointer
	machine := unix.ByteSliceToString(name.Machine[:])
	own := []attribute.KeyValue{
		semconv.ServiceName("ipctrace"),
		semconv.HostName(valid(unix.ByteSliceToString(name.Nodename[:]))),
		semconv.HostArchKey.String(cmp.Or(architectures[machine], machine)),
		semconv.OSVersion(unix.ByteSliceToString(name.Release[:])), // what this is about is the kernel
	}
	if version != "" {
		own = append(own, semconv.ServiceVersion(version))
	}
	if id := machineID("/"); id != "" {
		own = append(own, semconv.HostID(id))
	}
	r, err := resource.New(ctx, resource.WithSchemaURL(semconv.SchemaURL), resource.WithTelemetrySDK(), resource.WithOS(),
		resource.WithAttributes(own...), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("otlp: resource: %w", err)
	}
	return r, nil
}

// architectures are what the semantic conventions call those of uname.
var architectures = map[string]string{"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm32", "i686": "x86"}

var machineIDs = regexp.MustCompile(`^[0-9a-f]{32}$`)

// machineID is the host's, if it can be read. In a container there may be another:
// that of the image, if any; so the first process is asked for its own. In a
// container of all the host's processes, that is the host.
func machineID(root string) string {
	for _, file := range []string{"proc/1/root/etc/machine-id", "etc/machine-id", "var/lib/dbus/machine-id"} {
		text, err := os.ReadFile(root + file)
		if id := strings.TrimSpace(string(text)); err == nil && machineIDs.MatchString(id) {
			return id
		}
	}
	return ""
}
