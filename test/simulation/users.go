package simulation

import (
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// shape is what the releases of a world have in common.
type shape struct {
	api, config bool
	replicas    int32
}

func (w *World) drawShape() shape {
	return shape{api: w.chance(40), config: w.chance(20), replicas: int32(w.between(1, 2))}
}

func (w *World) drawTrack() v1alpha1.ReleaseTrackSpec {
	spec := v1alpha1.ReleaseTrackSpec{
		Rollout: &v1alpha1.RolloutSpec{
			BakeSeconds:             ptr.To(int32(10 * w.draw(3))),
			ProgressDeadlineSeconds: ptr.To(int32(60)),
			FailureSeconds:          ptr.To(int32(20)),
		},
		Traffic:   &v1alpha1.TrafficSpec{DrainSeconds: ptr.To(int32(5 * w.draw(3)))},
		Retention: &v1alpha1.RetentionSpec{WarmReleases: ptr.To(int32(w.draw(3))), WarmSeconds: ptr.To(int32(30 * w.draw(4)))},
	}
	w.drawSteps(&spec)
	w.drawRoutes(&spec)
	return spec
}

func (w *World) drawSteps(spec *v1alpha1.ReleaseTrackSpec) {
	spec.Rollout.Steps = nil
	for _, weight := range []int32{20, 50, 100} {
		if !w.chance(50) {
			continue
		}
		step := v1alpha1.RolloutStep{WeightPercent: weight, HoldSeconds: ptr.To(int32(5 * w.draw(3)))}
		if w.chance(10) {
			step.Approval = v1alpha1.ApprovalRequired
		}
		spec.Rollout.Steps = append(spec.Rollout.Steps, step)
	}
}

func (w *World) drawRoutes(spec *v1alpha1.ReleaseTrackSpec) {
	var routes []v1alpha1.Route
	which := pick(w.dice, 1, 1, 1, 1, 1, 3, 3, 3, 2, 0)
	if which&1 > 0 {
		routes = append(routes, v1alpha1.Route{
			Name: "public", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteGatewayAPI,
			GatewayAPI: &v1alpha1.GatewayAPIRoute{
				Kind: "HTTPRoute", ParentRefs: []gatewayv1.ParentReference{{Name: "gateway"}}, Hostnames: []gatewayv1.Hostname{"shop.example.com"},
			},
		})
	}
	if which&2 > 0 {
		component := "web"
		if w.shape.api {
			component = "api"
		}
		routes = append(routes, v1alpha1.Route{
			Name: "internal", ComponentName: component, PortName: "http", Type: v1alpha1.RouteService, Service: &v1alpha1.ServiceRoute{Name: "shop-internal"},
		})
	}
	spec.Traffic.Routes = routes
}

// user does something: what users do every day, and what they should not.
func (w *World) user() {
	name := w.anyRelease()
	switch n := w.draw(100); {
	case n < 35:
		w.publish()
	case n < 60:
		w.ask(name)
	case n < 68:
		pin := pick(w.dice, "", "", name, "shop-9")
		w.tell("> pin %q", pin)
		w.editTrack(func(spec *v1alpha1.ReleaseTrackSpec) { spec.ReleaseName = pin })
	case n < 78:
		w.tell("> %s breaks", name)
		w.changeScript(name, func(s *script) { s.broken = true })
	case n < 85:
		w.tell("> %s is well again", name)
		w.changeScript(name, func(s *script) { s.broken, s.short = false, false })
	case n < 88:
		w.tell("> %s loses a pod", name)
		w.changeScript(name, func(s *script) { s.short = true })
	case n < 92:
		w.routerDown = !w.routerDown
		w.tell("> router down: %t", w.routerDown)
		w.wakeGateway()
	case n < 96:
		w.editTrack(w.drawSteps)
		w.tell("> other steps: %s", trackLine(&w.track().Spec))
	default:
		w.editTrack(w.drawRoutes)
		w.tell("> other routes: %s", trackLine(&w.track().Spec))
	}
}

// disturb is what guards are there to refuse, and what happens all the same.
func (w *World) disturb() {
	name := w.anyRelease()
	switch w.draw(9) {
	case 0:
		w.wipe()
	case 1:
		w.take(deployments, name+"-web")
	case 2:
		w.take(services, name+"-web")
	case 3:
		w.take(httpRoutes, "shop-public")
	case 4:
		w.take(services, "shop-internal")
	case 5:
		w.take(releases, name)
	case 6:
		if all := w.shelves[jobs]; len(all) > 0 {
			w.take(jobs, all[w.draw(len(all))].GetName())
		}
	case 7:
		if all := w.shelves[pods]; len(all) > 0 {
			w.take(pods, all[w.draw(len(all))].GetName())
		}
	case 8:
		w.touch()
	}
}

func (w *World) take(k kind, name string) {
	if w.shelves[k].get(name) == nil {
		return
	}
	w.tell("> delete %s %s", k, name)
	w.noteTraffic()
	w.mustRemove(k, name)
}

// wipe takes the status of the track and of all releases.
func (w *World) wipe() {
	w.tell("> all statuses are wiped")
	track := w.track().DeepCopy()
	track.Status = v1alpha1.ReleaseTrackStatus{}
	w.mustUpdateStatus(track)
	for _, r := range each[v1alpha1.ImmutableRelease](&w.store, releases) {
		wiped := r.DeepCopy()
		wiped.Status = v1alpha1.ImmutableReleaseStatus{}
		w.mustUpdateStatus(wiped)
	}
}

// touch is somebody who annotates an object: its resourceVersion is another one.
func (w *World) touch() {
	k := pick(w.dice, deployments, httpRoutes, services, releases, tracks)
	if len(w.shelves[k]) == 0 {
		return
	}
	touched := w.shelves[k][w.draw(len(w.shelves[k]))].DeepCopyObject().(client.Object)
	w.tell("> touch %s %s", k, touched.GetName())
	annotations := map[string]string{"example.com/touched": fmt.Sprint(w.revision)}
	for key, value := range touched.GetAnnotations() {
		if key != "example.com/touched" {
			annotations[key] = value
		}
	}
	touched.SetAnnotations(annotations)
	w.mustUpdate(touched)
}

func (w *World) editTrack(edit func(*v1alpha1.ReleaseTrackSpec)) {
	track := w.track().DeepCopy()
	edit(&track.Spec)
	w.noteTraffic()
	w.mustUpdate(track)
}

func (w *World) changeScript(release string, change func(*script)) {
	if s := w.scripts[release]; s != nil {
		change(s)
		w.wakePods(release)
	}
}

func (w *World) anyRelease() string {
	all := w.shelves[releases]
	if len(all) == 0 {
		return "shop-1"
	}
	return all[len(all)-1-w.draw(len(all))].GetName()
}

// publish makes the next release, or, now and then, one under a name that was there.
func (w *World) publish() {
	n := w.published + 1
	if w.published > 0 && w.chance(15) {
		n = w.between(1, w.published)
	}
	name := fmt.Sprintf("shop-%d", n)
	if w.shelves[releases].get(name) != nil {
		return
	}
	w.published = max(w.published, n)
	release := &v1alpha1.ImmutableRelease{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: w.drawRelease(n)}
	s := &script{readyAfter: time.Duration(w.between(1, 9)) * time.Second, broken: w.chance(8), tests: map[string]testScript{}}
	for i := range release.Spec.Tests {
		s.tests[release.Spec.Tests[i].Name] = testScript{after: time.Duration(w.between(1, 9)) * time.Second, hangs: w.chance(5), fails: w.chance(15)}
	}
	w.scripts[name] = s
	w.tell("> publish %s", releaseLine(release, s))
	w.mustCreate(release)
}

func (w *World) drawRelease(n int) v1alpha1.ImmutableReleaseSpec {
	content := n
	spec := v1alpha1.ImmutableReleaseSpec{TrackName: TrackName, Version: fmt.Sprintf("%d.0", n)}
	switch pick(w.dice, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2) {
	case 1:
		spec.Version = "1.0" // Of the first release, with another content.
	case 2:
		content += 100 // Of a release that may have been there, with another content.
	}
	spec.Components = append(spec.Components, w.component("web", content))
	if w.shape.api {
		spec.Components = append(spec.Components, w.component("api", content))
	}
	if w.chance(40) {
		spec.Tests = append(spec.Tests, test("smoke", v1alpha1.BeforeTraffic))
	}
	if w.chance(40) {
		spec.Tests = append(spec.Tests, test("probe", v1alpha1.EveryStep))
	}
	return spec
}

func (w *World) component(name string, content int) v1alpha1.Component {
	c := v1alpha1.Component{
		Name: name, Replicas: w.shape.replicas, Ports: []v1alpha1.ComponentPort{{Name: "http", Port: 80}},
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image(content)}}}},
	}
	return c
}

func image(content int) string {
	return "shop@sha256:" + strings.Repeat(fmt.Sprintf("%04d", content), 16)
}

func test(name string, when v1alpha1.TestPhase) v1alpha1.ReleaseTest {
	return v1alpha1.ReleaseTest{
		Name: name, When: when, DeadlineSeconds: ptr.To(int32(30)),
		Template: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "test", Image: image(0)}},
		}}}},
	}
}

// ask is for what makes sense most of the time, and for anything else.
func (w *World) ask(name string) {
	spec := v1alpha1.ReleaseActionSpec{
		TrackName: TrackName, Action: v1alpha1.ActionRollback, ReleaseName: name, Requester: "ann", Reason: "because",
	}
	state := w.head()
	proven := w.memory.wereStable(state.Stable)
	switch {
	case w.chance(10):
		spec.Action = pick(w.dice, v1alpha1.ActionRetry, v1alpha1.ActionAbort, v1alpha1.ActionApprove)
	case len(proven) > 0 && w.chance(60):
		spec.ReleaseName = pick(w.dice, proven...)
	case state.Candidate != nil:
		spec.Action, spec.ReleaseName, spec.Attempt = pick(w.dice, v1alpha1.ActionApprove, v1alpha1.ActionAbort), state.Candidate.Name, &state.Candidate.Attempt
	default:
		spec.Action = v1alpha1.ActionRetry
	}
	if spec.Action == v1alpha1.ActionApprove {
		spec.WeightPercent = ptr.To(pick(w.dice, int32(20), 50, 100))
	}
	if spec.Attempt == nil && (spec.Action == v1alpha1.ActionApprove || spec.Action == v1alpha1.ActionAbort) {
		spec.Attempt = ptr.To(int32(1))
	}
	w.asked++
	action := &v1alpha1.ReleaseAction{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", strings.ToLower(string(spec.Action)), w.asked)}, Spec: spec}
	w.tell("> %s %s", action.Name, spec.ReleaseName)
	w.mustCreate(action)
}
