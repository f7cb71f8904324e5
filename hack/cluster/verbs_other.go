//go:build !linux

package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/strata-release/strata/hack/cluster/layout"
)

// Elsewhere than on Linux every verb but build says why it cannot do its work.
var verbs = func() map[string]func(context.Context, layout.Layout, []string) error {
	refuse := func(context.Context, layout.Layout, []string) error {
		return fmt.Errorf("the local cluster runs on Linux only, and this is %s: point KUBECONFIG at another cluster (kind, for example)", runtime.GOOS)
	}
	m := map[string]func(context.Context, layout.Layout, []string) error{}
	for _, verb := range []string{"up", "down", "status", "run", "stop", "push"} {
		m[verb] = refuse
	}
	return m
}()
