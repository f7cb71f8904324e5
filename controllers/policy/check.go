package policy

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/strata-release/strata/api/v1alpha1"
)

// defaultServiceAccount is what every pod of a namespace runs as that names none.
const defaultServiceAccount = "default"

// Check says what of a release is denied, as errors of its fields, and what policies
// warn of. What a registry or a key has to tell is not among it.
func (e Effective) Check(spec *v1alpha1.ImmutableReleaseSpec) (denied field.ErrorList, warnings []string) {
	if len(e.policies) == 0 {
		return nil, nil
	}
	pods := podsOf(spec)
	denied = append(e.checkRegistries(pods), e.checkServiceAccounts(pods)...)
	for _, rule := range rules {
		mode, name := e.mode(rule.ask)
		if mode != v1alpha1.PolicyDeny && mode != v1alpha1.PolicyWarn {
			continue
		}
		for _, p := range pods {
			for _, path := range rule.find(p) {
				if mode == v1alpha1.PolicyWarn {
					warnings = append(warnings, fmt.Sprintf("%s: ReleasePolicy %s warns by %s: %s", path, name, rule.field, rule.instead))
					continue
				}
				denied = append(denied, field.Forbidden(path, fmt.Sprintf("ReleasePolicy %s denies this by %s: %s", name, rule.field, rule.instead)))
			}
		}
	}
	return denied, warnings
}

// MayDebug says why a container for debugging may not be added to a pod: it has what
// privileges.* of a policy denies the containers of releases. "" where it may.
func (e Effective) MayDebug(in *corev1.PodSpec, container *corev1.EphemeralContainer) string {
	as := pod{&corev1.PodSpec{SecurityContext: in.SecurityContext, Containers: []corev1.Container{corev1.Container(container.EphemeralContainerCommon)}}, field.NewPath("spec")}
	for _, rule := range rules {
		mode, name := e.mode(rule.ask)
		if strings.HasPrefix(rule.field, privileges) && mode == v1alpha1.PolicyDeny && len(rule.find(as)) > 0 {
			return fmt.Sprintf("ReleasePolicy %s denies container %s by %s (%s): kubectl debug has --profile=restricted for that", name, container.Name, rule.field, rule.instead)
		}
	}
	return ""
}

func podsOf(spec *v1alpha1.ImmutableReleaseSpec) []pod {
	var pods []pod
	for i := range spec.Components {
		pods = append(pods, pod{&spec.Components[i].Template.Spec, field.NewPath("spec", "components").Index(i).Child("template", "spec")})
	}
	for i := range spec.Tests {
		pods = append(pods, pod{&spec.Tests[i].Template.Spec.Template.Spec, field.NewPath("spec", "tests").Index(i).Child("template", "spec", "template", "spec")})
	}
	return pods
}

func (e Effective) checkRegistries(pods []pod) field.ErrorList {
	list, restricted := e.registries()
	if !restricted {
		return nil
	}
	var errs field.ErrorList
	check := func(image string, path *field.Path) {
		repository := repositoryOf(image)
		if !Below(repository, list) {
			errs = append(errs, field.Invalid(path, image, fmt.Sprintf("images come from %s here (allowedRegistries of ReleasePolicy %s): copy it there, and name the copy",
				allowed(list), strings.Join(e.restrictingRegistries(), ", "))))
		}
	}
	for _, p := range pods {
		for i := range p.spec.InitContainers {
			check(p.spec.InitContainers[i].Image, p.path.Child("initContainers").Index(i).Child("image"))
		}
		for i := range p.spec.Containers {
			check(p.spec.Containers[i].Image, p.path.Child("containers").Index(i).Child("image"))
		}
		for i := range p.spec.Volumes {
			if image := p.spec.Volumes[i].Image; image != nil {
				check(image.Reference, p.path.Child("volumes").Index(i).Child("image", "reference"))
			}
		}
	}
	return errs
}

func (e Effective) restrictingRegistries() []string {
	var names []string
	for i := range e.policies {
		if len(e.policies[i].Spec.AllowedRegistries) > 0 {
			names = append(names, e.policies[i].Name)
		}
	}
	return names
}

// repositoryOf is an image reference without its tag and digest. What is before the last
// @ is kept whole, so that a user before the host is no host.
func repositoryOf(image string) string {
	repository := image
	if at := strings.LastIndex(image, "@"); at >= 0 {
		repository = image[:at]
	}
	if slash, colon := strings.LastIndex(repository, "/"), strings.LastIndex(repository, ":"); colon > slash {
		repository = repository[:colon]
	}
	return repository
}

func (e Effective) checkServiceAccounts(pods []pod) field.ErrorList {
	list, restricted := e.serviceAccounts()
	if !restricted {
		return nil
	}
	var errs field.ErrorList
	for _, use := range serviceAccountsOf(pods) {
		if !slices.Contains(list, v1alpha1.ServiceAccountName(use.Name)) {
			errs = append(errs, field.Invalid(use.Path, use.Name, "releases run here as one of "+allowed(list)+", by allowedServiceAccountNames of its ReleasePolicies: name one of them"))
		}
	}
	return errs
}

// ServiceAccountUse is where a release names a ServiceAccount.
type ServiceAccountUse struct {
	Name string
	Path *field.Path
}

// NeedUse are the ServiceAccounts on which the author of a release must hold the verb
// use, each once; none in a namespace without a policy.
func (e Effective) NeedUse(spec *v1alpha1.ImmutableReleaseSpec) []ServiceAccountUse {
	if len(e.policies) == 0 {
		return nil
	}
	var needed []ServiceAccountUse
	for _, use := range serviceAccountsOf(podsOf(spec)) {
		known := slices.ContainsFunc(needed, func(n ServiceAccountUse) bool { return n.Name == use.Name })
		if use.Name != defaultServiceAccount && !known {
			needed = append(needed, use)
		}
	}
	return needed
}

func serviceAccountsOf(pods []pod) []ServiceAccountUse {
	var uses []ServiceAccountUse
	for _, p := range pods {
		// serviceAccount is the older name of the field, which the API server reads where
		// the other is not set.
		switch {
		case p.spec.ServiceAccountName != "":
			uses = append(uses, ServiceAccountUse{p.spec.ServiceAccountName, p.path.Child("serviceAccountName")})
		case p.spec.DeprecatedServiceAccount != "":
			uses = append(uses, ServiceAccountUse{p.spec.DeprecatedServiceAccount, p.path.Child("serviceAccount")})
		default:
			uses = append(uses, ServiceAccountUse{defaultServiceAccount, p.path.Child("serviceAccountName")})
		}
	}
	return uses
}
