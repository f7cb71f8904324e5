-- Ends the hold of the step that the open attempt is at.
local action = {
  apiVersion = "strata.dev/v1alpha1",
  kind = "ReleaseAction",
  metadata = {
    name = obj.metadata.name .. "-skip-hold-" .. obj.metadata.resourceVersion, -- a second click asks for nothing new
    namespace = obj.metadata.namespace,
    ownerReferences = {{apiVersion = obj.apiVersion, kind = obj.kind, name = obj.metadata.name, uid = obj.metadata.uid}},
  },
  spec = {
    action = "SkipHold",
    trackName = obj.metadata.name,
    releaseName = obj.status.candidateReleaseName,
    attempt = obj.status.candidateAttempt,
    weightPercent = obj.status.weightPercent,
    requester = "system:serviceaccount:argocd:argocd-server", -- as whom Argo CD creates it
    reason = "asked for in Argo CD",
  },
}
return {{operation = "create", resource = action}}
