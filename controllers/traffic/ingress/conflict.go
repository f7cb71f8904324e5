package ingress

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/traffic"
)

// indexClaim finds the Ingresses of tracks by what they claim.
const indexClaim = "strata.claim"

// Indexes registers the indexes that the provider reads by.
func Indexes(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &networkingv1.Ingress{}, indexClaim, byClaim); err != nil {
		return fmt.Errorf("index Ingresses by claim: %w", err)
	}
	if err := indexer.IndexField(ctx, &networkingv1.Ingress{}, traffic.IndexTrack, traffic.ByTrack); err != nil {
		return fmt.Errorf("index Ingresses by track: %w", err)
	}
	return nil
}

// A claim is a class, with dialect ALB the group of Ingresses too that share a load balancer,
// a host, a path and how that is compared. An Ingress that compares in
// a way of its controller's does so by prefix.
func claim(class, host, path, pathType string) string {
	if pathType != string(networkingv1.PathTypeExact) {
		path, pathType = strings.TrimSuffix(path, "/"), string(networkingv1.PathTypePrefix)
	}
	return strings.Join([]string{class, strings.ToLower(host), path, pathType}, "|")
}

func claimsOf(route v1alpha1.IngressRoute) []string {
	class := route.ClassName
	if route.Dialect == v1alpha1.DialectALB {
		group := string(route.Annotations[albGroup])
		if group == "" {
			return nil // It has a load balancer of its own.
		}
		class += "/" + group
	}
	var all []string
	for _, rule := range route.Rules {
		for _, path := range pathsOf(rule) {
			all = append(all, claim(class, rule.Host, path.Path, path.PathType))
		}
	}
	return all
}

func claimsOfLive(live *networkingv1.Ingress) []string {
	if live == nil || live.Annotations[nginxCanary] == "true" {
		return nil // A canary has its share of what the primary claims.
	}
	class := ptr.Deref(live.Spec.IngressClassName, live.Annotations["kubernetes.io/ingress.class"])
	if group := live.Annotations[albGroup]; group != "" {
		class += "/" + group
	} else if isALB(live) {
		return nil
	}
	var all []string
	for _, rule := range live.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for _, path := range rule.HTTP.Paths {
			all = append(all, claim(class, rule.Host, path.Path, string(ptr.Deref(path.PathType, ""))))
		}
	}
	return all
}

func byClaim(object client.Object) []string {
	live, ok := object.(*networkingv1.Ingress)
	if !ok {
		return nil
	}
	all := claimsOfLive(live)
	slices.Sort(all)
	return slices.Compact(all)
}

// rival is another Ingress that holds what a route claims.
type rival struct {
	namespace, name, track string
	made                   metav1.Time
	claims                 []string
}

func rivalOf(live *networkingv1.Ingress) rival {
	return rival{namespace: live.Namespace, name: live.Name, track: live.Labels[v1alpha1.LabelTrack], made: live.CreationTimestamp, claims: claimsOfLive(live)}
}

func (r *rival) message() string {
	whose := ""
	if r.track != "" {
		whose = " of track " + r.track
	}
	return fmt.Sprintf("Ingress %s/%s%s has the same class, host and path, and keeps them: change one of the two", r.namespace, r.name, whose)
}

func (r *rival) holds(claims []string) bool {
	return slices.ContainsFunc(claims, func(c string) bool { return slices.Contains(r.claims, c) })
}

// keeps says whether the claim is the rival's rather than that of live, which may be nil:
// of two that make it the older one has it; one that does not make it yet, never.
func (r *rival) keeps(live *networkingv1.Ingress) bool {
	if live == nil || !r.holds(claimsOfLive(live)) {
		return true
	}
	if !r.made.Equal(&live.CreationTimestamp) {
		return r.made.Before(&live.CreationTimestamp)
	}
	return r.namespace+"/"+r.name > live.Namespace+"/"+live.Name // as ingress-nginx sorts them
}

// rival finds who holds a claim of a route; nil when all are free. Ingresses of tracks
// are looked up by index; those of everybody else are listed, where the route makes a
// claim that its own Ingress does not make yet.
func (p *Provider) rival(ctx context.Context, t traffic.Track, claims []string, live *networkingv1.Ingress) (*rival, error) {
	own := claimsOfLive(live)
	fresh := slices.ContainsFunc(claims, func(c string) bool { return !slices.Contains(own, c) })
	for _, wanted := range claims {
		var found networkingv1.IngressList
		if err := p.client.List(ctx, &found, traffic.Indexed("", indexClaim, wanted)); err != nil {
			return nil, fmt.Errorf("find what claims %s: %w", wanted, err)
		}
		for i := range found.Items {
			other := &found.Items[i]
			if other.Namespace == t.Namespace && other.Labels[v1alpha1.LabelTrack] == t.Name {
				continue
			}
			if r := rivalOf(other); r.keeps(live) {
				p.waiting.Add(wanted, t)
				return &r, nil
			}
		}
	}
	if !fresh {
		return nil, nil
	}
	all, err := p.others.list(ctx, p.live, p.now())
	if err != nil {
		return nil, err
	}
	for i := range all {
		if r := &all[i]; r.holds(claims) && r.keeps(live) {
			return r, nil
		}
	}
	return nil, nil
}

// othersAge is how old a list of everybody's Ingresses may be: it is made for routes that
// do not have their claim yet, by all of them together.
const othersAge = 10 * time.Second

// others are the Ingresses that no track owns.
type others struct {
	mu    sync.Mutex
	at    time.Time
	found []rival
}

func (o *others) list(ctx context.Context, live client.Reader, now time.Time) ([]rival, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if age := now.Sub(o.at); !o.at.IsZero() && age >= 0 && age < othersAge {
		return o.found, nil
	}
	var all []rival
	options := client.ListOptions{Limit: 500}
	for {
		var page networkingv1.IngressList
		if err := live.List(ctx, &page, &options); err != nil {
			return nil, fmt.Errorf("list all Ingresses: %w", err)
		}
		for i := range page.Items {
			if page.Items[i].Labels[v1alpha1.LabelTrack] == "" {
				all = append(all, rivalOf(&page.Items[i]))
			}
		}
		if options.Continue = page.Continue; options.Continue == "" {
			break
		}
	}
	o.at, o.found = now, all
	return all, nil
}
