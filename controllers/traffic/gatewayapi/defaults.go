package gatewayapi

import (
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// The defaults of the CRDs that are the same for all kinds, filled in in place.

func parentDefaults(refs []gatewayv1.ParentReference) {
	for i := range refs {
		setDefault(&refs[i].Group, gatewayv1.GroupName)
		setDefault(&refs[i].Kind, "Gateway")
	}
}

func backendDefaults(ref *gatewayv1.BackendRef) {
	referenceDefaults(&ref.BackendObjectReference)
	setDefault(&ref.Weight, 1)
}

func referenceDefaults(ref *gatewayv1.BackendObjectReference) {
	setDefault(&ref.Group, "")
	setDefault(&ref.Kind, "Service")
}

func mirrorDefaults(mirror *gatewayv1.HTTPRequestMirrorFilter) {
	if mirror == nil {
		return
	}
	referenceDefaults(&mirror.BackendRef)
	if mirror.Fraction != nil {
		setDefault(&mirror.Fraction.Denominator, 100)
	}
}

func setDefault[T any](field **T, value T) {
	if *field == nil {
		*field = ptr.To(value)
	}
}
