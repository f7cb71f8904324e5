package controllers

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// What was compared of children that are gone is forgotten: tracks live for long, and
// have many releases.
func TestComparedChildrenAreForgotten(t *testing.T) {
	there := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{UID: "there"}}
	note := &notebook{asSealed: map[types.UID]string{"there": "1", "gone": "1"}}
	note.keepCompared(&ownedChildren{deployments: map[string]*appsv1.Deployment{"shop-2-web": there}})
	if _, ok := note.asSealed["there"]; !ok || len(note.asSealed) != 1 {
		t.Errorf("knows %v", note.asSealed)
	}
}
