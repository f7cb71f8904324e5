package resources

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// Scheme names how seals are rendered and digests computed. Another way is
// another scheme, never a change of this one.
const Scheme = "strata/1"

// maxSealBytes keeps a seal within what etcd stores as one object (1.5 MiB),
// with room for its metadata.
const maxSealBytes = 1 << 20

// Digests are the two identities of a release, each sha256:<hexadecimal>.
type Digests struct {
	// Content is the software, wherever and however large it runs.
	Content string
	// Release is what runs: the spec but for capacity, and the configuration.
	Release string
}

// Seal is the frozen result of preparing a release.
type Seal struct {
	Scheme        string                    `json:"scheme"`
	TrackName     string                    `json:"trackName"`
	ReleaseName   string                    `json:"releaseName"`
	Version       string                    `json:"version"`
	Digest        string                    `json:"digest"`
	ContentDigest string                    `json:"contentDigest"`
	Snapshots     []v1alpha1.SnapshotDigest `json:"snapshots,omitempty"`
	// DigestKey names the key of the digests of Secrets; "" without any.
	DigestKey string `json:"digestKey,omitempty"`
	// Images with the signatures that they passed policies by.
	Images []v1alpha1.RecordedImage `json:"images"`
	// PolicyWarnings are of what policies only wished for.
	PolicyWarnings []string          `json:"policyWarnings,omitempty"`
	Components     []SealedComponent `json:"components"`
	Tests          []SealedTest      `json:"tests,omitempty"`

	// The children's namespace and owner are of the release object that is there,
	// not of the content: a restored release has another UID.
	namespace string
	owner     metav1.OwnerReference
	// written is when the seal was; zero before.
	written time.Time

	// decoded are the Deployments and Jobs that were asked for before, as they were
	// sealed; nil where nothing is kept. A track that moves asks for them again and
	// again. It makes a parsed seal one goroutine's.
	decoded map[string]any
}

// SealedComponent is a component rendered whole: objects as JSON, without
// namespace, owner, size and stamp.
type SealedComponent struct {
	Name       string          `json:"name"`
	Deployment json.RawMessage `json:"deployment"`
	// Service is absent for a component without ports.
	Service json.RawMessage `json:"service,omitempty"`
	// Autoscaler and Disruption are absent where none is asked for.
	Autoscaler json.RawMessage `json:"autoscaler,omitempty"`
	Disruption json.RawMessage `json:"disruption,omitempty"`
}

// SealedTest is a test rendered whole, without name, namespace, owner, attempt
// and stamp.
type SealedTest struct {
	Name            string             `json:"name"`
	When            v1alpha1.TestPhase `json:"when"`
	DeadlineSeconds int32              `json:"deadlineSeconds"`
	Job             json.RawMessage    `json:"job"`
}

// ControllerRevision is the object that stores a seal: its data cannot be
// changed once it exists. It fails for a seal too large to be stored.
func (s *Seal) ControllerRevision(rel *v1alpha1.ImmutableRelease) (*appsv1.ControllerRevision, error) {
	data, err := sortedJSON(s)
	if err != nil {
		return nil, fmt.Errorf("encode seal of release %s: %w", rel.Name, err)
	}
	if len(data) > maxSealBytes {
		return nil, fmt.Errorf("seal of release %s has %d bytes, of %d at most: its components and tests are too large together",
			rel.Name, len(data), maxSealBytes)
	}
	return &appsv1.ControllerRevision{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "ControllerRevision"},
		ObjectMeta: metav1.ObjectMeta{
			Name:            SealName(rel.Name),
			Namespace:       rel.Namespace,
			Labels:          ReleaseLabels(rel),
			OwnerReferences: []metav1.OwnerReference{OwnerReference(rel)},
		},
		Data:     runtime.RawExtension{Raw: data},
		Revision: 1,
	}, nil
}

// sortedJSON encodes a value with all its keys in order. The API server encodes data
// like that when anybody patches the object, be it an owner that the garbage collector
// takes away; and as data is immutable to the byte, it would refuse that of any other
// encoding.
func sortedJSON(value any) ([]byte, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	sorted := jsontext.Value(data)
	// Strings and numbers stay as the standard library writes them, as that does there.
	if err := sorted.Format(jsontext.ReorderRawObjects(true), jsontext.PreserveRawStrings(true)); err != nil {
		return nil, err
	}
	return sorted, nil
}

// ParseSeal reads a stored seal. Its children are owned by the release that owns
// the ControllerRevision; see For where that is not the one wanted. It fails for
// what is not a seal, or one of a scheme that this operator does not know.
func ParseSeal(revision *appsv1.ControllerRevision) (*Seal, error) {
	seal := &Seal{decoded: map[string]any{}}
	if err := jsonv1.Unmarshal(revision.Data.Raw, seal); err != nil { // As encoding/json has it, in a third of the time.
		return nil, fmt.Errorf("decode seal %s: %w", revision.Name, err)
	}
	if seal.Scheme != Scheme {
		return nil, fmt.Errorf("seal %s has scheme %q, and this operator knows %q alone", revision.Name, seal.Scheme, Scheme)
	}
	if SealName(seal.ReleaseName) != revision.Name {
		return nil, fmt.Errorf("seal %s is of release %q", revision.Name, seal.ReleaseName)
	}
	seal.namespace, seal.written = revision.Namespace, revision.CreationTimestamp.Time
	if owner := metav1.GetControllerOfNoCopy(revision); owner != nil {
		seal.owner = *owner
	}
	return seal, nil
}

// Witness notes what the check of images found: their signatures and the digests of
// their platforms, by reference, and what was only warned of. It is called before the
// seal is written.
func (s *Seal) Witness(signatures map[string][]v1alpha1.ImageSignature, platforms map[string][]string, warnings []string) {
	for i := range s.Images {
		s.Images[i].Signatures = signatures[s.Images[i].Image]
		s.Images[i].PlatformDigests = platforms[s.Images[i].Image]
	}
	s.PolicyWarnings = warnings
}

// WitnessAs takes the evidence of another seal of the same release.
func (s *Seal) WitnessAs(other *Seal) {
	signatures := make(map[string][]v1alpha1.ImageSignature, len(other.Images))
	for _, image := range other.Images {
		signatures[image.Image] = image.Signatures
	}
	s.Witness(signatures, other.Platforms(), other.PolicyWarnings)
}

// For makes the release the owner of the children. The release must have the
// name that was sealed.
func (s *Seal) For(rel *v1alpha1.ImmutableRelease) *Seal {
	owned := *s
	owned.namespace, owned.owner = rel.Namespace, OwnerReference(rel)
	return &owned
}

// OwnerUID is the UID of the release that owns the children; "" where the stored
// seal has lost its owner, as a restore leaves it.
func (s *Seal) OwnerUID() types.UID { return s.owner.UID }

// Sealed is what a decision needs to know of the seal.
func (s *Seal) Sealed() *rollout.Sealed {
	return &rollout.Sealed{
		Digest:        s.Digest,
		ContentDigest: s.ContentDigest,
		Images:        s.Images,
		Snapshots:     s.Snapshots,
		Time:          s.written,
	}
}

// Platforms are, by the reference of an image, the digests of its platforms; none where
// no registry was asked.
func (s *Seal) Platforms() map[string][]string {
	platforms := map[string][]string{}
	for _, image := range s.Images {
		if len(image.PlatformDigests) > 0 {
			platforms[image.Image] = image.PlatformDigests
		}
	}
	return platforms
}

// Service is the release Service of a component, ready to be created; nil for a
// component without ports.
func (s *Seal) Service(component string) (*corev1.Service, error) {
	sealed, err := s.component(component)
	if err != nil || sealed.Service == nil {
		return nil, err
	}
	service := &corev1.Service{}
	if err := s.decode("Service "+component, sealed.Service, service); err != nil {
		return nil, err
	}
	s.own(&service.ObjectMeta)
	return service, nil
}

// Deployment is the Deployment of a component, ready to be created with that
// many replicas, and stamped with the record that justifies the write.
func (s *Seal) Deployment(component string, replicas int32, sequence int64) (*appsv1.Deployment, error) {
	sealed, err := s.component(component)
	if err != nil {
		return nil, err
	}
	deployment, err := decodeOnce[appsv1.Deployment](s, "Deployment "+component, sealed.Deployment)
	if err != nil {
		return nil, err
	}
	s.own(&deployment.ObjectMeta)
	Stamp(&deployment.ObjectMeta, sequence)
	deployment.Spec.Replicas = &replicas
	return deployment, nil
}

// PodLabels are those of a component's pods. They are shared, and read only.
func (s *Seal) PodLabels(component string) (map[string]string, error) {
	sealed, err := s.component(component)
	if err != nil {
		return nil, err
	}
	deployment, err := decoded[appsv1.Deployment](s, "Deployment "+component, sealed.Deployment)
	if err != nil {
		return nil, err
	}
	return deployment.Spec.Template.Labels, nil
}

// Autoscaler is the HorizontalPodAutoscaler of a component, ready to be created with
// those bounds, and stamped; nil for a component without.
func (s *Seal) Autoscaler(component string, least, most int32, sequence int64) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	sealed, err := s.component(component)
	if err != nil || sealed.Autoscaler == nil {
		return nil, err
	}
	autoscaler := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := s.decode("HorizontalPodAutoscaler "+component, sealed.Autoscaler, autoscaler); err != nil {
		return nil, err
	}
	s.own(&autoscaler.ObjectMeta)
	Stamp(&autoscaler.ObjectMeta, sequence)
	autoscaler.Spec.MinReplicas, autoscaler.Spec.MaxReplicas = &least, most
	return autoscaler, nil
}

// Disruption is the PodDisruptionBudget of a component, ready to be created; nil for
// a component without.
func (s *Seal) Disruption(component string) (*policyv1.PodDisruptionBudget, error) {
	sealed, err := s.component(component)
	if err != nil || sealed.Disruption == nil {
		return nil, err
	}
	budget := &policyv1.PodDisruptionBudget{}
	if err := s.decode("PodDisruptionBudget "+component, sealed.Disruption, budget); err != nil {
		return nil, err
	}
	s.own(&budget.ObjectMeta)
	return budget, nil
}

// Job is the Job of a test in an attempt, for the step weight if that is not
// nil, ready to be created.
func (s *Seal) Job(test string, attempt int32, weight *int32, sequence int64) (*batchv1.Job, error) {
	sealed, err := s.test(test)
	if err != nil {
		return nil, err
	}
	job, err := decodeOnce[batchv1.Job](s, "Job "+test, sealed.Job)
	if err != nil {
		return nil, err
	}
	job.Name = JobName(s.ReleaseName, test, attempt, weight)
	s.own(&job.ObjectMeta)
	Stamp(&job.ObjectMeta, sequence)
	number := strconv.Itoa(int(attempt))
	job.Labels[v1alpha1.LabelAttempt] = number
	job.Spec.Template.Labels[v1alpha1.LabelAttempt] = number
	if weight != nil {
		job.Annotations[v1alpha1.AnnotationWeight] = strconv.Itoa(int(*weight))
	}
	return job, nil
}

// Stamp notes on an object which record justifies its newest write.
func Stamp(meta metav1.Object, sequence int64) {
	annotations := meta.GetAnnotations()
	if annotations == nil {
		annotations = make(map[string]string, 1)
	}
	annotations[v1alpha1.AnnotationSequence] = strconv.FormatInt(sequence, 10)
	meta.SetAnnotations(annotations)
}

// StampOf is the sequence number that an object is stamped with; 0 without one,
// or with one that cannot be read.
func StampOf(meta metav1.Object) int64 {
	sequence, err := strconv.ParseInt(meta.GetAnnotations()[v1alpha1.AnnotationSequence], 10, 64)
	if err != nil {
		return 0
	}
	return sequence
}

// HeldBy is the sequence number of the record that a release is held by; 0 where it
// has no mark. A mark that cannot be read is an old one.
func HeldBy(meta metav1.Object) int64 {
	mark, held := meta.GetLabels()[v1alpha1.LabelHeld]
	if !held {
		return 0
	}
	sequence, err := strconv.ParseInt(mark, 10, 64)
	if err != nil {
		return 1
	}
	return max(sequence, 1)
}

func (s *Seal) component(name string) (*SealedComponent, error) {
	for i := range s.Components {
		if s.Components[i].Name == name {
			return &s.Components[i], nil
		}
	}
	return nil, fmt.Errorf("seal of release %s has no component %q", s.ReleaseName, name)
}

func (s *Seal) test(name string) (*SealedTest, error) {
	for i := range s.Tests {
		if s.Tests[i].Name == name {
			return &s.Tests[i], nil
		}
	}
	return nil, fmt.Errorf("seal of release %s has no test %q", s.ReleaseName, name)
}

// decodeOnce decodes what was not asked for before. Callers get a copy that is theirs.
func decodeOnce[T any, Object interface {
	*T
	DeepCopy() *T
}](s *Seal, noun string, data []byte) (*T, error) {
	known, err := decoded[T](s, noun, data)
	if err != nil {
		return nil, err
	}
	return Object(known).DeepCopy(), nil
}

// decoded is the object that is kept: it is read only.
func decoded[T any](s *Seal, noun string, data []byte) (*T, error) {
	if known, ok := s.decoded[noun]; ok {
		return known.(*T), nil
	}
	object := new(T)
	if err := s.decode(noun, data, object); err != nil {
		return nil, err
	}
	if s.decoded != nil {
		s.decoded[noun] = object
	}
	return object, nil
}

// decode refuses a field that this build's library does not know: an operator
// too old for a seal must not create half of what was sealed.
func (s *Seal) decode(noun string, data []byte, into any) error {
	if err := jsonv2.Unmarshal(data, into, jsonv1.DefaultOptionsV1(), jsonv2.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("decode %s from the seal of release %s: %w", noun, s.ReleaseName, err)
	}
	return nil
}

func (s *Seal) own(meta *metav1.ObjectMeta) {
	meta.Namespace = s.namespace
	if s.owner.UID != "" {
		meta.OwnerReferences = []metav1.OwnerReference{s.owner}
	}
}
