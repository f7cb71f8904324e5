package stories

import (
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// manifestOf an object, as its author has it in a file: without status and what
// the API server adds, and as it was stored.
func manifestOf(object client.Object) *unstructured.Unstructured {
	GinkgoHelper()
	encoded, err := json.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	manifest := &unstructured.Unstructured{}
	Expect(json.Unmarshal(encoded, &manifest.Object)).To(Succeed())
	kind := "ImmutableRelease"
	if _, ok := object.(*v1alpha1.ReleaseTrack); ok {
		kind = "ReleaseTrack"
	}
	manifest.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	unstructured.RemoveNestedField(manifest.Object, "status")
	unstructured.RemoveNestedField(manifest.Object, "metadata", "creationTimestamp")
	return manifest
}
