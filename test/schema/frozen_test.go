package schema

import (
	"encoding/json"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"gomodules.xyz/jsonpatch/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// change is an edit of the spec of testdata/release.yaml.
type change struct {
	name  string
	path  string
	value any // nil removes
}

const (
	web       = "spec.components[0]"
	container = web + ".template.spec.containers[0]"
	digest    = "@sha256:9999999999999999999999999999999999999999999999999999999999999999"
)

// changes are of every kind that differs for one patch type or another: a value,
// something added, something removed, unset to set and back, and what means the same
// to Kubernetes and is other text.
var changes = []change{
	{"another image", container + ".image", "registry.example.com/shop/web" + digest},
	{"another value of a variable", container + ".env[0].value", "other"},
	{"a variable more", container + ".env[2]", object("name", "MORE", "value", "1")},
	{"a variable less", container + ".env[1]", nil},
	{"another size", web + ".replicas", int64(4)},
	{"unset to set", web + ".activation", "Immediate"},
	{"set to unset", web + ".disruption", nil},
	{"a quantity in other words", container + ".resources.requests.cpu", "0.5"},
	{"nothing to {}", container + ".securityContext", object()},
	{"the default protocol", container + ".ports[0].protocol", "TCP"},
	{"a label", web + ".template.metadata.labels.more", "1"},
	{"no annotation", web + ".template.metadata.annotations", nil},
	{"a test less", "spec.tests[1]", nil},
	{"another version", "spec.version", "1.4.3"},
}

// attempt tries to store the changed object in one way.
type attempt struct {
	name string
	try  func(ctx SpecContext, before, changed *unstructured.Unstructured) error
	// says is what the refusal says; empty where the API server ignores the change.
	says string
}

const immutable = "spec is immutable"

var attempts = []attempt{
	{name: "PUT", says: immutable, try: func(ctx SpecContext, _, changed *unstructured.Unstructured) error {
		return api.Update(ctx, changed)
	}},
	{name: "PUT, dry run", says: immutable, try: func(ctx SpecContext, _, changed *unstructured.Unstructured) error {
		return api.Update(ctx, changed, client.DryRunAll)
	}},
	{name: "JSON patch", says: immutable, try: func(ctx SpecContext, before, changed *unstructured.Unstructured) error {
		return api.Patch(ctx, before, client.RawPatch(types.JSONPatchType, jsonPatch(before, changed)))
	}},
	{name: "merge patch", says: immutable, try: func(ctx SpecContext, before, changed *unstructured.Unstructured) error {
		return api.Patch(ctx, changed, client.MergeFrom(before))
	}},
	{name: "server-side apply", says: "conflict", try: func(ctx SpecContext, _, changed *unstructured.Unstructured) error {
		return api.Apply(ctx, intent(changed), client.FieldOwner("somebody"))
	}},
	{name: "server-side apply, forced", says: immutable, try: func(ctx SpecContext, _, changed *unstructured.Unstructured) error {
		return api.Apply(ctx, intent(changed), client.FieldOwner("somebody"), client.ForceOwnership)
	}},
	{name: "PUT of status", try: func(ctx SpecContext, _, changed *unstructured.Unstructured) error {
		set(changed, "status", object("readyComponents", "1/2"))
		return api.Status().Update(ctx, changed)
	}},
}

// jsonPatch is the operations that lead from one object to the other.
func jsonPatch(before, changed *unstructured.Unstructured) []byte {
	GinkgoHelper()
	old, err := json.Marshal(before)
	Expect(err).NotTo(HaveOccurred())
	wanted, err := json.Marshal(changed)
	Expect(err).NotTo(HaveOccurred())
	operations, err := jsonpatch.CreatePatch(old, wanted)
	Expect(err).NotTo(HaveOccurred())
	patch, err := json.Marshal(operations)
	Expect(err).NotTo(HaveOccurred())
	return patch
}

// intent is what somebody applies: the kind, the name and the spec.
func intent(changed *unstructured.Unstructured) runtime.ApplyConfiguration {
	applied := &unstructured.Unstructured{Object: map[string]any{"spec": changed.Object["spec"]}}
	applied.SetGroupVersionKind(changed.GroupVersionKind())
	applied.SetNamespace(changed.GetNamespace())
	applied.SetName(changed.GetName())
	return client.ApplyConfigurationFromUnstructured(applied)
}

// expectFrozen tries a change in one way, and expects the spec as it was.
func expectFrozen(ctx SpecContext, before, changed *unstructured.Unstructured, a attempt) {
	GinkgoHelper()
	Expect(specOf(changed)).NotTo(Equal(specOf(before)), "the change is none")
	err := a.try(ctx, before.DeepCopy(), changed)
	if a.says == "" {
		Expect(err).NotTo(HaveOccurred())
	} else {
		Expect(err).To(MatchError(ContainSubstring(a.says)))
	}
	after := stored(ctx, before)
	Expect(specOf(after)).To(Equal(specOf(before)))
	Expect(after.GetGeneration()).To(Equal(before.GetGeneration()))
}

var _ = Describe("The spec of a release", Ordered, func() {
	var before *unstructured.Unstructured

	BeforeAll(func(ctx SpecContext) {
		release := load("release")
		before = stored(ctx, publish(ctx, "release", "frozen"))
		Expect(specOf(before)).To(Equal(specOf(release)), "stored as it was written")
	})

	for _, c := range changes {
		for _, a := range attempts {
			It("stays: "+c.name+", by "+a.name, func(ctx SpecContext) {
				changed := stored(ctx, before)
				set(changed, c.path, c.value)
				expectFrozen(ctx, stored(ctx, before), changed, a)
			})
		}
	}

	for _, path := range []string{
		"spec.components",
		web + ".template.spec.initContainers",
		web + ".template.spec.containers",
		web + ".template.spec.volumes",
		web + ".template.spec.tolerations",
		web + ".template.spec.hostAliases",
		web + ".template.spec.imagePullSecrets",
		web + ".template.spec.topologySpreadConstraints",
		container + ".env",
		container + ".envFrom",
		container + ".ports",
		container + ".volumeMounts",
		web + ".ports",
		"spec.config.dynamic",
		"spec.tests",
	} {
		It("stays in order: "+path, func(ctx SpecContext) {
			for _, a := range attempts {
				changed := stored(ctx, before)
				slices.Reverse(at(changed, path).([]any))
				expectFrozen(ctx, stored(ctx, before), changed, a)
			}
		})
	}

	It("stays when only a part of it is applied", func(ctx SpecContext) {
		partial := &unstructured.Unstructured{Object: map[string]any{"spec": object("version", "1.4.3")}}
		partial.SetGroupVersionKind(before.GroupVersionKind())
		partial.SetNamespace(before.GetNamespace())
		partial.SetName(before.GetName())
		for _, options := range [][]client.ApplyOption{
			{client.FieldOwner("somebody")},
			{client.FieldOwner("somebody"), client.ForceOwnership},
		} {
			Expect(api.Apply(ctx, client.ApplyConfigurationFromUnstructured(partial.DeepCopy()), options...)).NotTo(Succeed())
			Expect(specOf(stored(ctx, before))).To(Equal(specOf(before)))
		}
	})

	It("stays when it is removed", func(ctx SpecContext) {
		patch := client.RawPatch(types.JSONPatchType, []byte(`[{"op":"remove","path":"/spec"}]`))
		Expect(api.Patch(ctx, before.DeepCopy(), patch)).To(MatchError(ContainSubstring("spec: Required value")))
		patch = client.RawPatch(types.MergePatchType, []byte(`{"spec":null}`))
		Expect(api.Patch(ctx, before.DeepCopy(), patch)).To(MatchError(ContainSubstring("spec: Required value")))
		Expect(specOf(stored(ctx, before))).To(Equal(specOf(before)))
	})
})

var _ = Describe("The spec of what is written once", func() {
	DescribeTable("stays",
		func(ctx SpecContext, file, name, path string, value any) {
			before := stored(ctx, publish(ctx, file, name))
			for _, a := range attempts {
				changed := stored(ctx, before)
				set(changed, path, value)
				if a.says == "" && file == "record" {
					continue // a record has no status
				}
				if a.says == "" {
					set(changed, "status", object("outcome", "Done"))
					Expect(api.Status().Update(ctx, changed)).To(Succeed())
				} else {
					Expect(a.try(ctx, before.DeepCopy(), changed)).To(MatchError(ContainSubstring(a.says)))
				}
				Expect(specOf(stored(ctx, before))).To(Equal(specOf(before)), a.name)
			}
		},
		Entry("the weight in a record", "record", "shop-000007", "spec.state.routes[0].weights[1].weightPercent", int64(100)),
		Entry("a message taken from a record", "record", "shop-000007", "spec.message", nil),
		Entry("an action added to a record", "record", "shop-000007", "spec.actionName", "abort-1"),
		Entry("another requester of an action", "action", "abort-2", "spec.requester", "john@example.com"),
		Entry("another attempt of an action", "action", "abort-3", "spec.attempt", int64(2)),
		Entry("an action no longer of one attempt", "action", "abort-4", "spec.action", "Retry"),
	)
})
