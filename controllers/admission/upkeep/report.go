package upkeep

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	admissionv1apply "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	metav1apply "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
)

// Reasons of the events and records about a guard.
const (
	reasonChanged = "GuardChanged"
	reasonLeft    = "GuardLeft"
)

// homeless names the policy whose status tells of the guards that have none, nor a policy
// to which they belong: the webhook configurations, and the stamp of who published. It
// refuses by itself what they are about before all else, changes of releases.
const homeless = "strata-releases"

// home names the policy whose status tells of a guard.
func home(guard client.Object) string {
	switch g := guard.(type) {
	case *admissionv1.ValidatingAdmissionPolicy:
		return g.Name
	case *admissionv1.ValidatingAdmissionPolicyBinding:
		return g.Spec.PolicyName
	}
	return homeless
}

// finding is what was told last of a guard.
type finding struct {
	home                        string
	reason, difference, message string
	at                          time.Time
	// record names its entry of the log; "" while that is owed.
	record string
	// differs: the guard is still not as installed.
	differs bool
}

// tells says whether it was told of this already, and is still so.
func (f *finding) tells(reason, difference string) bool {
	return f != nil && f.differs && f.reason == reason && f.difference == difference
}

func (f *finding) String() string {
	if f.record == "" {
		return f.message
	}
	return f.message + "; see ReleaseRecord " + f.record
}

// isRight notes that a guard is as installed.
func (k *Keeper) isRight(key string) {
	if found := k.found[key]; found != nil {
		found.differs = false
	}
}

// report writes the condition Drifted of each policy that says something else by now. The
// rest of its status is kube-controller-manager's.
func (k *Keeper) report(ctx context.Context) error {
	if !k.served(admissionv1.SchemeGroupVersion.WithKind("ValidatingAdmissionPolicy")) {
		return nil
	}
	var there admissionv1.ValidatingAdmissionPolicyList
	if err := k.live.List(ctx, &there); err != nil {
		return fmt.Errorf("read the policies: %w", err)
	}
	var errs error
	for _, binding := range guards.Bindings() {
		i := slices.IndexFunc(there.Items, func(p admissionv1.ValidatingAdmissionPolicy) bool { return p.Name == binding.Spec.PolicyName })
		if i < 0 {
			continue // It could not be made, which is told of.
		}
		policy := &there.Items[i]
		condition := k.drifted(policy)
		k.said[policy.Name] = condition
		if is := meta.FindStatusCondition(policy.Status.Conditions, condition.Type); is != nil && equality.Semantic.DeepEqual(*is, condition) {
			continue
		}
		status := admissionv1apply.ValidatingAdmissionPolicyStatus().WithConditions(metav1apply.Condition().
			WithType(condition.Type).WithStatus(condition.Status).WithReason(condition.Reason).WithMessage(condition.Message).
			WithObservedGeneration(condition.ObservedGeneration).WithLastTransitionTime(condition.LastTransitionTime))
		err := k.client.Status().Apply(ctx, admissionv1apply.ValidatingAdmissionPolicy(policy.Name).WithStatus(status), client.FieldOwner(fieldManager), client.ForceOwnership)
		if client.IgnoreNotFound(err) != nil { // One that has gone meanwhile is seen by the next look.
			errs = errors.Join(errs, fmt.Errorf("write the status of ValidatingAdmissionPolicy %s: %w", policy.Name, err))
		}
	}
	return errs
}

// drifted is what a policy says of the guards that it is the home of. What this process
// said before it knows; what another one did, that led before it, stands there.
func (k *Keeper) drifted(policy *admissionv1.ValidatingAdmissionPolicy) metav1.Condition {
	was, known := k.said[policy.Name]
	if there := meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionDrifted); !known && there != nil {
		was = *there
	}
	var differ []string
	var last *finding
	left := false
	for _, key := range slices.Sorted(maps.Keys(k.found)) {
		found := k.found[key]
		if found.home != policy.Name {
			continue
		}
		if found.differs {
			differ, left = append(differ, found.String()), left || found.reason == reasonLeft
		}
		if last == nil || found.at.After(last.at) {
			last = found
		}
	}
	is := metav1.Condition{Type: v1alpha1.ConditionDrifted, ObservedGeneration: policy.Generation, LastTransitionTime: was.LastTransitionTime}
	set := func(status metav1.ConditionStatus, reason, message string) {
		is.Status, is.Reason, is.Message = status, reason, message
	}
	switch {
	case k.unknown != "":
		set(metav1.ConditionUnknown, "NotCompared", k.unknown)
	case left:
		set(metav1.ConditionTrue, "ChangedAgain", strings.Join(differ, "; "))
	case len(differ) > 0:
		set(metav1.ConditionTrue, "Changed", strings.Join(differ, "; "))
	case last != nil:
		set(metav1.ConditionFalse, "Repaired", "everything is as installed again: "+last.String())
	case was.Status == metav1.ConditionTrue:
		set(metav1.ConditionFalse, "Repaired", "everything is as installed again: "+was.Message)
	case was.Status == metav1.ConditionFalse:
		set(was.Status, was.Reason, was.Message)
	default:
		set(metav1.ConditionFalse, "AsInstalled", "everything is as installed")
	}
	if is.Status != was.Status {
		is.LastTransitionTime = metav1.NewTime(k.now().Truncate(time.Second))
	}
	return is
}
