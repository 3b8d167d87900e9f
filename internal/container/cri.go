package container

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// runtimeService is an engine that speaks CRI.
type runtimeService struct {
	conn   *grpc.ClientConn
	client cri.RuntimeServiceClient
}

// newCRI connects when something is asked.
func newCRI(socket string) (*runtimeService, error) {
	retry := backoff.DefaultConfig
	retry.MaxDelay = 10 * time.Second
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	conn, err := grpc.NewClient("passthrough:///cri", grpc.WithContextDialer(dial), grpc.WithAuthority("localhost"),
		grpc.WithTransportCredentials(insecure.NewCredentials()), // a Unix socket
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxBytes)),
		grpc.WithMaxHeaderListSize(64<<10),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: patience}),
		grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithNoProxy())
	if err != nil {
		return nil, err
	}
	return &runtimeService{conn, cri.NewRuntimeServiceClient(conn)}, nil
}

func (s *runtimeService) ask(ctx context.Context, id string) (Info, error) {
	answer, err := s.client.ContainerStatus(ctx, &cri.ContainerStatusRequest{ContainerId: id})
	if status.Code(err) == codes.NotFound {
		return s.sandbox(ctx, id)
	}
	if err != nil {
		return Info{}, fmt.Errorf("CRI: %w", err)
	}
	of := answer.GetStatus()
	if of.GetId() != id {
		return Info{}, errOther
	}
	image := of.GetImage()
	info := Info{
		Name:  of.GetMetadata().GetName(),
		Image: cmp.Or(image.GetUserSpecifiedImage(), image.GetImage(), of.GetImageRef()),
		Pod:   of.GetLabels()[labelPod], PodNamespace: of.GetLabels()[labelPodNamespace],
	}
	if info.Pod == "" {
		s.addPod(ctx, id, &info)
	}
	return info, nil
}

var errOther = errors.New("CRI: an answer about another container")

// addPod finds the pod of a container that no kubelet has labelled. Without, the rest
// is worth telling.
func (s *runtimeService) addPod(ctx context.Context, id string, info *Info) {
	list, err := s.client.ListContainers(ctx, &cri.ListContainersRequest{Filter: &cri.ContainerFilter{Id: id}})
	if err != nil {
		return
	}
	for _, c := range list.GetContainers() {
		if c.GetId() != id {
			continue
		}
		if pod, err := s.sandbox(ctx, c.GetPodSandboxId()); err == nil {
			info.Pod, info.PodNamespace = pod.Pod, pod.PodNamespace
		}
		return
	}
}

// sandbox is what holds the namespaces of a pod.
func (s *runtimeService) sandbox(ctx context.Context, id string) (Info, error) {
	answer, err := s.client.PodSandboxStatus(ctx, &cri.PodSandboxStatusRequest{PodSandboxId: id})
	switch {
	case status.Code(err) == codes.NotFound:
		return Info{}, errUnknown
	case err != nil:
		return Info{}, fmt.Errorf("CRI: %w", err)
	case answer.GetStatus().GetId() != id:
		return Info{}, errOther
	}
	of := answer.GetStatus().GetMetadata()
	return Info{Pod: of.GetName(), PodNamespace: of.GetNamespace()}, nil
}

func (s *runtimeService) close() error { return s.conn.Close() }
