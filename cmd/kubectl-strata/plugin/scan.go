package plugin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// scanner reads from the API server alone, and finds by the indexes that the operator's
// cache has: it lists what that cache would hold, and looks through it.
type scanner struct {
	client.Client
	namespace string

	mu      sync.Mutex
	indexes map[string]client.IndexerFunc
	// unseen are the kinds that the user may not list elsewhere, and where.
	unseen []string
}

func newScanner(c client.Client, namespace string) *scanner {
	return &scanner{Client: c, namespace: namespace, indexes: map[string]client.IndexerFunc{}}
}

// IndexField implements client.FieldIndexer.
func (s *scanner) IndexField(_ context.Context, object client.Object, field string, extract client.IndexerFunc) error {
	gvk, err := s.GroupVersionKindFor(object)
	if err != nil {
		return err
	}
	s.indexes[gvk.Kind+"List "+field] = extract
	return nil
}

// List implements client.Reader. What is found by an index in the whole cluster, or is
// an Ingress, and the user may not list there, is listed in the namespace of the session;
// unseen tells.
func (s *scanner) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	asked := (&client.ListOptions{}).ApplyOptions(options)
	gvk, err := s.GroupVersionKindFor(list)
	if err != nil {
		return err
	}
	var extract client.IndexerFunc
	value := ""
	if asked.FieldSelector != nil {
		for _, r := range asked.FieldSelector.Requirements() {
			if extract = s.indexes[gvk.Kind+" "+r.Field]; extract != nil {
				value = r.Value
				break
			}
		}
	}
	if extract != nil {
		asked.FieldSelector, asked.LabelSelector = nil, ofTracks()
	}
	err = s.Client.List(ctx, list, asked)
	if apierrors.IsForbidden(err) && asked.Namespace != s.namespace && (asked.Namespace != "" || extract != nil || gvk.Group == networkingv1.GroupName) {
		s.note(strings.TrimSuffix(gvk.Kind, "List"), asked.Namespace)
		if asked.Namespace == "" {
			asked.Namespace = s.namespace
			err = s.Client.List(ctx, list, asked)
		}
	}
	if err != nil || extract == nil {
		return err
	}
	return keep(list, func(object client.Object) bool { return slices.Contains(extract(object), value) })
}

// ofTracks is what the operator's cache holds.
func ofTracks() labels.Selector {
	requirement, err := labels.NewRequirement(v1alpha1.LabelTrack, selection.Exists, nil)
	if err != nil {
		panic("the label of a track is no label: " + err.Error())
	}
	return labels.NewSelector().Add(*requirement)
}

func keep(list client.ObjectList, wanted func(client.Object) bool) error {
	var kept []runtime.Object
	err := meta.EachListItem(list, func(object runtime.Object) error {
		if wanted(object.(client.Object)) {
			kept = append(kept, object)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look through a list: %w", err)
	}
	return meta.SetList(list, kept)
}

func (s *scanner) note(kind, namespace string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	where := "of other namespaces"
	if namespace != "" {
		where = "of namespace " + namespace
	}
	if note := kind + " " + where; !slices.Contains(s.unseen, note) {
		s.unseen = append(s.unseen, note)
	}
}
