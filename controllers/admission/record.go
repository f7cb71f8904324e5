package admission

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/ledger"
)

// verbRestore lets a user bring back the records of a track.
const verbRestore = "restore"

// recordHandler answers for records: they are the operator's.
type recordHandler struct {
	decoder  admission.Decoder
	operator guards.Identity
	live     client.Reader
	// writer asks the API server for access reviews.
	writer client.Writer
}

// Handle refuses everybody else, but for what changes nothing, and for a record that
// comes back as it was.
func (h *recordHandler) Handle(ctx context.Context, req admission.Request) admission.Response {
	if h.operator.Is(req.UserInfo) {
		return admission.Allowed("")
	}
	if req.Operation == admissionv1.Create {
		return h.restore(ctx, req)
	}
	if unchanged, err := sameObject(req); err != nil {
		return unreadable(req, err)
	} else if unchanged {
		return admission.Allowed("")
	}
	return frozen(req, ruleRecord, "", "records are the log of their track and are written by the operator alone; to ask for something, create a ReleaseAction")
}

func (h *recordHandler) restore(ctx context.Context, req admission.Request) admission.Response {
	record := &v1alpha1.ReleaseRecord{}
	if err := h.decoder.Decode(req, record); err != nil {
		return unreadable(req, err)
	}
	allowed, err := mayDo(ctx, h.writer, req, record.Spec.TrackName, verbRestore)
	if err != nil {
		return unanswerable(err)
	}
	if !allowed {
		return admission.Denied(ruleRecords + ": records are the log of their track and are written by the operator alone; who brings a lost log back needs the verb restore on its releasetrack")
	}
	there := &v1alpha1.ReleaseRecordList{}
	if err := h.live.List(ctx, there, client.InNamespace(req.Namespace), client.MatchingFields{"spec.trackName": record.Spec.TrackName}); err != nil {
		return unanswerable(fmt.Errorf("list the records of track %s: %w", record.Spec.TrackName, err))
	}
	if err := ledger.Restorable(record, there.Items); err != nil {
		return admission.Denied(ruleRecords + ": records are written by the operator alone, and come back as they were: " + err.Error())
	}
	return admission.Allowed("")
}
