package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// operatorDeployment is the one Deployment in the operator's namespace.
func (e *Environment) operatorDeployment(ctx context.Context) (*appsv1.Deployment, error) {
	var deployments appsv1.DeploymentList
	if err := e.Client.List(ctx, &deployments, client.InNamespace(e.OperatorNamespace)); err != nil {
		return nil, fmt.Errorf("list the operator's Deployments: %w", err)
	}
	if len(deployments.Items) != 1 {
		return nil, fmt.Errorf("namespace %s has %d Deployments, want the operator's alone", e.OperatorNamespace, len(deployments.Items))
	}
	return &deployments.Items[0], nil
}

// operatorPods are the pods of the operator's Deployment.
func (e *Environment) operatorPods(ctx context.Context) ([]corev1.Pod, error) {
	deployment, err := e.operatorDeployment(ctx)
	if err != nil {
		return nil, err
	}
	var pods corev1.PodList
	err = e.Client.List(ctx, &pods, client.InNamespace(e.OperatorNamespace), client.MatchingLabels(deployment.Spec.Selector.MatchLabels))
	if err != nil {
		return nil, fmt.Errorf("list the operator's pods: %w", err)
	}
	if len(pods.Items) == 0 {
		return nil, fmt.Errorf("namespace %s has no operator pod", e.OperatorNamespace)
	}
	return pods.Items, nil
}

// KillOperator ends every pod of the operator at once, without a chance to hand
// over; its Deployment starts it again.
func (e *Environment) KillOperator(ctx context.Context) error {
	pods, err := e.operatorPods(ctx)
	if err != nil {
		return err
	}
	for i := range pods {
		if err := e.Client.Delete(ctx, &pods[i], client.GracePeriodSeconds(0)); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("kill operator pod %s: %w", pods[i].Name, err)
		}
	}
	return nil
}

// RestartOperator ends every pod of the operator as a rollout of it would.
func (e *Environment) RestartOperator(ctx context.Context) error {
	pods, err := e.operatorPods(ctx)
	if err != nil {
		return err
	}
	for i := range pods {
		if err := e.Client.Delete(ctx, &pods[i]); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("restart operator pod %s: %w", pods[i].Name, err)
		}
	}
	return nil
}

// ScaleOperator sets how many pods the operator has; 0 takes it away.
func (e *Environment) ScaleOperator(ctx context.Context, replicas int32) error {
	deployment, err := e.operatorDeployment(ctx)
	if err != nil {
		return err
	}
	scaled := deployment.DeepCopy()
	scaled.Spec.Replicas = &replicas
	if err := e.Client.Patch(ctx, scaled, client.MergeFrom(deployment)); err != nil {
		return fmt.Errorf("scale Deployment %s: %w", scaled.Name, err)
	}
	return nil
}

// nextLeader is how long nobody leads at the most where an operator has handed over.
const nextLeader = time.Minute

// lease is the one that the operator's replicas compete for. One that has ended hands it over,
// and for a moment nobody holds it.
func (e *Environment) lease(ctx context.Context) (*coordinationv1.LeaseSpec, error) {
	for end := time.Now().Add(nextLeader); ; {
		var leases coordinationv1.LeaseList
		if err := e.Client.List(ctx, &leases, client.InNamespace(e.OperatorNamespace)); err != nil {
			return nil, fmt.Errorf("list the operator's Leases: %w", err)
		}
		if len(leases.Items) == 1 && leases.Items[0].Spec.AcquireTime != nil && ptr.Deref(leases.Items[0].Spec.HolderIdentity, "") != "" {
			return &leases.Items[0].Spec, nil
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("namespace %s has %d Leases, want one that is held", e.OperatorNamespace, len(leases.Items))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// LeaderSince is when the operator that leads began to.
func (e *Environment) LeaderSince(ctx context.Context) (time.Time, error) {
	lease, err := e.lease(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return lease.AcquireTime.Time, nil
}

// Leader is the name of the operator's pod that leads.
func (e *Environment) Leader(ctx context.Context) (string, error) {
	lease, err := e.lease(ctx)
	if err != nil {
		return "", err
	}
	pod, _, _ := strings.Cut(*lease.HolderIdentity, "_")
	return pod, nil
}

// OperatorUser is the user name by which the API server knows the operator, also
// while it has no pod.
func (e *Environment) OperatorUser(ctx context.Context) (string, error) {
	deployment, err := e.operatorDeployment(ctx)
	if err != nil {
		return "", err
	}
	return "system:serviceaccount:" + e.OperatorNamespace + ":" + deployment.Spec.Template.Spec.ServiceAccountName, nil
}

// OperatorLog is the tail of the operator's logs.
func (e *Environment) OperatorLog(ctx context.Context, lines int64) string {
	pods, err := e.operatorPods(ctx)
	if err != nil {
		return err.Error()
	}
	clientset, err := kubernetes.NewForConfig(e.Config)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, pod := range pods {
		log, err := clientset.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{TailLines: &lines}).DoRaw(ctx)
		if err != nil {
			log = []byte(err.Error())
		}
		fmt.Fprintf(&b, "--- %s\n%s\n", pod.Name, log)
	}
	return b.String()
}

// Write is one line of the audit log: a successful write of an object.
type Write struct {
	Time        time.Time
	Verb        string
	Resource    string
	Subresource string
	Name        string
	Code        int
	// Pod that sent it; "" where a user did.
	Pod string
}

func (w Write) String() string {
	resource := w.Resource
	if w.Subresource != "" {
		resource += "/" + w.Subresource
	}
	return fmt.Sprintf("%s %s %s %s %d", w.Time.Format("15:04:05.000"), w.Verb, resource, w.Name, w.Code)
}

// auditEvent is the part of an audit.k8s.io/v1 Event that is read here.
type auditEvent struct {
	Stage      string
	Verb       string
	RequestURI string
	User       struct {
		Username string
		Extra    map[string][]string
	}
	ObjectRef *struct {
		Resource, Namespace, Name, Subresource, APIGroup string
	}
	ResponseStatus           *struct{ Code int }
	RequestReceivedTimestamp time.Time
}

var errNoAuditLog = errors.New("STRATA_AUDIT_LOG is not set: writes cannot be counted")

// Writes are the writes that user sent about objects of a namespace, of all for "", since from,
// events and leases excepted, refused ones included: they cost the same.
func (e *Environment) Writes(user, namespace string, from time.Time) ([]Write, error) {
	if e.AuditLog == "" {
		return nil, errNoAuditLog
	}
	file, err := os.Open(e.AuditLog)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	defer file.Close()
	return readWrites(file, user, namespace, from)
}

// Requests counts what user has sent about objects of a namespace, of all for "", since from,
// by verb and resource: "create pods", "patch releasetracks/status", "patch deployments,
// tried". The audit log must have reads too. Leases are left out.
func (e *Environment) Requests(user, namespace string, from time.Time) (map[string]int, error) {
	if e.AuditLog == "" {
		return nil, errNoAuditLog
	}
	file, err := os.Open(e.AuditLog)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	defer file.Close()
	counts := map[string]int{}
	err = readAudit(file, func(event auditEvent) {
		if event.ObjectRef == nil || event.ObjectRef.Resource == "leases" || !event.isOf(user, namespace, from) {
			return
		}
		// A watch is told of when it begins, and again when it ends.
		if (event.Verb == "watch") != (event.Stage == "ResponseStarted") {
			return
		}
		what := event.Verb + " " + event.ObjectRef.Resource
		if event.ObjectRef.Subresource != "" {
			what += "/" + event.ObjectRef.Subresource
		}
		if strings.Contains(event.RequestURI, "dryRun=") {
			what += ", tried"
		}
		counts[what]++
	})
	return counts, err
}

func readWrites(log io.Reader, user, namespace string, from time.Time) ([]Write, error) {
	var writes []Write
	err := readAudit(log, func(event auditEvent) {
		if !event.isWrite() || !event.isOf(user, namespace, from) {
			return
		}
		write := Write{Time: event.RequestReceivedTimestamp, Verb: event.Verb, Resource: event.ObjectRef.Resource,
			Subresource: event.ObjectRef.Subresource, Name: event.ObjectRef.Name,
			Pod: strings.Join(event.User.Extra["authentication.kubernetes.io/pod-name"], "")}
		if event.ResponseStatus != nil {
			write.Code = event.ResponseStatus.Code
		}
		writes = append(writes, write)
	})
	return writes, err
}

// readAudit reads an audit log, each request once.
func readAudit(log io.Reader, each func(auditEvent)) error {
	lines := bufio.NewScanner(log)
	lines.Buffer(make([]byte, 1<<20), 16<<20)
	for lines.Scan() {
		var event auditEvent
		// The API server may be in the middle of the last line.
		if err := json.Unmarshal(lines.Bytes(), &event); err == nil {
			each(event)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	return nil
}

func (a auditEvent) isOf(user, namespace string, from time.Time) bool {
	return a.User.Username == user && (namespace == "" || a.ObjectRef.Namespace == namespace) && !a.RequestReceivedTimestamp.Before(from)
}

func (a auditEvent) isWrite() bool {
	if a.Stage != "ResponseComplete" || a.ObjectRef == nil || strings.Contains(a.RequestURI, "dryRun=") {
		return false
	}
	switch a.Verb {
	case "create", "update", "patch", "delete", "deletecollection":
	default:
		return false
	}
	switch a.ObjectRef.Resource {
	case "events", "leases":
		return false
	}
	return true
}
