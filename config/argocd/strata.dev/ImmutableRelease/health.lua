-- The health of a release is what kstatus reads of it; Suspended where people are waited for.
local status = obj.status or {}
local now = {}
for _, condition in ipairs(status.conditions or {}) do
  now[condition.type] = condition
end
if now.Ready == nil or status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "the operator has not seen it yet"}
end
local health = {status = "Progressing", message = now.Ready.message}
if now.Stalled ~= nil and now.Stalled.status == "True" then
  health.status = "Degraded"
elseif now.Ready.status == "True" then
  health.status = "Healthy"
elseif now.Ready.reason == "ApprovalRequired" or now.Ready.reason == "Paused" then
  health.status = "Suspended"
end
return health
