package otlp

import (
	"strings"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// image is that of a container, as it was named: by a name with a tag or a digest, or
// by its id. The semantic conventions have them apart.
func (a *attributes) image(named string) {
	if strings.HasPrefix(named, "sha256:") {
		a.text(semconv.ContainerImageIDKey, named)
		return
	}
	name, digest, _ := strings.Cut(named, "@")
	tag := ""
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') { // else it is of a port
		name, tag = name[:colon], name[colon+1:]
	}
	a.text(semconv.ContainerImageNameKey, name)
	if tag != "" {
		a.texts(semconv.ContainerImageTagsKey, []string{tag})
	}
	if digest != "" {
		a.texts(semconv.ContainerImageRepoDigestsKey, []string{name + "@" + digest})
	}
}
