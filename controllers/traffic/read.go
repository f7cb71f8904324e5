package traffic

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Names of cache indexes: a look-up in them costs the same however many objects
// the namespace or the cluster has.
const (
	// IndexService finds EndpointSlices by the name of their Service.
	IndexService = "strata.service"
	// IndexTrack finds route objects by the name of their track.
	IndexTrack = "strata.track"
)

// SetupIndexes registers the indexes of the kinds that every cluster serves. It
// is called once, before the cache starts. A kind that may be missing is indexed
// by the source of its provider, once it is there.
func SetupIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &discoveryv1.EndpointSlice{}, IndexService, byService); err != nil {
		return fmt.Errorf("index EndpointSlices by Service: %w", err)
	}
	if err := indexer.IndexField(ctx, &corev1.Service{}, IndexTrack, ByTrack); err != nil {
		return fmt.Errorf("index Services by track: %w", err)
	}
	return nil
}

// ByTrack gives the index key of a route object; none for other objects.
func ByTrack(object client.Object) []string {
	if object.GetLabels()[v1alpha1.LabelRoute] == "" && object.GetLabels()[v1alpha1.LabelAttached] == "" {
		return nil
	}
	return []string{object.GetLabels()[v1alpha1.LabelTrack]}
}

func byService(slice client.Object) []string {
	if name := slice.GetLabels()[discoveryv1.LabelServiceName]; name != "" {
		return []string{name}
	}
	return nil
}

// Indexed are the options of a list of what an index has under a key, in all namespaces
// where that is "". The objects are shared with the cache: read only.
func Indexed(namespace, index, key string) client.ListOption {
	return &client.ListOptions{Namespace: namespace, FieldSelector: fields.OneTermEqualSelector(index, key), UnsafeDisableDeepCopy: ptr.To(true)}
}

// Find reads a route object from the cache and, where that has none, from the API
// server: the cache holds only what carries the operator's labels, so an object
// of somebody else's is seen by a live read alone. Once the object exists no live
// read is made. A kind that is not served is an error: see KindMissing. What is found is
// shared with the cache: read only.
func Find(ctx context.Context, cached, live client.Reader, key types.NamespacedName, into client.Object) (found bool, err error) {
	err = cached.Get(ctx, key, into, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		err = live.Get(ctx, key, into)
	}
	if apierrors.IsNotFound(err) && !KindMissing(err) {
		return false, nil
	}
	return err == nil, err
}

// KindMissing says whether a request failed because the API server does not serve
// the kind: discovery does not know it, or it went since discovery was asked.
func KindMissing(err error) bool {
	return errors.Is(err, errKindMissing) || meta.IsNoMatchError(err) ||
		apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// ReadyPods are the pods behind a Service that its EndpointSlices call ready, by
// UID; an endpoint without a pod counts by its address. Unknown is not ready. With
// a port name, slices that do not carry that port are left out.
func ReadyPods(ctx context.Context, cached client.Reader, namespace, service, portName string) (map[types.UID]bool, error) {
	var slices discoveryv1.EndpointSliceList
	if err := cached.List(ctx, &slices, Indexed(namespace, IndexService, service)); err != nil {
		return nil, fmt.Errorf("list EndpointSlices of Service %s/%s: %w", namespace, service, err)
	}
	ready := map[types.UID]bool{}
	for i := range slices.Items {
		if !carries(&slices.Items[i], portName) {
			continue
		}
		for _, endpoint := range slices.Items[i].Endpoints {
			if endpoint.Conditions.Ready == nil || !*endpoint.Conditions.Ready {
				continue
			}
			ready[identity(endpoint)] = true
		}
	}
	return ready, nil
}

func carries(slice *discoveryv1.EndpointSlice, portName string) bool {
	if portName == "" {
		return true
	}
	for _, port := range slice.Ports {
		if port.Name != nil && *port.Name == portName && port.Port != nil {
			return true
		}
	}
	return false
}

func identity(endpoint discoveryv1.Endpoint) types.UID {
	if endpoint.TargetRef != nil && endpoint.TargetRef.UID != "" {
		return endpoint.TargetRef.UID
	}
	if len(endpoint.Addresses) > 0 {
		return types.UID(endpoint.Addresses[0])
	}
	return ""
}
