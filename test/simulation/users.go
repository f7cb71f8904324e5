package simulation

import (
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
)

// shape is what the releases of a world have in common.
type shape struct {
	// api is a second component with a Service, worker one without.
	api, worker bool
	// lazy: api runs at full weight alone.
	lazy bool
	// autoscaled is web.
	autoscaled bool
	// config: web reads a ConfigMap.
	config   bool
	replicas int32
}

func (w *World) drawShape() shape {
	return shape{
		api: w.chance(35), worker: w.chance(25), lazy: w.chance(10), autoscaled: w.chance(30), config: w.chance(15),
		replicas: int32(w.between(1, 2)),
	}
}

// keptActions is how long an action with its outcome is kept, and validApprovals how long
// an approval counts in worlds with a policy: less than the API allows.
const keptActions, validApprovals = time.Minute, 20 * time.Second

// settings is the ConfigMap that releases of some worlds freeze.
const settings = "shop-settings"

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
	spec.Retention.ActionSeconds = ptr.To(int32(keptActions / time.Second))
	if w.chance(15) {
		spec.Retention.HistoryLimit = ptr.To(int32(w.draw(3)))
	}
	if w.chance(15) {
		spec.Retention.RecordLimit = ptr.To(int32(w.between(6, 20))) // Fewer than the API allows.
	}
	w.drawSteps(&spec)
	w.drawPolicies(spec.Rollout)
	w.drawRoutes(&spec)
	if w.chance(10) {
		spec.Requires = []v1alpha1.RequiredTrack{required}
	}
	return spec
}

// drawPolicies: the first of each is what holds where nothing is said.
func (w *World) drawPolicies(spec *v1alpha1.RolloutSpec) {
	spec.FailurePolicy = pick(w.dice, "", "", "", "", "", v1alpha1.FailureHold)
	spec.SupersedePolicy = pick(w.dice, "", "", "", v1alpha1.SupersedeQueue)
	spec.AdvancePolicy = pick(w.dice, "", "", "", "", "", "", "", "", v1alpha1.AdvancePaused)
	spec.Capacity = pick(w.dice, "", "", v1alpha1.CapacityProportional)
}

func (w *World) drawSteps(spec *v1alpha1.ReleaseTrackSpec) {
	spec.Rollout.Steps = nil
	for _, weight := range []int32{20, 80, 100} {
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
		if w.chance(20) {
			routes[0].Preview = &v1alpha1.RoutePreview{HeaderName: "X-Preview"}
		}
		if w.chance(20) {
			routes[0].GatewayAPI.StickyCookieName = "shop"
		}
		if w.chance(20) {
			routes[0].Probe = &v1alpha1.RouteProbe{URL: "http://gateway.example/", MarkerHeader: "X-Release"}
		}
	}
	if which&1 > 0 && w.chance(30) {
		routes[0] = v1alpha1.Route{
			Name: "public", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteIngress,
			Ingress: &v1alpha1.IngressRoute{
				Dialect: v1alpha1.DialectNGINX, Name: edgeName, ClassName: "nginx", SettleSeconds: ptr.To(int32(edgeSettles / time.Second)),
				Rules: []v1alpha1.IngressRule{{Host: "shop.example.com"}},
			},
		}
	}
	if which&1 > 0 && w.chance(15) {
		routes[0] = w.attachment()
	}
	if which&1 > 0 && w.chance(15) {
		routes[0] = v1alpha1.Route{
			Name: "public", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteIngress,
			Ingress: &v1alpha1.IngressRoute{
				Dialect: v1alpha1.DialectALB, Name: albName, ClassName: "alb", SettleSeconds: ptr.To(int32(edgeSettles / time.Second)),
				Rules: []v1alpha1.IngressRule{{Host: "shop.example.com"}}, DeregistrationDelaySeconds: ptr.To(int32(5 * w.draw(3))),
			},
		}
		if w.chance(40) {
			routes[0].Ingress.StickinessSeconds = ptr.To(int32(600))
		}
	}
	if which&1 > 0 && w.chance(20) {
		routes[0] = v1alpha1.Route{
			Name: "public", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteTraefik,
			Traefik: &v1alpha1.TraefikRoute{Name: legsName, SettleSeconds: ptr.To(int32(edgeSettles / time.Second))},
		}
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
	if w.changeAround() {
		return
	}
	if legs := w.splitLegs(); len(legs) > 1 && w.chance(25) {
		name = legs[w.draw(len(legs))].ReleaseName
		w.tell("> %s breaks, or is well again", name)
		w.changeScript(name, func(s *script) { s.broken = !s.broken })
		return
	}
	switch n := w.draw(100); {
	case n < 28:
		w.publish()
	case n < 30:
		w.editTemplate()
	case n < 52:
		w.ask(name)
	case n < 58:
		pin := pick(w.dice, "", "", name, "shop-9")
		w.tell("> pin %q", pin)
		w.editTrack(func(spec *v1alpha1.ReleaseTrackSpec) { spec.ReleaseName = pin })
	case n < 66:
		w.tell("> %s breaks", name)
		w.changeScript(name, func(s *script) { s.broken = true })
	case n < 71:
		w.tell("> %s is well again", name)
		w.changeScript(name, func(s *script) { s.broken, s.short = false, false })
	case n < 74:
		w.tell("> %s loses a pod", name)
		w.changeScript(name, func(s *script) { s.short = true })
	case n < 78:
		w.routerDown = !w.routerDown
		w.tell("> router down: %t", w.routerDown)
		w.wakeGateway()
	case n < 81:
		w.editTrack(w.drawSteps)
		w.tell("> other steps: %s", trackLine(&w.track().Spec))
	case n < 84:
		w.editTrack(w.drawRoutes)
		w.tell("> other routes: %s", trackLine(&w.track().Spec))
	case n < 88:
		w.editTrack(func(spec *v1alpha1.ReleaseTrackSpec) { w.drawPolicies(spec.Rollout) })
		w.tell("> other policies: %s", trackLine(&w.track().Spec))
	case n < 91:
		w.override()
	case n < 95:
		w.changeLoad()
		if w.shelves[httpRoutes].get(frontName) != nil {
			w.applyFront()
		}
	case n < 98:
		w.decideElsewhere(name, pick(w.dice, v1alpha1.EventPromoted, v1alpha1.EventPromoted, v1alpha1.EventFailed), !w.chance(15))
	default:
		w.configure()
	}
}

// changeAround changes, now and then, what clusters and registries are like, where that
// matters.
func (w *World) changeAround() bool {
	if w.policed && w.chance(10) {
		w.registryDown = !w.registryDown
		w.tell("> registries down: %t", w.registryDown)
		return true
	}
	if w.asksForSessions() && w.chance(10) {
		w.changeCRDs()
		return true
	}
	return false
}

// configure changes the ConfigMap that releases freeze, or takes it away for a while.
func (w *World) configure() {
	there := on[corev1.ConfigMap](&w.store, configMaps, settings)
	switch {
	case there == nil:
		w.tell("> ConfigMap %s", settings)
		w.mustCreate(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: settings}, Data: map[string]string{"revision": fmt.Sprint(w.revision)}})
	case w.chance(30):
		w.take(configMaps, settings)
	default:
		w.tell("> ConfigMap %s is another one", settings)
		changed := there.DeepCopy()
		changed.Data["revision"] = fmt.Sprint(w.revision)
		w.mustUpdate(changed)
	}
}

// disturb is what guards are there to refuse, and what happens all the same.
func (w *World) disturb() {
	name := w.anyRelease()
	switch w.draw(15) {
	case 0:
		w.wipe()
	case 1:
		w.take(deployments, name+"-web")
	case 2:
		w.take(services, name+"-web")
	case 3:
		w.take(httpRoutes, pick(w.dice, "shop-public", frontName))
		w.take(ingresses, pick(w.dice, edgeName, edgeCanary, albName))
		w.take(traefikServices, legsName)
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
	case 9:
		w.take(autoscalers, name+"-web")
	case 10:
		w.take(budgets, name+"-web")
	case 11, 12:
		w.backUp()
	case 13:
		w.letGo(name)
	case 14:
		w.comeLate()
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
	k := pick(w.dice, deployments, httpRoutes, ingresses, traefikServices, services, releases, tracks, autoscalers)
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
	if w.inPlace && w.chance(70) {
		w.editTemplate()
		return
	}
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
	w.scripts[name] = w.drawScript(release)
	w.tell("> publish %s", releaseLine(release, w.scripts[name]))
	w.mustCreate(release)
	if len(w.track().Spec.Requires) > 0 && w.chance(60) {
		w.decideElsewhere(name, v1alpha1.EventPromoted, true)
	}
}

// drawScript is how the pods and tests of a release will behave.
func (w *World) drawScript(release *v1alpha1.ImmutableRelease) *script {
	s := &script{readyAfter: time.Duration(w.between(1, 9)) * time.Second, broken: w.chance(8), tests: map[string]testScript{}}
	for i := range release.Spec.Tests {
		s.tests[release.Spec.Tests[i].Name] = testScript{after: time.Duration(w.between(1, 9)) * time.Second, hangs: w.chance(5), fails: w.chance(15)}
	}
	s.refused = w.policed && w.chance(12)
	return s
}

// editTemplate puts the next version into the track, or one that was there; or takes the
// template away. The same version with other content is refused, but for what admission
// does not see now and then: that of a release which it was not asked about.
func (w *World) editTemplate() {
	if w.track().Spec.ReleaseTemplate != nil && w.chance(10) {
		w.tell("> no template")
		w.editTrack(func(spec *v1alpha1.ReleaseTrackSpec) { spec.ReleaseTemplate = nil })
		return
	}
	n := w.published + 1
	if w.published > 0 && w.chance(25) {
		n = w.between(1, w.published)
	}
	wanted := w.track().DeepCopy()
	drawn := w.drawRelease(n)
	wanted.Spec.ReleaseTemplate = &drawn.ReleaseTemplate
	release, is := resources.TemplateRelease(wanted), w.track().Spec.ReleaseTemplate
	differs := func(other *v1alpha1.ReleaseTemplate) bool {
		return other.Version == release.Spec.Version && !equality.Semantic.DeepEqual(*other, release.Spec.ReleaseTemplate)
	}
	for _, other := range each[v1alpha1.ImmutableRelease](&w.store, releases) {
		if differs(&other.Spec.ReleaseTemplate) && w.chance(70) {
			return
		}
	}
	if is != nil && differs(is) {
		return
	}
	w.published = max(w.published, n)
	if w.scripts[release.Name] == nil {
		w.scripts[release.Name] = w.drawScript(release)
	}
	w.tell("> template of %s", releaseLine(release, w.scripts[release.Name]))
	w.editTrack(func(spec *v1alpha1.ReleaseTrackSpec) { spec.ReleaseTemplate = wanted.Spec.ReleaseTemplate })
}

func (w *World) drawRelease(n int) v1alpha1.ImmutableReleaseSpec {
	content := n
	spec := v1alpha1.ImmutableReleaseSpec{TrackName: TrackName, ReleaseTemplate: v1alpha1.ReleaseTemplate{Version: fmt.Sprintf("%d.0", n)}}
	switch pick(w.dice, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2) {
	case 1:
		spec.Version = "1.0" // Of the first release, with another content.
	case 2:
		content += 100 // Of a release that may have been there, with another content.
	}
	spec.Components = w.components(content)
	if w.chance(12) {
		spec.Tests = append(spec.Tests, test("migrate", v1alpha1.BeforePods))
	}
	if w.chance(35) {
		spec.Tests = append(spec.Tests, test("smoke", v1alpha1.BeforeTraffic))
	}
	if w.chance(35) {
		spec.Tests = append(spec.Tests, test("probe", v1alpha1.EveryStep))
	}
	if w.chance(15) {
		spec.Tests = append(spec.Tests, test("orders", v1alpha1.AfterPromotion))
	}
	return spec
}

func (w *World) components(content int) []v1alpha1.Component {
	web := w.component("web", content)
	if w.shape.autoscaled {
		web.Autoscaling = &v1alpha1.ComponentAutoscaling{MinReplicas: w.shape.replicas, MaxReplicas: w.shape.replicas + 3}
		web.Disruption = &v1alpha1.ComponentDisruption{MaxUnavailable: ptr.To(intstr.FromInt32(1))}
	}
	if w.shape.config {
		web.Template.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{
			{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: settings}}},
		}
	}
	all := []v1alpha1.Component{web}
	if w.shape.api {
		api := w.component("api", content)
		if w.shape.lazy {
			api.Activation = v1alpha1.ActivationAtFullWeight
		}
		all = append(all, api)
	}
	if w.shape.worker {
		worker := w.component("worker", content)
		worker.Ports = nil
		all = append(all, worker)
	}
	return all
}

func (w *World) component(name string, content int) v1alpha1.Component {
	return v1alpha1.Component{
		Name: name, Replicas: w.shape.replicas, Ports: []v1alpha1.ComponentPort{{Name: "http", Port: 80}},
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image(content)}}}},
	}
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
		spec.Action = pick(w.dice, v1alpha1.ActionRetry, v1alpha1.ActionAbort, v1alpha1.ActionApprove, v1alpha1.ActionSkipHold)
	case len(proven) > 0 && w.chance(60):
		spec.ReleaseName = pick(w.dice, proven...)
	case state.Candidate != nil:
		spec.Action, spec.ReleaseName, spec.Attempt = pick(w.dice, v1alpha1.ActionApprove, v1alpha1.ActionAbort, v1alpha1.ActionSkipHold), state.Candidate.Name, &state.Candidate.Attempt
	default:
		spec.Action = v1alpha1.ActionRetry
	}
	if spec.Action == v1alpha1.ActionApprove || spec.Action == v1alpha1.ActionSkipHold {
		spec.WeightPercent = ptr.To(pick(w.dice, int32(20), 50, 100))
	}
	if spec.Action == v1alpha1.ActionSkipHold && !w.chance(20) {
		spec.WeightPercent = ptr.To(max(1, weightOf(state, spec.ReleaseName)))
	}
	if spec.Attempt == nil && spec.Action != v1alpha1.ActionRollback && spec.Action != v1alpha1.ActionRetry {
		spec.Attempt = ptr.To(int32(1))
	}
	w.asked++
	action := &v1alpha1.ReleaseAction{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", strings.ToLower(string(spec.Action)), w.asked)}, Spec: spec}
	w.tell("> %s %s", action.Name, spec.ReleaseName)
	w.mustCreate(action)
}
