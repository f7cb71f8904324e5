//go:build e2e

package e2e

import (
	"context"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
)

// aloneStory is a story that has the cluster to itself while it is told.
type aloneStory struct {
	text          string
	labels        Labels
	location      types.CodeLocation
	prepare, tell func(context.Context, *world)
}

var aloneStories []aloneStory

// alone is a story that nothing else in the cluster may disturb, or that would disturb
// all others: it counts, it times, or it takes away what they need. What it begins with
// is prepared together with that of all others of its kind, when the other stories are
// told; it starts its load itself.
func alone(text string, labels Labels, prepare, tell func(context.Context, *world)) bool {
	labels = append(Labels{"serial"}, labels...)
	aloneStories = append(aloneStories, aloneStory{text, labels, types.NewCodeLocation(1), prepare, tell})
	return true
}

// tellAlone lets the suite have these stories, in the order of their files.
func tellAlone() {
	Describe("alone in the cluster", Serial, Ordered, ContinueOnFailure, func() {
		worlds := make([]*world, len(aloneStories))
		BeforeAll(func(ctx SpecContext) {
			var preparing sync.WaitGroup
			for i, s := range aloneStories {
				if !s.labels.MatchesLabelFilter(GinkgoLabelFilter()) {
					continue
				}
				worlds[i] = open(ctx, s.labels)
				DeferCleanup(worlds[i].close)
				preparing.Go(func() {
					defer GinkgoRecover()
					s.prepare(ctx, worlds[i])
				})
			}
			preparing.Wait()
		}, NodeTimeout(5*time.Minute))
		for i, s := range aloneStories {
			It(s.text, s.labels, s.location, SpecTimeout(5*time.Minute), func(ctx SpecContext) {
				DeferCleanup(worlds[i].close)
				worlds[i].hear(ctx, s.tell)
			})
		}
	})
}
