-- What can be asked of the open attempt of a track.
local status = obj.status or {}
local open = status.candidateReleaseName ~= nil and status.candidateAttempt ~= nil
local gate = status.blockedBy ~= nil and status.blockedBy.gate or ""
local weight = status.weightPercent or 0
return {
  ["abort"] = {disabled = not open},
  ["approve"] = {disabled = not (open and gate == "Approved" and status.stepWeightPercent ~= nil)},
  ["skip-hold"] = {disabled = not (open and gate == "HoldOver" and weight > 0 and weight < 100)},
}
