package admission

import (
	"encoding/json"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/controllers/admission/validation"
)

// malformed is one field of a good object, made bad: the path from the top, in
// slashes; the new value in JSON, "" to remove it; and what the refusal must say.
type malformed struct {
	path, value string
	says        []string
}

const goodRelease = `
apiVersion: strata.dev/v1alpha1
kind: ImmutableRelease
metadata: {name: shop-1}
spec:
  trackName: shop
  version: "1"
  source: {repository: "https://git.example.com/shop", revision: 3b18e51, buildURL: "https://ci.example.com/42"}
  components:
  - name: web
    replicas: 2
    activation: Immediate
    ports: [{name: http, port: 80, targetPort: http, protocol: TCP, appProtocol: http}]
    template:
      metadata: {labels: {team: shop}, annotations: {note: hello}}
      spec:
        initContainers: [{name: warm, image: IMAGE}]
        containers:
        - name: app
          image: IMAGE
          ports: [{name: http, containerPort: 8080}]
          env: [{name: A, value: "1"}, {name: B, valueFrom: {secretKeyRef: {name: keys, key: b}}}]
          envFrom: [{configMapRef: {name: settings}}]
          volumeMounts: [{name: data, mountPath: /data}]
          readinessProbe: {httpGet: {path: /, port: http}}
          resources: {requests: {cpu: 100m}, limits: {cpu: "1"}}
        volumes:
        - {name: data, configMap: {name: settings}}
        - {name: model, image: {reference: IMAGE}}
  - name: worker
    replicas: 1
    activation: Immediate
    template: {spec: {containers: [{name: app, image: IMAGE}]}}
  config:
    dynamic: [{kind: Secret, name: flags}]
    frozen: [{kind: Secret, name: tls}]
  tests:
  - name: smoke
    when: BeforeTraffic
    deadlineSeconds: 60
    template: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: test, image: IMAGE}]}}}}
`

const pod0 = "spec/components/0/template/spec/"
const pod0Says = "spec.components[0].template.spec."
const job0 = "spec/tests/0/template/spec/"

var malformedReleases = []malformed{
	{"metadata/name", `"Shop"`, []string{"metadata.name", "Shop"}},
	{"metadata/name", `"shop-` + strings.Repeat("a", 40) + `"`, []string{"metadata.name", "40 characters"}},
	{"metadata/name", `"1shop"`, []string{"metadata.name"}},
	{"metadata/name", `"shop.1"`, []string{"metadata.name"}},
	{"metadata/labels", `{"strata.dev/track":"x"}`, []string{"strata.dev/"}},
	{"spec", ``, []string{"spec", "Required value"}},
	{"spec/trackName", ``, []string{"spec.trackName", "Required value"}},
	{"spec/trackName", `"-x"`, []string{"spec.trackName", "-x"}},
	{"spec/trackName", `"` + strings.Repeat("a", 41) + `"`, []string{"spec.trackName", "40"}},
	{"spec/version", `""`, []string{"spec.version"}},
	{"spec/version", `"1.0+build"`, []string{"spec.version", "1.0+build"}},
	{"spec/version", `"` + strings.Repeat("1", 64) + `"`, []string{"spec.version", "63"}},
	{"spec/source/buildURL", `"ftp://x"`, []string{"spec.source.buildURL", "ftp://x"}},
	{"spec/components", `[]`, []string{"spec.components"}},
	{"spec/components/0/name", `"Web"`, []string{"spec.components[0].name", "Web"}},
	{"spec/components/0/name", `"we-b"`, []string{"spec.components[0].name", "we-b"}},
	{"spec/components/0/name", `"worker"`, []string{"names of components must be unique"}},
	{"spec/components/0/replicas", `0`, []string{"spec.components[0].replicas", "0"}},
	{"spec/components/0/replicas", `-1`, []string{"spec.components[0].replicas", "-1"}},
	{"spec/components/0/template", ``, []string{"spec.components[0].template", "Required value"}},
	{"spec/components/0/activation", `"Later"`, []string{"spec.components[0].activation", "Later"}},
	{"spec/components/0/ports/0/name", `"HTTP"`, []string{"spec.components[0].ports[0].name", "HTTP"}},
	{"spec/components/0/ports/0/port", `0`, []string{"spec.components[0].ports[0].port"}},
	{"spec/components/0/ports/0/port", `70000`, []string{"spec.components[0].ports[0].port", "70000"}},
	{"spec/components/0/ports/0/targetPort", `"grpc"`, []string{"spec.components[0].ports[0].targetPort", "grpc", "no container of the component declares"}},
	{"spec/components/0/ports/0/targetPort", `0`, []string{"spec.components[0].ports[0].targetPort"}},
	{"spec/components/0/ports/0/protocol", `"ICMP"`, []string{"spec.components[0].ports[0].protocol", "ICMP"}},
	{"spec/components/0/ports", `[{"name":"a","port":80},{"name":"a","port":81}]`, []string{"spec.components[0].ports", "names of ports must be unique"}},
	{"spec/components/0/ports", `[{"name":"a","port":80},{"name":"b","port":80}]`, []string{"spec.components[0].ports", "once for each protocol"}},
	{"spec/components/0/template/metadata/labels", `{"strata.dev/release":"x"}`, []string{"spec.components[0].template.metadata.labels", "operator"}},
	{"spec/components/0/template/metadata/annotations", `{"strata.dev/weight":"5"}`, []string{"spec.components[0].template.metadata.annotations", "operator"}},
	{"spec/components/0/template/metadata/labels", `{"team":"a b"}`, []string{"spec.components[0].template.metadata.labels", "a b"}},
	{pod0 + "containers", `[]`, []string{pod0Says + "containers"}},
	{pod0 + "containers/0/name", `"App"`, []string{pod0Says + "containers[0].name", "App"}},
	{pod0 + "containers/0/name", `"warm"`, []string{"spec.components[0].template.spec", "names of containers and init containers must be unique"}},
	{pod0 + "containers/0/image", `"registry.example.com/shop:1"`, []string{pod0Says + "containers[0].image", "registry.example.com/shop:1", "names a tag, which can move: give the image by digest"}},
	{pod0 + "containers/0/image", ``, []string{pod0Says + "containers[0].image", "Required value"}},
	{pod0 + "initContainers/0/image", `"nginx"`, []string{pod0Says + "initContainers[0].image", "nginx", "by digest"}},
	{pod0 + "volumes/1/image/reference", `"nginx:1"`, []string{pod0Says + "volumes[1].image.reference", "nginx:1", "by digest"}},
	{pod0 + "containers/0/imagePullPolicy", `"Sometimes"`, []string{pod0Says + "containers[0].imagePullPolicy", "Sometimes"}},
	{pod0 + "containers/0/ports/0/hostPort", `80`, []string{pod0Says + "containers[0].ports[0].hostPort", "80"}},
	{pod0 + "containers/0/ports/0/containerPort", `0`, []string{pod0Says + "containers[0].ports[0].containerPort"}},
	{pod0 + "containers/0/ports/0/name", `"Not A Port"`, []string{pod0Says + "containers[0].ports[0].name", "Not A Port"}},
	{pod0 + "containers/0/env/0/name", `"A=B"`, []string{pod0Says + "containers[0].env[0].name", "A=B"}},
	{pod0 + "containers/0/env/0/name", `"STRATA_RELEASE"`, []string{pod0Says + "containers[0].env[0].name", "set by Strata"}},
	{pod0 + "containers/0/env/0/name", `"STRATA_ANYTHING"`, []string{pod0Says + "containers[0].env[0].name", "set by Strata"}},
	{pod0 + "containers/0/env/1/value", `"x"`, []string{pod0Says + "containers[0].env[1].value", "not both"}},
	{pod0 + "containers/0/env/1/valueFrom", `{}`, []string{pod0Says + "containers[0].env[1].valueFrom", "give one of"}},
	{pod0 + "containers/0/env/1/valueFrom/secretKeyRef/optional", `true`, []string{pod0Says + "containers[0].env[1].valueFrom.secretKeyRef.optional", "keys", "spec.config.dynamic"}},
	{pod0 + "containers/0/envFrom/0", `{}`, []string{pod0Says + "containers[0].envFrom[0]", "give one of"}},
	{pod0 + "containers/0/volumeMounts/0/name", `"cache"`, []string{pod0Says + "containers[0].volumeMounts[0].name", "cache", "it has: data, model"}},
	{pod0 + "containers/0/volumeMounts/0/subPath", `"../x"`, []string{pod0Says + "containers[0].volumeMounts[0].subPath", "../x"}},
	{pod0 + "containers/0/readinessProbe/httpGet/port", `"metrics"`, []string{pod0Says + "containers[0].readinessProbe.httpGet.port", "metrics", "declares no port"}},
	{pod0 + "containers/0/readinessProbe/exec", `{"command":["true"]}`, []string{pod0Says + "containers[0].readinessProbe", "exec, httpGet", "exactly one"}},
	{pod0 + "containers/0/resources/requests/cpu", `"2"`, []string{pod0Says + "containers[0].resources.requests[cpu]", "2", "above the limit of 1"}},
	{pod0 + "containers/0/resources/requests/cpu", `"-1"`, []string{pod0Says + "containers[0].resources.requests[cpu]", "-1", "negative"}},
	{pod0 + "containers/0/resources/requests/cpu", `"much"`, []string{pod0Says + "containers[0].resources.requests.cpu", "much"}},
	{pod0 + "initContainers/0/readinessProbe", `{"tcpSocket":{"port":80}}`, []string{pod0Says + "initContainers[0].readinessProbe", "restartPolicy: Always"}},
	{pod0 + "volumes/0/name", `"Data"`, []string{pod0Says + "volumes[0].name", "Data"}},
	{pod0 + "volumes/0/secret", `{"secretName":"x"}`, []string{pod0Says + "volumes[0]", "secret, configMap", "one source"}},
	{pod0 + "volumes/0/configMap/defaultMode", `9999`, []string{pod0Says + "volumes[0].configMap.defaultMode", "9999"}},
	{pod0 + "volumes/0/configMap/optional", `true`, []string{pod0Says + "volumes[0].configMap.optional", "settings"}},
	{pod0 + "volumes/0", `{"name":"data","persistentVolumeClaim":{"claimName":"pvc"}}`, []string{pod0Says + "volumes[0].persistentVolumeClaim", "pvc", "StatefulSet"}},
	{pod0 + "hostNetwork", `true`, []string{pod0Says + "hostNetwork", "two releases run beside each other"}},
	{pod0 + "restartPolicy", `"Never"`, []string{pod0Says + "restartPolicy", "Never", "Always"}},
	{pod0 + "activeDeadlineSeconds", `5`, []string{pod0Says + "activeDeadlineSeconds", "run for ever"}},
	{pod0 + "dnsPolicy", `"Mine"`, []string{pod0Says + "dnsPolicy", "Mine"}},
	{pod0 + "tolerations", `[{"operator":"Equal"}]`, []string{pod0Says + "tolerations[0].operator", "Equal"}},
	{pod0 + "topologySpreadConstraints", `[{"maxSkew":0,"topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule"}]`, []string{pod0Says + "topologySpreadConstraints[0].maxSkew", "0"}},
	{pod0 + "serviceAccountName", `"Not A Name"`, []string{pod0Says + "serviceAccountName", "Not A Name"}},
	{"spec/config/dynamic/0/kind", `"Pod"`, []string{"spec.config.dynamic[0].kind", "Pod"}},
	{"spec/config/frozen/0/name", `"flags"`, []string{"spec.config", "both dynamic and frozen"}},
	{"spec/tests/0/name", `"Smoke"`, []string{"spec.tests[0].name", "Smoke"}},
	{"spec/tests/0/when", `"Sometimes"`, []string{"spec.tests[0].when", "Sometimes"}},
	{"spec/tests/0/deadlineSeconds", `0`, []string{"spec.tests[0].deadlineSeconds", "0"}},
	{"spec/tests/0/deadlineSeconds", `86401`, []string{"spec.tests[0].deadlineSeconds", "86401"}},
	{job0 + "suspend", `false`, []string{"spec.tests[0].template.spec.suspend"}},
	{job0 + "managedBy", `"example.com/x"`, []string{"spec.tests[0].template.spec.managedBy"}},
	{job0 + "ttlSecondsAfterFinished", `5`, []string{"spec.tests[0].template.spec.ttlSecondsAfterFinished"}},
	{job0 + "parallelism", `2`, []string{"spec.tests[0].template.spec.parallelism", "2"}},
	{job0 + "completions", `2`, []string{"spec.tests[0].template.spec.completions", "2"}},
	{job0 + "template/spec/restartPolicy", `"Always"`, []string{"spec.tests[0].template.spec.template.spec.restartPolicy", "Always"}},
	{job0 + "template/spec/restartPolicy", ``, []string{"spec.tests[0].template.spec.template.spec.restartPolicy"}},
	{job0 + "template/spec/containers/0/image", `"nginx"`, []string{"spec.tests[0].template.spec.template.spec.containers[0].image", "nginx", "by digest"}},
	{job0 + "template/metadata", `{"labels":{"strata.dev/test":"x"}}`, []string{"spec.tests[0].template.spec.template.metadata.labels", "operator"}},

	{"spec/config/expect", `[{"kind":"ConfigMap","name":"nobody-reads-it","sha256":"` + strings.Repeat("a", 64) + `"}]`, []string{"spec.config.expect[0]", "no template reads ConfigMap nobody-reads-it"}},
}

const goodTrack = `
apiVersion: strata.dev/v1alpha1
kind: ReleaseTrack
metadata: {name: shop}
spec:
  rollout:
    steps: [{weightPercent: 5, holdSeconds: 60}, {weightPercent: 50, approval: Required}]
    bakeSeconds: 0
    failurePolicy: Rollback
    supersedePolicy: Replace
    advancePolicy: Automatic
    capacity: Full
  traffic:
    drainSeconds: 5
    routes:
    - name: public
      componentName: web
      portName: http
      type: GatewayAPI
      gatewayAPI: {kind: HTTPRoute, parentRefs: [{name: public, namespace: gateway}], hostnames: [shop.example.com]}
    - {name: internal, componentName: api, portName: http, type: Service, service: {name: shop-api}}
  retention: {warmReleases: 1, warmSeconds: 60}
  deletionPolicy: Orphan
`

var malformedTracks = []malformed{
	{"metadata/name", `"Shop"`, []string{"metadata.name", "Shop"}},
	{"metadata/name", `"s` + strings.Repeat("a", 40) + `"`, []string{"metadata.name", "40"}},
	{"spec/releaseName", `"Not A Name"`, []string{"spec.releaseName", "Not A Name"}},
	{"spec/rollout/steps/0/weightPercent", `0`, []string{"spec.rollout.steps[0].weightPercent", "0"}},
	{"spec/rollout/steps/0/weightPercent", `101`, []string{"spec.rollout.steps[0].weightPercent", "101"}},
	{"spec/rollout/steps/0/weightPercent", `50`, []string{"spec.rollout.steps", "rise strictly"}},
	{"spec/rollout/steps/0/weightPercent", `60`, []string{"spec.rollout.steps", "rise strictly"}},
	{"spec/rollout/steps/0/holdSeconds", `-1`, []string{"spec.rollout.steps[0].holdSeconds", "-1"}},
	{"spec/rollout/steps/0/approval", `"Maybe"`, []string{"spec.rollout.steps[0].approval", "Maybe"}},
	{"spec/rollout/bakeSeconds", `-1`, []string{"spec.rollout.bakeSeconds", "-1"}},
	{"spec/rollout/progressDeadlineSeconds", `0`, []string{"spec.rollout.progressDeadlineSeconds", "0"}},
	{"spec/traffic/drainSeconds", `-1`, []string{"spec.traffic.drainSeconds", "-1"}},
	{"spec/traffic/routes/0/name", `"Public"`, []string{"spec.traffic.routes[0].name", "Public"}},
	{"spec/traffic/routes/0/name", `"internal"`, []string{"spec.traffic.routes[1]", "Duplicate"}},
	{"spec/traffic/routes/0/componentName", `"we-b"`, []string{"spec.traffic.routes[0].componentName", "we-b"}},
	{"spec/traffic/routes/0/portName", `"HTTP"`, []string{"spec.traffic.routes[0].portName", "HTTP"}},
	{"spec/traffic/routes/0/type", `"Service"`, []string{"spec.traffic.routes[0]", "service must be set when type is Service"}},
	{"spec/traffic/routes/0/type", `"Magic"`, []string{"spec.traffic.routes[0].type", "Magic"}},
	{"spec/traffic/routes/0/gatewayAPI", ``, []string{"spec.traffic.routes[0]", "gatewayAPI must be set"}},
	{"spec/traffic/routes/0/gatewayAPI/parentRefs", `[]`, []string{"spec.traffic.routes[0].gatewayAPI.parentRefs"}},
	{"spec/traffic/routes/0/gatewayAPI/hostnames/0", `"Not A Host"`, []string{"spec.traffic.routes[0].gatewayAPI.hostnames[0]", "Not A Host"}},
	{"spec/traffic/routes/1/service/name", `"9shop"`, []string{"spec.traffic.routes[1].service.name", "9shop"}},
	{"spec/retention/warmReleases", `-1`, []string{"spec.retention.warmReleases", "-1"}},
	{"spec/retention/warmSeconds", `-1`, []string{"spec.retention.warmSeconds", "-1"}},

	{"spec/traffic/routes/0/gatewayAPI/kind", `"TCPRoute"`, []string{"spec.traffic.routes[0].gatewayAPI.kind", "TCPRoute", "HTTPRoute", "GRPCRoute"}},
	{"spec/traffic/routes/0/gatewayAPI/grpcRules", `[{"matches": [{"method": {"service": "shop.Cart"}}]}]`, []string{"spec.traffic.routes[0].gatewayAPI.grpcRules", "an HTTPRoute has rules"}},
	{"spec/traffic/routes/1", anALB(`"annotations":{"alb.ingress.kubernetes.io/target-type":"instance"}`), []string{"spec.traffic.routes[1].ingress.annotations[alb.ingress.kubernetes.io/target-type]", "instance", "always ip"}},
	{"spec/traffic/routes/1", anALB(`"annotations":{"alb.ingress.kubernetes.io/actions.mine":"{}"}`), []string{"spec.traffic.routes[1].ingress.annotations[alb.ingress.kubernetes.io/actions.mine]", "{}", "carry the weights"}},
	{"spec/traffic/routes/1", anALB(`"annotations":{"alb.ingress.kubernetes.io/target-group-attributes":"a=b,deregistration_delay.timeout_seconds=5"}`),
		[]string{"spec.traffic.routes[1].ingress.annotations[alb.ingress.kubernetes.io/target-group-attributes]", "timeout_seconds=5", "deregistrationDelaySeconds"}},
	{"spec/traffic/routes/1", anALB(`"annotations":{"alb.ingress.kubernetes.io/target-group-attributes":"stickiness.enabled=true"}`),
		[]string{"spec.traffic.routes[1].ingress.annotations[alb.ingress.kubernetes.io/target-group-attributes]", "stickiness.enabled=true", "stickinessSeconds"}},
}

// anALB is a route of type Ingress with dialect ALB, and more of its ingress.
func anALB(more string) string {
	return `{"name":"i","componentName":"api","portName":"http","type":"Ingress","ingress":{"dialect":"ALB","name":"x","className":"alb","rules":[{"host":"shop.example.com"}],` + more + `}}`
}

const goodAction = `
apiVersion: strata.dev/v1alpha1
kind: ReleaseAction
metadata: {name: act}
spec: {trackName: shop, releaseName: shop-1, action: Approve, attempt: 1, weightPercent: 50, requester: admin, reason: because}
`

var malformedActions = []malformed{
	{"spec/action", `"Destroy"`, []string{"spec.action", "Destroy"}},
	{"spec/attempt", ``, []string{"spec", "attempt"}},
	{"spec/attempt", `0`, []string{"spec.attempt"}},
	{"spec/weightPercent", ``, []string{"spec", "weightPercent"}},
	{"spec/weightPercent", `101`, []string{"spec.weightPercent", "101"}},
	{"spec/trackName", `"basket"`, []string{"spec.trackName", "basket", "Not found"}},
	{"spec/releaseName", `"shop-9"`, []string{"spec.releaseName", "shop-9", "Not found"}},
	{"spec/requester", `"jo"`, []string{"spec.requester", "jo", "the user who creates the action"}},
	{"spec/reason", `""`, []string{"spec.reason"}},
	{"spec", `{"trackName":"shop","releaseName":"shop-1","action":"BreakGlass","requester":"admin","reason":"because"}`, []string{"spec.action", "no ReleasePolicy of the namespace has spec.breakGlass"}},
	{"spec", `{"trackName":"shop","releaseName":"shop-1","action":"BreakGlass","requester":"admin\nshop-2","reason":"because"}`, []string{"spec.requester", "control characters"}},
	{"spec/ticket", `"OPS-7"`, []string{"spec", "ticket and durationSeconds are of BreakGlass alone"}},
	{"spec/durationSeconds", `60`, []string{"spec", "ticket and durationSeconds are of BreakGlass alone"}},
}

const goodPolicy = `apiVersion: strata.dev/v1alpha1
kind: ReleasePolicy
metadata: {name: platform}
spec:
  namespaceSelector: {matchLabels: {policies-of: malformed}}
  allowedRegistries: [registry.example.com/shop]
  registryAccess: {plainHTTPHosts: ["registry.local:5000"], privateHosts: [registry.local]}
  signatures:
    enforcement: Deny
    authorities:
    - name: team
      type: Key
      key:
        publicKey: |
          -----BEGIN PUBLIC KEY-----
          MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeqN88ji8YelUvpo1wOtdxDHUw77m
          ENhVfzYuEK7nKFAapcMoZTBYHMyXRII75QUjn7amPJkivqqChGaXpaHr0w==
          -----END PUBLIC KEY-----
    - name: ci
      type: Keyless
      keyless: {issuer: "https://token.example.com", subject: build, trustedRootName: sigstore}
  externalState: {hostPath: Deny, writableVolumes: Warn, unlimitedEmptyDirs: Allow}
  privileges: {rootUser: Deny}
  allowedServiceAccountNames: [web]
  maxAgeSeconds: 86400
  maxRollouts: 2
`

const goodKey = "spec/signatures/authorities/0/key/publicKey"

var malformedPolicies = []malformed{
	{"spec/namespaceSelector", ``, []string{"spec.namespaceSelector"}},
	{"spec/namespaceSelector", `{"matchExpressions":[{"key":"a","operator":"Like"}]}`, []string{"spec.namespaceSelector.matchExpressions[0].operator", "Like"}},
	{"spec/namespaceSelector", `{"matchLabels":{"a b":"c"}}`, []string{"spec.namespaceSelector.matchLabels", "a b"}},
	{"spec/allowedRegistries", `[]`, []string{"spec.allowedRegistries"}},
	{"spec/allowedRegistries/0", `"https://registry.example.com"`, []string{"spec.allowedRegistries[0]", "https://registry.example.com"}},
	{"spec/allowedRegistries/0", `"registry.example.com/*"`, []string{"spec.allowedRegistries[0]", "registry.example.com/*"}},
	{"spec/registryAccess/privateHosts/0", `"registry.local/x"`, []string{"spec.registryAccess.privateHosts[0]", "registry.local/x"}},
	{"spec/signatures/authorities", `[]`, []string{"spec.signatures.authorities"}},
	{"spec/signatures/enforcement", `"Maybe"`, []string{"spec.signatures.enforcement", "Maybe"}},
	{"spec/signatures/authorities/1/name", `"team"`, []string{"spec.signatures.authorities", "names of authorities must be unique"}},
	{"spec/signatures/authorities/0/key", ``, []string{"spec.signatures.authorities[0].key", "must be set when type is Key"}},
	{"spec/signatures/authorities/1/key", `{"publicKey":"-----BEGIN PUBLIC KEY-----"}`, []string{"spec.signatures.authorities[1].key", "only then"}},
	{goodKey, `"-----BEGIN PUBLIC KEY-----"`, []string{"spec.signatures.authorities[0].key.publicKey", "must be one public key in PEM"}},
	{goodKey, `"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"`, []string{"spec.signatures.authorities[0].key.publicKey", "is no public key"}},
	{"spec/signatures/authorities/1/keyless/issuer", `"http://token.example.com"`, []string{"spec.signatures.authorities[1].keyless.issuer", "http://token.example.com"}},
	{"spec/signatures/authorities/1/keyless/issuer", `"https:///x"`, []string{"spec.signatures.authorities[1].keyless.issuer", "https:///x", "https address"}},
	{"spec/externalState/hostPath", `"No"`, []string{"spec.externalState.hostPath", "No"}},
	{"spec/privileges/rootUser", `"No"`, []string{"spec.privileges.rootUser", "No"}},
	{"spec/maxRollouts", `0`, []string{"spec.maxRollouts", "0"}},
	{"spec/maxAgeSeconds", `60`, []string{"spec.maxAgeSeconds", "60"}},
	{"spec/interactiveAccess", `"Warn"`, []string{"spec.interactiveAccess", "Warn"}},
	{"spec/breakGlass", `{"groups":[]}`, []string{"spec.breakGlass.groups"}},
	{"spec/breakGlass", `{"groups":["sre"],"maxSeconds":59}`, []string{"spec.breakGlass.maxSeconds", "59"}},
	{"spec/approvals", `{"count":11}`, []string{"spec.approvals.count", "11"}},
	{"spec/approvals", `{"count":2,"requester":"Maybe"}`, []string{"spec.approvals.requester", "Maybe"}},
	{"spec/writers", `[{"name":"vpa","type":"Scaler","scaler":{"username":"vpa","target":"Pods"}}]`, []string{"spec.writers[0].scaler.target", "Pods"}},
	{"spec/writers", `[{"name":"vpa","type":"Scaler"}]`, []string{"spec.writers[0].scaler", "must be set when type is Scaler"}},
	{"spec/writers", `[{"name":"mesh","type":"SidecarInjector","sidecarInjector":{"images":["proxy:1"]}}]`, []string{"spec.writers[0].sidecarInjector.images[0]", "proxy:1"}},
}

var _ = Describe("A malformed field", Ordered, ContinueOnFailure, func() {
	var namespace string
	BeforeAll(func() {
		namespace = newNamespace()
		for _, good := range []string{goodTrack, goodRelease} {
			Expect(admin.Create(ctx, object(namespace, good))).To(Succeed())
		}
	})

	// refusal tries one, and says what is wrong with the answer.
	refusal := func(good string, m malformed) string {
		changed := object(namespace, good)
		changed.Object = set(changed.Object, strings.Split(m.path, "/"), m.value).(map[string]any)
		if m.path != "metadata/name" {
			changed.SetName("other")
		}
		err := admin.Create(ctx, changed)
		if err == nil {
			return "was stored"
		}
		for _, words := range m.says {
			if !strings.Contains(err.Error(), words) {
				return "does not say " + words + ": " + err.Error()
			}
		}
		return ""
	}
	table := func(good string, list []malformed) {
		fine := object(namespace, good)
		fine.SetName("other")
		Expect(admin.Create(ctx, fine, client.DryRunAll)).To(Succeed(), "the good one")
		var problems []string
		for _, m := range list {
			if problem := refusal(good, m); problem != "" {
				problems = append(problems, m.path+" "+m.value+" "+problem)
			}
		}
		Expect(problems).To(BeEmpty(), strings.Join(problems, "\n"))
		GinkgoWriter.Printf("%d malformed fields refused\n", len(list))
	}
	It("of a release is refused with its path, its value and the reason", func() { table(goodRelease, malformedReleases) })
	It("of a track is refused with its path, its value and the reason", func() { table(goodTrack, malformedTracks) })
	It("of an action is refused with its path, its value and the reason", func() { table(goodAction, malformedActions) })
	It("of a policy is refused with its path, its value and the reason", func() {
		namespace = ""
		table(goodPolicy, malformedPolicies)
	})
	It("is tried for every row of what is not supported yet", func() {
		tried := map[string]bool{}
		for kind, list := range map[string][]malformed{"ImmutableRelease": malformedReleases, "ReleaseTrack": malformedTracks, "ReleaseAction": malformedActions, "ReleasePolicy": malformedPolicies} {
			for _, m := range list {
				if strings.Contains(strings.Join(m.says, " "), "not supported yet") {
					tried[kind+" "+strings.NewReplacer("[0]", "[]", "[1]", "[]").Replace(m.says[0])] = true
				}
			}
		}
		for _, row := range validation.NotSupportedYet {
			Expect(tried).To(HaveKey(row.Kind + " " + row.Field))
		}
	})
})

func object(namespace, text string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal([]byte(strings.ReplaceAll(text, "IMAGE", image)), &o.Object)).To(Succeed())
	o.SetNamespace(namespace)
	return o
}

// set puts a JSON value at a path, or removes what is there.
func set(at any, path []string, value string) any {
	var replaced any
	if len(path) == 1 && value != "" {
		Expect(json.Unmarshal([]byte(value), &replaced)).To(Succeed())
	}
	switch node := at.(type) {
	case map[string]any:
		switch {
		case len(path) > 1:
			if node[path[0]] == nil {
				node[path[0]] = map[string]any{}
			}
			node[path[0]] = set(node[path[0]], path[1:], value)
		case value == "":
			delete(node, path[0])
		default:
			node[path[0]] = replaced
		}
	case []any:
		i, err := strconv.Atoi(path[0])
		Expect(err).NotTo(HaveOccurred())
		if len(path) > 1 {
			replaced = set(node[i], path[1:], value)
		}
		node[i] = replaced
	}
	return at
}
