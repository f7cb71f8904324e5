package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/stories/cluster"
)

const (
	// perNamespace is how many tracks a namespace has at the most.
	perNamespace = 500
	// creators is how many objects are created at once.
	creators = 16
	// perTrack is how long a rollout may take, all tracks moving at once, and atLeast
	// however few they are.
	perTrack, atLeast = 2 * time.Second, 3 * time.Minute
	// quiet is for how long nothing is written where a status that waited has been written.
	quiet = 12 * time.Second
	// watched is for how long tracks are left alone.
	watched = time.Minute
	// scrapes is how often the depth of the queue is asked for: as Prometheus does, or so,
	// since the operator pays for the answers.
	scrapes = 5 * time.Second
)

// bench is a control plane with tracks.
type bench struct {
	*cluster.Cluster
	scratch, program string
	flags            []string
	operator         *operator
	tracks           []types.NamespacedName
	// profiles is a directory, and token is of who may get them; "": nobody asks for any.
	profiles, token string

	mu sync.Mutex
	// stable is when each track first had a release as its stable one, and no candidate.
	stable  map[types.NamespacedName]map[string]time.Time
	stopped context.CancelFunc
}

func newBench(ctx context.Context, c *cluster.Cluster, scratch, program, profiles string, flags []string, tracks int) (*bench, error) {
	b := &bench{Cluster: c, scratch: scratch, program: program, profiles: profiles, flags: flags, stable: map[types.NamespacedName]map[string]time.Time{}}
	for i := range tracks {
		namespace := fmt.Sprintf("bench-%d", i/perNamespace)
		if i%perNamespace == 0 {
			if err := c.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
				return nil, fmt.Errorf("create namespace %s: %w", namespace, err)
			}
		}
		b.tracks = append(b.tracks, types.NamespacedName{Namespace: namespace, Name: fmt.Sprintf("track-%d", i%perNamespace)})
	}
	if err := b.watch(ctx); err != nil {
		return nil, err
	}
	var err error
	if profiles != "" {
		if b.token, err = onlooker(ctx, c); err != nil {
			return nil, errors.Join(err, b.end())
		}
	}
	if b.operator, err = startOperator(c, scratch, program, b.token, flags); err != nil {
		return nil, errors.Join(err, b.end())
	}
	return b, nil
}

// watch notes when tracks become stable.
func (b *bench) watch(ctx context.Context) error {
	tracks, err := cache.New(b.Config, cache.Options{Scheme: b.Client.Scheme()})
	if err != nil {
		return fmt.Errorf("watch tracks: %w", err)
	}
	ctx, b.stopped = context.WithCancel(ctx)
	informer, err := tracks.GetInformer(ctx, &v1alpha1.ReleaseTrack{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch tracks: %w", err)
	}
	note := func(object any) {
		track, ok := object.(*v1alpha1.ReleaseTrack)
		if !ok || track.Status.StableReleaseName == "" || track.Status.CandidateReleaseName != "" {
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		key := client.ObjectKeyFromObject(track)
		if b.stable[key] == nil {
			b.stable[key] = map[string]time.Time{}
		}
		if _, known := b.stable[key][track.Status.StableReleaseName]; !known {
			b.stable[key][track.Status.StableReleaseName] = time.Now()
		}
	}
	if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: note, UpdateFunc: func(_, object any) { note(object) }}); err != nil {
		return fmt.Errorf("watch tracks: %w", err)
	}
	go func() { _ = tracks.Start(ctx) }() // It ends with ctx alone.
	return nil
}

func (b *bench) end() error {
	b.stopped()
	if b.operator == nil {
		return nil
	}
	return b.operator.stop()
}

// run makes the tracks and measures.
func (b *bench) run(ctx context.Context) (*result, error) {
	if err := b.operator.untilReady(ctx); err != nil {
		return nil, err
	}
	if err := b.each(ctx, func(key types.NamespacedName) error { return b.Client.Create(ctx, b.track(key)) }); err != nil {
		return nil, err
	}
	r := &result{tracks: len(b.tracks), flags: b.flags}
	var err error
	if r.first, err = b.rollOut(ctx, "1.0.0"); err != nil {
		return nil, err
	}
	profiled := b.profileCPU(ctx)
	if r.next, err = b.rollOut(ctx, "2.0.0"); err != nil {
		return nil, err
	}
	if err := profiled(); err != nil {
		return nil, err
	}
	if r.settled, err = b.leaveAlone(ctx); err != nil {
		return nil, err
	}
	if r.settled.memory, err = b.operator.memory(); err != nil {
		return nil, err
	}
	if err := b.profileHeap(ctx, "settled"); err != nil {
		return nil, err
	}
	if r.restart, err = b.restart(ctx); err != nil {
		return nil, err
	}
	return r, b.profileHeap(ctx, "restarted")
}

// track is blue/green, and gives up on nothing that only takes long.
func (b *bench) track(key types.NamespacedName) *v1alpha1.ReleaseTrack {
	track := b.NewTrack(key.Namespace, harness.Rollout(func(r *v1alpha1.RolloutSpec) {
		r.ProgressDeadlineSeconds, r.FailureSeconds = ptr.To[int32](24*3600), nil
	}))
	track.Name = key.Name
	track.Spec.Traffic.Routes[0] = b.PublicRoute(key.Name + "." + key.Namespace + ".example.test")
	return track
}

func releaseName(track, version string) string {
	return track + "-" + strings.ReplaceAll(version, ".", "-")
}

func (b *bench) release(key types.NamespacedName, version string) *v1alpha1.ImmutableRelease {
	release := b.NewRelease(key.Namespace, version, harness.Replicas(1))
	release.Name, release.Spec.TrackName = releaseName(key.Name, version), key.Name
	return release
}

// each does something for every track, some at once.
func (b *bench) each(ctx context.Context, do func(types.NamespacedName) error) error {
	queue, failed := make(chan types.NamespacedName), make(chan error, creators)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range creators {
		go func() {
			for key := range queue {
				if err := do(key); err != nil {
					failed <- fmt.Errorf("track %s: %w", key, err)
					cancel()
					return
				}
			}
			failed <- nil
		}()
	}
	for _, key := range b.tracks {
		select {
		case queue <- key:
		case <-ctx.Done():
		}
	}
	close(queue)
	var all []error
	for range creators {
		all = append(all, <-failed)
	}
	return errors.Join(all...)
}

// rollOut publishes a version in all tracks at once, and waits until it is stable in all, and
// nothing is written any more.
func (b *bench) rollOut(ctx context.Context, version string) (rollout, error) {
	var out rollout
	before, err := b.operator.cost()
	if err != nil {
		return out, err
	}
	start, published := time.Now(), map[types.NamespacedName]time.Time{}
	var mu sync.Mutex
	if err := b.each(ctx, func(key types.NamespacedName) error {
		mu.Lock()
		published[key] = time.Now()
		mu.Unlock()
		return b.Client.Create(ctx, b.release(key, version))
	}); err != nil {
		return out, err
	}
	out.published = time.Since(start)
	limit := max(atLeast, time.Duration(len(b.tracks))*perTrack)
	if err := until(ctx, limit, time.Second, version+" is stable in all tracks", func() (bool, error) {
		return len(b.took(version, published)) == len(b.tracks), b.sample(&out)
	}); err != nil {
		return out, fmt.Errorf("%w: %d of %d are", err, len(b.took(version, published)), len(b.tracks))
	}
	out.took = b.took(version, published)
	slices.Sort(out.took)
	for key := range published {
		b.mu.Lock()
		out.wall = max(out.wall, b.stable[key][releaseName(key.Name, version)].Sub(start))
		b.mu.Unlock()
	}
	if err := b.untilQuiet(ctx); err != nil {
		return out, err
	}
	after, err := b.operator.cost()
	if err != nil {
		return out, err
	}
	out.cost = after.since(before)
	out.requests, err = b.Requests(cluster.OperatorUser, "", start)
	return out, err
}

// took is how long it took from publishing a version until it was stable, in those tracks in
// which it is.
func (b *bench) took(version string, published map[types.NamespacedName]time.Time) []time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []time.Duration
	for key, at := range published {
		if then, ok := b.stable[key][releaseName(key.Name, version)]; ok {
			all = append(all, then.Sub(at))
		}
	}
	return all
}

// sample notes how long the queue is, now and then.
func (b *bench) sample(out *rollout) error {
	if err := b.Ended(); err != nil {
		return err
	}
	if time.Since(out.sampled) < scrapes {
		return nil
	}
	out.sampled = time.Now()
	depth, err := b.operator.metric("workqueue_depth", `name="track"`)
	out.depth = max(out.depth, int(depth))
	return err
}

// untilQuiet waits until the operator has asked for nothing for a while: until the audit log
// does not grow. The operator is not asked itself: that is not for nothing.
func (b *bench) untilQuiet(ctx context.Context) error {
	last, since := int64(-1), time.Now()
	return until(ctx, 10*time.Minute, time.Second, "the operator asks for nothing any more", func() (bool, error) {
		log, err := os.Stat(b.AuditLog)
		if err != nil {
			return false, err
		}
		if log.Size() != last {
			last, since = log.Size(), time.Now()
		}
		return time.Since(since) > quiet, nil
	})
}

// leaveAlone looks what the operator does while nobody asks for anything.
func (b *bench) leaveAlone(ctx context.Context) (rest, error) {
	before, err := b.operator.cost()
	if err != nil {
		return rest{}, err
	}
	start := time.Now()
	select {
	case <-ctx.Done():
		return rest{}, ctx.Err()
	case <-time.After(watched):
	}
	after, err := b.operator.cost()
	if err != nil {
		return rest{}, err
	}
	requests, err := b.Requests(cluster.OperatorUser, "", start)
	return rest{cost: after.since(before), requests: requests}, err
}

// restart replaces the operator by itself, and waits until it has looked at all tracks.
func (b *bench) restart(ctx context.Context) (restart, error) {
	var out restart
	if err := b.operator.stop(); err != nil {
		return out, err
	}
	start := time.Now()
	var err error
	if b.operator, err = startOperator(b.Cluster, b.scratch, b.program, b.token, b.flags); err != nil {
		return out, err
	}
	if err := b.operator.untilReady(ctx); err != nil {
		return out, err
	}
	out.ready = time.Since(start)
	err = until(ctx, 10*time.Minute, 100*time.Millisecond, "every track was looked at", func() (bool, error) {
		looks, err := b.operator.metric("controller_runtime_reconcile_total", `controller="track"`)
		if err != nil || int(looks) < len(b.tracks) {
			return false, err
		}
		waiting, err := b.operator.metric("workqueue_depth", `name="track"`)
		return waiting == 0, err
	})
	if err != nil {
		return out, err
	}
	out.looked = time.Since(start)
	if err := b.untilQuiet(ctx); err != nil {
		return out, err
	}
	if out.cost, err = b.operator.cost(); err != nil {
		return out, err
	}
	if out.memory, err = b.operator.memory(); err != nil {
		return out, err
	}
	out.requests, err = b.Requests(cluster.OperatorUser, "", start)
	return out, err
}

// writesOf are the requests that change something: not tried ones.
func writesOf(requests map[string]int) map[string]int {
	writes := maps.Clone(requests)
	maps.DeleteFunc(writes, func(what string, _ int) bool {
		verb, resource, _ := strings.Cut(what, " ")
		return slices.Contains([]string{"get", "list", "watch"}, verb) || strings.HasSuffix(what, ", tried") ||
			strings.HasPrefix(resource, "events") || strings.HasSuffix(resource, "reviews")
	})
	return writes
}
