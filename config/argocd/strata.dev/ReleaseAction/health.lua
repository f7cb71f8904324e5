-- The health of an action is what came of it.
local status = obj.status or {}
if status.outcome == "Done" then
  return {status = "Healthy", message = status.message}
elseif status.outcome == "Refused" then
  return {status = "Degraded", message = status.message}
end
return {status = "Progressing", message = status.message or "not answered yet"}
