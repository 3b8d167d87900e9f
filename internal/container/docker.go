package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// docker is an engine that speaks the Docker Engine API.
type docker struct{ client http.Client }

func newDocker(socket string) *docker {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &docker{http.Client{
		Transport: &http.Transport{
			DialContext: dial, DisableCompression: true,
			MaxConnsPerHost: askers, MaxIdleConnsPerHost: askers, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("a redirect") },
	}}
}

// What Kubernetes has its containers labelled with.
const (
	labelContainer    = "io.kubernetes.container.name"
	labelPod          = "io.kubernetes.pod.name"
	labelPodNamespace = "io.kubernetes.pod.namespace"
)

// inspected is what is read of the answer to GET /containers/ID/json.
type inspected struct {
	ID     string `json:"Id"`
	Name   string
	Config struct {
		Image  string
		Labels map[string]string
	}
}

func (d *docker) ask(ctx context.Context, id string) (Info, error) {
	// Without a version the daemon takes its own: what is read has been there in all.
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/containers/"+id+"/json", nil)
	if err != nil {
		return Info{}, err
	}
	response, err := d.client.Do(request)
	if err != nil {
		return Info{}, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		return readInspected(io.LimitReader(response.Body, maxBytes), id)
	case http.StatusNotFound:
		return Info{}, errUnknown
	}
	return Info{}, fmt.Errorf("docker: HTTP status %d", response.StatusCode)
}

// readInspected reads an answer, which must be of the container asked for.
func readInspected(r io.Reader, id string) (Info, error) {
	var got inspected
	if err := json.NewDecoder(r).Decode(&got); err != nil {
		return Info{}, fmt.Errorf("docker: %w", err)
	}
	if got.ID != id {
		return Info{}, errors.New("docker: an answer about another container")
	}
	labels := got.Config.Labels
	info := Info{
		Name: strings.TrimPrefix(got.Name, "/"), Image: got.Config.Image,
		Pod: labels[labelPod], PodNamespace: labels[labelPodNamespace],
	}
	if name := labels[labelContainer]; info.Pod != "" && name != "" {
		info.Name = name // k8s_NAME_POD_NAMESPACE_UID_ATTEMPT without the rest
	}
	return info, nil
}

func (d *docker) close() error {
	d.client.CloseIdleConnections()
	return nil
}
