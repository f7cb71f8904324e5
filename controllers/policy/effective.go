package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Effective is what the policies that select a namespace ask for together. The zero
// value asks for nothing.
type Effective struct{ policies []v1alpha1.ReleasePolicy }

// For are the policies that select a namespace with these labels. It fails for a
// policy whose selector cannot be read: nobody knows what it selects.
func For(policies []v1alpha1.ReleasePolicy, namespace map[string]string) (Effective, error) {
	var e Effective
	for i := range policies {
		selector, err := metav1.LabelSelectorAsSelector(policies[i].Spec.NamespaceSelector)
		if err != nil {
			return Effective{}, fmt.Errorf("read namespaceSelector of ReleasePolicy %s: %w", policies[i].Name, err)
		}
		if selector.Matches(labels.Set(namespace)) {
			e.policies = append(e.policies, policies[i])
		}
	}
	slices.SortFunc(e.policies, func(a, b v1alpha1.ReleasePolicy) int { return strings.Compare(a.Name, b.Name) })
	return e, nil
}

// Names of the policies, in order; none where nothing is asked for.
func (e Effective) Names() []string {
	var names []string
	for i := range e.policies {
		names = append(names, e.policies[i].Name)
	}
	return names
}

// Version changes whenever one of the policies does.
func (e Effective) Version() string {
	var version strings.Builder
	for i := range e.policies {
		fmt.Fprintf(&version, "%s/%s/%d ", e.policies[i].Name, e.policies[i].UID, e.policies[i].Generation)
	}
	return version.String()
}

// strictness orders modes.
var strictness = map[v1alpha1.PolicyMode]int{v1alpha1.PolicyAllow: 1, v1alpha1.PolicyWarn: 2, v1alpha1.PolicyDeny: 3}

// mode is the most restrictive answer to a question, and the policy that gives it; ""
// where none does.
func (e Effective) mode(ask func(*v1alpha1.ReleasePolicySpec) v1alpha1.PolicyMode) (v1alpha1.PolicyMode, string) {
	var strictest v1alpha1.PolicyMode
	var name string
	for i := range e.policies {
		if mode := ask(&e.policies[i].Spec); strictness[mode] > strictness[strictest] {
			strictest, name = mode, e.policies[i].Name
		}
	}
	return strictest, name
}

// AsksRegistries says whether the images of a release have to be asked for.
func (e Effective) AsksRegistries() bool {
	return slices.ContainsFunc(e.policies, func(p v1alpha1.ReleasePolicy) bool {
		return p.Spec.RegistryAccess != nil || demandsSignatures(&p.Spec)
	})
}

func demandsSignatures(spec *v1alpha1.ReleasePolicySpec) bool {
	return spec.Signatures != nil && spec.Signatures.Enforcement != v1alpha1.PolicyAllow
}

// RegistryAccess is what every policy that says anything of registries lets the
// operator do.
func (e Effective) RegistryAccess() v1alpha1.RegistryAccessPolicy {
	var access v1alpha1.RegistryAccessPolicy
	first := true
	for i := range e.policies {
		said := e.policies[i].Spec.RegistryAccess
		switch {
		case said == nil:
		case first:
			access, first = *said.DeepCopy(), false
		default:
			access.PlainHTTPHosts = common(access.PlainHTTPHosts, said.PlainHTTPHosts)
			access.PrivateHosts = common(access.PrivateHosts, said.PrivateHosts)
		}
	}
	return access
}

func common[T comparable](a, b []T) []T {
	return slices.DeleteFunc(slices.Clone(a), func(value T) bool { return !slices.Contains(b, value) })
}

// Signatures is what one policy demands; every one of them has to be met.
type Signatures struct {
	PolicyName string
	v1alpha1.SignaturePolicy
}

// Signatures that are demanded, by each policy.
func (e Effective) Signatures() []Signatures {
	var demands []Signatures
	for i := range e.policies {
		if demandsSignatures(&e.policies[i].Spec) {
			demands = append(demands, Signatures{e.policies[i].Name, *e.policies[i].Spec.Signatures})
		}
	}
	return demands
}

// MaxAgeSeconds is how old a release that serves may become; 0 for any age.
func (e Effective) MaxAgeSeconds() int64 {
	var least int64
	for i := range e.policies {
		if age := e.policies[i].Spec.MaxAgeSeconds; age != nil && (least == 0 || *age < least) {
			least = *age
		}
	}
	return least
}

// MaxRollouts is how many rollouts may be under way at once in the namespace; 0 for any
// number.
func (e Effective) MaxRollouts() int32 {
	var least int32
	for i := range e.policies {
		if limit := e.policies[i].Spec.MaxRollouts; limit != nil && (least == 0 || *limit < least) {
			least = *limit
		}
	}
	return least
}

// Approvals is what the approval of a step takes: of the highest count, of somebody
// else than who published the release if one policy wants that, and no older than the
// shortest time. The zero value asks for nothing.
func (e Effective) Approvals() v1alpha1.ApprovalsPolicy {
	var most v1alpha1.ApprovalsPolicy
	for i := range e.policies {
		said := e.policies[i].Spec.Approvals
		if said == nil {
			continue
		}
		most.Count = max(most.Count, said.Count)
		if most.Requester != v1alpha1.RequesterExcluded {
			most.Requester = said.Requester
		}
		if most.ValidSeconds == 0 || said.ValidSeconds > 0 && said.ValidSeconds < most.ValidSeconds {
			most.ValidSeconds = said.ValidSeconds
		}
	}
	return most
}

// registries are those that every policy allows; false where none restricts them.
func (e Effective) registries() ([]v1alpha1.RegistryPath, bool) {
	return narrowed(e.policies, func(p *v1alpha1.ReleasePolicySpec) []v1alpha1.RegistryPath { return p.AllowedRegistries }, overlap)
}

// serviceAccounts are those that every policy allows; false where none restricts them.
func (e Effective) serviceAccounts() ([]v1alpha1.ServiceAccountName, bool) {
	return narrowed(e.policies, func(p *v1alpha1.ReleasePolicySpec) []v1alpha1.ServiceAccountName { return p.AllowedServiceAccountNames }, common)
}

// narrowed is what all policies allow that have a list, each once and in order; false
// where none has one.
func narrowed[T cmp.Ordered](policies []v1alpha1.ReleasePolicy, list func(*v1alpha1.ReleasePolicySpec) []T, both func(a, b []T) []T) ([]T, bool) {
	allowed, restricted := []T{}, false
	for i := range policies {
		switch said := list(&policies[i].Spec); {
		case len(said) == 0:
		case !restricted:
			allowed, restricted = slices.Clone(said), true
		default:
			allowed = both(allowed, said)
		}
	}
	slices.Sort(allowed)
	return slices.Compact(allowed), restricted
}

// overlap is what is below a path of both lists.
func overlap(a, b []v1alpha1.RegistryPath) []v1alpha1.RegistryPath {
	both := []v1alpha1.RegistryPath{}
	for _, path := range a {
		if Below(string(path), b) {
			both = append(both, path)
		}
	}
	for _, path := range b {
		if Below(string(path), a) && !slices.Contains(a, path) {
			both = append(both, path)
		}
	}
	return both
}

// Below says whether a repository, or a path, is one of these paths or below one, by
// whole segments.
func Below(repository string, paths []v1alpha1.RegistryPath) bool {
	return slices.ContainsFunc(paths, func(path v1alpha1.RegistryPath) bool {
		rest, found := strings.CutPrefix(repository, string(path))
		return found && (rest == "" || rest[0] == '/')
	})
}

// Summary is what people read of it; nil where nothing is asked for.
func (e Effective) Summary() *v1alpha1.EffectivePolicy {
	if len(e.policies) == 0 {
		return nil
	}
	s := &v1alpha1.EffectivePolicy{PolicyNames: e.Names(), MaxAgeSeconds: e.MaxAgeSeconds(), MaxRollouts: e.MaxRollouts()}
	if allowed, restricted := e.registries(); restricted {
		s.AllowedRegistries = &allowed
	}
	if allowed, restricted := e.serviceAccounts(); restricted {
		s.AllowedServiceAccountNames = &allowed
	}
	for _, demand := range e.Signatures() {
		said := v1alpha1.EffectiveSignatures{PolicyName: demand.PolicyName, Enforcement: demand.Enforcement}
		for _, authority := range demand.Authorities {
			said.AuthorityNames = append(said.AuthorityNames, authority.Name)
		}
		s.Signatures = append(s.Signatures, said)
	}
	if asked := e.Approvals(); asked.Count > 0 {
		s.Approvals = &asked
	}
	s.WriterNames = e.writerNames()
	s.BreakGlass = e.BreakGlass()
	if mode, name := e.InteractiveAccess(); mode == v1alpha1.PolicyDeny {
		s.Rules = append(s.Rules, v1alpha1.EffectiveRule{Field: "interactiveAccess", Mode: mode, PolicyName: name})
	}
	for _, rule := range rules {
		if mode, name := e.mode(rule.ask); cmp.Or(mode, v1alpha1.PolicyAllow) != v1alpha1.PolicyAllow {
			s.Rules = append(s.Rules, v1alpha1.EffectiveRule{Field: rule.field, Mode: mode, PolicyName: name})
		}
	}
	return s
}
