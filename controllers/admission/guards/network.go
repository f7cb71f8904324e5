package guards

import (
	"github.com/strata-release/strata/api/v1alpha1"
)

// network is what leads traffic to a release.
var network = []Route{
	{
		Name: "strata-services", Ways: "kubectl edit, patch, set selector, label of a release's Service",
		Targets:     []Target{core("services")},
		Operations:  operations(update),
		Only:        ownedByRelease,
		Controllers: []string{garbageCollector},
		Variables:   variables(releaseOf),
		Rules:       []Rule{frozenRule("STRATA-023", "Service", sameSpec, publishInstead)},
	},
	{
		Name: "strata-services-status", Ways: "kubectl patch service --subresource=status",
		Targets:     []Target{core("services/status")},
		Operations:  operations(update),
		Only:        `(` + ownedByRelease + `) || (` + routeOfTrack + `)`,
		Controllers: []string{serviceController},
		Rules: []Rule{{
			ID:         "STRATA-024",
			Expression: excepted + ` || (` + all(sameMetadata, sameStatus) + `)`,
			Says:       "the status of this Service is written by the service controller alone",
			Detail:     `'the status of Service ' + oldObject.metadata.name + ', which leads to release ' + oldObject.?spec.?selector[?'` + v1alpha1.LabelRelease + `'].orValue('(none)') + ', is written by the service controller alone'`,
			Instead:    nothingInstead,
		}},
	},
	{
		Name: "strata-routes", Ways: "kubectl edit, patch, annotate, delete of a route of a track, or of its stable Service; labels by --subresource=status",
		Targets: []Target{
			{"gateway.networking.k8s.io", "*", []string{"httproutes", "grpcroutes", "tlsroutes", "tcproutes"}},
			{"traefik.io", "*", []string{"traefikservices"}},
			{"networking.istio.io", "*", []string{"virtualservices"}},
			// Who writes its status may write its labels too.
			{"networking.k8s.io", "v1", []string{"ingresses", "ingresses/status"}},
			core("services"),
		},
		Operations:  operations(update, remove),
		Only:        routeOfTrack,
		Labelled:    []string{v1alpha1.LabelTrack, v1alpha1.LabelRoute},
		Controllers: []string{garbageCollector, namespaceController},
		// A track that is gone has let go of its routes.
		Each: &Each{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ReleaseTrack"},
		Variables: variables(
			variable("track", `oldObject.metadata.labels['`+v1alpha1.LabelTrack+`']`),
			variable("route", `oldObject.kind + ' ' + oldObject.metadata.name + ' is route ' + oldObject.metadata.labels['`+v1alpha1.LabelRoute+`'] + ' of track ' + variables.track`),
		),
		Rules: []Rule{
			{
				ID: "STRATA-036",
				// Gateways put finalizers on what they serve.
				Expression: `request.operation != 'UPDATE' || params.metadata.name != variables.track || variables.operator || (` + sameSpec +
					` && object.metadata.?labels == oldObject.metadata.?labels && object.metadata.?annotations == oldObject.metadata.?annotations && (variables.controller || ` + sameOwners + `))`,
				Says:    "this is a route of a track: where its traffic goes is decided in the log of the track",
				Detail:  `variables.route + ': where its traffic goes is decided in the log of the track'`,
				Instead: trackInstead,
			},
			{
				ID:         "STRATA-037",
				Expression: `request.operation != 'DELETE' || params.metadata.name != variables.track || ` + excepted,
				Says:       "this is a route of a track, and carries its traffic",
				Detail:     `variables.route + ', and carries its traffic'`,
				Instead:    "Take it out of spec.traffic of the track, or delete the track.",
			},
		},
	},
	{
		Name: "strata-endpoints", Ways: "kubectl create, edit, delete of EndpointSlices or Endpoints: rogue backends",
		Targets: []Target{
			{"discovery.k8s.io", "v1", []string{"endpointslices"}},
			core("endpoints"),
		},
		Operations:  operations(create, update, remove),
		Controllers: []string{endpointController, endpointSliceController, endpointSliceMirroring, garbageCollector, namespaceController},
		Each:        &Each{APIVersion: "v1", Kind: "Service", Labelled: v1alpha1.LabelTrack},
		Variables: variables(variable("services", `[object, oldObject].filter(o, o != null).map(o, `+
			`request.resource.resource == 'endpoints' ? o.metadata.name : o.metadata.?labels[?'kubernetes.io/service-name'].orValue(''))`)),
		Rules: []Rule{{
			ID:         "STRATA-038",
			Expression: excepted + ` || !(params.metadata.name in variables.services)`,
			Says:       "the endpoints of this Service are pods of its release, and written by the endpoint controllers alone",
			Detail:     `'the endpoints of Service ' + params.metadata.name + ' are pods of release ' + params.?spec.?selector[?'` + v1alpha1.LabelRelease + `'].orValue('(none)') + ', and written by the endpoint controllers alone'`,
			Instead:    trackInstead,
		}},
	},
}
