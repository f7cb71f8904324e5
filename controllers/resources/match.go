package resources

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Strictness says how a live object may differ from the sealed one.
type Strictness int

const (
	// AsSealed allows only what is known to be a default of the API server.
	AsSealed Strictness = iota
	// WithDefaults also allows fields that the seal does not set, because an API
	// server newer than this operator may default more; but not within a pod's spec,
	// which says what runs, and where Kubernetes adds no defaults any more.
	WithDefaults
)

// Difference says in which field, the first in the order of its type, a live
// object is not what the API server makes of the sealed child; "" when there is
// none. Compared are the child's labels, and the spec but for the size of a
// Deployment and what bounds it, or the webhooks of a configuration. Lists compare in order. Both objects have one type, and are not
// changed.
func Difference(child, live metav1.Object, strictness Strictness) string {
	want, got := reflect.ValueOf(child).Elem(), reflect.ValueOf(live).Elem()
	if want.Type() != got.Type() {
		return fmt.Sprintf("it is a %s, sealed is a %s", got.Type().Name(), want.Type().Name())
	}
	labels := live.GetLabels()
	for _, key := range slices.Sorted(maps.Keys(child.GetLabels())) {
		if value := child.GetLabels()[key]; labels[key] != value {
			return fmt.Sprintf("metadata.labels[%s] is %q, sealed %q", key, labels[key], value)
		}
	}
	for _, field := range []string{"Spec", "Webhooks"} {
		if f, ok := want.Type().FieldByName(field); ok {
			if d := (comparison{strictness}).values(want.FieldByIndex(f.Index), got.FieldByIndex(f.Index)); d != nil {
				return strings.ToLower(field) + d.path + " " + d.problem
			}
		}
	}
	return ""
}

// difference is found deep inside; its path is written on the way out.
type difference struct {
	path    string
	problem string
}

func (d *difference) under(element string) *difference {
	if d != nil {
		d.path = element + d.path
	}
	return d
}

type comparison struct{ strictness Strictness }

var (
	quantityType = reflect.TypeFor[resource.Quantity]()
	timeType     = reflect.TypeFor[metav1.Time]()
	intstrType   = reflect.TypeFor[intstr.IntOrString]()
	behaviorType = reflect.TypeFor[autoscalingv2.HorizontalPodAutoscalerBehavior]()
	podSpecType  = reflect.TypeFor[corev1.PodSpec]()
)

// values compares two values of one type. What is zero in want was not sealed.
func (c comparison) values(want, got reflect.Value) *difference {
	if c.strictness == WithDefaults && want.IsZero() {
		return nil
	}
	switch want.Kind() {
	case reflect.Struct:
		return c.structs(want, got)
	case reflect.Pointer:
		return c.pointers(want, got)
	case reflect.Slice:
		return c.slices(want, got)
	case reflect.Map:
		return c.maps(want, got)
	default:
		if want.Equal(got) {
			return nil
		}
		return &difference{problem: fmt.Sprintf("is %v, sealed %v", got, want)}
	}
}

func (c comparison) structs(want, got reflect.Value) *difference {
	switch want.Type() {
	case podSpecType:
		c.strictness = AsSealed
	case quantityType:
		a, b := want.Interface().(resource.Quantity), got.Interface().(resource.Quantity)
		if a.Cmp(b) == 0 {
			return nil
		}
		return &difference{problem: fmt.Sprintf("is %s, sealed %s", b.String(), a.String())}
	case timeType, intstrType:
		if reflect.DeepEqual(want.Interface(), got.Interface()) {
			return nil
		}
		return &difference{problem: fmt.Sprintf("is %v, sealed %v", got, want)}
	}
	for i := range want.NumField() {
		w, g := want.Field(i), got.Field(i)
		if w.IsZero() && (g.IsZero() || isDefault(got, i)) {
			continue
		}
		if isSize(want.Type(), i) {
			continue
		}
		if d := c.values(w, g); d != nil {
			return d.under(jsonName(want.Type().Field(i)))
		}
	}
	return nil
}

// pointers compares what is pointed at. An object that was not sealed may be
// there if it is empty, or has defaults alone; a plain value may not.
func (c comparison) pointers(want, got reflect.Value) *difference {
	switch {
	case got.IsNil() && want.IsNil():
		return nil
	case got.IsNil():
		return &difference{problem: "is missing"}
	case want.IsNil() && got.Elem().Kind() == reflect.Struct && got.Elem().Type() != behaviorType:
		return c.values(reflect.Zero(want.Type().Elem()), got.Elem())
	case want.IsNil():
		return &difference{problem: fmt.Sprintf("is %+v, and is not in the seal", got.Elem())}
	}
	return c.values(want.Elem(), got.Elem())
}

func (c comparison) slices(want, got reflect.Value) *difference {
	if want.Len() != got.Len() {
		return &difference{problem: fmt.Sprintf("has %d entries, sealed %d", got.Len(), want.Len())}
	}
	for i := range want.Len() {
		if d := c.values(want.Index(i), got.Index(i)); d != nil {
			return d.under("[" + strconv.Itoa(i) + "]")
		}
	}
	return nil
}

func (c comparison) maps(want, got reflect.Value) *difference {
	for _, key := range sortedKeys(want) {
		g := got.MapIndex(key)
		if !g.IsValid() {
			return (&difference{problem: "is missing"}).under("[" + key.String() + "]")
		}
		if d := c.values(want.MapIndex(key), g); d != nil {
			return d.under("[" + key.String() + "]")
		}
	}
	if c.strictness == WithDefaults {
		return nil
	}
	for _, key := range sortedKeys(got) {
		if !want.MapIndex(key).IsValid() && !slices.Contains(jobLabels, key.String()) {
			return (&difference{problem: "is not in the seal"}).under("[" + key.String() + "]")
		}
	}
	return nil
}

func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

// jsonName is the path element of a field, "" for one that is inlined.
func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	if name == "" {
		return ""
	}
	return "." + name
}
