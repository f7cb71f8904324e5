// The scripts of config/argocd, run as Argo CD runs them. A module of its own, so that
// a Lua machine does not enter Strata's go.mod.
module github.com/strata-release/strata/test/argocd

go 1.26.0

require (
	github.com/yuin/gopher-lua v1.1.2
	sigs.k8s.io/yaml v1.5.0
)

require go.yaml.in/yaml/v2 v2.4.2 // indirect
