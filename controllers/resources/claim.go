package resources

import (
	"fmt"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// Claim says whose a live object is that has the name of a release's child.
type Claim struct {
	Presence rollout.Presence
	// Adopt: the object has no owner and equals the seal, as a restore leaves it. It
	// is the release's once the release is written into it as its controller.
	Adopt bool
	// Why says in what a Foreign object is not the release's child.
	Why string
}

// ClaimOf compares a live object with the child of the same name, made from the
// seal. An object that the release's UID controls is its child; a test Job only if
// it is as sealed too, because its success is a gate. An object without owners is,
// if it equals the seal. Anything else is somebody else's. live is nil where there
// is no such object.
func ClaimOf(child, live metav1.Object, owner types.UID) Claim {
	if live == nil || reflect.ValueOf(live).IsNil() {
		return Claim{Presence: rollout.Missing}
	}
	if live.GetName() != child.GetName() {
		return foreign("it is called %s, and not %s", live.GetName(), child.GetName())
	}
	if metav1.IsControlledBy(live, &metav1.ObjectMeta{UID: owner}) {
		if _, isTest := child.GetLabels()[v1alpha1.LabelTest]; !isTest {
			return Claim{Presence: rollout.Ours}
		}
		if why := Difference(child, live, WithDefaults); why != "" {
			return foreign("it is not as sealed: %s", why)
		}
		return Claim{Presence: rollout.Ours}
	}
	for _, reference := range live.GetOwnerReferences() {
		return foreign("it is owned by %s %s", reference.Kind, reference.Name)
	}
	if why := Difference(child, live, AsSealed); why != "" {
		return foreign("it has no owner and is not as sealed: %s", why)
	}
	return Claim{Presence: rollout.Ours, Adopt: true}
}

func foreign(format string, args ...any) Claim {
	return Claim{Presence: rollout.Foreign, Why: fmt.Sprintf(format, args...)}
}
