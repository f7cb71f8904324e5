package resources

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// Claim says whose a live object is that has the name of a release's child.
type Claim struct {
	Presence rollout.Presence
	// Adopt: the object has no owner and equals the seal, as a restore leaves it. It
	// counts as Ours once the release is written into it as its controller.
	Adopt bool
	// Why says in what a Foreign object is not the release's child.
	Why string
}

// Strictness says how a live object may differ from the sealed one.
type Strictness int

const (
	// AsSealed allows only what is known to be a default of the API server.
	AsSealed Strictness = iota
	// WithDefaults allows any field that the seal does not set: an API server newer
	// than this operator may default more.
	WithDefaults
)

// ClaimOf compares a live object with the child of the same name, made from the
// seal. An object that the release's UID owns is its child; a test Job only if
// its spec is the sealed one too, because its success is a gate. An object
// without owners is, if it equals the seal. Anything else is somebody else's.
// live is nil where there is no such object.
func ClaimOf(child, live metav1.Object, owner types.UID) Claim {
	if live == nil || reflect.ValueOf(live).IsNil() {
		return Claim{Presence: rollout.Missing}
	}
	controller := metav1.GetControllerOfNoCopy(live)
	switch {
	case controller != nil && controller.UID == owner && owner != "":
		if _, isTest := child.GetLabels()[v1alpha1.LabelTest]; !isTest {
			return Claim{Presence: rollout.Ours}
		}
		if why := Difference(child, live, WithDefaults); why != "" {
			return Claim{Presence: rollout.Foreign, Why: "it is not as sealed: " + why}
		}
		return Claim{Presence: rollout.Ours}
	case controller != nil:
		return Claim{Presence: rollout.Foreign, Why: fmt.Sprintf("it is controlled by %s %s", controller.Kind, controller.Name)}
	case len(live.GetOwnerReferences()) > 0:
		first := live.GetOwnerReferences()[0]
		return Claim{Presence: rollout.Foreign, Why: fmt.Sprintf("it is owned by %s %s", first.Kind, first.Name)}
	}
	if why := Difference(child, live, AsSealed); why != "" {
		return Claim{Presence: rollout.Foreign, Why: "it has no owner and is not as sealed: " + why}
	}
	return Claim{Presence: rollout.Ours, Adopt: true}
}

// Difference names the first field, in the order of names, in which a live object
// is not what the API server makes of the sealed child; "" when there is none.
// Compared are labels, and the whole spec but the size of a Deployment. Lists
// compare in order.
func Difference(child, live metav1.Object, strictness Strictness) string {
	want, err := specOf(child)
	if err != nil {
		return err.Error()
	}
	got, err := specOf(live)
	if err != nil {
		return err.Error()
	}
	for _, key := range slices.Sorted(maps.Keys(child.GetLabels())) {
		if value, ok := live.GetLabels()[key]; !ok || value != child.GetLabels()[key] {
			return fmt.Sprintf("metadata.labels[%s] is %q, sealed %q", key, value, child.GetLabels()[key])
		}
	}
	c := comparison{strictness: strictness}
	return c.values("spec", "spec", want, got)
}

// specOf is the spec of an object as generic JSON, both sides written by the
// same library, so that quantities and times have one form.
func specOf(object metav1.Object) (map[string]any, error) {
	data, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", object.GetName(), err)
	}
	var decoded struct {
		Spec map[string]any `json:"spec"`
	}
	if err := json.Unmarshal(data, &decoded); err != nil {
		return nil, fmt.Errorf("decode %s: %w", object.GetName(), err)
	}
	delete(decoded.Spec, "replicas")
	return decoded.Spec, nil
}

type comparison struct{ strictness Strictness }

// values compares what stands at a path; shape is the path without indices and
// keys, by which defaults are known.
func (c comparison) values(path, shape string, want, got any) string {
	switch wanted := want.(type) {
	case map[string]any:
		found, ok := got.(map[string]any)
		if !ok {
			if got == nil && len(wanted) == 0 {
				return ""
			}
			return fmt.Sprintf("%s is missing", path)
		}
		return c.maps(path, shape, wanted, found)
	case []any:
		found, _ := got.([]any)
		if len(found) != len(wanted) {
			return fmt.Sprintf("%s has %d entries, sealed %d", path, len(found), len(wanted))
		}
		for i := range wanted {
			if why := c.values(fmt.Sprintf("%s[%d]", path, i), shape, wanted[i], found[i]); why != "" {
				return why
			}
		}
		return ""
	default:
		if want != got {
			return fmt.Sprintf("%s is not as sealed", path)
		}
		return ""
	}
}

func (c comparison) maps(path, shape string, want, got map[string]any) string {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if why := c.values(path+"."+key, shape+"."+key, want[key], got[key]); why != "" {
			return why
		}
	}
	if c.strictness == WithDefaults {
		return ""
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; ok || isDefault(shape+"."+key, got[key], got) {
			continue
		}
		return fmt.Sprintf("%s.%s is not in the seal", path, key)
	}
	return ""
}

// isDefault says whether the API server is known to set the value at a path of
// which the author said nothing. siblings are the fields beside it.
func isDefault(shape string, value any, siblings map[string]any) bool {
	if isEmpty(value) {
		return true
	}
	for _, known := range defaults {
		if (shape == known.path || strings.HasSuffix(shape, "."+known.path)) && (known.value == nil || known.value == value) {
			return true
		}
	}
	// The deprecated alias of serviceAccountName is kept in step with it.
	return strings.HasSuffix(shape, ".template.spec.serviceAccount") && value == siblings["serviceAccountName"]
}

func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case map[string]any:
		for _, inner := range v {
			if !isEmpty(inner) {
				return false
			}
		}
		return true
	case []any:
		return len(v) == 0
	default:
		return v == ""
	}
}

// defaults are what the API server, and the Job controller, add to what a seal
// may leave out. Kubernetes adds no more to pod templates: a new default there
// would roll every Deployment. value nil: any value.
var defaults = []struct {
	path  string
	value any
}{
	{"containers.imagePullPolicy", "IfNotPresent"},
	{"initContainers.imagePullPolicy", "IfNotPresent"},
	{"terminationMessagePath", "/dev/termination-log"},
	{"terminationMessagePolicy", "File"},
	{"ports.protocol", "TCP"},
	{"ports.hostPort", nil},
	{"template.spec.restartPolicy", "Always"},
	{"template.spec.dnsPolicy", "ClusterFirst"},
	{"template.spec.schedulerName", "default-scheduler"},
	{"template.spec.terminationGracePeriodSeconds", float64(30)},

	{"Probe.timeoutSeconds", float64(1)},
	{"Probe.periodSeconds", float64(10)},
	{"Probe.successThreshold", float64(1)},
	{"Probe.failureThreshold", float64(3)},
	{"httpGet.path", "/"},
	{"httpGet.scheme", "HTTP"},

	{"fieldRef.apiVersion", "v1"},
	{"secret.defaultMode", float64(0o644)},
	{"configMap.defaultMode", float64(0o644)},
	{"downwardAPI.defaultMode", float64(0o644)},
	{"projected.defaultMode", float64(0o644)},
	{"serviceAccountToken.expirationSeconds", float64(3600)},
	{"volumes.image.pullPolicy", "IfNotPresent"},
	{"volumeClaimTemplate.spec.volumeMode", "Filesystem"},

	// Service: addresses are given by the cluster.
	{"spec.clusterIP", nil},
	{"spec.clusterIPs", nil},
	{"spec.ipFamilies", nil},
	{"spec.ipFamilyPolicy", "SingleStack"},
	{"spec.internalTrafficPolicy", "Cluster"},
	{"spec.sessionAffinity", "None"},

	// Job: its own selector and the labels that it selects by.
	{"spec.completionMode", "NonIndexed"},
	{"spec.suspend", false},
	{"spec.manualSelector", false},
	{"spec.podReplacementPolicy", nil},
	{"spec.selector", nil},
	{"template.metadata.labels.controller-uid", nil},
	{"template.metadata.labels.job-name", nil},
	{"template.metadata.labels.batch.kubernetes.io/controller-uid", nil},
	{"template.metadata.labels.batch.kubernetes.io/job-name", nil},
}
