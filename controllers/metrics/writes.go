package metrics

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

var writes = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "strata_api_writes_total",
	Help: "Requests to the API server that change something, by verb and resource; retries count again.",
}, []string{"verb", "resource"})

// CountWrites wraps the transport of a client so that its writes are counted.
// Its form is the one of rest.Config.Wrap.
func CountWrites(next http.RoundTripper) http.RoundTripper {
	return writeCounter{next}
}

type writeCounter struct{ next http.RoundTripper }

func (c writeCounter) RoundTrip(request *http.Request) (*http.Response, error) {
	if verb, resource := classify(request.Method, request.URL.Path); verb != "" {
		writes.WithLabelValues(verb, resource).Inc()
	}
	return c.next.RoundTrip(request)
}

// classify names the verb and the resource of a write, subresource included
// ("deployments", "releasetracks/status"); both are empty for a read. Reviews of
// tokens and access change nothing and are reads, whatever their method.
func classify(method, path string) (verb, resource string) {
	resource, named := resourceOf(path)
	if resource == "" || strings.HasSuffix(resource, "reviews") {
		return "", ""
	}
	switch method {
	case http.MethodPost:
		return "create", resource
	case http.MethodPut:
		return "update", resource
	case http.MethodPatch:
		return "patch", resource
	case http.MethodDelete:
		if !named {
			return "deletecollection", resource
		}
		return "delete", resource
	}
	return "", ""
}

// resourceOf reads the resource off a path of the Kubernetes API, and whether
// the path names one object of it:
//
//	/api/v1/[namespaces/NS/]RESOURCE[/NAME[/SUBRESOURCE]]
//	/apis/GROUP/VERSION/[namespaces/NS/]RESOURCE[/NAME[/SUBRESOURCE]]
func resourceOf(path string) (resource string, named bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		parts = parts[3:]
	default:
		return "", false
	}
	if len(parts) > 2 && parts[0] == "namespaces" && parts[2] != "status" && parts[2] != "finalize" {
		parts = parts[2:]
	}
	if len(parts) > 2 {
		return parts[0] + "/" + parts[2], true
	}
	return parts[0], len(parts) == 2
}
