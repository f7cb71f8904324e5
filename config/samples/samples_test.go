// Package samples holds manifests that the demo applies; its test lets them pass
// what the API server would let them pass.
package samples

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/yaml"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
	supported "github.com/strata-release/strata/controllers/admission/validation"
)

// kind is what the API server checks objects of one kind against.
type kind struct {
	structural *schema.Structural
	openAPI    validation.SchemaValidator
	rules      *cel.Validator
}

// kinds reads the CRDs, by kind.
func kinds(t *testing.T) map[string]kind {
	t.Helper()
	files, err := filepath.Glob("../crd/bases/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no CRDs in ../crd/bases: %v", err)
	}
	found := map[string]kind{}
	for _, file := range files {
		var crd apiextensionsv1.CustomResourceDefinition
		if err := sigsyaml.UnmarshalStrict(read(t, file), &crd); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		var internal apiextensions.JSONSchemaProps
		if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(crd.Spec.Versions[0].Schema.OpenAPIV3Schema, &internal, nil); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		structural, err := schema.NewStructural(&internal)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		openAPI, _, err := validation.NewSchemaValidator(&internal)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		found[crd.Spec.Names.Kind] = kind{structural, openAPI, cel.NewValidator(structural, true, celconfig.PerCallLimit)}
	}
	return found
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// check is all that is wrong with an object.
func (k kind) check(object *unstructured.Unstructured) field.ErrorList {
	var errs field.ErrorList
	content := object.DeepCopy().UnstructuredContent()
	for _, unknown := range pruning.PruneWithOptions(content, k.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		errs = append(errs, field.Forbidden(field.NewPath(unknown), "no such field"))
	}
	errs = append(errs, validation.ValidateCustomResource(nil, object.UnstructuredContent(), k.openAPI)...)
	broken, _ := k.rules.Validate(context.Background(), nil, k.structural, object.UnstructuredContent(), nil, celconfig.RuntimeCELCostBudget)
	errs = append(errs, broken...)
	return append(errs, supported.CheckSupported(object.GetKind(), object)...)
}

// keepers are what keeps GitOps tools from deleting a release that may still serve.
var keepers = []string{"argocd.argoproj.io/sync-options", "argocd.argoproj.io/compare-options", "kustomize.toolkit.fluxcd.io/prune", "helm.sh/resource-policy"}

func TestSamplesAreValid(t *testing.T) {
	crds := kinds(t)
	files, err := filepath.Glob("*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, file := range files {
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(read(t, file)), 4096)
		for {
			object := &unstructured.Unstructured{}
			if err := decoder.Decode(object); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if object.GetKind() == "NetworkPolicy" {
				checkNetworkPolicy(t, file, object)
			}
			if object.GroupVersionKind().Group != v1alpha1.GroupVersion.Group {
				continue
			}
			crd, ok := crds[object.GetKind()]
			if !ok {
				t.Errorf("%s: no CRD for kind %s", file, object.GetKind())
				continue
			}
			checked++
			for _, err := range crd.check(object) {
				t.Errorf("%s: %v", file, err)
			}
			for _, keep := range keepers {
				if _, kept := object.GetAnnotations()[keep]; object.GetKind() == "ImmutableRelease" && !kept {
					t.Errorf("%s: without annotation %s a release goes with its file", file, keep)
				}
			}
		}
	}
	if checked < 6 {
		t.Errorf("only %d objects of %s were checked", checked, v1alpha1.GroupVersion.Group)
	}
}

// checkNetworkPolicy: it has no field but those of its kind, and is for the operator's pods.
func checkNetworkPolicy(t *testing.T, file string, object *unstructured.Unstructured) {
	t.Helper()
	var policy networkingv1.NetworkPolicy
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &policy, true); err != nil {
		t.Errorf("%s: %v", file, err)
	}
	var manager appsv1.Deployment
	if err := sigsyaml.Unmarshal(read(t, "../manager/manager.yaml"), &manager); err != nil {
		t.Fatal(err)
	}
	selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
	if err != nil || selector.Empty() || !selector.Matches(labels.Set(manager.Spec.Template.Labels)) || policy.Namespace != manager.Namespace {
		t.Errorf("%s: is not of the operator's pods, %v in %s (%v)", file, manager.Spec.Template.Labels, manager.Namespace, err)
	}
	if len(policy.Spec.PolicyTypes) == 0 || len(policy.Spec.Egress) == 0 {
		t.Errorf("%s: bounds nothing", file)
	}
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	release := &unstructured.Unstructured{}
	if err := sigsyaml.Unmarshal(read(t, "shop/v1.yaml"), &release.Object); err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(spec map[string]any){
		"an unknown field":       func(spec map[string]any) { spec["colour"] = "blue" },
		"an unsupported field":   func(spec map[string]any) { spec["config"] = map[string]any{"expect": []any{}} },
		"a version of no length": func(spec map[string]any) { spec["version"] = "" },
		"two components of one name": func(spec map[string]any) {
			components := spec["components"].([]any)
			components[1].(map[string]any)["name"] = components[0].(map[string]any)["name"]
		},
	} {
		spoilt := release.DeepCopy()
		spoil(spoilt.Object["spec"].(map[string]any))
		if errs := kinds(t)["ImmutableRelease"].check(spoilt); len(errs) == 0 {
			t.Errorf("%s was not found", what)
		}
	}
}
