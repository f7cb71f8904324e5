package rollout_test

import (
	"testing"

	"github.com/strata-release/strata/api/v1alpha1"
)

// stories by the name of their golden file.
var stories = map[string]func(*testing.T){
	// Going live.
	"first-release":            firstRelease,
	"steps-and-holds":          stepsAndHolds,
	"blue-green":               blueGreen,
	"components-and-routes":    componentsAndRoutes,
	"track-without-routes":     trackWithoutRoutes,
	"approval":                 approvalOfASteps,
	"approval-first-release":   approvalFirstRelease,
	"approvals-by-others":      approvalsByOthers,
	"approval-lapses":          approvalLapses,
	"steps-edited-under-way":   stepsEdited,
	"superseded-at-20":         supersededAt20,
	"queued-while-baking":      queuedWhileBaking,
	"dead-baseline":            deadBaseline,
	"route-added-and-removed":  routeAddedAndRemoved,
	"routes-removed-under-way": routesRemovedUnderWay,
	"route-attached":           routeAttached,
	"route-attached-to-nobody": routeAttachedToNobody,
	"required-track":           requiredTrack,
	"waits-for-its-turn":       waitsForItsTurn,
	"turn-yielded":             turnYielded,
	"begun-before-a-limit":     begunBeforeALimit,
	"dead-baseline-no-turn":    deadBaselineNoTurn,
	"signed-promotion":         signedPromotion,
	"first-attempts-fail":      firstAttemptsFail,
	"probe":                    probed,
	"probe-in-vain":            probedInVain,
	"probe-keeps-nobody":       probeKeepsNobody,
	// Not going live.
	"before-traffic-test-fails":  beforeTrafficFails,
	"every-step-test-fails":      everyStepFails,
	"never-ready":                neverReady,
	"unavailable-with-weight":    unavailableWithWeight,
	"lacks-a-pod":                lacksAPod,
	"test-hangs":                 testHangs,
	"job-vanishes":               jobVanishes,
	"job-replaced":               jobReplaced,
	"router-never-verifies":      routerNeverVerifies,
	"dead-baseline-at-verdict":   deadBaselineAtVerdict,
	"baseline-dies-before-write": baselineDiesBeforeWrite,
	"route-of-somebody-else":     routeOfSomebodyElse,
	"foreign-selector":           foreignSelector,
	"name-taken":                 nameTaken,
	"obstacle":                   obstacle,
	"registry-down":              registryDown,
	"backend-missing":            backendMissing,
	"version-reused":             versionReused,
	"release-deleted":            releaseDeleted,
	"passed-over-by-deleted":     passedOverByDeleted,
	"passed-over-after-a-pin":    passedOverAfterAPin,
	"stable-deleted":             stableDeleted,
	"stable-deleted-and-passed":  stableDeletedAndPassed,
	"stable-deleted-under-way":   stableDeletedUnderWay,
	"first-deleted-at-100":       firstDeletedAt100,
	"stable-down-without-route":  stableDownWithoutRoute,
	"track-deleted":              trackDeleted,
	"pinned-is-held":             pinnedIsHeld,
	"records-lost":               recordsLost,
	"history-limit":              historyLimit,
	"record-limit":               recordLimit,
	"finished-actions":           finishedActions,
	"routes-go-with-the-track":   routesGoWithTheTrack,
	// Entering.
	"break-glass":               breakGlass,
	"break-glass-refused":       breakGlassRefused,
	"break-glass-twice":         breakGlassTwice,
	"break-glass-retired":       breakGlassRetired,
	"break-glass-never-well":    breakGlassNeverWell,
	"break-glass-track-deleted": breakGlassTrackDeleted,
	// Going back.
	"abort":                   abort,
	"retry":                   retry,
	"retry-at-100":            retryAt100,
	"rollback-warm":           rollbackWarm,
	"rollback-under-way":      rollbackUnderWay,
	"rollback-to-retired":     rollbackToRetired,
	"rollback-never-comes-up": rollbackNeverComesUp,
	"rollback-to-dead-stable": rollbackToDeadStable,
	"rollback-pending":        rollbackPending,
	"rollback-cannot-serve":   rollbackCannotServe,
	"rollback-target-deleted": rollbackTargetDeleted,
	"version-comes-back":      versionComesBack,
	"rollback-before-pods-go": rollbackBeforePodsGo,
	"refused-actions":         refusedActions,
	"pin-to-older-and-back":   pinToOlderAndBack,
	"pin-to-missing":          pinToMissing,
	"pinned-was-rolled-back":  pinnedWasRolledBack,
	// A router that lists releases before they have pods.
	"listed-first":               listedFirst,
	"listed-first-rollback":      listedFirstRollback,
	"listed-first-sticky":        listedFirstSticky,
	"listed-first-dead-baseline": listedFirstDeadBaseline,
	"listed-first-never":         listedFirstNever,
	"no-readiness-gates":         noReadinessGates,
	// Clients that stay with what they met.
	"bound-clients":        boundClients,
	"bound-clients-unkept": boundClientsUnkept,
	"bound-clients-lost":   boundClientsLost,
	// Living with it.
	"drain-and-retire":          drainAndRetire,
	"warm-releases":             warmReleases,
	"children-deleted":          childrenDeleted,
	"route-object-deleted":      routeObjectDeleted,
	"routes-replaced-under-way": routesReplacedUnderWay,
	"log-broken":                logBroken,
	// One object that is edited in place.
	"template":                 template,
	"template-pinned":          templatePinned,
	"template-under-way":       templateUnderWay,
	"template-release-deleted": templateReleaseDeleted,
	"template-content-differs": templateContentDiffers,
	"template-name-taken":      templateNameTaken,
	"template-records-lost":    templateRecordsLost,
	// What is lost, and comes back.
	"records-lost-and-tried":   recordsLostAndTried,
	"records-lost-and-pinned":  recordsLostAndPinned,
	"came-back-under-its-name": cameBackUnderItsName,
	"restored":                 restored,
	"restored-under-way":       restoredUnderWay,
	"restored-idle":            restoredIdle,
	"restored-without-records": restoredWithoutRecords,
	// What is changed past the guards.
	"drift":                 drift,
	"drift-returns":         driftReturns,
	"drift-of-pods":         driftOfPods,
	"drift-of-a-pod":        driftOfAPod,
	"drift-under-way":       driftUnderWay,
	"mutated":               mutatedAtCreation,
	"repair-refused":        repairRefused,
	"snapshot-missing":      snapshotMissing,
	"snapshot-changed":      snapshotChanged,
	"snapshot-of-candidate": snapshotOfCandidate,
	"snapshot-rollback":     snapshotRollback,
	// How fast it goes, and what people can do to it.
	"before-pods-takes-its-time":     beforePodsTakesItsTime,
	"before-pods-test-fails":         beforePodsFails,
	"before-pods-retry":              beforePodsRetry,
	"after-promotion":                afterPromotion,
	"after-promotion-test-fails":     afterPromotionFails,
	"after-promotion-first-release":  afterPromotionFirstRelease,
	"after-promotion-without-routes": afterPromotionWithoutRoutes,
	"unavailable-in-the-bake":        unavailableInTheBake,
	"baseline-dies-under-way":        baselineDiesUnderWay,
	"never-confirmed-at-100":         neverConfirmedAt100,
	"rollback-unverified":            rollbackUnverified,
	"queued":                         queued,
	"queued-behind-a-failure":        queuedBehindAFailure,
	"held-until-well":                heldUntilWell,
	"held-by-a-test":                 heldByATest,
	"held-and-replaced":              heldAndReplaced,
	"held-at-100":                    heldAt100,
	"paused":                         pausedTrack,
	"paused-without-routes":          pausedWithoutRoutes,
	"skip-hold":                      skipHold,
	// How large everything is.
	"scaled-by-others":        scaledByOthers,
	"autoscaled":              autoscaledRelease,
	"autoscaled-aborted":      autoscaledAborted,
	"autoscaled-alone":        autoscaledAlone,
	"autoscaled-at-most":      autoscaledAtMost,
	"proportional":            proportional,
	"proportional-held":       proportionalHeld,
	"proportional-no-room":    proportionalNoRoom,
	"capacity-overridden":     capacityOverridden,
	"rollback-to-smaller":     rollbackToSmaller,
	"workers":                 workers,
	"worker-never-ready":      workerNeverReady,
	"workers-roll-back":       workersRollBack,
	"workers-without-routes":  workersWithoutRoutes,
	"autoscaler-name-taken":   autoscalerNameTaken,
	"route-to-waiting":        routeToWaiting,
	"components-wait-for-all": componentsWaitForAll,
}

func TestStories(t *testing.T) {
	for name, tell := range stories {
		t.Run(name, tell)
	}
}

// serving is a story that begins with shop-1 stable and its routes verified.
func serving(t *testing.T, spec v1alpha1.ReleaseTrackSpec) *story {
	t.Helper()
	s := newStory(t, spec)
	s.publish("shop-1", release("1.0"), fine())
	s.run()
	if stable := s.Head().Stable; stable == nil || stable.Name != "shop-1" {
		t.Fatalf("shop-1 is not stable\n%s", s.transcript())
	}
	s.user("(shop-1 serves; the transcript begins here)", func() { s.lines = nil })
	return s
}

// publishAll publishes releases one after the other, each stable before the next.
func (s *story) publishAll(versions ...string) {
	for _, v := range versions {
		s.publish("shop-"+v, release(v+".0"), fine())
		s.untilStable("shop-" + v)
	}
}

func (s *story) untilStable(name string) {
	s.untilState(name+" stable", func(state v1alpha1.TrackState) bool {
		return state.Stable != nil && state.Stable.Name == name && state.Candidate == nil
	})
}
