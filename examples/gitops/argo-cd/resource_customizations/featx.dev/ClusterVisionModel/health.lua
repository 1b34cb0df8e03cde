-- A ClusterVisionModel is Ready once its files were checked. Its status follows kstatus: observedGeneration, Ready,
-- Reconciling and Stalled. A run that refers to it waits until it is Ready.
local hs = {}
hs.status = "Progressing"
hs.message = "Waiting for the operator"

local status = obj.status or {}
if status.observedGeneration == nil or status.observedGeneration ~= obj.metadata.generation then
  return hs
end

for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" then
    hs.message = condition.reason
    if condition.message ~= nil and condition.message ~= "" then
      hs.message = hs.message .. ": " .. condition.message
    end
    if condition.status == "True" then
      hs.status = "Healthy"
    end
  elseif condition.type == "Stalled" and condition.status == "True" then
    hs.status = "Degraded"
  end
end
return hs
