# Every target works in a fresh clone with only Go, gcc, make and git.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# No program here needs C, and none has the path of its clone in it: what one clone has
# compiled, another finds in Go's cache.
export CGO_ENABLED := 0
export GOFLAGS := -trimpath $(GOFLAGS)

# VERSION is stamped into the manager and the plugin.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# IMAGE of the operator for `make dist` and `make deploy`, best by digest. Where it is
# empty, deploy builds one and pushes it to the registry of the local cluster.
IMAGE ?=
# PLUGIN_URL is the directory from which `make plugin-archives` will be downloaded.
PLUGIN_URL ?= https://github.com/strata-release/strata/releases/download/$(VERSION)
# LABELS is a Ginkgo label filter for `make e2e`: make e2e LABELS='going-live && !serial'. Without
# one, stories are left out that measure, or break what all others stand on.
LABELS ?=
# LOAD is how many times as often as in CI `make e2e` asks, so that each story about traffic
# asks 5,000 times at least; PROCS is how many stories are told at a time. ROUTER and PROTOCOL
# are what those of scenarios are told by: Traefik, gRPC.
LOAD ?= $(if $(findstring traffic,$(LABELS)),6,1)
PROCS ?= $(if $(filter 1,$(LOAD)),7,2)
ROUTER ?= GatewayAPI
PROTOCOL ?= HTTP
# MUTANT is a regular expression for names of faults that alone are planted by `make
# mutants`, FINDER a kind of tests that alone looks: make mutants FINDER='random worlds'
MUTANT ?=
FINDER ?=
# KUBECONFIG, where it is set, names the cluster that is used instead of the local one.
LOCAL_KUBECONFIG := $(CURDIR)/.cluster/kubeconfig
TARGET_KUBECONFIG = $(or $(KUBECONFIG),$(LOCAL_KUBECONFIG))

# Coverage that the planner's tests must reach, in percent.
PLANNER_COVERAGE := 95

# Memory is at hand in tests, and the processors are few: an API server collects its garbage
# less often, which is a fifth of its work.
WITH_API_SERVER := GOGC=400 KUBEBUILDER_ASSETS=$(CURDIR)/bin/cluster
CLUSTER := go -C hack/cluster run .
PUSH = $(CLUSTER) push --name strata --binary $(CURDIR)/bin/manager --entrypoint /manager
RELEASE := go -C hack/release run .
CONTROLLER_GEN := go tool controller-gen
KUBECTL = $(firstword $(wildcard $(CURDIR)/bin/cluster/kubectl) kubectl)
LDFLAGS = -s -w -X main.version=$(VERSION)
# Strata itself, and the tools that are modules apart from it. Those of the cluster's
# programs only pin what is built: to tidy them fetches what their tests would need.
MODULES = $(filter-out hack/cluster/build/%,$(patsubst %/,%,$(dir $(shell git ls-files 'go.mod' '*/go.mod'))))

##@ Everyday

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z][a-z0-9-]*:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the manager into bin/.
	go build -ldflags '$(LDFLAGS)' -o bin/manager ./cmd/manager

.PHONY: plugin
plugin: ## Build the kubectl plugin into bin/: with bin/ in PATH it is `kubectl strata`.
	go build -ldflags '$(LDFLAGS)' -o bin/kubectl-strata ./cmd/kubectl-strata

.PHONY: demo
demo: ## Show a rollout, two that fail, a rollback and refused edits, under load, on a real cluster.
	go build -o bin/demo ./hack/demo
	hack/with-strata bin/demo --output dist/demo.json

.PHONY: picture
picture: ## Draw docs/rollout.svg from what the last demo saw.
	go run ./hack/demo/picture dist/demo.json docs/rollout.svg

.PHONY: clean
clean: ## Remove what was built, but for the programs of the cluster (bin/cluster).
	find bin -maxdepth 1 -type f -delete 2>/dev/null || true
	rm -rf dist cover.out

##@ Tests

# The stories wait for much of their time while all else computes: they run side by side.
# The worlds of the simulator wait for nothing, and are played when the others have ended. A
# part tells what it has to tell when it has ended, and none is left out because another has
# failed. Each can be made alone.
TEST_PARTS := test-stories test-admission test-suites test-packages test-fuzz test-planner test-tools

# The packages whose tests have an API server of their own, but for the two above; the
# longest first.
SUITES := ./test/upgrade ./test/schema ./controllers/traffic/providers ./test/plugin ./cmd/manager

.PHONY: test
test: envtest-assets ## Run unit tests, golden transcripts and the tests against a real API server.
	@status=0; \
	$(MAKE) --no-print-directory --jobs=5 --keep-going --output-sync=target $(TEST_PARTS) || status=$$?; \
	$(MAKE) --no-print-directory test-worlds || status=$$?; \
	exit $$status

.PHONY: $(TEST_PARTS) test-worlds test-alerts
test-stories: bin/ginkgo
	$(WITH_API_SERVER) bin/ginkgo --procs=3 --ldflags=-w --timeout=20m ./test/stories

# They wait for API servers, and for what must not happen. make vet looks at all of it, and
# links are quick without what only debuggers read.
test-suites:
	$(WITH_API_SERVER) go test -p 2 -count=1 -vet=off -ldflags=-w -timeout 20m $(SUITES)

test-packages:
	go test -p 2 -count=1 -vet=off -ldflags=-w -timeout 20m -skip '^TestWorlds$$' $$(go list ./... | grep -v -e /test/e2e -e '/test/stories$$' -e '/test/admission$$' -e '/controllers/rollout$$' $(patsubst ./%,-e '/%$$',$(SUITES)))

# The longest of those: each process has an API server of its own.
test-admission: bin/ginkgo
	$(WITH_API_SERVER) bin/ginkgo --procs=2 --ldflags=-w --timeout=20m ./test/admission

test-planner:
	go test -count=1 -vet=off -ldflags=-w -coverprofile=cover.out ./controllers/rollout
	@go tool cover -func=cover.out | awk '/^total:/ {sub("%", "", $$3); printf "coverage of controllers/rollout: %s %%, at least $(PLANNER_COVERAGE) %% is asked\n", $$3; exit $$3 < $(PLANNER_COVERAGE)}'

# What is known alone is asked by the packages' own tests; this looks a little further.
test-fuzz:
	$(MAKE) --no-print-directory fuzz FUZZTIME=300x

# 20,000 random worlds.
test-worlds:
	go test ./test/simulation -count=1 -vet=off -ldflags=-w -timeout 20m -v -run '^TestWorlds$$'

# They read files of the whole tree, which Go's cache of test results does not know of.
test-tools:
	go -C hack/cluster test -count=1 ./...
	go -C hack/release test -count=1 ./...
	go -C test/argocd test -count=1 ./...

# Prometheus' engine is built in some minutes, once.
test-alerts: envtest-assets ## Play the fault of every alert, and evaluate config/prometheus by Prometheus' own engine.
	$(WITH_API_SERVER) go -C test/alerts test -count=1 -vet=off -ldflags=-w -timeout 20m ./...

# Runs stories in several processes. Go knows whether it is up to date.
.PHONY: bin/ginkgo
bin/ginkgo:
	go build -o $@ github.com/onsi/ginkgo/v2/ginkgo

.PHONY: simulate
simulate: ## Play random worlds: SEED=n WORLDS=n; SEED alone tells of that one world.
	go test ./test/simulation -count=1 -timeout 24h -v -run '^TestWorlds$$' $(if $(WORLDS),-worlds $(WORLDS),$(if $(SEED),-tell)) $(if $(SEED),-seed $(SEED))

.PHONY: simulate-nightly
simulate-nightly: ## Play a million random worlds, from SEED= on, or from the date.
	$(MAKE) simulate WORLDS=1000000 SEED=$(or $(SEED),$(shell date +%Y%m%d)0000000)

.PHONY: fuzz
fuzz: ## Fuzz everything that can be, each for FUZZTIME= (30s); make test has 300 tries of each.
	@git grep -lE '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u | while read -r dir; do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z]+' $$dir/*_test.go | cut -c6-); do \
			echo "== $$dir $$target"; \
			go test ./$$dir -run '^$$' -fuzz "^$$target\$$" -fuzztime $(or $(FUZZTIME),30s) || exit 1; \
		done; \
	done

.PHONY: test-kill
test-kill: envtest-assets ## Disturb the operator at every write of whole tales, on a real API server: TALE= and FAULT= pick one (docs/proof.md).
	$(WITH_API_SERVER) go test ./test/stories -count=1 -vet=off -timeout 2h -v -ginkgo.focus 'stopped at any write' -every-write $(if $(TALE),-tale '$(TALE)') $(if $(FAULT),-fault $(FAULT))

.PHONY: test-upgrade
test-upgrade: envtest-assets ## Replace the operator by one that renders and defaults otherwise, beside TRACKS= (100) settled tracks (docs/proof.md).
	$(WITH_API_SERVER) go test ./test/upgrade -count=1 -vet=off -ldflags=-w -timeout 1h -v -tracks $(or $(TRACKS),100)

# At thousands of tracks an API server would take all memory before it collects.
.PHONY: bench
bench: ## Measure TRACKS= (100,1000) tracks on a whole control plane with kwok's nodes: rolled out at once, settled, after a restart; PROFILES= is a directory for profiles of the operator (docs/benchmarks.md).
	$(CLUSTER) build --only bench
	go build -ldflags=-w -o bin/bench ./test/bench
	GOMEMLIMIT=6GiB $(WITH_API_SERVER) bin/bench $(if $(TRACKS),-tracks $(TRACKS)) $(if $(PROFILES),-profiles $(PROFILES))

.PHONY: bench-admission
bench-admission: envtest-assets ## Measure what admission costs: policies by the API server's metrics, the webhook at 50 calls a second.
	$(WITH_API_SERVER) go test ./test/admission -count=1 -timeout 10m -v -ginkgo.focus 'What admission costs' -benchmark

.PHONY: bench-memory
bench-memory: ## Measure how many bytes the loop, the check of images and the registries' client retain.
	go test ./controllers ./controllers/images ./controllers/registry -count=1 -v -run '^TestRetained'

.PHONY: e2e
e2e: bin/ginkgo ## Run the stories on a real cluster under load; LABELS= picks some.
	go test -tags e2e -c -ldflags=-w -o bin/e2e.test ./test/e2e
	STRATA_LOAD=$(LOAD) STRATA_ROUTER=$(ROUTER) STRATA_PROTOCOL=$(PROTOCOL) hack/with-strata bin/ginkgo --procs=$(PROCS) --timeout=40m --label-filter='$(or $(LABELS),!benchmark && !chaos && !fault)' bin/e2e.test

.PHONY: chaos
chaos: bin/ginkgo ## Break what Strata stands on, one thing after another, while tracks roll out under load on a real cluster.
	go test -tags e2e -c -ldflags=-w -o bin/e2e.test ./test/e2e
	go run ./test/stepped -step 30s -o dist/stepped/manager
	STRATA_MANAGER=dist/stepped/manager hack/with-strata bin/ginkgo --timeout=12m --label-filter=chaos $(if $(SEED),--seed=$(SEED)) bin/e2e.test

.PHONY: bench-rollback
bench-rollback: bin/ginkgo ## Measure rollbacks to a warm release on a real cluster under load, ROLLBACKS= (100) for each kind of route.
	go test -tags e2e -c -ldflags=-w -o bin/e2e.test ./test/e2e
	ROLLBACKS=$(ROLLBACKS) hack/with-strata bin/ginkgo --timeout=2h --label-filter=benchmark bin/e2e.test

.PHONY: mutants
mutants: ## Plant deliberate faults, one at a time, and list in docs/proof.md what finds each (MUTANT=).
	go run ./hack/mutants -mutant='$(MUTANT)' -finder='$(FINDER)'

##@ What is checked

.PHONY: fmt
fmt: ## Format all Go code.
	gofmt -w $$(git ls-files '*.go')

.PHONY: vet
vet: ## Run go vet.
	go vet -tags e2e ./...

.PHONY: lint
lint: bin/golangci-lint ## Run the linters: style, and which package may import which.
	bin/golangci-lint run ./...
	for module in hack/cluster hack/release test/argocd test/alerts; do (cd $$module && $(CURDIR)/bin/golangci-lint run --config $(CURDIR)/.golangci.yml ./...); done

# A program of its own module: built in a minute, and then kept.
bin/golangci-lint: hack/lint/go.mod
	go -C hack/lint build -o $(CURDIR)/$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: tidy
tidy: ## Tidy every module.
	for module in $(MODULES); do go -C $$module mod tidy; done

.PHONY: verify
verify: generate vet lint ## Regenerate, lint, and fail where the work tree is not clean afterwards.
	@for module in $(MODULES); do go -C $$module mod tidy -diff || { echo "$$module/go.mod is not tidy: make tidy"; exit 1; }; done
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not formatted: $$unformatted"; exit 1; fi
	@changes=$$(git status --porcelain); if [ -n "$$changes" ]; then echo "the work tree is not clean; what was generated is committed with its source:"; echo "$$changes"; git diff --stat; exit 1; fi
	@echo "verified: generated files, formatting, linters and modules are as committed"

##@ Generated files

.PHONY: generate
generate: manifests ## Generate deepcopy functions and all manifests.
	$(CONTROLLER_GEN) object paths=./api/...

.PHONY: manifests
manifests: ## Generate CRDs, roles, admission policies and webhooks into config/.
	$(CONTROLLER_GEN) crd:generateEmbeddedObjectMeta=true paths=./api/... output:crd:stdout | go run ./hack/crd config/crd/bases
	$(CONTROLLER_GEN) rbac:roleName=strata-manager paths=./controllers/... output:rbac:dir=config/rbac
	go generate ./controllers/admission/...

##@ What is published

.PHONY: dist
dist: ## Write dist/install.yaml, all of config/default in one file; IMAGE= names the image.
	$(RELEASE) manifests --image $(or $(IMAGE),strata:$(VERSION)) --output dist/install.yaml

.PHONY: image
image: build ## Write the image of the Dockerfile to dist/strata.tar, without Docker.
	$(RELEASE) image --binary bin/manager --reference strata:$(VERSION) --output dist/strata.tar

.PHONY: plugin-archives
plugin-archives: ## Build the plugin for all platforms into dist/krew, with its krew manifest; PLUGIN_URL= is where they will be.
	for platform in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64; do \
		os=$${platform%/*}; arch=$${platform#*/}; suffix=; if [ $$os = windows ]; then suffix=.exe; fi; \
		GOOS=$$os GOARCH=$$arch go build -ldflags '$(LDFLAGS)' -o dist/plugin/$$os-$$arch/kubectl-strata$$suffix ./cmd/kubectl-strata; \
	done
	$(RELEASE) plugin --binaries dist/plugin --version '$(VERSION)' --url '$(PLUGIN_URL)' --output dist/krew

.PHONY: push
push: build ## Push the image to the registry of the local cluster and print its name by digest.
	@$(PUSH)

.PHONY: push-app
push-app: ## Push the application of the demo to the registry of the local cluster and print its name by digest.
	@go build -ldflags '-s -w' -o bin/app ./test/app
	@$(CLUSTER) push --name strata/app --binary $(CURDIR)/bin/app

.PHONY: deploy
deploy: $(if $(IMAGE),,build) ## Install Strata in the cluster of KUBECONFIG, else in the local one.
	image='$(IMAGE)'; image=$${image:-$$($(PUSH))}; $(RELEASE) manifests --image "$$image" --output dist/install.yaml
	KUBECONFIG=$(TARGET_KUBECONFIG) $(KUBECTL) apply --server-side --force-conflicts -f dist/install.yaml
	KUBECONFIG=$(TARGET_KUBECONFIG) $(KUBECTL) -n strata-system rollout status deployment/strata-manager --timeout=180s

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
