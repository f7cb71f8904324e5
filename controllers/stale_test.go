package controllers

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
)

func (b *bench) publishConfigured(version string, changes ...func(*v1alpha1.ImmutableReleaseSpec)) {
	b.Helper()
	reads := func(spec *v1alpha1.ImmutableReleaseSpec) {
		spec.Components[0].Template.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{
			{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}},
			{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "password"}}},
		}
	}
	b.publish(version, append(changes, reads)...)
}

// within lets the loop look as often as it asks to, for an amount of time.
func (b *bench) within(d time.Duration) (looks int) {
	b.Helper()
	for end := b.now.Add(d); ; looks++ {
		result, err := b.turn()
		if err != nil {
			b.Fatal(err)
		}
		if result.RequeueAfter == 0 || b.now.Add(result.RequeueAfter).After(end) {
			b.now = end
			return looks
		}
		b.now = b.now.Add(result.RequeueAfter)
	}
}

// What a live source has become since it was frozen is said within the hour, also after
// a restart, without a write where nothing has changed; and it is never followed.
func TestStaleConfigurationIsSaid(t *testing.T) {
	b := newBench(t)
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: shop.Namespace, Name: name} }
	settings := &corev1.ConfigMap{ObjectMeta: meta("settings"), Data: map[string]string{"greeting": "hello"}}
	password := &corev1.Secret{ObjectMeta: meta("password"), Data: map[string][]byte{"password": []byte("one")}}
	b.store(settings)
	b.store(password)
	b.publishConfigured("1.0")
	b.settle("shop-1.0")
	b.within(2 * staleLook)
	b.expect("shop-1.0", v1alpha1.ConditionSealed, "True Sealed", "")

	settings.Data["greeting"] = "goodbye"
	b.must(b.api.Update(t.Context(), settings), b.api.Delete(t.Context(), password))
	b.writes = nil
	if looks := b.within(staleLook + time.Minute); looks > 4 {
		t.Errorf("%d looks in an hour", looks)
	}
	b.expect("shop-1.0", v1alpha1.ConditionSealed, "True ConfigStale", "ConfigMap settings has another content now, Secret password is gone")
	if n := len(b.writes); n != 0 {
		t.Errorf("something was written: %v", b.writes)
	}

	version := b.releaseVersion("shop-1.0")
	b.loop.notes.forget(shop) // as a restart does
	b.turn()
	b.expect("shop-1.0", v1alpha1.ConditionSealed, "True ConfigStale", "settings")
	b.within(2 * staleLook)
	if now := b.releaseVersion("shop-1.0"); now != version {
		t.Errorf("the status was written anew: %s, %s", version, now)
	}

	settings.Data["greeting"] = "hello"
	b.must(b.api.Update(t.Context(), settings))
	password.ResourceVersion = ""
	b.must(b.api.Create(t.Context(), password))
	b.within(staleLook + time.Minute)
	b.expect("shop-1.0", v1alpha1.ConditionSealed, "True Sealed", "")
}

func (b *bench) releaseVersion(name string) string {
	b.Helper()
	release := &v1alpha1.ImmutableRelease{}
	b.must(b.api.Get(b.Context(), types.NamespacedName{Namespace: shop.Namespace, Name: name}, release))
	return release.ResourceVersion
}

// A restart of the operator is no burst of reads: releases take their first look at
// different times, all within the hour.
func TestFirstLooksAreSpread(t *testing.T) {
	seen := map[time.Duration]bool{}
	for i := range 100 {
		at := spread(strings.Repeat("a", i), staleLook)
		if at <= 0 || at > staleLook {
			t.Errorf("the first look is after %s", at)
		}
		seen[at] = true
	}
	if len(seen) < 90 {
		t.Errorf("100 releases look at %d different times", len(seen))
	}
}
