package schema

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/validation"
	"github.com/strata-release/strata/controllers/resources"
)

// edit is what people write into pod templates, right or wrong. {pod} is the pod of a
// component, and that of a test.
type edit struct {
	path  string
	value any
}

// slips are wrong, and seen only when the children are made: neither a schema nor a
// webhook without Kubernetes' own validation can know all of that. They end as a
// condition of the release.
var slips = []edit{
	{"{pod}.affinity", object("nodeAffinity", object("requiredDuringSchedulingIgnoredDuringExecution", object("nodeSelectorTerms", list(object("matchExpressions", list(object("key", "a", "operator", "In")))))))},
	{"{pod}.containers[0].volumeDevices", list(object("name", "scratch", "devicePath", "/dev/x"))},
	{"{pod}.containers[0].resources", object("requests", object("bananas", "1"))},
	{"{pod}.containers[0].resources", object("requests", object("example.com/gpu", "1"))},
	{"{pod}.containers[0].resources", object("limits", object("example.com/gpu", "500m"))},
	{"{pod}.containers[0].lifecycle", object("preStop", object("sleep", object("seconds", int64(500))))},
	{"spec.tests[0].template.spec.podFailurePolicy", object("rules", list(object("action", "FailJob", "onExitCodes", object("operator", "In", "values", list(int64(0))))))},
}

var edits = []edit{
	{"{pod}.dnsPolicy", "None"},
	{"{pod}.dnsPolicy", "ClusterFirst"},
	{"{pod}.dnsConfig", object("nameservers", list("10.0.0.10"))},
	{"{pod}.dnsConfig", object("nameservers", list("ten"))},
	{"{pod}.serviceAccountName", "Shop"},
	{"{pod}.serviceAccountName", "shop"},
	{"{pod}.terminationGracePeriodSeconds", int64(-1)},
	{"{pod}.nodeSelector", object("arch", "arm64")},
	{"{pod}.nodeSelector", object("a b", "c")},
	{"{pod}.nodeName", "node-1"},
	{"{pod}.priority", int64(5)},
	{"{pod}.priorityClassName", "high"},
	{"{pod}.runtimeClassName", "gvisor"},
	{"{pod}.runtimeClassName", "G Visor"},
	{"{pod}.hostname", "shop_1"},
	{"{pod}.subdomain", "shop.1"},
	{"{pod}.schedulerName", "other"},
	{"{pod}.shareProcessNamespace", true},
	{"{pod}.hostPID", true},
	{"{pod}.enableServiceLinks", false},
	{"{pod}.preemptionPolicy", "Sometimes"},
	{"{pod}.overhead", object("cpu", "1")},
	{"{pod}.hostAliases", list(object("ip", "one", "hostnames", list("a")))},
	{"{pod}.hostAliases", list(object("ip", "10.0.0.1", "hostnames", list("a_b")))},
	{"{pod}.tolerations", list(object("key", "a", "operator", "Equals"))},
	{"{pod}.tolerations", list(object("operator", "Exists", "value", "x"))},
	{"{pod}.tolerations", list(object("effect", "NoExecute", "operator", "Exists", "tolerationSeconds", int64(5)))},
	{"{pod}.tolerations", list(object("effect", "NoSchedule", "operator", "Exists", "tolerationSeconds", int64(5)))},
	{"{pod}.topologySpreadConstraints", list(object("maxSkew", int64(0), "topologyKey", "zone", "whenUnsatisfiable", "DoNotSchedule"))},
	{"{pod}.topologySpreadConstraints", list(object("maxSkew", int64(1), "topologyKey", "zone", "whenUnsatisfiable", "Hope"))},
	{"{pod}.affinity", object("podAntiAffinity", object("preferredDuringSchedulingIgnoredDuringExecution", list(object("weight", int64(101), "podAffinityTerm", object("topologyKey", "zone")))))},
	{"{pod}.securityContext", object("runAsNonRoot", true, "runAsUser", int64(-1))},
	{"{pod}.securityContext", object("fsGroup", int64(1000), "seccompProfile", object("type", "RuntimeDefault"))},
	{"{pod}.securityContext", object("seccompProfile", object("type", "Localhost"))},
	{"{pod}.securityContext", object("sysctls", list(object("name", "a b", "value", "1")))},
	{"{pod}.readinessGates", list(object("conditionType", "a b"))},
	{"{pod}.volumes", list(object("name", "both", "emptyDir", object(), "configMap", object("name", "shop-settings")))},
	{"{pod}.volumes", list(object("name", "none"))},
	{"{pod}.volumes", list(object("name", "path", "hostPath", object("path", "../x")))},
	{"{pod}.volumes", list(object("name", "mode", "configMap", object("name", "shop-settings", "defaultMode", int64(1000))))},
	{"{pod}.volumes", list(object("name", "items", "configMap", object("name", "shop-settings", "items", list(object("key", "a", "path", "/a")))))},
	{"{pod}.volumes", list(object("name", "all", "projected", object("sources", list(object("configMap", object("name", "shop-settings")), object("secret", object("name", "shop-tls"))))))},
	{"{pod}.volumes", list(object("name", "token", "projected", object("sources", list(object("serviceAccountToken", object("path", "token", "expirationSeconds", int64(5)))))))},
	{"{pod}.volumes", list(object("name", "size", "emptyDir", object("sizeLimit", "-1")))},
	{"{pod}.volumes", list(object("name", "api", "downwardAPI", object("items", list(object("path", "x", "fieldRef", object("fieldPath", "spec.nothing"))))))},
	{"{pod}.initContainers[0]", object("name", "sidecar", "image", "registry.example.com/a"+digest, "restartPolicy", "Always", "readinessProbe", object("tcpSocket", object("port", int64(1))))},
	{"{pod}.initContainers[0]", object("name", "before", "image", "registry.example.com/a"+digest, "readinessProbe", object("tcpSocket", object("port", int64(1))))},
	{"{pod}.initContainers[0]", object("name", "before", "image", "registry.example.com/a"+digest, "restartPolicy", "Never")},
	{"{pod}.containers[0].command", list("")},
	{"{pod}.containers[0].workingDir", "relative"},
	{"{pod}.containers[0].stdin", true},
	{"{pod}.containers[0].env", list(object("name", "a=b", "value", "1"))},
	{"{pod}.containers[0].env", list(object("name", ""))},
	{"{pod}.containers[0].env", list(object("name", "A", "value", "1", "valueFrom", object("fieldRef", object("fieldPath", "metadata.name"))))},
	{"{pod}.containers[0].env", list(object("name", "A", "valueFrom", object("fieldRef", object("fieldPath", "metadata.nothing"))))},
	{"{pod}.containers[0].env", list(object("name", "A", "valueFrom", object()))},
	{"{pod}.containers[0].env", list(object("name", "A", "valueFrom", object("resourceFieldRef", object("resource", "limits.cpu"))))},
	{"{pod}.containers[0].env", list(object("name", "A", "valueFrom", object("resourceFieldRef", object("resource", "limits.gpu"))))},
	{"{pod}.containers[0].env", list(object("name", "A", "valueFrom", object("secretKeyRef", object("name", "shop-tls", "key", "a b"))))},
	{"{pod}.containers[0].env", list(object("name", "TWICE", "value", "1"), object("name", "TWICE", "value", "2"))},
	{"{pod}.containers[0].envFrom", list(object("prefix", "1=", "configMapRef", object("name", "shop-settings")))},
	{"{pod}.containers[0].envFrom", list(object())},
	{"{pod}.containers[0].ports", list(object("name", "not_valid", "containerPort", int64(1)))},
	{"{pod}.containers[0].ports", list(object("name", "http", "containerPort", int64(1)), object("name", "http", "containerPort", int64(2)))},
	{"{pod}.containers[0].ports", list(object("containerPort", int64(8080), "hostIP", "here"))},
	{"{pod}.containers[0].volumeMounts", list(object("name", "nothing", "mountPath", "/x"))},
	{"{pod}.containers[0].volumeMounts", list(object("name", "scratch", "mountPath", "/x"), object("name", "scratch", "mountPath", "/x"))},
	{"{pod}.containers[0].volumeMounts", list(object("name", "scratch", "mountPath", "/x", "subPath", "../y"))},
	{"{pod}.containers[0].volumeMounts", list(object("name", "scratch", "mountPath", "/x:y"))},
	{"{pod}.containers[0].volumeMounts", list(object("name", "scratch", "mountPath", "/x", "mountPropagation", "Sideways"))},
	{"{pod}.containers[0].volumeMounts", list(object("name", "scratch", "mountPath", "/x", "recursiveReadOnly", "Enabled"))},
	{"{pod}.containers[0].resources", object("requests", object("cpu", "2"), "limits", object("cpu", "1"))},
	{"{pod}.containers[0].resources", object("requests", object("cpu", "-1"))},
	{"{pod}.containers[0].resizePolicy", list(object("resourceName", "cpu", "restartPolicy", "Perhaps"))},
	{"{pod}.containers[0].readinessProbe", object()},
	{"{pod}.containers[0].readinessProbe", object("httpGet", object("path", "/", "port", "a_b"))},
	{"{pod}.containers[0].readinessProbe", object("httpGet", object("path", "/", "port", int64(0)))},
	{"{pod}.containers[0].readinessProbe", object("httpGet", object("port", int64(80), "scheme", "FTP"))},
	{"{pod}.containers[0].readinessProbe", object("exec", object("command", list("x")), "tcpSocket", object("port", int64(1)))},
	{"{pod}.containers[0].readinessProbe", object("grpc", object("port", int64(70000)))},
	{"{pod}.containers[0].readinessProbe", object("tcpSocket", object("port", int64(1)), "periodSeconds", int64(-1))},
	{"{pod}.containers[0].readinessProbe", object("tcpSocket", object("port", int64(1)), "terminationGracePeriodSeconds", int64(5))},
	{"{pod}.containers[0].livenessProbe", object("tcpSocket", object("port", int64(1)), "successThreshold", int64(2))},
	{"{pod}.containers[0].livenessProbe", object("httpGet", object("path", "/", "port", int64(80), "httpHeaders", list(object("name", "a b", "value", "1"))))},
	{"{pod}.containers[0].lifecycle", object("preStop", object("sleep", object("seconds", int64(5))))},
	{"{pod}.containers[0].lifecycle", object("preStop", object())},
	{"{pod}.containers[0].lifecycle", object("stopSignal", "SIGNOTHING")},
	{"{pod}.containers[0].securityContext", object("privileged", true, "allowPrivilegeEscalation", false)},
	{"{pod}.containers[0].securityContext", object("runAsUser", int64(-1))},
	{"{pod}.containers[0].securityContext", object("procMount", "Some")},
	{"{pod}.containers[0].securityContext", object("capabilities", object("drop", list("ALL")), "readOnlyRootFilesystem", true)},
	{"{pod}.containers[0].terminationMessagePath", ""},
	{"{pod}.os", object("name", "plan9")},
	{"{pod}.os", object("name", "linux")},
	{"{pod}.schedulingGates", list(object("name", "a b"))},
	{"{pod}.resourceClaims", list(object("name", "gpu"))},
	{"{pod}.hostUsers", false},
	{"{pod}.setHostnameAsFQDN", true},
	{"{pod}.activeDeadlineSeconds", int64(0)},
	{"{pod}.imagePullSecrets", list(object("name", "A B"))},
	{"{pod}.imagePullSecrets", list(object())},
	{"spec.components[0].template.metadata.annotations", object("a b", "c")},
	{"spec.components[0].template.metadata.labels", object("a b", "c")},
	{"spec.components[0].ports[0].targetPort", "nothing"},
	{"spec.components[0].ports[0].appProtocol", "http/2/3"},
	{"spec.components[0].ports[0].appProtocol", "kubernetes.io/h2c"},
	{"spec.components[0].ports[0].protocol", "UDP"},
	{"spec.tests[0].template.spec.backoffLimit", int64(-1)},
	{"spec.tests[0].template.spec.activeDeadlineSeconds", int64(0)},
	{"spec.tests[0].template.spec.completionMode", "Indexed"},
	{"spec.tests[0].template.spec.completionMode", "Both"},
	{"spec.tests[0].template.spec.backoffLimitPerIndex", int64(1)},
	{"spec.tests[0].template.spec.maxFailedIndexes", int64(1)},
	{"spec.tests[0].template.spec.podReplacementPolicy", "Never"},
	{"spec.tests[0].template.spec.podFailurePolicy", object("rules", list(object("action", "FailJob", "onExitCodes", object("operator", "In", "values", list(int64(42))))))},
	{"spec.tests[0].template.spec.successPolicy", object("rules", list(object("succeededCount", int64(1))))},
}

// plain is a release without what is not supported yet.
func plain() *unstructured.Unstructured {
	GinkgoHelper()
	release := load("release")
	for path, value := range map[string]any{
		"spec.config.expect":                                   nil,
		"spec.components[1].activation":                        "Immediate",
		"spec.components[0].template.spec.volumes[3]":          object("name", "scratch", "emptyDir", object()),
		"spec.tests[0].template.spec.template.spec.volumes[0]": object("name", "scratch", "emptyDir", object()),
	} {
		set(release, path, value)
	}
	return release
}

// children are all that the operator creates of a release.
func children(rel *v1alpha1.ImmutableRelease) []client.Object {
	GinkgoHelper()
	seal, err := resources.Render(rel, resources.Digests{}, nil)
	Expect(err).NotTo(HaveOccurred())
	var made []client.Object
	for _, c := range rel.Spec.Components {
		deployment, err := seal.Deployment(c.Name, c.Replicas, 1)
		Expect(err).NotTo(HaveOccurred())
		made = append(made, deployment)
		if service, err := seal.Service(c.Name); service != nil {
			Expect(err).NotTo(HaveOccurred())
			made = append(made, service)
		}
		if c.Autoscaling != nil {
			autoscaler, err := seal.Autoscaler(c.Name, c.Autoscaling.MinReplicas, c.Autoscaling.MaxReplicas, 1)
			Expect(err).NotTo(HaveOccurred())
			made = append(made, autoscaler)
		}
		if c.Disruption != nil {
			budget, err := seal.Disruption(c.Name)
			Expect(err).NotTo(HaveOccurred())
			made = append(made, budget)
		}
	}
	for _, t := range rel.Spec.Tests {
		job, err := seal.Job(t.Name, 1, nil, 1)
		Expect(err).NotTo(HaveOccurred())
		made = append(made, job)
	}
	return made
}

// edited is a release with some edits.
func edited(chosen ...edit) (release *unstructured.Unstructured, what string) {
	GinkgoHelper()
	release = plain()
	for _, e := range chosen {
		for _, pod := range []string{web + ".template.spec", "spec.tests[0].template.spec.template.spec"} {
			set(release, strings.Replace(e.path, "{pod}", pod, 1), e.value)
		}
		what += fmt.Sprintf("%s = %v; ", e.path, e.value)
	}
	return release, what
}

// admitted is the release as the operator reads it, or nil if schema or webhook refuse
// it.
func admitted(ctx SpecContext, release *unstructured.Unstructured) *v1alpha1.ImmutableRelease {
	GinkgoHelper()
	if api.Create(ctx, release.DeepCopy(), client.DryRunAll) != nil {
		return nil
	}
	text, err := json.Marshal(release)
	Expect(err).NotTo(HaveOccurred())
	typed := &v1alpha1.ImmutableRelease{}
	Expect(json.Unmarshal(text, typed)).To(Succeed())
	if len(validation.ValidateRelease(typed)) > 0 {
		return nil
	}
	return typed
}

// create tries to create all children.
func create(ctx SpecContext, release *v1alpha1.ImmutableRelease) error {
	GinkgoHelper()
	for _, child := range children(release) {
		if err := api.Create(ctx, child, client.DryRunAll); err != nil {
			return err
		}
	}
	return nil
}

var _ = Describe("A release that is let through", func() {
	It("has children that the API server takes", func(ctx SpecContext) {
		var tries [][]edit
		for _, e := range edits {
			tries = append(tries, []edit{e})
		}
		random := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 2))
		for range edits {
			tries = append(tries, []edit{edits[random.IntN(len(edits))], edits[random.IntN(len(edits))]})
		}
		var holes []string
		through := 0
		for _, chosen := range tries {
			release, what := edited(chosen...)
			typed := admitted(ctx, release)
			if typed == nil {
				continue
			}
			through++
			if err := create(ctx, typed); err != nil {
				holes = append(holes, what+err.Error())
			}
		}
		AddReportEntry("children", fmt.Sprintf("%d of %d edited releases were let through", through, len(tries)))
		Expect(holes).To(BeEmpty())
		Expect(through).To(BeNumerically(">", len(tries)/10))
	})

	It("is otherwise one that only the API server's own validation can see through", func(ctx SpecContext) {
		for _, slip := range slips {
			release, what := edited(slip)
			typed := admitted(ctx, release)
			Expect(typed).NotTo(BeNil(), "refused by now, and no slip any more: %s", what)
			err := create(ctx, typed)
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%s: %v", what, err)
		}
	})
})
