package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
)

// promotion is where a release goes, and how large it is there.
type promotion struct {
	to, context, track, dryRun string
	replicas                   []string
	autoscaling                []string
	unpromoted                 bool
	signKey                    string
}

func promoteCommand(s *session) *cobra.Command {
	var p promotion
	command := &cobra.Command{
		Use:   "promote RELEASE --to NAMESPACE",
		Short: "Publish a release in another namespace: the same content, by another track and size",
		Long: `Publish a release in another namespace: the same content, by another track and size.

Nothing but namespace, track and capacity differs, and so the content has the same digest:
what "requires" of a track asks for. Labels and annotations are not copied.

For another cluster, name its context in your kubeconfig (--to-context), or write the
release and create it there (--dry-run client -o yaml). With --sign-key the log here is
verified, and what it says of the promotion is signed and goes along in spec.promotions:
what "requires" with a public key asks for there.`,
		Example: `  kubectl strata promote shop-1-4-2 -n staging --to production --replicas web=12
  kubectl strata promote shop-1-4-2 -n staging --to shop --to-context production --sign-key staging.key
  kubectl strata promote shop-1-4-2 -n staging --to shop --sign-key staging.key --dry-run client -o yaml`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.completeNames(1, &v1alpha1.ImmutableReleaseList{}),
	}
	flags := command.Flags()
	flags.StringVar(&p.to, "to", "", "namespace to publish it in (required)")
	flags.StringVar(&p.context, "to-context", "", "context of the kubeconfig whose cluster to publish it in; default: the one that it is read from")
	signKeyFlag(command, &p.signKey, "the promotion")
	flags.StringVar(&p.track, "track-name", "", "track that it is for there; default: of the same name")
	flags.StringSliceVar(&p.replicas, "replicas", nil, "size of components there: web=12; others stay")
	flags.StringSliceVar(&p.autoscaling, "autoscaling", nil, "bounds of autoscaled components there: web=3:30; others stay")
	flags.StringVar(&p.dryRun, "dry-run", "none", "none, server (ask the API server, store nothing) or client (ask nobody)")
	flags.BoolVar(&p.unpromoted, "unpromoted", false, "also a release that was not promoted where it is")
	out := outputFlag(command, "text", "json", "yaml", "name")
	command.RunE = func(c *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		if p.to == "" {
			return errors.New("--to is required: the namespace to publish the release in")
		}
		if !slices.Contains([]string{"none", "server", "client"}, p.dryRun) {
			return fmt.Errorf("--dry-run %q: choose one of none, server, client", p.dryRun)
		}
		return s.promote(c, args[0], p, out)
	}
	s.offer(command, "to", s.completeNames(forFlag, &corev1.NamespaceList{}))
	return command
}

func (s *session) promote(c *cobra.Command, name string, p promotion, out *output) error {
	from, err := s.stored(c.Context(), name)
	if err != nil {
		return err
	}
	if from.GetNamespace() == p.to && p.context == "" && p.dryRun != "client" {
		return fmt.Errorf("%s is in namespace %s already: name another with --to, or another cluster with --to-context", name, p.to)
	}
	verdict, _, _ := unstructured.NestedString(from.Object, "status", "lastVerdict")
	if verdict != string(v1alpha1.EventPromoted) && !p.unpromoted {
		return no("%s was not promoted in namespace %s (%s): wait for it, or give --unpromoted", name, s.namespace, orNone(verdict, "no verdict yet"))
	}
	promoted, err := p.copyOf(from)
	if err == nil && p.signKey != "" {
		err = s.prove(c.Context(), p.signKey, from, promoted)
	}
	if err != nil {
		return err
	}
	done, err := s.deliver(c, p, from.GetNamespace(), promoted)
	if err != nil {
		return err
	}
	if written, err := out.write(s.Streams.Out, promoted.Object); written || err != nil {
		return err
	}
	if out.format == "name" {
		fmt.Fprintln(s.Streams.Out, promoted.GetName())
		return nil
	}
	track, _, _ := unstructured.NestedString(promoted.Object, "spec", "trackName")
	digest, err := contentDigest(promoted)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Streams.Out, "%s/%s %s on track %s\ncontent: %s\n", p.to, name, done, track, digest)
	return nil
}

// deliver publishes the copy where it is for, unless that is only to be written, and says
// what became of it.
func (s *session) deliver(c *cobra.Command, p promotion, from string, release *unstructured.Unstructured) (done string, err error) {
	if p.dryRun == "client" {
		return "would be published", nil
	}
	target, err := s.in(p.context)
	if err != nil {
		return "", err
	}
	there, err := target.publish(c, release, p.dryRun == "server")
	switch {
	case err != nil:
		return "", err
	case there && p.signKey != "" && !isProven(release, from):
		return "", no("%s/%s is there already, without a promotion in %s, and its spec is frozen: delete it there, promote it again, and ask for a Retry there",
			p.to, release.GetName(), from)
	case there:
		return "is there already", nil
	case p.dryRun == "server":
		return "would be published", nil
	}
	return "published", nil
}

// isProven says whether a release has a promotion on a track of a namespace.
func isProven(release *unstructured.Unstructured, namespace string) bool {
	all, _, err := unstructured.NestedSlice(release.Object, "spec", "promotions")
	return err == nil && slices.ContainsFunc(all, func(entry any) bool {
		promotion, ok := entry.(map[string]any)
		return ok && promotion["namespace"] == namespace
	})
}

// in is the session in the cluster of another context of the kubeconfig; that of this one
// for "".
func (s *session) in(context string) (*session, error) {
	if context == "" {
		return s, nil
	}
	// Flags that name a cluster, or a user of one, are of the one that is read from.
	flags := genericclioptions.NewConfigFlags(true)
	flags.Context, flags.KubeConfig, flags.CacheDir, flags.Timeout = &context, s.flags.KubeConfig, s.flags.CacheDir, s.flags.Timeout
	flags.Impersonate, flags.ImpersonateUID, flags.ImpersonateGroup = s.flags.Impersonate, s.flags.ImpersonateUID, s.flags.ImpersonateGroup
	there := &session{Options: s.Options, flags: flags}
	return there, wrap(there.connect(), "--to-context %s", context)
}

// prove puts what the log says of the promotion of a release, signed, into its copy.
func (s *session) prove(ctx context.Context, key string, from, to *unstructured.Unstructured) error {
	by, err := signer(key)
	if err != nil {
		return err
	}
	track, _, _ := unstructured.NestedString(from.Object, "spec", "trackName")
	version, _, _ := unstructured.NestedString(from.Object, "spec", "version")
	content, err := contentDigest(from)
	if err != nil {
		return err
	}
	records, err := s.records(ctx, track)
	if err != nil {
		return err
	}
	promotion, err := ledger.Promotion(from.GetNamespace(), version, content, records)
	if err != nil {
		return no("%s is not signed as promoted on track %s/%s: %v", from.GetName(), from.GetNamespace(), track, err)
	}
	if promotion, err = by.SignPromotion(promotion); err != nil {
		return fmt.Errorf("--sign-key %s: %w", key, err)
	}
	entry, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&promotion)
	if err != nil {
		return fmt.Errorf("write the promotion: %w", err)
	}
	all, _, err := unstructured.NestedSlice(to.Object, "spec", "promotions")
	if err != nil {
		return fmt.Errorf("read spec.promotions: %w", err)
	}
	return unstructured.SetNestedSlice(to.Object, append(all, entry), "spec", "promotions")
}

// copyOf is the release as it is published there.
func (p promotion) copyOf(from *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	to := &unstructured.Unstructured{Object: map[string]any{"spec": runtime.DeepCopyJSONValue(from.Object["spec"])}}
	to.SetGroupVersionKind(from.GroupVersionKind())
	to.SetName(from.GetName())
	to.SetNamespace(p.to)
	if p.track != "" {
		if err := unstructured.SetNestedField(to.Object, p.track, "spec", "trackName"); err != nil {
			return nil, fmt.Errorf("set spec.trackName: %w", err)
		}
	}
	for _, size := range p.replicas {
		if err := resize(to, "--replicas", size, func(component map[string]any, value string) error {
			n, err := strconv.ParseInt(value, 10, 32)
			if err != nil {
				return errors.New("say COMPONENT=NUMBER, as in web=12")
			}
			component["replicas"] = n
			return nil
		}); err != nil {
			return nil, err
		}
	}
	for _, bounds := range p.autoscaling {
		if err := resize(to, "--autoscaling", bounds, setBounds); err != nil {
			return nil, err
		}
	}
	before, err := contentDigest(from)
	if err != nil {
		return nil, err
	}
	if after, err := contentDigest(to); err != nil || after != before {
		return nil, errors.Join(fmt.Errorf("the copy of %s has another content: %s, not %s", from.GetName(), after, before), err)
	}
	return to, nil
}

func setBounds(component map[string]any, value string) error {
	autoscaling, ok := component["autoscaling"].(map[string]any)
	if !ok {
		return errors.New("the component is not autoscaled: give --replicas")
	}
	least, most, _ := strings.Cut(value, ":")
	for field, text := range map[string]string{"minReplicas": least, "maxReplicas": most} {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return errors.New("say COMPONENT=MIN:MAX, as in web=3:30")
		}
		autoscaling[field] = n
	}
	return nil
}

// resize changes the component that a flag's value COMPONENT=SIZE names.
func resize(release *unstructured.Unstructured, flag, value string, set func(component map[string]any, size string) error) error {
	name, size, _ := strings.Cut(value, "=")
	components, _, err := unstructured.NestedSlice(release.Object, "spec", "components")
	if err != nil {
		return fmt.Errorf("read spec.components: %w", err)
	}
	var names []string
	for _, item := range components {
		component, _ := item.(map[string]any)
		names = append(names, fmt.Sprint(component["name"]))
		if component["name"] != name {
			continue
		}
		if err := set(component, size); err != nil {
			return fmt.Errorf("%s %q: %w", flag, value, err)
		}
		return unstructured.SetNestedSlice(release.Object, components, "spec", "components")
	}
	return fmt.Errorf("%s %q: %s has no such component: name one of %s", flag, value, release.GetName(), strings.Join(names, ", "))
}

// publish creates a release where the track for it is. there says that it was there
// already, as it would be published.
func (s *session) publish(c *cobra.Command, release *unstructured.Unstructured, dryRun bool) (there bool, err error) {
	ctx, key := c.Context(), client.ObjectKeyFromObject(release)
	trackName, _, _ := unstructured.NestedString(release.Object, "spec", "trackName")
	err = s.client.Get(ctx, client.ObjectKey{Namespace: key.Namespace, Name: trackName}, &v1alpha1.ReleaseTrack{})
	if apierrors.IsNotFound(err) {
		return false, fmt.Errorf("namespace %s has no track %s: create it, or name another with --track-name", key.Namespace, trackName)
	}
	if err != nil && !apierrors.IsForbidden(err) {
		return false, fmt.Errorf("read track %s/%s: %w", key.Namespace, trackName, err)
	}
	var options []client.CreateOption
	if dryRun {
		options = append(options, client.DryRunAll)
	}
	wanted := release.DeepCopy()
	err = s.client.Create(ctx, release, append(options, client.FieldOwner("kubectl-strata"))...)
	switch {
	case err == nil:
		return false, nil
	case apierrors.IsInvalid(err) || apierrors.IsForbidden(err):
		return false, no("%s was not let in: %v", key, err)
	case !apierrors.IsAlreadyExists(err):
		return false, fmt.Errorf("create release %s: %w", key, err)
	}
	if err := s.client.Get(ctx, key, release); err != nil {
		return false, fmt.Errorf("read release %s: %w", key, err)
	}
	same, err := sameSpec(wanted, release)
	if err == nil && !same {
		err = no("%s is there already, and differs: kubectl get irel %s -n %s -o yaml", key, key.Name, key.Namespace)
	}
	return true, err
}

// sameSpec compares all but promotions: to sign again gives another signature.
func sameSpec(a, b *unstructured.Unstructured) (bool, error) {
	var specs [2]map[string]any
	for i, release := range []*unstructured.Unstructured{a, b} {
		text, err := json.Marshal(release.Object["spec"])
		if err == nil {
			err = json.Unmarshal(text, &specs[i])
		}
		if err != nil {
			return false, fmt.Errorf("read release %s: %w", release.GetName(), err)
		}
		delete(specs[i], "promotions")
	}
	return reflect.DeepEqual(specs[0], specs[1]), nil
}
