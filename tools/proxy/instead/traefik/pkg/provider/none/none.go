// Package none stands for every provider that a proxy of ours has no use for: as much of it as Traefik's static
// configuration speaks of.
package none

import (
	"errors"

	ptypes "github.com/traefik/paerser/types"
	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/safe"
)

// Provider is one that is not built in.
type Provider struct {
	HTTPClientTimeout, RefreshSeconds                         ptypes.Duration
	EntryPoints                                               map[string]Entrypoint
	DefaultRuleSyntax, WatchNamespace, WatchNamespaceSelector string
}

// Entrypoint is where one would listen.
type Entrypoint struct {
	Address        string
	HasHTTPTLSConf bool
}

// Init refuses: Traefik says so and goes on without the provider.
func (*Provider) Init() error { return errors.New("this provider is not built in") }

// Provide is not called, for Init refuses.
func (*Provider) Provide(chan<- dynamic.Message, *safe.Pool) error { return nil }

// BuildProviders refuses too, by its one provider.
func (provider *Provider) BuildProviders() []*Provider { return []*Provider{provider} }

// FillExtensionBuilderRegistry joins two that are not built in.
func (*Provider) FillExtensionBuilderRegistry(*Provider) {}
