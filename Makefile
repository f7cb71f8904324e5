# Every target works in a fresh clone with only Go, gcc, make and git.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# VERSION is stamped into the binaries and the image.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# IMAGE is where `make push` puts the operator's image, without a tag. The
# default is the registry of the local cluster.
IMAGE ?= 127.0.0.1:5000/strata
# LABELS is a Ginkgo label filter for `make e2e`, for example LABELS='rollback'.
LABELS ?=
# KUBECONFIG of any cluster is used instead of the local one where it is set.
LOCAL_KUBECONFIG := $(CURDIR)/.cluster/kubeconfig
TARGET_KUBECONFIG = $(or $(KUBECONFIG),$(LOCAL_KUBECONFIG))
KUBECTL ?= $(or $(wildcard $(CURDIR)/bin/cluster/kubectl),kubectl)

CLUSTER := go -C hack/cluster run .
RELEASE := go -C hack/release run .
CONTROLLER_GEN := go tool controller-gen
# The modules of this repository: Strata itself, and tools apart from it.
MODULES = $(patsubst %/go.mod,%,$(shell git ls-files 'go.mod' '*/go.mod'))
LDFLAGS := -s -w -X main.version=$(VERSION)

##@ Everyday

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z][a-z0-9-]*:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the manager into bin/.
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/manager ./cmd/manager

.PHONY: fmt
fmt: ## Format all Go code.
	gofmt -w $$(git ls-files '*.go')

.PHONY: vet
vet: ## Run go vet.
	go vet ./...

.PHONY: lint
lint: bin/golangci-lint ## Run the linters: style, and which package may import which.
	bin/golangci-lint run ./...

# A program of its own module; built in a minute, and then kept.
bin/golangci-lint: hack/lint/go.mod
	go -C hack/lint build -o $(CURDIR)/$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: clean
clean: ## Remove what was built, but for the cluster's programs (bin/cluster).
	rm -rf dist
	find bin -mindepth 1 -maxdepth 1 ! -name cluster -exec rm -rf {} + 2>/dev/null || true

##@ Generated files

.PHONY: generate
generate: manifests ## Generate deepcopy functions and CRDs from the types in api/.
	$(CONTROLLER_GEN) object paths=./api/...

.PHONY: manifests
manifests: ## Generate the CRDs into config/crd/bases.
	$(CONTROLLER_GEN) crd:generateEmbeddedObjectMeta=true paths=./api/... output:crd:stdout | go run ./hack/crd config/crd/bases

##@ The local cluster

.PHONY: cluster-build
cluster-build: ## Build the programs of the local cluster into bin/cluster (20 min from nothing).
	$(CLUSTER) build

.PHONY: cluster-up
cluster-up: ## Start the local cluster; its kubeconfig is .cluster/kubeconfig.
	$(CLUSTER) up

.PHONY: cluster-down
cluster-down: ## Stop the local cluster and remove all that it left.
	$(CLUSTER) down

.PHONY: envtest-assets
envtest-assets: ## Build etcd, kube-apiserver and kubectl, which `make test` needs.
	$(CLUSTER) build --only envtest
