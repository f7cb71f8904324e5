// Package crd holds the CRDs of Strata as they are installed, for tools that check a
// manifest without a cluster.
package crd

import "embed"

// Bases are the manifests of the CRDs, under bases/.
//
//go:embed bases/*.yaml
var Bases embed.FS
