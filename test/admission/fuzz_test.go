package admission

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/controllers/admission/validation"
	"github.com/strata-release/strata/test/attempts"
)

// mutations is how many random changes are sent to the API server.
var mutations = flag.Int("mutations", 5000, "random changes of what a release owns")

// target is a kind whose objects are changed at random.
type target struct {
	apiVersion, kind, name string
	// often is how many of the changes are its own, relative to the others.
	often int
}

func targets(w *attempts.World) []target {
	child := w.Release + "-web"
	return []target{
		{"apps/v1", "Deployment", child, 8},
		{"apps/v1", "ReplicaSet", w.ReplicaSet, 2},
		{"v1", "Pod", w.Pod, 2},
		{"batch/v1", "Job", w.Job, 2},
		{"v1", "Service", child, 3},
		{"v1", "Service", w.StableService, 2},
		{"autoscaling/v2", "HorizontalPodAutoscaler", child, 3},
		{"policy/v1", "PodDisruptionBudget", child, 2},
		{"v1", "ConfigMap", w.ConfigMap, 1},
		{"v1", "Secret", w.Secret, 1},
		{"apps/v1", "ControllerRevision", w.Release + "-seal", 1},
	}
}

// mutator changes objects at random. Most changes keep the type of what they change,
// some add what means nothing: both are needed to tell a guard that is too lax from one
// that is too strict.
type mutator struct{ *rand.Rand }

// emptyOnes are fields that may be written as nothing at all.
var emptyOnes = []string{"annotations", "nodeSelector", "tolerations", "volumes", "initContainers", "env", "ports", "matchExpressions", "externalIPs", "finalizers", "metrics", "securityContext", "affinity"}

// strange are values that are written one way and stored in another, and others that
// nobody expects.
var strange = []any{"0.005", "5m", "1000m", "1e3", "0", "", "x", int64(0), int64(1), int64(7), int64(-1), true, false, nil}

// mutate changes an object, and says how.
func (m mutator) mutate(object map[string]any) string {
	var did []string
	for range 1 + m.IntN(3) {
		did = append(did, m.inside("", object))
	}
	return strings.Join(did, "; ")
}

// inside picks a place somewhere in a map, and changes it.
func (m mutator) inside(path string, at map[string]any) string {
	keys := slices.Sorted(maps.Keys(at))
	keys = slices.DeleteFunc(keys, func(key string) bool {
		return path == "" && slices.Contains([]string{"apiVersion", "kind", "status"}, key) ||
			path == ".metadata" && !slices.Contains([]string{"labels", "annotations", "ownerReferences", "finalizers", "managedFields"}, key)
	})
	if len(keys) == 0 || path != "" && m.IntN(12) == 0 {
		return m.add(path, at)
	}
	key := keys[m.IntN(len(keys))]
	where := path + "." + key
	if path != "" && m.IntN(10) == 0 {
		delete(at, key)
		return "no " + where
	}
	switch value := at[key].(type) {
	case map[string]any:
		return m.inside(where, value)
	case []any:
		changed, did := m.list(where, value)
		at[key] = changed
		return did
	default:
		at[key] = m.scalar(value)
		return fmt.Sprintf("%s: %v -> %v", where, value, at[key])
	}
}

func (m mutator) add(path string, at map[string]any) string {
	if m.IntN(2) == 0 {
		key := emptyOnes[m.IntN(len(emptyOnes))]
		if _, there := at[key]; !there {
			at[key] = []any{nil, map[string]any{}, []any{}}[m.IntN(3)]
		}
		return fmt.Sprintf("%s.%s = %v", path, key, at[key])
	}
	key := []string{"team", "strata.dev/other", "replicas", "paused", "minReadySeconds", "hostNetwork", "priority", "priorityClassName", "externalName", "unknown"}[m.IntN(10)]
	at[key] = strange[m.IntN(len(strange))]
	return fmt.Sprintf("%s.%s = %v", path, key, at[key])
}

func (m mutator) list(path string, list []any) ([]any, string) {
	if len(list) == 0 {
		return []any{strange[m.IntN(len(strange))]}, path + ": one more"
	}
	i := m.IntN(len(list))
	switch m.IntN(6) {
	case 0:
		return slices.Delete(slices.Clone(list), i, i+1), path + ": one less"
	case 1:
		return append(slices.Clone(list), list[i]), path + ": one twice"
	case 2:
		reversed := slices.Clone(list)
		slices.Reverse(reversed)
		return reversed, path + ": reversed"
	}
	if item, ok := list[i].(map[string]any); ok {
		return list, m.inside(fmt.Sprintf("%s[%d]", path, i), item)
	}
	changed := slices.Clone(list)
	changed[i] = m.scalar(list[i])
	return changed, fmt.Sprintf("%s[%d]: %v -> %v", path, i, list[i], changed[i])
}

func (m mutator) scalar(value any) any {
	if m.IntN(4) == 0 {
		return strange[m.IntN(len(strange))]
	}
	switch v := value.(type) {
	case int64:
		return v + int64(m.IntN(3)) - 1
	case bool:
		return !v
	case string:
		return []string{v + "x", strings.ToUpper(v), v, "x"}[m.IntN(4)]
	}
	return value
}

var _ = Describe("What is changed at random", func() {
	It("is admitted only where nothing differs, and the webhook's check agrees with the policies", func() {
		w := running("fuzz-1")
		untilSeen(w)
		// Whoever is exempt is told by the API server what would be stored.
		user := operatorUser()
		user.Groups = append(user.Groups, "system:masters")
		exempt, controller := as(user), withAllRights("generic-garbage-collector")
		var choose []target
		stored := map[target]*unstructured.Unstructured{}
		for _, t := range targets(w) {
			object := &unstructured.Unstructured{}
			object.SetAPIVersion(t.apiVersion)
			object.SetKind(t.kind)
			Expect(admin.Get(ctx, client.ObjectKey{Namespace: w.Namespace, Name: t.name}, object)).To(Succeed())
			stored[t] = object
			choose = append(choose, slices.Repeat([]target{t}, t.often)...)
		}
		// Seeds are of the suite: ginkgo -seed plays the same again.
		seed := uint64(GinkgoRandomSeed())
		var wrong []string
		var lock sync.Mutex
		var next, admitted, refused, invalid atomic.Int64
		var workers sync.WaitGroup
		for range 4 {
			workers.Go(func() {
				for i := next.Add(1); i <= int64(*mutations); i = next.Add(1) {
					m := mutator{rand.New(rand.NewPCG(seed, uint64(i)))}
					t := choose[m.IntN(len(choose))]
					sent := stored[t].DeepCopy()
					did := m.mutate(sent.Object)
					verdict, problem := judge(exempt, controller, stored[t], sent, t)
					map[string]*atomic.Int64{"admitted": &admitted, "refused": &refused, "invalid": &invalid}[verdict].Add(1)
					if problem != "" {
						lock.Lock()
						wrong = append(wrong, fmt.Sprintf("seed %d, change %d of %s %s (%s): %s", seed, i, t.kind, t.name, did, problem))
						lock.Unlock()
					}
				}
			})
		}
		workers.Wait()
		AddReportEntry(fmt.Sprintf("%d changes: %d refused, %d admitted as none, %d no objects of their kind", *mutations, refused.Load(), admitted.Load(), invalid.Load()))
		Expect(wrong).To(BeEmpty(), "%d:\n%s", len(wrong), strings.Join(wrong[:min(len(wrong), 30)], "\n"))
		// Else nothing was tried.
		Expect(refused.Load()).To(BeNumerically(">", int64(*mutations/4)))
		Expect(admitted.Load()).To(BeNumerically(">", int64(*mutations/50)))
	})
})

// judge sends a change, and says what became of it, and what is wrong with that. What is
// explained before the policies are asked is sent again by a controller, of which nothing is
// explained, and which changes no spec either.
func judge(exempt, controller client.Client, old, sent *unstructured.Unstructured, t target) (verdict, problem string) {
	result := sent.DeepCopy()
	would := exempt.Update(ctx, result, client.DryRunAll)
	err := admin.Update(ctx, sent, client.DryRunAll)
	if would != nil {
		if err == nil {
			return "invalid", fmt.Sprintf("it was admitted, although it is no %s: %v", t.kind, would)
		}
		return "invalid", ""
	}
	before, now := encoded(old), encoded(result)
	changes, failed := validation.InPlaceChanges(before, now)
	if t.name == "shop-api" { // gateways may put finalizers on routes
		changes = slices.DeleteFunc(changes, func(c validation.Change) bool { return strings.HasPrefix(c.Path, "metadata.finalizers") })
	}
	explained := err != nil && strings.Contains(err.Error(), `"explain-change.`)
	if explained && len(changes) > 0 {
		err = controller.Update(ctx, sent, client.DryRunAll)
	}
	switch {
	case failed != nil:
		return "invalid", failed.Error()
	case err == nil && len(changes) > 0:
		return "admitted", "it was admitted:" + validation.Summarize(changes)
	case err == nil:
		return "admitted", ""
	case !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "STRATA-"):
		return "refused", "it was refused by something else: " + err.Error()
	case t.kind == "Job" && len(changes) == 0 && !explained:
		return "refused", "" // nobody else writes it at all
	case strings.Contains(err.Error(), "admission webhook"):
		return "refused", "the policies admitted it, the webhook did not: " + err.Error()
	case len(changes) == 0:
		return "refused", "it changes nothing, and was refused: " + err.Error()
	}
	return "refused", ""
}

func encoded(object *unstructured.Unstructured) []byte {
	data, err := json.Marshal(object.Object)
	if err != nil {
		panic(err) // it came from JSON
	}
	return data
}
