package controllers

import (
	"context"
	"fmt"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/images"
	"github.com/strata-release/strata/controllers/policy"
	"github.com/strata-release/strata/controllers/resources"
)

// judge holds a release to the policies of its namespace, once, before it is sealed:
// those that are there now, whatever there was when it was admitted. The evidence goes
// into the seal; a sealed release is never judged again, and so a registry that is down
// keeps nobody from going back.
func (r *TrackReconciler) judge(ctx context.Context, w *world, release *v1alpha1.ImmutableRelease, seal *resources.Seal) error {
	effective, err := policy.Read(ctx, r.Client, r.live, w.Namespace)
	if err != nil {
		return err
	}
	if denied, _ := effective.Check(&release.Spec); len(denied) > 0 {
		return &unsealable{"PolicyDenied", denied.ToAggregate().Error() + ": publish a release that keeps to it"}
	}
	if !effective.AsksRegistries() {
		return nil
	}
	if r.options.Images == nil {
		return &unsealable{"ImagesNotChecked", "policies ask for a check of images, and this operator does not make it"}
	}
	answer := r.options.Images.Ask(images.Question{Track: w.key, Release: release.UID, Spec: &release.Spec, Policy: effective})
	switch answer.Outcome {
	case images.Pending:
		return &unsealable{"CheckingImages", fmt.Sprintf("the registries are asked about the images of %s", release.Name)}
	case images.Refused, images.Unknown:
		return &unsealable{answer.Reason, answer.Message}
	}
	seal.Witness(answer.Signatures, answer.Warnings)
	return nil
}
