-- Moves all traffic to a release that was promoted before.
local action = {
  apiVersion = "strata.dev/v1alpha1",
  kind = "ReleaseAction",
  metadata = {
    name = obj.metadata.name .. "-rollback-" .. obj.metadata.resourceVersion, -- a second click asks for nothing new
    namespace = obj.metadata.namespace,
    ownerReferences = {{apiVersion = obj.apiVersion, kind = obj.kind, name = obj.metadata.name, uid = obj.metadata.uid}},
  },
  spec = {
    action = "Rollback",
    trackName = obj.spec.trackName,
    releaseName = obj.metadata.name,
    requester = "system:serviceaccount:argocd:argocd-server", -- as whom Argo CD creates it
    reason = "asked for in Argo CD",
  },
}
return {{operation = "create", resource = action}}
