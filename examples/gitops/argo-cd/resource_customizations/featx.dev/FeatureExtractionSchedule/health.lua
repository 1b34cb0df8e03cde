-- A FeatureExtractionSchedule starts FeatureExtractions by the clock, as a CronJob does Jobs. Its status follows kstatus:
-- observedGeneration, Ready and Stalled. The outcome of its last run says nothing about the schedule itself.
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
    elseif status.nextScheduleTime ~= nil then
      hs.message = hs.message .. ": the next run is due at " .. status.nextScheduleTime
    end
    -- A suspended schedule is Ready, and Healthy: https://github.com/argoproj/argo-cd/issues/24428
    if condition.status == "True" then
      hs.status = "Healthy"
    elseif condition.status == "False" then
      hs.status = "Degraded"
    end
  end
end
return hs
