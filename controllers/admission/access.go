package admission

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/policy"
)

// accessHandler is asked about who enters a pod, after the policies of the API server
// have found the user and the beginning of the pod's name among what is open.
type accessHandler struct {
	// reader is cached; live is asked about all that access hangs on.
	reader, live client.Reader
	writer       client.StatusClient
	now          func() time.Time
}

// opening is a line of the annotation of a namespace: what a record has opened.
type opening struct {
	track, line, release, action, user string
	end                                time.Time
}

// ways into a pod, by subresource.
var ways = map[string]v1alpha1.AccessWay{
	"exec": v1alpha1.AccessExec, "attach": v1alpha1.AccessAttach,
	"portforward": v1alpha1.AccessPortForward, "ephemeralcontainers": v1alpha1.AccessDebug,
}

// Handle lets a user into a pod for whom its release is open, and writes that down before.
// Afterwards it looks whether it still is: whoever takes a line away and then reads the
// uses knows all of them.
func (h *accessHandler) Handle(ctx context.Context, req admission.Request) admission.Response {
	way := ways[req.SubResource]
	container, added, err := containerOf(req)
	switch {
	case err != nil:
		return unreadable(req, err)
	case req.Operation != admissionv1.Connect && len(added) == 0:
		return admission.Allowed("") // No pod is entered.
	case len(added) > 1:
		return refuseEntry(req, fmt.Sprintf("%d containers are added at once, and each is a use: add one after the other", len(added)))
	}
	pod := &corev1.Pod{}
	switch err := h.live.Get(ctx, client.ObjectKey{Namespace: req.Namespace, Name: req.Name}, pod); {
	case apierrors.IsNotFound(err):
		return refuseEntry(req, "there is none of that name")
	case err != nil:
		return unanswerable(fmt.Errorf("read the pod: %w", err))
	}
	open, why, err := h.find(ctx, req, pod, added)
	if err != nil {
		return unanswerable(err)
	}
	if why != "" {
		return refuseEntry(req, why)
	}
	if req.DryRun != nil && *req.DryRun {
		return admission.Allowed("")
	}
	use := v1alpha1.AccessUse{Way: way, PodName: pod.Name, PodUID: pod.UID, ComponentName: pod.Labels[v1alpha1.LabelComponent], ContainerName: container}
	if why, err = h.writeDown(ctx, req, open, use); err != nil {
		return unanswerable(err)
	}
	if why != "" {
		return refuseEntry(req, why)
	}
	switch still, err := h.openings(ctx, req); {
	case err != nil:
		return unanswerable(err)
	case !slices.ContainsFunc(still, func(o opening) bool { return o.track == open.track && o.line == open.line }):
		return refuseEntry(req, "the access of "+open.action+" was closed this moment")
	}
	return admission.Allowed("").WithWarnings(fmt.Sprintf("recorded for ReleaseAction %s, until %s; the pod is replaced then", open.action, open.end.Format(time.RFC3339)))
}

func refuseEntry(req admission.Request, why string) admission.Response {
	rule := ruleEntered
	if req.SubResource == "ephemeralcontainers" {
		rule = ruleDebug
	}
	return admission.Denied(fmt.Sprintf("%s: pod %s is not open to %s: %s (%s). See docs/break-glass.md.", rule, req.Name, req.UserInfo.Username, why, wayOf(req)))
}

// containerOf is the container that is asked for, or the first of those that are added.
func containerOf(req admission.Request) (name string, added []corev1.EphemeralContainer, err error) {
	if req.Operation == admissionv1.Connect {
		var options struct {
			Container string `json:"container"`
		}
		err = json.Unmarshal(req.Object.Raw, &options)
		return options.Container, nil, err
	}
	var before, after corev1.Pod
	if err := json.Unmarshal(req.OldObject.Raw, &before); err != nil {
		return "", nil, err
	}
	if err := json.Unmarshal(req.Object.Raw, &after); err != nil {
		return "", nil, err
	}
	// One that is changed counts as added: the API server refuses it, if nobody does before.
	added = slices.DeleteFunc(after.Spec.EphemeralContainers, func(c corev1.EphemeralContainer) bool {
		return slices.ContainsFunc(before.Spec.EphemeralContainers, func(o corev1.EphemeralContainer) bool { return equality.Semantic.DeepEqual(o, c) })
	})
	if len(added) > 0 {
		name = added[0].Name
	}
	return name, added, nil
}

// find is the access that lets the user into the pod, with a container for debugging where
// one is added, or why there is none. Of several the longest counts.
func (h *accessHandler) find(ctx context.Context, req admission.Request, pod *corev1.Pod, added []corev1.EphemeralContainer) (opening, string, error) {
	release, track := pod.Labels[v1alpha1.LabelRelease], pod.Labels[v1alpha1.LabelTrack]
	switch {
	case release == "":
		return opening{}, "it belongs to no release", nil
	case pod.Labels[v1alpha1.LabelTest] != "":
		return opening{}, "it runs a test, by which its release is judged", nil
	}
	all, err := h.openings(ctx, req)
	if err != nil {
		return opening{}, "", err
	}
	var found opening
	for _, o := range all {
		if o.track == track && o.release == release && o.user == req.UserInfo.Username && o.end.After(found.end) {
			found = o
		}
	}
	switch now := h.now(); {
	case found.action == "":
		return opening{}, "no ReleaseAction BreakGlass of theirs has opened release " + release, nil
	case !now.Before(found.end):
		return opening{}, "the access of " + found.action + " ended at " + found.end.Format(time.RFC3339), nil
	}
	effective, err := policy.Read(ctx, h.reader, h.live, req.Namespace)
	if err != nil {
		return opening{}, "", err
	}
	why := effective.MayBreakGlass(req.UserInfo.Groups)
	for i := range added {
		why = cmp.Or(why, effective.MayDebug(&pod.Spec, &added[i]))
	}
	return found, why, nil
}

// openings are what the operator notes on the namespace, read past the cache.
func (h *accessHandler) openings(ctx context.Context, req admission.Request) ([]opening, error) {
	namespace := policy.NamespaceMetadata()
	if err := h.live.Get(ctx, client.ObjectKey{Name: req.Namespace}, namespace); err != nil {
		return nil, fmt.Errorf("read what is open in namespace %s: %w", req.Namespace, err)
	}
	var all []opening
	for key, text := range namespace.Annotations {
		track, is := strings.CutPrefix(key, v1alpha1.AnnotationOpenedPrefix)
		if !is {
			continue
		}
		for _, line := range strings.Split(text, "\n") {
			parts := strings.SplitN(line, " ", 4)
			if len(parts) != 4 {
				continue
			}
			end, err := time.Parse(time.RFC3339, parts[2])
			if err != nil {
				return nil, fmt.Errorf("read when the access of %s ends: %w", parts[1], err)
			}
			all = append(all, opening{track: track, line: line, release: parts[0], action: parts[1], user: parts[3], end: end})
		}
	}
	return all, nil
}

// writeDown adds a use to the status of the action that opened the access, or says why
// it does not.
func (h *accessHandler) writeDown(ctx context.Context, req admission.Request, open opening, use v1alpha1.AccessUse) (why string, err error) {
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		action := &v1alpha1.ReleaseAction{}
		if err := h.live.Get(ctx, client.ObjectKey{Namespace: req.Namespace, Name: open.action}, action); err != nil {
			if apierrors.IsNotFound(err) {
				why = "ReleaseAction " + open.action + ", which opened it, was deleted"
				return nil
			}
			return err
		}
		spec := &action.Spec
		switch {
		case spec.Action != v1alpha1.ActionBreakGlass || spec.TrackName != open.track || spec.ReleaseName != open.release || spec.Requester != open.user:
			why = "ReleaseAction " + open.action + " is another one than that which opened it"
			return nil
		case action.Status.Outcome != "" || !h.now().Before(action.EndTime()):
			// Whatever the namespace says: nobody records a use after that.
			why = "the access of " + open.action + " is over"
			return nil
		case len(action.Status.Uses) >= v1alpha1.MaxUses:
			why = fmt.Sprintf("ReleaseAction %s was used %d times: ask by another", open.action, v1alpha1.MaxUses)
			return nil
		}
		noted := action.DeepCopy()
		use.Time = metav1.NewMicroTime(h.now().Truncate(time.Microsecond))
		if n := len(noted.Status.Uses); n > 0 && !use.Time.After(noted.Status.Uses[n-1].Time.Time) {
			use.Time = metav1.NewMicroTime(noted.Status.Uses[n-1].Time.Add(time.Microsecond))
		}
		noted.Status.Uses = append(noted.Status.Uses, use)
		return h.writer.Status().Patch(ctx, noted, client.MergeFromWithOptions(action, client.MergeFromWithOptimisticLock{}))
	})
	if err != nil {
		return "", fmt.Errorf("write down the use of ReleaseAction %s: %w", open.action, err)
	}
	return why, nil
}
