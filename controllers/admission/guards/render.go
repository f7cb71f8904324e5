package guards

import (
	"strconv"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// ValidatingPolicies renders the rows that have rules.
func ValidatingPolicies(operator Identity) []*admissionv1.ValidatingAdmissionPolicy {
	var policies []*admissionv1.ValidatingAdmissionPolicy
	for _, route := range guarded() {
		policies = append(policies, route.render(operator))
	}
	return policies
}

// Bindings puts every policy of the table in force.
func Bindings() []*admissionv1.ValidatingAdmissionPolicyBinding {
	var bindings []*admissionv1.ValidatingAdmissionPolicyBinding
	for _, route := range guarded() {
		bindings = append(bindings, &admissionv1.ValidatingAdmissionPolicyBinding{
			TypeMeta:   typeMeta("ValidatingAdmissionPolicyBinding"),
			ObjectMeta: named(route.Name),
			Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
				PolicyName:        route.Name,
				ParamRef:          route.Each.ref(),
				ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			},
		})
	}
	return bindings
}

// ref selects the objects of the request's own namespace. Where there are none, there
// is nothing to guard.
func (e *Each) ref() *admissionv1.ParamRef {
	if e == nil {
		return nil
	}
	allow, selector := admissionv1.AllowAction, &metav1.LabelSelector{}
	if e.Labelled != "" {
		selector = labelled(e.Labelled)
	}
	return &admissionv1.ParamRef{Selector: selector, ParameterNotFoundAction: &allow}
}

// labelled selects what carries all these labels.
func labelled(keys ...string) *metav1.LabelSelector {
	selector := &metav1.LabelSelector{}
	for _, key := range keys {
		selector.MatchExpressions = append(selector.MatchExpressions, metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpExists})
	}
	return selector
}

// render keeps "operator" and "controller" the first two variables of every
// policy: that is where an overlay names other users.
func (r *Route) render(operator Identity) *admissionv1.ValidatingAdmissionPolicy {
	fail := admissionv1.Fail
	policy := &admissionv1.ValidatingAdmissionPolicy{
		TypeMeta:   typeMeta("ValidatingAdmissionPolicy"),
		ObjectMeta: named(r.Name),
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy:    &fail,
			MatchConstraints: &admissionv1.MatchResources{},
			Variables: append([]admissionv1.Variable{
				variable("operator", operator.Expression()),
				variable("controller", anyOf(r.Controllers)),
			}, r.Variables...),
		},
	}
	for _, target := range r.Targets {
		policy.Spec.MatchConstraints.ResourceRules = append(policy.Spec.MatchConstraints.ResourceRules,
			admissionv1.NamedRuleWithOperations{RuleWithOperations: target.rule(r.Operations)})
	}
	if !r.Everywhere {
		policy.Spec.MatchConstraints.NamespaceSelector = applicationNamespaces()
	}
	if len(r.Labelled) > 0 {
		policy.Spec.MatchConstraints.ObjectSelector = labelled(r.Labelled...)
	}
	if r.Only != "" {
		policy.Spec.MatchConditions = []admissionv1.MatchCondition{{Name: "only", Expression: r.Only}}
	}
	if r.Each != nil {
		policy.Spec.ParamKind = &admissionv1.ParamKind{APIVersion: r.Each.APIVersion, Kind: r.Each.Kind}
	}
	for _, rule := range r.Rules {
		policy.Spec.Validations = append(policy.Spec.Validations, rule.render())
	}
	return policy
}

// route is the CEL expression that tells which way a request took.
const route = `' (' + request.operation + ' ' + request.resource.resource + (request.?subResource.orValue('') == '' ? '' : '/' + request.subResource) + ')'`

// render says the rule, what is refused with names, the route, and what to do
// instead. A message is needed besides: it is what is said where the names cannot be
// found.
func (r Rule) render() admissionv1.Validation {
	forbidden := metav1.StatusReasonForbidden
	detail := r.Detail
	if detail == "" {
		detail = quoted(r.Says)
	}
	return admissionv1.Validation{
		Expression:        r.Expression,
		Message:           r.ID + ": " + r.Says + ". " + r.Instead,
		MessageExpression: quoted(r.ID+": ") + " + " + detail + " + " + route + " + " + quoted(". "+r.Instead),
		Reason:            &forbidden,
	}
}

// quoted is a text as a CEL expression.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `\'`) + "'" }

// RequestedBy stamps on a release who published it, on a track who changed its template
// last, and keeps that; what the operator publishes has the stamp of its track. Who
// replaces the metadata of a release as a whole, as kubectl replace does, takes that stamp
// with it: then the mark of a release that is held is put back too, and replacing it by its
// own manifest is no change. The stamp is put back last: it tells the two apart.
func RequestedBy(operator Identity) (*admissionv1.MutatingAdmissionPolicy, *admissionv1.MutatingAdmissionPolicyBinding) {
	const name = "strata-requested-by"
	// A track that comes with a stamp, as from a backup, gets that of who creates it.
	const publishes = `(request.resource.resource == 'releasetracks' ? (` + newTemplate + ` || (oldObject == null && '` + v1alpha1.AnnotationRequestedBy + `' in object.metadata.?annotations.orValue({}))) : oldObject == null)`
	fail := admissionv1.Fail
	return &admissionv1.MutatingAdmissionPolicy{
			TypeMeta:   typeMeta("MutatingAdmissionPolicy"),
			ObjectMeta: named(name),
			Spec: admissionv1.MutatingAdmissionPolicySpec{
				FailurePolicy:      &fail,
				ReinvocationPolicy: admissionv1.NeverReinvocationPolicy,
				MatchConstraints: &admissionv1.MatchResources{
					NamespaceSelector: applicationNamespaces(),
					ResourceRules: []admissionv1.NamedRuleWithOperations{{
						RuleWithOperations: ours("immutablereleases", "releasetracks")[0].rule(operations(create, update)),
					}},
				},
				// A release that is older than this policy stays without a stamp: who
				// touches it later did not publish it.
				MatchConditions: []admissionv1.MatchCondition{{
					Name:       "published-under-this-policy",
					Expression: publishes + ` || (oldObject != null && '` + v1alpha1.AnnotationRequestedBy + `' in oldObject.metadata.?annotations.orValue({}))`,
				}},
				Variables: []admissionv1.Variable{
					variable("operator", operator.Expression()),
					variable("requestedBy", `!`+publishes+` ? oldObject.metadata.annotations['`+v1alpha1.AnnotationRequestedBy+`'] : `+
						`variables.operator ? object.metadata.?annotations[?'`+v1alpha1.AnnotationRequestedBy+`'].orValue('') : request.userInfo.username`),
					variable("markIsLost", `oldObject != null && '`+v1alpha1.LabelHeld+`' in oldObject.metadata.?labels.orValue({}) && `+
						`!('`+v1alpha1.LabelHeld+`' in object.metadata.?labels.orValue({})) && `+
						`!('`+v1alpha1.AnnotationRequestedBy+`' in object.metadata.?annotations.orValue({}))`),
				},
				Mutations: []admissionv1.Mutation{
					merge(`variables.markIsLost ? Object{metadata: Object.metadata{labels: {'` + v1alpha1.LabelHeld + `': oldObject.metadata.labels['` + v1alpha1.LabelHeld + `']}}} : Object{}`),
					merge(`variables.requestedBy == '' ? Object{} : Object{metadata: Object.metadata{annotations: {'` + v1alpha1.AnnotationRequestedBy + `': variables.requestedBy}}}`),
				},
			},
		}, &admissionv1.MutatingAdmissionPolicyBinding{
			TypeMeta:   typeMeta("MutatingAdmissionPolicyBinding"),
			ObjectMeta: named(name),
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
		ObjectMeta: named(ConfigurationName),
	}
	for _, w := range Webhooks() {
		fail, effects, timeout := admissionv1.Fail, admissionv1.SideEffectClassNone, int32(timeoutSeconds)
		if w.Notes {
			effects = admissionv1.SideEffectClassNoneOnDryRun
		}
		namespaces := applicationNamespaces()
		if w.Guarded {
			namespaces.MatchExpressions = append(namespaces.MatchExpressions, metav1.LabelSelectorRequirement{
				Key: v1alpha1.LabelGuarded, Operator: metav1.LabelSelectorOpExists,
			})
		}
		config.Webhooks = append(config.Webhooks, admissionv1.ValidatingWebhook{
			Name:                    w.WebhookName,
			ClientConfig:            service(w.Webhook),
			Rules:                   rules(w.Targets, w.Operations),
			FailurePolicy:           &fail,
			NamespaceSelector:       namespaces,
			SideEffects:             &effects,
			TimeoutSeconds:          &timeout,
			AdmissionReviewVersions: []string{"v1"},
			MatchConditions:         conditions(operator, w.Controllers, w.Only),
		})
	}
	return config
}

// ExplainingWebhooks renders those that explain.
func ExplainingWebhooks(operator Identity) *admissionv1.MutatingWebhookConfiguration {
	config := &admissionv1.MutatingWebhookConfiguration{
		TypeMeta:   typeMeta("MutatingWebhookConfiguration"),
		ObjectMeta: named(ConfigurationName),
	}
	for _, w := range Explaining {
		ignore, none, timeout, never := admissionv1.Ignore, admissionv1.SideEffectClassNone, int32(explainTimeoutSeconds), admissionv1.NeverReinvocationPolicy
		var objects *metav1.LabelSelector
		if w.Labelled != "" {
			objects = labelled(w.Labelled)
		}
		config.Webhooks = append(config.Webhooks, admissionv1.MutatingWebhook{
			Name:                    w.Name,
			ClientConfig:            service(w.Path),
			Rules:                   rules(w.Targets, w.Operations),
			FailurePolicy:           &ignore,
			NamespaceSelector:       applicationNamespaces(),
			ObjectSelector:          objects,
			SideEffects:             &none,
			TimeoutSeconds:          &timeout,
			ReinvocationPolicy:      &never,
			AdmissionReviewVersions: []string{"v1"},
			MatchConditions:         conditions(operator, w.Controllers, w.Only),
		})
	}
	return config
}

// conditions keep "not-the-operator" the first, for overlays.
func conditions(operator Identity, controllers []string, only string) []admissionv1.MatchCondition {
	conditions := []admissionv1.MatchCondition{{Name: "not-the-operator", Expression: "!(" + operator.Expression() + ")"}}
	if len(controllers) > 0 {
		conditions = append(conditions, admissionv1.MatchCondition{Name: "not-a-controller", Expression: "!(" + anyOf(controllers) + ")"})
	}
	if only != "" {
		conditions = append(conditions, admissionv1.MatchCondition{Name: "only", Expression: only})
	}
	return conditions
}

func service(path string) admissionv1.WebhookClientConfig {
	port := int32(443)
	return admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: Namespace, Name: ServiceName, Path: &path, Port: &port}}
}

func (t Target) rule(operations []admissionv1.OperationType) admissionv1.RuleWithOperations {
	return admissionv1.RuleWithOperations{
		Operations: operations,
		Rule:       admissionv1.Rule{APIGroups: []string{t.Group}, APIVersions: []string{t.Version}, Resources: t.Resources},
	}
}

func rules(targets []Target, operations []admissionv1.OperationType) []admissionv1.RuleWithOperations {
	var list []admissionv1.RuleWithOperations
	for _, target := range targets {
		list = append(list, target.rule(operations))
	}
	return list
}

// applicationNamespaces leaves alone what a cluster needs to come up, and what the
// operator needs to come up.
func applicationNamespaces() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
		Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn, Values: Unguarded,
	}}}
}

// named is the metadata of a guard. By the label the operator finds all of them.
func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: map[string]string{Label: LabelValue}}
}

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: kind}
}

func length(s string) string { return strconv.Itoa(len(s)) }
