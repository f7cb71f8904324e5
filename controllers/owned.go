package controllers

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// observeCapacity tells of the autoscaler and the PodDisruptionBudget of a component.
func (r *TrackReconciler) observeCapacity(ctx context.Context, w *world, release *v1alpha1.ImmutableRelease, spec *v1alpha1.Component, c *rollout.Component, wanted bool) error {
	name := resources.ChildName(release.Name, spec.Name)
	autoscaler, err := find(ctx, r, w.children.autoscalers[name], release, name, wanted && spec.Autoscaling != nil)
	if err != nil {
		return err
	}
	c.Autoscaler, err = claim(w, c, autoscaler, release, "HorizontalPodAutoscaler", func(s *resources.Seal) (*autoscalingv2.HorizontalPodAutoscaler, error) {
		return s.Autoscaler(spec.Name, 0, 0, 0)
	})
	if err != nil {
		return err
	}
	if c.Autoscaler == rollout.Ours {
		autoscaler, err = asSealed(ctx, r, w, c, autoscaler, release, kindAutoscaler, func(s *resources.Seal) (*autoscalingv2.HorizontalPodAutoscaler, error) {
			return s.Autoscaler(spec.Name, 0, 0, 0)
		})
		if err != nil {
			return err
		}
		w.children.autoscalers[name] = autoscaler
		c.MinReplicas, c.MaxReplicas = 1, autoscaler.Spec.MaxReplicas
		if least := autoscaler.Spec.MinReplicas; least != nil {
			c.MinReplicas = *least
		}
		c.AutoscalerSequence = resources.StampOf(autoscaler)
	}
	disruption, err := find(ctx, r, w.children.disruptions[name], release, name, wanted && spec.Disruption != nil)
	if err != nil {
		return err
	}
	c.Disruption, err = claim(w, c, disruption, release, "PodDisruptionBudget", func(s *resources.Seal) (*policyv1.PodDisruptionBudget, error) { return s.Disruption(spec.Name) })
	if err != nil {
		return err
	}
	if c.Disruption == rollout.Ours {
		disruption, err = asSealed(ctx, r, w, c, disruption, release, kindDisruption, func(s *resources.Seal) (*policyv1.PodDisruptionBudget, error) { return s.Disruption(spec.Name) })
		w.children.disruptions[name] = disruption
	}
	return err
}

// of are the objects that a release owns, in the order in which they may go: nothing
// makes a Deployment larger that is on its way out, and a Service outlives its pods.
func (c *ownedChildren) of(release *rollout.Release) []client.Object {
	var autoscalers, deployments, disruptions, services []client.Object
	for _, component := range release.Components {
		name := resources.ChildName(release.Name, component.Name)
		if component.Autoscaler == rollout.Ours {
			autoscalers = append(autoscalers, c.autoscalers[name])
		}
		if component.Deployment == rollout.Ours {
			deployments = append(deployments, c.deployments[name])
		}
		if component.Disruption == rollout.Ours {
			disruptions = append(disruptions, c.disruptions[name])
		}
		if component.Service == rollout.Ours {
			services = append(services, c.services[name])
		}
	}
	return slices.Concat(autoscalers, deployments, disruptions, services)
}

// put is the object as it is now.
func (c *ownedChildren) put(object client.Object) {
	switch o := object.(type) {
	case *appsv1.Deployment:
		c.deployments[o.Name] = o
	case *corev1.Service:
		c.services[o.Name] = o
	case *autoscalingv2.HorizontalPodAutoscaler:
		c.autoscalers[o.Name] = o
	case *policyv1.PodDisruptionBudget:
		c.disruptions[o.Name] = o
	}
}

// missingChildren are those of a release that are not there, as its seal makes them,
// in the order in which they are created. What is there is not made: a track is looked
// at often, and seals of large releases are large.
func missingChildren(seal *resources.Seal, components []rollout.Component, a rollout.CreateChildren) ([]client.Object, error) {
	var before, deployments, after []client.Object
	for i, c := range components {
		if c.Service == rollout.Missing {
			service, err := seal.Service(c.Name)
			if err != nil {
				return nil, err
			}
			if service != nil {
				resources.Stamp(service, a.Sequence)
				before = append(before, service)
			}
		}
		if c.Disruption == rollout.Missing {
			disruption, err := seal.Disruption(c.Name)
			if err != nil {
				return nil, err
			}
			if disruption != nil {
				before = append(before, disruption)
			}
		}
		if c.Deployment == rollout.Missing {
			deployment, err := seal.Deployment(c.Name, a.Sizes[i].Replicas, a.Sequence)
			if err != nil {
				return nil, err
			}
			deployments = append(deployments, deployment)
		}
		if c.Autoscaler == rollout.Missing {
			autoscaler, err := seal.Autoscaler(c.Name, a.Sizes[i].Least, a.Sizes[i].Most, a.Sequence)
			if err != nil {
				return nil, err
			}
			if autoscaler != nil {
				after = append(after, autoscaler)
			}
		}
	}
	if a.WithoutPods {
		return before, nil
	}
	return slices.Concat(before, deployments, after), nil
}
