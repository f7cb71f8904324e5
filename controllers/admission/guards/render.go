package guards

import (
	"strconv"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// ValidatingPolicies renders the table.
func ValidatingPolicies(operator Identity) []*admissionv1.ValidatingAdmissionPolicy {
	var policies []*admissionv1.ValidatingAdmissionPolicy
	for i := range Policies {
		policies = append(policies, Policies[i].render(operator))
	}
	return policies
}

// Bindings puts every policy of the table in force.
func Bindings() []*admissionv1.ValidatingAdmissionPolicyBinding {
	var bindings []*admissionv1.ValidatingAdmissionPolicyBinding
	for i := range Policies {
		bindings = append(bindings, &admissionv1.ValidatingAdmissionPolicyBinding{
			TypeMeta:   typeMeta("ValidatingAdmissionPolicyBinding"),
			ObjectMeta: metav1.ObjectMeta{Name: Policies[i].Name},
			Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
				PolicyName:        Policies[i].Name,
				ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			},
		})
	}
	return bindings
}

// render keeps "operator" and "controller" the first two variables of every
// policy: that is where an overlay names other users.
func (p *Policy) render(operator Identity) *admissionv1.ValidatingAdmissionPolicy {
	fail := admissionv1.Fail
	policy := &admissionv1.ValidatingAdmissionPolicy{
		TypeMeta:   typeMeta("ValidatingAdmissionPolicy"),
		ObjectMeta: metav1.ObjectMeta{Name: p.Name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: &fail,
			MatchConstraints: &admissionv1.MatchResources{
				ResourceRules: []admissionv1.NamedRuleWithOperations{{
					RuleWithOperations: rule(p.Group, p.Version, p.Resources, p.Operations),
				}},
			},
			Variables: append([]admissionv1.Variable{
				variable("operator", operator.Expression()),
				variable("controller", anyOf(p.Controllers)),
			}, p.Variables...),
		},
	}
	if !p.Everywhere {
		policy.Spec.MatchConstraints.NamespaceSelector = applicationNamespaces()
	}
	if p.Only != "" {
		policy.Spec.MatchConditions = []admissionv1.MatchCondition{{Name: "only", Expression: p.Only}}
	}
	for _, r := range p.Rules {
		policy.Spec.Validations = append(policy.Spec.Validations, r.render())
	}
	return policy
}

func (r Rule) render() admissionv1.Validation {
	forbidden := metav1.StatusReasonForbidden
	v := admissionv1.Validation{Expression: r.Expression, Message: r.ID + ": " + r.Message, Reason: &forbidden}
	if r.Detail != "" {
		v.MessageExpression = "'" + r.ID + ": ' + " + r.Detail
	}
	return v
}

// RequestedBy stamps on a release who published it, and keeps that. Who replaces the
// metadata of a release as a whole, as kubectl replace does, takes that stamp with it:
// then the mark of a release that is held is put back too, and replacing it by its own
// manifest is no change. The stamp is put back last: it tells the two apart.
func RequestedBy() (*admissionv1.MutatingAdmissionPolicy, *admissionv1.MutatingAdmissionPolicyBinding) {
	const name = "strata-requested-by"
	fail := admissionv1.Fail
	return &admissionv1.MutatingAdmissionPolicy{
			TypeMeta:   typeMeta("MutatingAdmissionPolicy"),
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: admissionv1.MutatingAdmissionPolicySpec{
				FailurePolicy:      &fail,
				ReinvocationPolicy: admissionv1.NeverReinvocationPolicy,
				MatchConstraints: &admissionv1.MatchResources{
					NamespaceSelector: applicationNamespaces(),
					ResourceRules: []admissionv1.NamedRuleWithOperations{{
						RuleWithOperations: rule(v1alpha1.GroupVersion.Group, v1alpha1.GroupVersion.Version, []string{"immutablereleases"},
							[]admissionv1.OperationType{create, update}),
					}},
				},
				// A release that is older than this policy stays without a stamp: who
				// touches it later did not publish it.
				MatchConditions: []admissionv1.MatchCondition{{
					Name:       "published-under-this-policy",
					Expression: `oldObject == null || '` + v1alpha1.AnnotationRequestedBy + `' in oldObject.metadata.?annotations.orValue({})`,
				}},
				Variables: []admissionv1.Variable{
					variable("requestedBy",
						`oldObject == null ? request.userInfo.username : oldObject.metadata.annotations['`+v1alpha1.AnnotationRequestedBy+`']`),
					variable("markIsLost", `oldObject != null && '`+v1alpha1.LabelHeld+`' in oldObject.metadata.?labels.orValue({}) && `+
						`!('`+v1alpha1.LabelHeld+`' in object.metadata.?labels.orValue({})) && `+
						`!('`+v1alpha1.AnnotationRequestedBy+`' in object.metadata.?annotations.orValue({}))`),
				},
				Mutations: []admissionv1.Mutation{
					merge(`variables.markIsLost ? Object{metadata: Object.metadata{labels: {'` + v1alpha1.LabelHeld + `': oldObject.metadata.labels['` + v1alpha1.LabelHeld + `']}}} : Object{}`),
					merge(`Object{metadata: Object.metadata{annotations: {'` + v1alpha1.AnnotationRequestedBy + `': variables.requestedBy}}}`),
				},
			},
		}, &admissionv1.MutatingAdmissionPolicyBinding{
			TypeMeta:   typeMeta("MutatingAdmissionPolicyBinding"),
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name},
		}
}

func merge(expression string) admissionv1.Mutation {
	return admissionv1.Mutation{
		PatchType:          admissionv1.PatchTypeApplyConfiguration,
		ApplyConfiguration: &admissionv1.ApplyConfiguration{Expression: expression},
	}
}

// ValidatingWebhooks renders the webhooks that decide. caBundle is put in by the
// operator.
func ValidatingWebhooks(operator Identity) *admissionv1.ValidatingWebhookConfiguration {
	config := &admissionv1.ValidatingWebhookConfiguration{
		TypeMeta:   typeMeta("ValidatingWebhookConfiguration"),
		ObjectMeta: metav1.ObjectMeta{Name: ConfigurationName},
	}
	for _, w := range Webhooks {
		fail, none, timeout := admissionv1.Fail, admissionv1.SideEffectClassNone, int32(timeoutSeconds)
		config.Webhooks = append(config.Webhooks, admissionv1.ValidatingWebhook{
			Name:                    w.Name,
			ClientConfig:            service(w.Path),
			Rules:                   []admissionv1.RuleWithOperations{rule(w.Group, w.Version, w.Resources, w.Operations)},
			FailurePolicy:           &fail,
			NamespaceSelector:       applicationNamespaces(),
			SideEffects:             &none,
			TimeoutSeconds:          &timeout,
			AdmissionReviewVersions: []string{"v1"},
			MatchConditions:         w.conditions(operator),
		})
	}
	return config
}

// ExplainingWebhooks renders those that explain.
func ExplainingWebhooks(operator Identity) *admissionv1.MutatingWebhookConfiguration {
	config := &admissionv1.MutatingWebhookConfiguration{
		TypeMeta:   typeMeta("MutatingWebhookConfiguration"),
		ObjectMeta: metav1.ObjectMeta{Name: ConfigurationName},
	}
	for _, w := range Explaining {
		ignore, none, timeout, never := admissionv1.Ignore, admissionv1.SideEffectClassNone, int32(explainTimeoutSeconds), admissionv1.NeverReinvocationPolicy
		config.Webhooks = append(config.Webhooks, admissionv1.MutatingWebhook{
			Name:                    w.Name,
			ClientConfig:            service(w.Path),
			Rules:                   []admissionv1.RuleWithOperations{rule(w.Group, w.Version, w.Resources, w.Operations)},
			FailurePolicy:           &ignore,
			NamespaceSelector:       applicationNamespaces(),
			SideEffects:             &none,
			TimeoutSeconds:          &timeout,
			ReinvocationPolicy:      &never,
			AdmissionReviewVersions: []string{"v1"},
			MatchConditions:         w.conditions(operator),
		})
	}
	return config
}

// conditions keep "not-the-operator" the first, for overlays.
func (w Webhook) conditions(operator Identity) []admissionv1.MatchCondition {
	conditions := []admissionv1.MatchCondition{{Name: "not-the-operator", Expression: "!(" + operator.Expression() + ")"}}
	if len(w.Controllers) > 0 {
		conditions = append(conditions, admissionv1.MatchCondition{Name: "not-a-controller", Expression: "!(" + anyOf(w.Controllers) + ")"})
	}
	if w.Only != "" {
		conditions = append(conditions, admissionv1.MatchCondition{Name: "only", Expression: w.Only})
	}
	return conditions
}

func service(path string) admissionv1.WebhookClientConfig {
	port := int32(443)
	return admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: Namespace, Name: ServiceName, Path: &path, Port: &port}}
}

func rule(group, version string, resources []string, operations []admissionv1.OperationType) admissionv1.RuleWithOperations {
	return admissionv1.RuleWithOperations{
		Operations: operations,
		Rule:       admissionv1.Rule{APIGroups: []string{group}, APIVersions: []string{version}, Resources: resources},
	}
}

// applicationNamespaces leaves alone what a cluster needs to come up, and what the
// operator needs to come up.
func applicationNamespaces() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
		Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"kube-system", Namespace},
	}}}
}

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: kind}
}

func length(s string) string { return strconv.Itoa(len(s)) }
