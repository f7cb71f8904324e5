package admission

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/policy"
)

// verbUse lets a user run pods as a ServiceAccount.
const verbUse = "use"

// maxWarnings is how many of them one answer has: the API server cuts off what is long.
const maxWarnings = 10

// policies judge releases by the ReleasePolicies of their namespace.
type policies struct {
	// reader is cached; live is asked for a namespace that it has not seen yet.
	reader, live client.Reader
	// writer asks the API server for access reviews.
	writer client.Writer
}

// judge says what of a release is denied, and what is warned of. What a registry has
// to tell is asked when the release is prepared: no admission waits for one.
func (p *policies) judge(ctx context.Context, req admission.Request, spec *v1alpha1.ImmutableReleaseSpec) (field.ErrorList, []string, error) {
	effective, err := policy.Read(ctx, p.reader, p.live, req.Namespace)
	if err != nil {
		return nil, nil, err
	}
	denied, warnings := effective.Check(spec)
	for _, use := range effective.NeedUse(spec) {
		may, err := mayUse(ctx, p.writer, req, use.Name)
		if err != nil {
			return nil, nil, err
		}
		if !may {
			denied = append(denied, field.Forbidden(use.Path, fmt.Sprintf(
				"user %q needs the verb %q on serviceaccounts/%s in namespace %q: nobody gets by a release what they may not do themselves",
				req.UserInfo.Username, verbUse, use.Name, req.Namespace)))
		}
	}
	if more := len(warnings) - maxWarnings; more > 0 {
		warnings = append(warnings[:maxWarnings:maxWarnings], fmt.Sprintf("and %d warnings more", more))
	}
	return denied, warnings, nil
}

func mayUse(ctx context.Context, writer client.Writer, req admission.Request, serviceAccount string) (bool, error) {
	return may(ctx, writer, req, authorizationv1.ResourceAttributes{
		Version: "v1", Resource: "serviceaccounts", Namespace: req.Namespace, Name: serviceAccount, Verb: verbUse,
	})
}
