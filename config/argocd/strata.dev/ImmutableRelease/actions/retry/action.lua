-- Opens a new attempt of a release that has failed.
local action = {
  apiVersion = "strata.dev/v1alpha1",
  kind = "ReleaseAction",
  metadata = {
    name = obj.metadata.name .. "-retry-" .. obj.metadata.resourceVersion, -- a second click asks for nothing new
    namespace = obj.metadata.namespace,
    ownerReferences = {{apiVersion = obj.apiVersion, kind = obj.kind, name = obj.metadata.name, uid = obj.metadata.uid}},
  },
  spec = {
    action = "Retry",
    trackName = obj.spec.trackName,
    releaseName = obj.metadata.name,
    requester = "system:serviceaccount:argocd:argocd-server", -- as whom Argo CD creates it
    reason = "asked for in Argo CD",
  },
}
return {{operation = "create", resource = action}}
