package validation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
)

var image = "registry.example.com/shop/web@sha256:" + strings.Repeat("a", 64)

func ptr[T any](value T) *T { return &value }

func goodRelease() *v1alpha1.ImmutableRelease {
	test := batchv1.JobTemplateSpec{}
	test.Spec.Template.Spec = corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "test", Image: image}}}
	return &v1alpha1.ImmutableRelease{
		ObjectMeta: metav1.ObjectMeta{Name: "shop-1-4-2", Namespace: "shop"},
		Spec: v1alpha1.ImmutableReleaseSpec{
			TrackName: "shop", ReleaseTemplate: v1alpha1.ReleaseTemplate{
				Version: "1.4.2",
				Components: []v1alpha1.Component{
					{
						Name: "web", Replicas: 2,
						Ports: []v1alpha1.ComponentPort{{Name: "http", Port: 80, TargetPort: ptr(intstr.FromString("http"))}},
						Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
							InitContainers: []corev1.Container{{Name: "warm", Image: image}},
							Containers: []corev1.Container{{
								Name: "app", Image: image,
								Ports:          []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
								VolumeMounts:   []corev1.VolumeMount{{Name: "data", MountPath: "/data"}},
								ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromString("http")}}},
							}},
							Volumes: []corev1.Volume{{Name: "data"}},
						}},
					},
					{
						Name: "worker", Replicas: 1, Activation: v1alpha1.ActivationImmediate,
						Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}}},
					},
				},
				Tests: []v1alpha1.ReleaseTest{{Name: "smoke", When: v1alpha1.BeforeTraffic, Template: test}},
			},
		},
	}
}

func web(rel *v1alpha1.ImmutableRelease) *corev1.PodSpec {
	return &rel.Spec.Components[0].Template.Spec
}
func app(rel *v1alpha1.ImmutableRelease) *corev1.Container { return &web(rel).Containers[0] }
func job(rel *v1alpha1.ImmutableRelease) *batchv1.JobSpec  { return &rel.Spec.Tests[0].Template.Spec }

const (
	podPath = "spec.components[0].template.spec."
	appPath = podPath + "containers[0]."
	jobPath = "spec.tests[0].template.spec."
)

var badReleases = map[string]struct {
	change func(*v1alpha1.ImmutableRelease)
	says   string
}{
	"no components": {func(r *v1alpha1.ImmutableRelease) { r.Spec.Components = nil }, "spec.components: Required value: a release has 1 to 16"},
	"name":          {func(r *v1alpha1.ImmutableRelease) { r.Name = "Shop" }, `metadata.name: Invalid value: "Shop"`},
	"tag":           {func(r *v1alpha1.ImmutableRelease) { app(r).Image = "registry.example.com/shop:1" }, appPath + `image: Invalid value: "registry.example.com/shop:1": names a tag, which can move: give the image by digest`},
	"short digest":  {func(r *v1alpha1.ImmutableRelease) { app(r).Image = "r.example.com/shop@sha256:abc" }, "the digest must be 64"},
	"no registry":   {func(r *v1alpha1.ImmutableRelease) { app(r).Image = "shop@sha256:" + strings.Repeat("a", 64) }, "does not name its registry"},
	"upper case": {func(r *v1alpha1.ImmutableRelease) {
		app(r).Image = "r.example.com/Shop@sha256:" + strings.Repeat("a", 64)
	}, "has capital letters in its path (Shop)"},
	"no image":   {func(r *v1alpha1.ImmutableRelease) { web(r).InitContainers[0].Image = "" }, podPath + "initContainers[0].image: Required value: give the image by digest"},
	"long image": {func(r *v1alpha1.ImmutableRelease) { app(r).Image = strings.Repeat("a", 600) }, "Too long"},
	"image volume": {func(r *v1alpha1.ImmutableRelease) {
		web(r).Volumes[0].Image = &corev1.ImageVolumeSource{Reference: "x"}
	}, podPath + `volumes[0].image.reference: Invalid value: "x"`},
	"container twice":    {func(r *v1alpha1.ImmutableRelease) { app(r).Name = "warm" }, appPath + `name: Duplicate value: "warm"`},
	"no container":       {func(r *v1alpha1.ImmutableRelease) { web(r).Containers = nil }, podPath + "containers: Required value"},
	"nameless container": {func(r *v1alpha1.ImmutableRelease) { app(r).Name = "" }, appPath + "name: Required value"},
	"host network":       {func(r *v1alpha1.ImmutableRelease) { web(r).HostNetwork = true }, podPath + "hostNetwork: Invalid value: true: two releases run side by side"},
	"host port":          {func(r *v1alpha1.ImmutableRelease) { app(r).Ports[0].HostPort = 80 }, appPath + "ports[0].hostPort: Invalid value: 80: two releases run side by side"},
	"writable claim": {func(r *v1alpha1.ImmutableRelease) {
		web(r).Volumes[0].PersistentVolumeClaim = &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "db"}
	}, podPath + `volumes[0].persistentVolumeClaim: Invalid value: "db"`},
	"two sources": {func(r *v1alpha1.ImmutableRelease) {
		web(r).Volumes[0].EmptyDir, web(r).Volumes[0].HostPath = &corev1.EmptyDirVolumeSource{}, &corev1.HostPathVolumeSource{Path: "/"}
	}, `volumes[0]: Invalid value: "hostPath, emptyDir": a volume has one source`},
	"no host path": {func(r *v1alpha1.ImmutableRelease) { web(r).Volumes[0].HostPath = &corev1.HostPathVolumeSource{} }, "volumes[0].hostPath.path: Required value"},
	"volume twice": {func(r *v1alpha1.ImmutableRelease) { web(r).Volumes = append(web(r).Volumes, web(r).Volumes[0]) }, `volumes[1].name: Duplicate value: "data"`},
	"item out of bounds": {func(r *v1alpha1.ImmutableRelease) {
		web(r).Volumes[0].Secret = &corev1.SecretVolumeSource{SecretName: "s", Items: []corev1.KeyToPath{{Key: "k", Path: "a/../../b"}}}
	}, `secret.items[0].path: Invalid value: "a/../../b": must not contain '..'`},
	"projected nothing": {func(r *v1alpha1.ImmutableRelease) {
		web(r).Volumes[0].Projected = &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{}}}
	}, "projected.sources[0]: Required value: give one of"},
	"unknown mount": {func(r *v1alpha1.ImmutableRelease) { app(r).VolumeMounts[0].Name = "cache" }, appPath + `volumeMounts[0].name: Invalid value: "cache": is no volume of the pod; it has: data`},
	"mounted twice": {func(r *v1alpha1.ImmutableRelease) {
		app(r).VolumeMounts = append(app(r).VolumeMounts, app(r).VolumeMounts[0])
	}, `volumeMounts[1].mountPath: Invalid value: "/data": must be unique`},
	"mounted nowhere": {func(r *v1alpha1.ImmutableRelease) { app(r).VolumeMounts[0].MountPath = "" }, "mountPath: Required value"},
	"two sub paths": {func(r *v1alpha1.ImmutableRelease) {
		app(r).VolumeMounts[0].SubPath, app(r).VolumeMounts[0].SubPathExpr = "a", "b"
	}, "subPathExpr: Invalid value: \"b\": give subPath or subPathExpr"},
	"absolute sub path": {func(r *v1alpha1.ImmutableRelease) { app(r).VolumeMounts[0].SubPath = "/a" }, "must be a relative path"},
	"unknown device":    {func(r *v1alpha1.ImmutableRelease) { app(r).VolumeDevices = []corev1.VolumeDevice{{Name: "x"}} }, `volumeDevices[0].name: Invalid value: "x"`},
	"variable's name":   {func(r *v1alpha1.ImmutableRelease) { app(r).Env = []corev1.EnvVar{{Name: "A=B"}} }, appPath + `env[0].name: Invalid value: "A=B"`},
	"reserved variable": {func(r *v1alpha1.ImmutableRelease) { app(r).Env = []corev1.EnvVar{{Name: "STRATA_X"}} }, appPath + "env[0].name: Forbidden: STRATA_X is set by Strata"},
	"reserved prefix": {func(r *v1alpha1.ImmutableRelease) {
		app(r).EnvFrom = []corev1.EnvFromSource{{Prefix: "STRATA_", SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}}
	}, "envFrom[0].prefix"},
	"two values": {func(r *v1alpha1.ImmutableRelease) {
		app(r).Env = []corev1.EnvVar{{Name: "A", Value: "x", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}}
	}, "give value or valueFrom"},
	"no key": {func(r *v1alpha1.ImmutableRelease) {
		app(r).Env = []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}}}
	}, "secretKeyRef.key: Required value"},
	"two probes in one": {func(r *v1alpha1.ImmutableRelease) {
		app(r).ReadinessProbe.TCPSocket = &corev1.TCPSocketAction{Port: intstr.FromInt32(80)}
	}, `readinessProbe: Invalid value: "httpGet, tcpSocket": give exactly one of them`},
	"probe's port":       {func(r *v1alpha1.ImmutableRelease) { app(r).ReadinessProbe.HTTPGet.Port = intstr.FromInt32(0) }, "httpGet.port: Invalid value: 0"},
	"probe's named port": {func(r *v1alpha1.ImmutableRelease) { app(r).ReadinessProbe.HTTPGet.Port = intstr.FromString("x") }, `httpGet.port: Invalid value: "x": container app declares no port of this name`},
	"negative period":    {func(r *v1alpha1.ImmutableRelease) { app(r).ReadinessProbe.PeriodSeconds = -1 }, "periodSeconds: Invalid value: -1"},
	"liveness threshold": {func(r *v1alpha1.ImmutableRelease) {
		app(r).LivenessProbe = app(r).ReadinessProbe.DeepCopy()
		app(r).LivenessProbe.SuccessThreshold = 2
	}, "livenessProbe.successThreshold: Invalid value: 2: must be 1"},
	"empty command": {func(r *v1alpha1.ImmutableRelease) {
		app(r).Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{}}}
	}, "lifecycle.preStop.exec.command: Required value"},
	"probe of an init": {func(r *v1alpha1.ImmutableRelease) {
		web(r).InitContainers[0].ReadinessProbe = app(r).ReadinessProbe
		web(r).InitContainers[0].Lifecycle = &corev1.Lifecycle{}
	}, "initContainers[0].readinessProbe: Forbidden: an init container that ends has none"},
	"request above limit": {func(r *v1alpha1.ImmutableRelease) {
		app(r).Resources = corev1.ResourceRequirements{Requests: amounts("2"), Limits: amounts("1")}
	}, "resources.requests[cpu]: Invalid value: \"2\": must not be above the limit of 1"},
	"negative request": {func(r *v1alpha1.ImmutableRelease) { app(r).Resources.Requests = amounts("-1") }, "must not be negative"},
	"privileged": {func(r *v1alpha1.ImmutableRelease) {
		app(r).SecurityContext = &corev1.SecurityContext{Privileged: ptr(true), AllowPrivilegeEscalation: ptr(false)}
	}, "allowPrivilegeEscalation: Invalid value: false"},
	"pull policy":    {func(r *v1alpha1.ImmutableRelease) { app(r).ImagePullPolicy = "Sometimes" }, `imagePullPolicy: Unsupported value: "Sometimes"`},
	"restart policy": {func(r *v1alpha1.ImmutableRelease) { web(r).RestartPolicy = corev1.RestartPolicyNever }, podPath + `restartPolicy: Unsupported value: "Never"`},
	"an end":         {func(r *v1alpha1.ImmutableRelease) { web(r).ActiveDeadlineSeconds = ptr(int64(5)) }, podPath + "activeDeadlineSeconds: Forbidden"},
	"ephemeral":      {func(r *v1alpha1.ImmutableRelease) { web(r).EphemeralContainers = []corev1.EphemeralContainer{{}} }, podPath + "ephemeralContainers: Forbidden"},
	"dns":            {func(r *v1alpha1.ImmutableRelease) { web(r).DNSPolicy = corev1.DNSNone }, "dnsConfig.nameservers: Required value"},
	"grace":          {func(r *v1alpha1.ImmutableRelease) { web(r).TerminationGracePeriodSeconds = ptr(int64(-1)) }, "terminationGracePeriodSeconds: Invalid value: -1"},
	"alias":          {func(r *v1alpha1.ImmutableRelease) { web(r).HostAliases = []corev1.HostAlias{{IP: "x"}} }, "hostAliases[0].ip"},
	"toleration": {func(r *v1alpha1.ImmutableRelease) {
		web(r).Tolerations = []corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpExists, Value: "b"}}
	}, "tolerations[0].value"},
	"spread": {func(r *v1alpha1.ImmutableRelease) {
		web(r).TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1}}
	}, "topologySpreadConstraints[0].topologyKey: Required value"},
	"reserved label": {func(r *v1alpha1.ImmutableRelease) {
		r.Spec.Components[0].Template.Labels = map[string]string{v1alpha1.LabelRelease: "x"}
	}, `template.metadata.labels[strata.dev/release]: Invalid value: "x"`},
	"port twice": {func(r *v1alpha1.ImmutableRelease) {
		r.Spec.Components[0].Ports = append(r.Spec.Components[0].Ports, r.Spec.Components[0].Ports[0])
	}, "spec.components[0].ports[1].name: Duplicate value"},
	"unknown target": {func(r *v1alpha1.ImmutableRelease) { r.Spec.Components[0].Ports[0].TargetPort.StrVal = "grpc" }, `targetPort: Invalid value: "grpc": no container of the component declares a TCP port of this name`},
	"wrong protocol": {func(r *v1alpha1.ImmutableRelease) { r.Spec.Components[0].Ports[0].Protocol = corev1.ProtocolUDP }, "declares a UDP port of this name"},
	"optional": {func(r *v1alpha1.ImmutableRelease) {
		web(r).Volumes[0].ConfigMap = &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "c"}, Optional: ptr(true)}
	}, "optional: Invalid value: true"},
	"suspended":     {func(r *v1alpha1.ImmutableRelease) { job(r).Suspend = ptr(false) }, jobPath + "suspend: Forbidden"},
	"managed":       {func(r *v1alpha1.ImmutableRelease) { job(r).ManagedBy = ptr("x") }, jobPath + "managedBy: Forbidden"},
	"gone too soon": {func(r *v1alpha1.ImmutableRelease) { job(r).TTLSecondsAfterFinished = ptr(int32(0)) }, jobPath + "ttlSecondsAfterFinished: Forbidden"},
	"selected": {func(r *v1alpha1.ImmutableRelease) {
		job(r).Selector = &metav1.LabelSelector{}
		job(r).ManualSelector = ptr(true)
	}, jobPath + "selector: Forbidden"},
	"parallel":           {func(r *v1alpha1.ImmutableRelease) { job(r).Parallelism = ptr(int32(2)) }, jobPath + "parallelism: Invalid value: 2: a test is one pod"},
	"never done":         {func(r *v1alpha1.ImmutableRelease) { job(r).Completions = ptr(int32(0)) }, jobPath + "completions: Invalid value: 0"},
	"test that restarts": {func(r *v1alpha1.ImmutableRelease) { job(r).Template.Spec.RestartPolicy = "" }, jobPath + `template.spec.restartPolicy: Unsupported value: ""`},
	"test by tag":        {func(r *v1alpha1.ImmutableRelease) { job(r).Template.Spec.Containers[0].Image = "x" }, jobPath + `template.spec.containers[0].image: Invalid value: "x"`},
}

func amounts(cpu string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
}

func TestGoodRelease(t *testing.T) {
	if errs := ValidateRelease(goodRelease()); len(errs) > 0 {
		t.Error(errs.ToAggregate())
	}
}

func TestBadReleases(t *testing.T) {
	for name, c := range badReleases {
		rel := goodRelease()
		c.change(rel)
		says(t, name, ValidateRelease(rel), c.says)
	}
}

func says(t *testing.T, name string, errs field.ErrorList, want string) {
	t.Helper()
	if len(errs) == 0 {
		t.Errorf("%s: allowed", name)
		return
	}
	if text := errs.ToAggregate().Error(); !strings.Contains(text, want) {
		t.Errorf("%s: does not say %q:\n%s", name, want, text)
	}
}

func TestOneFieldIsRefusedOnce(t *testing.T) {
	rel := goodRelease()
	app(rel).Env = []corev1.EnvVar{{Name: v1alpha1.EnvRelease}}
	if errs := ValidateRelease(rel); len(errs) != 1 {
		t.Errorf("%d errors: %v", len(errs), errs.ToAggregate())
	}
}

func TestSidecarMayHaveProbesAndPorts(t *testing.T) {
	rel := goodRelease()
	web(rel).InitContainers[0].RestartPolicy = ptr(corev1.ContainerRestartPolicyAlways)
	web(rel).InitContainers[0].Ports = []corev1.ContainerPort{{Name: "metrics", ContainerPort: 9090}}
	web(rel).InitContainers[0].ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("metrics")}}}
	rel.Spec.Components[0].Ports[0].TargetPort = ptr(intstr.FromString("metrics"))
	if errs := ValidateRelease(rel); len(errs) > 0 {
		t.Error(errs.ToAggregate())
	}
}

func TestSamplesAreGood(t *testing.T) {
	paths, err := filepath.Glob("../../../config/samples/shop/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal("no samples", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal(data, &kind); err != nil {
			t.Fatal(path, err)
		}
		var errs field.ErrorList
		switch kind.Kind {
		case "ImmutableRelease":
			rel := &v1alpha1.ImmutableRelease{}
			err = yaml.UnmarshalStrict(data, rel)
			errs = ValidateRelease(rel)
		case "ReleaseTrack":
			track := &v1alpha1.ReleaseTrack{}
			err = yaml.UnmarshalStrict(data, track)
			errs = ValidateTrack(track)
		}
		if err != nil || len(errs) > 0 {
			t.Errorf("%s: %v %v", path, err, errs.ToAggregate())
		}
	}
}

// A promotion of another content proves nothing of a release.
func TestPromotions(t *testing.T) {
	rel := &v1alpha1.ImmutableRelease{}
	rel.Spec.Promotions = []v1alpha1.SignedPromotion{{ContentDigest: "sha256:a"}, {ContentDigest: "sha256:b"}}
	says(t, "another content", ValidatePromotions(rel, "sha256:a"), `spec.promotions[1].contentDigest: Invalid value: "sha256:b": the content of this release is sha256:a`)
	rel.Spec.Promotions = rel.Spec.Promotions[:1]
	if errs := ValidatePromotions(rel, "sha256:a"); len(errs) > 0 {
		t.Error(errs.ToAggregate())
	}
}
