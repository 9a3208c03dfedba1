package types

import (
	"context"

	"go.opentelemetry.io/otel/sdk/resource"
)

// K8sAttributesDetector would ask a Kubernetes for the names of Traefik's pod.
type K8sAttributesDetector struct{}

// Detect finds nothing: the proxy runs in a container of a Docker engine.
func (K8sAttributesDetector) Detect(context.Context) (*resource.Resource, error) {
	return resource.Empty(), nil
}
