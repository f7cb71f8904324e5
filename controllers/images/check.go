package images

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/policy"
	"github.com/strata-release/strata/controllers/registry"
	"github.com/strata-release/strata/controllers/signatures"
)

// check is one check of a release.
type check struct {
	checker  *Checker
	question *Question
	access   registry.Access
	demands  []demand
	nodes    []node
	answer   Answer
}

// demand is what one policy asks of signatures.
type demand struct {
	policy.Signatures
	authorities []*signatures.Authority
}

// check goes through all images. What is read is others' and of any form: where that
// breaks a library, one check ends, and not the operator.
func (c *Checker) check(ctx context.Context, q *Question) (answer Answer, keep time.Duration) {
	defer func() {
		if broken := recover(); broken != nil {
			// The value may hold what was read, and is not for a log.
			log.FromContext(ctx).Error(fmt.Errorf("panic with a %T", broken), "check images", "track", q.Track, "stack", string(debug.Stack()))
			answer, keep = without(errors.New("the check broke off, and the log of the operator says where"))
		}
	}()
	said := q.Policy.RegistryAccess()
	run := &check{checker: c, question: q, access: registry.Access{PlainHTTPHosts: hosts(said.PlainHTTPHosts), PrivateHosts: hosts(said.PrivateHosts)}}
	run.answer = Answer{Outcome: Passed, Signatures: map[string][]v1alpha1.ImageSignature{}, Platforms: map[string][]string{}}
	for _, step := range []func(context.Context) error{run.readDemands, run.readNodes, run.checkPods} {
		if err := step(ctx); err != nil {
			return without(err)
		}
	}
	return run.answer, passedFor
}

// without is the answer of a check that did not pass, and how long it counts.
func without(err error) (Answer, time.Duration) {
	var told *registry.Error
	if !errors.As(err, &told) {
		told = &registry.Error{Unknown: true, Reason: "NotAsked", Message: err.Error()}
	}
	answer := Answer{Outcome: Refused, Reason: told.Reason, Message: told.Message}
	if !told.Unknown {
		return answer, refusedFor
	}
	answer.Outcome = Unknown
	return answer, max(unknownFor, told.RetryAfter)
}

func hosts(list []v1alpha1.RegistryHost) []string {
	var plain []string
	for _, host := range list {
		plain = append(plain, string(host))
	}
	return plain
}

// each asks about one after the other. What is refused ends it: no other answer would
// help. What is unknown does not, as another one may be refused.
func each[T any](list []T, ask func(T) error) error {
	var unknown error
	for _, one := range list {
		err := ask(one)
		var told *registry.Error
		if errors.As(err, &told) && !told.Unknown {
			return err
		}
		if unknown == nil {
			unknown = err
		}
	}
	return unknown
}

func (c *check) checkPods(ctx context.Context) error {
	return each(podsOf(c.question.Spec), func(pod *corev1.PodSpec) error { return c.checkPod(ctx, pod) })
}

// checkPod asks for the images of a pod with the pull secrets that its kubelet will use.
func (c *check) checkPod(ctx context.Context, pod *corev1.PodSpec) error {
	credentials, err := c.credentials(ctx, pod)
	if err != nil {
		return err
	}
	session, err := c.checker.options.Registry.Session(c.access, credentials)
	if err != nil {
		return err
	}
	defer session.Close()
	return each(imagesOf(pod), func(image string) error { return c.checkImage(ctx, session, pod, image) })
}

func (c *check) checkImage(ctx context.Context, session *registry.Session, pod *corev1.PodSpec, reference string) error {
	image, err := session.Image(ctx, reference)
	if err != nil {
		return err
	}
	if err := image.CheckPlatforms(c.platforms(pod)); err != nil {
		return err
	}
	if _, done := c.answer.Signatures[reference]; done {
		return nil
	}
	if len(image.Digests) <= maxPlatforms {
		c.answer.Platforms[reference] = image.Digests
	}
	var found []v1alpha1.ImageSignature
	for _, demand := range c.demands {
		evidence, err := signatures.Verify(ctx, session, image.Reference, demand.authorities)
		var told *registry.Error
		switch {
		case err == nil:
			found = addEvidence(found, evidence)
		case demand.Enforcement == v1alpha1.PolicyWarn && errors.As(err, &told) && !told.Unknown:
			c.answer.Warnings = append(c.answer.Warnings, fmt.Sprintf("ReleasePolicy %s warns: %s", demand.PolicyName, told.Message))
		case errors.As(err, &told):
			about := *told
			about.Message = fmt.Sprintf("ReleasePolicy %s demands signatures: %s", demand.PolicyName, told.Message)
			return &about
		default:
			return err
		}
	}
	c.answer.Signatures[reference] = found
	return nil
}

// maxPlatforms are as many as the schema of records has.
const maxPlatforms = 256

// addEvidence keeps each once, as policies may name the same authority.
func addEvidence(list []v1alpha1.ImageSignature, evidence *v1alpha1.ImageSignature) []v1alpha1.ImageSignature {
	const most = 16 // as the schema has it
	if len(list) == most || slices.ContainsFunc(list, func(known v1alpha1.ImageSignature) bool {
		return known.Authority == evidence.Authority && known.KeyDigest == evidence.KeyDigest && known.Subject == evidence.Subject && known.Issuer == evidence.Issuer
	}) {
		return list
	}
	return append(list, *evidence)
}

// platforms are those of the nodes that a pod selects.
func (c *check) platforms(pod *corev1.PodSpec) []registry.Platform {
	var platforms []registry.Platform
	for _, n := range c.nodes {
		if n.selectedBy(pod.NodeSelector) && !slices.Contains(platforms, n.platform) {
			platforms = append(platforms, n.platform)
		}
	}
	return platforms
}

func podsOf(spec *v1alpha1.ImmutableReleaseSpec) []*corev1.PodSpec {
	var pods []*corev1.PodSpec
	for i := range spec.Components {
		pods = append(pods, &spec.Components[i].Template.Spec)
	}
	for i := range spec.Tests {
		pods = append(pods, &spec.Tests[i].Template.Spec.Template.Spec)
	}
	return pods
}

func imagesOf(pod *corev1.PodSpec) []string {
	var images []string
	add := func(image string) {
		if !slices.Contains(images, image) {
			images = append(images, image)
		}
	}
	for i := range pod.InitContainers {
		add(pod.InitContainers[i].Image)
	}
	for i := range pod.Containers {
		add(pod.Containers[i].Image)
	}
	for i := range pod.Volumes {
		if image := pod.Volumes[i].Image; image != nil {
			add(image.Reference)
		}
	}
	return images
}

// unknown is what nobody but the platform team can mend, and nothing of the release.
func unknown(reason, format string, args ...any) error {
	return &registry.Error{Unknown: true, Reason: reason, Message: fmt.Sprintf(format, args...)}
}
