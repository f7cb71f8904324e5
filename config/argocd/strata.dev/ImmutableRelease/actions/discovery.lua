-- What can be asked of a release that is not under way.
local reason = ""
for _, condition in ipairs((obj.status or {}).conditions or {}) do
  if condition.type == "Ready" then
    reason = condition.reason
  end
end
return {
  ["retry"] = {disabled = reason ~= "Failed" and reason ~= "Aborted" and reason ~= "RolledBack"},
  ["rollback"] = {disabled = reason ~= "Standby" and reason ~= "Retired"},
}
