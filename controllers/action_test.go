package controllers

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

func TestActionStatus(t *testing.T) {
	start := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		created time.Duration
		event   v1alpha1.RecordEvent
		outcome v1alpha1.ActionOutcome
		message string
	}{
		"carried out":                    {-time.Minute, v1alpha1.EventAborted, v1alpha1.ActionDone, "Aborted: why"},
		"carried out in the same second": {0, v1alpha1.EventAborted, v1alpha1.ActionDone, "Aborted: why"},
		"refused":                        {-time.Minute, v1alpha1.EventRefused, v1alpha1.ActionRefused, "Refused: why"},
		"under way":                      {-time.Minute, v1alpha1.EventRecalled, "", ""},
		"a name that was used before":    {time.Minute, v1alpha1.EventAborted, v1alpha1.ActionRefused, "another action had this name"},
	} {
		t.Run(name, func(t *testing.T) {
			action := &v1alpha1.ReleaseAction{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(start.Add(c.created))}}
			record := &v1alpha1.ReleaseRecord{
				ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(start)},
				Spec:       v1alpha1.ReleaseRecordSpec{Sequence: 7, Event: c.event, Message: "why"},
			}
			status := actionStatus(action, record)
			if status.Outcome != c.outcome || !strings.HasPrefix(status.Message, c.message) {
				t.Errorf("%q: %s", status.Outcome, status.Message)
			}
		})
	}
}
