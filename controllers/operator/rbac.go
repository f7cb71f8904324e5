package operator

// What the operator may do in the whole cluster; config/rbac/role.yaml is
// generated from this. It names every resource and every verb. It may get
// ConfigMaps and Secrets that a release names, to freeze them, but never list or
// watch them: nobody learns from it which there are.
//
// The kinds of Strata: the operator reports on them, appends to the log, marks the
// releases that are held, and deletes what retention does not keep.
// +kubebuilder:rbac:groups=strata.dev,resources=immutablereleases;releasetracks;releaseactions;releasepolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups=strata.dev,resources=immutablereleases,verbs=create;patch;delete
// +kubebuilder:rbac:groups=strata.dev,resources=releaseactions,verbs=delete
// +kubebuilder:rbac:groups=strata.dev,resources=releaserecords,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups=strata.dev,resources=immutablereleases/status;releasetracks/status;releaseactions/status,verbs=patch
//
// The CRDs of Strata are marked while any release is held.
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=immutablereleases.strata.dev;releasetracks.strata.dev;releaserecords.strata.dev;releaseactions.strata.dev;releasepolicies.strata.dev,verbs=get;patch
//
// Namespaces are annotated with what admission has to know of them (STRATA-055 lets the
// operator write nothing else there).
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=patch
//
// What a release owns. Deployments and their autoscalers are patched for their size,
// Services are updated where they are routes of type Service; and each of them, the
// seal and the PodDisruptionBudget too, to give it back the owner that a restore has
// taken, or what somebody has changed. The copies of ConfigMaps and Secrets are never written: they may have none.
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups=autoscaling,resources=horizontalpodautoscalers,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups="",resources=configmaps;secrets,verbs=get;create
//
// What tells how a release fares. A pod that does not run what was sealed is evicted.
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=pods/eviction,verbs=create
//
// Pods that somebody entered are replaced: deleting one is what its ReplicaSet mends.
// +kubebuilder:rbac:groups="",resources=pods,verbs=delete
// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,verbs=get;list;watch
//
// Routes. Those of the Gateway API and Ingresses are deleted that are there for a candidate
// alone: a preview, a canary. Gateways are looked at to say that one does not exist.
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=httproutes;grpcroutes,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=gateways,verbs=get
// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingresses,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingressclasses,verbs=get
// +kubebuilder:rbac:groups=traefik.io,resources=traefikservices,verbs=get;list;watch;create;update
// +kubebuilder:rbac:groups=networking.istio.io,resources=virtualservices,verbs=get;list;watch;create;update
//
// Telling, reading why a Job has no pod, and asking who asks for metrics.
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch;list
// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create
//
// In its own namespace: the Lease of the leader, and events about it.
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=strata-system,resources=leases,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=strata-system,resources=leases,resourceNames=strata-leader,verbs=get;update
// +kubebuilder:rbac:groups="",namespace=strata-system,resources=events,verbs=create;patch
