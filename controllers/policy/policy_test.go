package policy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
)

const digest = "@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// policyOf reads the spec of a policy that selects every namespace.
func policyOf(t *testing.T, name, spec string) v1alpha1.ReleasePolicy {
	t.Helper()
	policy := v1alpha1.ReleasePolicy{}
	if err := yaml.UnmarshalStrict([]byte(spec), &policy.Spec); err != nil {
		t.Fatal(err)
	}
	policy.Name = name
	if policy.Spec.NamespaceSelector == nil {
		policy.Spec.NamespaceSelector = &metav1.LabelSelector{}
	}
	return policy
}

func effective(t *testing.T, specs ...string) Effective {
	t.Helper()
	var policies []v1alpha1.ReleasePolicy
	for i, spec := range specs {
		policies = append(policies, policyOf(t, string(rune('a'+i)), spec))
	}
	e, err := For(policies, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// releaseOf has one component with that pod, and one test with it too.
func releaseOf(t *testing.T, podSpec string) *v1alpha1.ImmutableReleaseSpec {
	t.Helper()
	var pod corev1.PodSpec
	if err := yaml.UnmarshalStrict([]byte(podSpec), &pod); err != nil {
		t.Fatal(err)
	}
	template := corev1.PodTemplateSpec{Spec: pod}
	return &v1alpha1.ImmutableReleaseSpec{ReleaseTemplate: v1alpha1.ReleaseTemplate{
		Components: []v1alpha1.Component{{Name: "web", Template: template}},
		Tests:      []v1alpha1.ReleaseTest{{Name: "smoke", Template: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: template}}}},
	}}
}

func TestSelectedNamespaces(t *testing.T) {
	policies := []v1alpha1.ReleasePolicy{
		policyOf(t, "prod", "namespaceSelector: {matchLabels: {stage: prod}}"),
		policyOf(t, "all", "namespaceSelector: {}"),
		policyOf(t, "not-dev", "namespaceSelector: {matchExpressions: [{key: stage, operator: NotIn, values: [dev]}]}"),
	}
	for stage, want := range map[string][]string{"prod": {"all", "not-dev", "prod"}, "dev": {"all"}, "": {"all", "not-dev"}} {
		e, err := For(policies, map[string]string{"stage": stage})
		if err != nil || !slices.Equal(e.Names(), want) {
			t.Errorf("stage %s: got %v, %v, want %v", stage, e.Names(), err, want)
		}
	}
	bad := policyOf(t, "bad", "namespaceSelector: {matchExpressions: [{key: stage, operator: Like}]}")
	if _, err := For([]v1alpha1.ReleasePolicy{bad}, nil); err == nil || !strings.Contains(err.Error(), "ReleasePolicy bad") {
		t.Errorf("got %v", err)
	}
}

// A namespace whose labels nobody can read is not one that no policy selects.
func TestLabelsThatCannotBeRead(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	policy := policyOf(t, "all", "privileges: {hostNamespaces: Deny}")
	failing := errors.New("no connection")
	for name, c := range map[string]struct {
		policies []client.Object
		want     error
	}{"a policy": {[]client.Object{&policy}, failing}, "none": {nil, nil}} {
		reader := fake.NewClientBuilder().WithScheme(scheme).WithObjects(c.policies...).WithInterceptorFuncs(interceptor.Funcs{
			Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				return failing
			},
		}).Build()
		if _, err := Read(t.Context(), reader, reader, "shop"); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestNoPolicyRestrictsNothing(t *testing.T) {
	e := effective(t)
	release := releaseOf(t, "{serviceAccountName: root, hostPID: true, containers: [{name: web, image: anything, securityContext: {privileged: true}}]}")
	denied, warnings := e.Check(release)
	if denied != nil || warnings != nil || e.NeedUse(release) != nil || e.AsksRegistries() || e.Summary() != nil {
		t.Errorf("got %v, %v", denied, warnings)
	}
}

// Each rule finds what it is about, and nothing else.
func TestRules(t *testing.T) {
	const containers = "containers: [{name: web, image: x}]"
	for name, test := range map[string]struct {
		field, pod string
		// at is below the pod's spec; empty where nothing is found.
		at []string
	}{
		"a hostPath":                  {"hostPath", "volumes: [{name: a, emptyDir: {}}, {name: b, hostPath: {path: /x}}]", []string{"volumes[1].hostPath"}},
		"no hostPath":                 {"hostPath", "volumes: [{name: a, emptyDir: {}}]", nil},
		"a claim":                     {"writableVolumes", "{volumes: [{name: a, persistentVolumeClaim: {claimName: c}}], containers: [{name: web, volumeMounts: [{name: b}, {name: a}]}]}", []string{"containers[0].volumeMounts[1]"}},
		"a claim in an initContainer": {"writableVolumes", "{volumes: [{name: a, persistentVolumeClaim: {claimName: c}}], initContainers: [{name: web, volumeMounts: [{name: a}]}]}", []string{"initContainers[0].volumeMounts[0]"}},
		"a claim that is mounted to read": {"writableVolumes", "{volumes: [{name: a, persistentVolumeClaim: {claimName: c}}], containers: [{name: web, volumeMounts: [{name: a, readOnly: true}]}]}",
			nil},
		"a claim to read":            {"writableVolumes", "{volumes: [{name: a, persistentVolumeClaim: {claimName: c, readOnly: true}}], containers: [{name: web, volumeMounts: [{name: a}]}]}", nil},
		"a claim that nobody mounts": {"writableVolumes", "{volumes: [{name: a, persistentVolumeClaim: {claimName: c}}], containers: [{name: web}]}", nil},
		"a claim as a device":        {"writableVolumes", "{volumes: [{name: a, persistentVolumeClaim: {claimName: c}}], containers: [{name: web, volumeDevices: [{name: a}]}]}", []string{"containers[0].volumeDevices[0]"}},
		"a file server":              {"writableVolumes", "{volumes: [{name: a, nfs: {server: s, path: /x}}], containers: [{name: web, volumeMounts: [{name: a}]}]}", []string{"containers[0].volumeMounts[0]"}},
		"a driver's volume":          {"writableVolumes", "{volumes: [{name: a, csi: {driver: d}}], containers: [{name: web, volumeMounts: [{name: a}]}]}", []string{"containers[0].volumeMounts[0]"}},
		"a driver's, to read":        {"writableVolumes", "{volumes: [{name: a, csi: {driver: d, readOnly: true}}], containers: [{name: web, volumeMounts: [{name: a}]}]}", nil},
		"an emptyDir":                {"writableVolumes", "{volumes: [{name: a, emptyDir: {}}, {name: b}], containers: [{name: web, volumeMounts: [{name: a}, {name: b}]}]}", nil},
		"a volume of the pod's own":  {"writableVolumes", "{volumes: [{name: a, ephemeral: {}}], containers: [{name: web, volumeMounts: [{name: a}]}]}", nil},
		"an emptyDir without limit":  {"unlimitedEmptyDirs", "volumes: [{name: a, emptyDir: {sizeLimit: 1Gi}}, {name: b, emptyDir: {medium: Memory}}]", []string{"volumes[1].emptyDir"}},
		"an emptyDir of limit 0":     {"unlimitedEmptyDirs", "volumes: [{name: a, emptyDir: {sizeLimit: 0}}]", []string{"volumes[0].emptyDir"}},
		"a volume of no source":      {"unlimitedEmptyDirs", "volumes: [{name: a}]", []string{"volumes[0].emptyDir"}},
		"a root to write":            {"writableRootFilesystem", containers, []string{"containers[0].securityContext.readOnlyRootFilesystem"}},
		"a root to write, of two": {"writableRootFilesystem", "{initContainers: [{name: a}], containers: [{name: b, securityContext: {readOnlyRootFilesystem: true}}]}",
			[]string{"initContainers[0].securityContext.readOnlyRootFilesystem"}},
		"privileged": {"privilegedContainers", "containers: [{name: a, securityContext: {privileged: false}}, {name: b, securityContext: {privileged: true}}]",
			[]string{"containers[1].securityContext.privileged"}},
		"of the host, on Windows": {"privilegedContainers", "{securityContext: {windowsOptions: {hostProcess: true}}, " + containers + "}", []string{"containers[0].securityContext.privileged"}},
		"not privileged":          {"privilegedContainers", containers, nil},
		"the host's namespaces":   {"hostNamespaces", "{hostNetwork: true, hostPID: true, hostIPC: true, " + containers + "}", []string{"hostNetwork", "hostPID", "hostIPC"}},
		"its own namespaces":      {"hostNamespaces", containers, nil},
		"capabilities":            {"addedCapabilities", "containers: [{name: a, securityContext: {capabilities: {add: [NET_ADMIN]}}}]", []string{"containers[0].securityContext.capabilities.add"}},
		"fewer capabilities":      {"addedCapabilities", "containers: [{name: a, securityContext: {capabilities: {drop: [ALL]}}}]", nil},
		"escalation":              {"privilegeEscalation", containers, []string{"containers[0].securityContext.allowPrivilegeEscalation"}},
		"no escalation":           {"privilegeEscalation", "containers: [{name: a, securityContext: {allowPrivilegeEscalation: false}}]", nil},
		"root":                    {"rootUser", "{securityContext: {runAsNonRoot: true}, containers: [{name: a, securityContext: {runAsNonRoot: false}}]}", []string{"containers[0].securityContext.runAsNonRoot"}},
		"root, unsaid":            {"rootUser", containers, []string{"containers[0].securityContext.runAsNonRoot"}},
		"not root":                {"rootUser", "{securityContext: {runAsNonRoot: true}, " + containers + "}", nil},
	} {
		t.Run(name, func(t *testing.T) {
			group := "privileges"
			if slices.ContainsFunc(rules, func(r rule) bool { return r.field == "externalState."+test.field }) {
				group = "externalState"
			}
			release := releaseOf(t, test.pod)
			var want []string
			for _, pod := range []string{"spec.components[0].template.spec.", "spec.tests[0].template.spec.template.spec."} {
				for _, at := range test.at {
					want = append(want, pod+at)
				}
			}
			denied, warnings := effective(t, group+": {"+test.field+": Deny}").Check(release)
			var got []string
			for _, err := range denied {
				got = append(got, err.Field)
				if !strings.Contains(err.Detail, "ReleasePolicy a denies this by "+group+"."+test.field+": ") {
					t.Errorf("the message is %q", err.Detail)
				}
			}
			if !slices.Equal(got, want) || len(warnings) > 0 {
				t.Errorf("denied %v, warned %v; want denied %v", got, warnings, want)
			}
			denied, warnings = effective(t, group+": {"+test.field+": Warn}").Check(release)
			if len(denied) > 0 || len(warnings) != len(want) {
				t.Errorf("denied %v, warned %v; want %d warnings", denied, warnings, len(want))
			}
			for i := range warnings {
				if !strings.HasPrefix(warnings[i], want[i]+": ReleasePolicy a warns by ") {
					t.Errorf("got %q, want it to be of %s", warnings[i], want[i])
				}
			}
			if denied, warnings = effective(t, group+": {"+test.field+": Allow}").Check(release); len(denied)+len(warnings) > 0 {
				t.Errorf("allowed, and denied %v, warned %v", denied, warnings)
			}
		})
	}
}

func TestMostRestrictiveAnswerHolds(t *testing.T) {
	release := releaseOf(t, "{hostPID: true, containers: [{name: web, image: x}]}")
	for _, specs := range [][]string{
		{"privileges: {hostNamespaces: Allow}", "privileges: {hostNamespaces: Deny}", "privileges: {hostNamespaces: Warn}"},
		{"privileges: {hostNamespaces: Deny}", "privileges: {}", "{}"},
	} {
		if denied, _ := effective(t, specs...).Check(release); len(denied) != 2 {
			t.Errorf("%v: denied %v", specs, denied)
		}
	}
	if denied, warnings := effective(t, "privileges: {hostNamespaces: Allow}", "privileges: {hostNamespaces: Warn}").Check(release); len(denied) != 0 || len(warnings) != 2 {
		t.Errorf("denied %v, warned %v", denied, warnings)
	}
}

func TestAllowedRegistries(t *testing.T) {
	for name, test := range map[string]struct {
		policies []string
		image    string
		ok       bool
	}{
		"the host":                    {[]string{"[registry.example.com]"}, "registry.example.com/web", true},
		"the path":                    {[]string{"[registry.example.com/shop]"}, "registry.example.com/shop/web", true},
		"the path itself":             {[]string{"[registry.example.com/shop]"}, "registry.example.com/shop", true},
		"a tag besides":               {[]string{"[registry.example.com/shop]"}, "registry.example.com/shop:1", true},
		"a longer segment":            {[]string{"[registry.example.com/shop]"}, "registry.example.com/shopping/web", false},
		"a longer host":               {[]string{"[registry.example.com]"}, "registry.example.com.evil.org/web", false},
		"a longer host with a port":   {[]string{"[registry.example.com]"}, "registry.example.com:5000/web", false},
		"a host within a path":        {[]string{"[registry.example.com]"}, "evil.org/registry.example.com/web", false},
		"the port":                    {[]string{"['registry.example.com:5000']"}, "registry.example.com:5000/web", true},
		"another port":                {[]string{"['registry.example.com:5000']"}, "registry.example.com:5001/web", false},
		"a parent of the path":        {[]string{"[registry.example.com/shop/web]"}, "registry.example.com/shop", false},
		"one of several":              {[]string{"[a.example.com, b.example.com/x]"}, "b.example.com/x/y", true},
		"both policies":               {[]string{"[registry.example.com]", "[registry.example.com/shop]"}, "registry.example.com/shop/web", true},
		"one policy alone":            {[]string{"[registry.example.com]", "[registry.example.com/shop]"}, "registry.example.com/web", false},
		"policies that exclude":       {[]string{"[a.example.com]", "[b.example.com]"}, "a.example.com/web", false},
		"a user before the host":      {[]string{"[registry.example.com]"}, "registry.example.com@evil.org/web", false},
		"the host in capital letters": {[]string{"[registry.example.com]"}, "REGISTRY.example.com/web", false},
	} {
		t.Run(name, func(t *testing.T) {
			var specs []string
			for _, list := range test.policies {
				specs = append(specs, "allowedRegistries: "+list)
			}
			release := releaseOf(t, "{initContainers: [{name: a, image: '"+test.image+digest+"'}], containers: [{name: b, image: '"+test.image+digest+
				"'}], volumes: [{name: c, image: {reference: '"+test.image+digest+"'}}]}")
			denied, _ := effective(t, specs...).Check(release)
			var at []string
			for _, err := range denied {
				at = append(at, err.Field)
			}
			want := []string{
				"spec.components[0].template.spec.initContainers[0].image", "spec.components[0].template.spec.containers[0].image", "spec.components[0].template.spec.volumes[0].image.reference",
				"spec.tests[0].template.spec.template.spec.initContainers[0].image", "spec.tests[0].template.spec.template.spec.containers[0].image", "spec.tests[0].template.spec.template.spec.volumes[0].image.reference",
			}
			if test.ok {
				want = nil
			}
			if !slices.Equal(at, want) {
				t.Errorf("denied %v", denied)
			}
		})
	}
}

// Each path is kept once, however many of the other policies' paths it is below.
func TestPathsDoNotMultiply(t *testing.T) {
	nested := "allowedRegistries: [r.example.com, r.example.com/a, r.example.com/a/b, r.example.com/a/b/c]"
	var specs []string
	for range 8 {
		specs = append(specs, nested)
	}
	once := overlap([]v1alpha1.RegistryPath{"r.example.com/a/b/c"}, effective(t, nested).policies[0].Spec.AllowedRegistries)
	if len(once) != 1 {
		t.Fatalf("got %v", once)
	}
	if list, _ := effective(t, specs...).registries(); len(list) != 4 {
		t.Errorf("got %v", list)
	}
}

func TestServiceAccounts(t *testing.T) {
	release := releaseOf(t, "{serviceAccountName: deployer, containers: []}")
	release.Tests[0].Template.Spec.Template.Spec.ServiceAccountName = ""
	release.Tests[0].Template.Spec.Template.Spec.DeprecatedServiceAccount = "migrator"

	e := effective(t, "{}")
	if denied, _ := e.Check(release); len(denied) > 0 {
		t.Errorf("denied %v", denied)
	}
	needed := e.NeedUse(release)
	if len(needed) != 2 || needed[0].Name != "deployer" || needed[1].Name != "migrator" ||
		needed[1].Path.String() != "spec.tests[0].template.spec.template.spec.serviceAccount" {
		t.Errorf("got %v", needed)
	}
	if needed := e.NeedUse(releaseOf(t, "containers: []")); len(needed) > 0 {
		t.Errorf("the default needs %v", needed)
	}
	denied, _ := effective(t, "allowedServiceAccountNames: [deployer]", "allowedServiceAccountNames: [deployer, other]").Check(release)
	if len(denied) != 1 || denied[0].Field != "spec.tests[0].template.spec.template.spec.serviceAccount" || !strings.Contains(denied[0].Detail, "deployer") {
		t.Errorf("denied %v", denied)
	}
	if denied, _ := effective(t, "allowedServiceAccountNames: [deployer]").Check(releaseOf(t, "containers: []")); len(denied) != 2 {
		t.Errorf("the default is not on the list, and denied is %v", denied)
	}
}

func TestRegistryAccessIsWhatAllAllow(t *testing.T) {
	e := effective(t, "registryAccess: {plainHTTPHosts: [a, b], privateHosts: [c]}", "{}", "registryAccess: {plainHTTPHosts: [b], privateHosts: [d]}")
	access := e.RegistryAccess()
	if !e.AsksRegistries() || !slices.Equal(access.PlainHTTPHosts, []v1alpha1.RegistryHost{"b"}) || len(access.PrivateHosts) != 0 {
		t.Errorf("got %+v", access)
	}
	if effective(t, "{}").AsksRegistries() || effective(t, "signatures: {enforcement: Allow, authorities: [{name: x}]}").AsksRegistries() {
		t.Error("registries are asked although nobody wants to know")
	}
	if e := effective(t, "signatures: {enforcement: Warn, authorities: [{name: x}]}"); !e.AsksRegistries() || len(e.Signatures()) != 1 {
		t.Error("signatures are wanted, and registries not asked")
	}
}

func TestSummary(t *testing.T) {
	got, err := yaml.Marshal(effective(t,
		"{allowedRegistries: [registry.example.com], maxAgeSeconds: 7200, maxRollouts: 3, externalState: {hostPath: Warn}}",
		"{allowedRegistries: [other.example.com], maxAgeSeconds: 3600, maxRollouts: 2, externalState: {hostPath: Deny, writableVolumes: Allow}}",
		"{signatures: {enforcement: Deny, authorities: [{name: ci}, {name: team}]}, allowedServiceAccountNames: [web]}",
	).Summary())
	if err != nil {
		t.Fatal(err)
	}
	want := `allowedRegistries: []
allowedServiceAccountNames:
- web
maxAgeSeconds: 3600
maxRollouts: 2
policyNames:
- a
- b
- c
rules:
- field: externalState.hostPath
  mode: Deny
  policyName: b
signatures:
- authorityNames:
  - ci
  - team
  enforcement: Deny
  policyName: c
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestVersionFollowsThePolicies(t *testing.T) {
	one := policyOf(t, "a", "{}")
	other := *one.DeepCopy()
	other.Generation = 2
	versions := map[string]bool{}
	for _, policies := range [][]v1alpha1.ReleasePolicy{nil, {one}, {other}} {
		e, err := For(policies, nil)
		if err != nil {
			t.Fatal(err)
		}
		versions[e.Version()] = true
	}
	if len(versions) != 3 {
		t.Errorf("got %v", versions)
	}
}

func TestBreakGlass(t *testing.T) {
	said := func(name string, p *v1alpha1.BreakGlassPolicy) v1alpha1.ReleasePolicy {
		return v1alpha1.ReleasePolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ReleasePolicySpec{NamespaceSelector: &metav1.LabelSelector{}, BreakGlass: p}}
	}
	seconds := func(n int32) *int32 { return &n }
	wide := said("wide", &v1alpha1.BreakGlassPolicy{Groups: []string{"oncall", "sre"}, Ticket: v1alpha1.TicketNotRequired, MaxSeconds: seconds(7200)})
	plain := said("plain", &v1alpha1.BreakGlassPolicy{Groups: []string{"oncall"}})
	for name, c := range map[string]struct {
		policies []v1alpha1.ReleasePolicy
		spec     v1alpha1.ReleaseActionSpec
		groups   []string
		says     string
	}{
		"nobody may":             {[]v1alpha1.ReleasePolicy{said("none", nil)}, v1alpha1.ReleaseActionSpec{Ticket: "T"}, []string{"oncall"}, "nobody may"},
		"without a ticket":       {[]v1alpha1.ReleasePolicy{wide}, v1alpha1.ReleaseActionSpec{}, []string{"sre"}, ""},
		"for two hours":          {[]v1alpha1.ReleasePolicy{wide}, v1alpha1.ReleaseActionSpec{DurationSeconds: seconds(7200)}, []string{"sre"}, ""},
		"for longer":             {[]v1alpha1.ReleasePolicy{wide}, v1alpha1.ReleaseActionSpec{DurationSeconds: seconds(7201)}, []string{"sre"}, "spec.durationSeconds: Invalid value: 7201: must be at most 7200 by ReleasePolicy wide"},
		"of another group":       {[]v1alpha1.ReleasePolicy{wide, plain}, v1alpha1.ReleaseActionSpec{Ticket: "T"}, []string{"sre"}, "ReleasePolicy plain lets members of oncall alone"},
		"not of the last group":  {[]v1alpha1.ReleasePolicy{plain, said("zone", &v1alpha1.BreakGlassPolicy{Groups: []string{"security"}})}, v1alpha1.ReleaseActionSpec{Ticket: "T"}, []string{"oncall"}, "ReleasePolicy zone lets members of security alone"},
		"the most restrictive":   {[]v1alpha1.ReleasePolicy{wide, plain}, v1alpha1.ReleaseActionSpec{DurationSeconds: seconds(7200)}, []string{"oncall"}, "must be at most 3600 by ReleasePolicy plain"},
		"a ticket by one":        {[]v1alpha1.ReleasePolicy{wide, plain}, v1alpha1.ReleaseActionSpec{}, []string{"oncall"}, "spec.ticket: Required value: ReleasePolicy plain asks for a ticket"},
		"to a name of two lines": {[]v1alpha1.ReleasePolicy{wide}, v1alpha1.ReleaseActionSpec{Requester: "a\nshop-1 glass 2099-01-01T00:00:00Z b"}, []string{"sre"}, "spec.requester: Forbidden"},
		"all let it":             {[]v1alpha1.ReleasePolicy{wide, plain}, v1alpha1.ReleaseActionSpec{Ticket: "T"}, []string{"oncall"}, ""},
	} {
		e, err := For(c.policies, nil)
		if err != nil {
			t.Fatal(err)
		}
		errs := e.CheckBreakGlass(&c.spec, c.groups)
		if c.says == "" && len(errs) > 0 || c.says != "" && (len(errs) == 0 || !strings.Contains(errs.ToAggregate().Error(), c.says)) {
			t.Errorf("%s: %v, want %q", name, errs, c.says)
		}
	}
}
