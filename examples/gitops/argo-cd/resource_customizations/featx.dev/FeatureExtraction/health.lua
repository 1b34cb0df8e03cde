-- A FeatureExtraction runs once and ends, as a Job does. Its status follows kstatus: observedGeneration, and the
-- conditions Reconciling and Stalled. Succeeded is True or False once the run has ended, and Unknown before.
local hs = {}
hs.status = "Progressing"

local status = obj.status or {}
if status.observedGeneration == nil or status.observedGeneration < 0 then
  hs.message = "Waiting for the operator"
  return hs
end
-- The status of a run that MultiKueue has dispatched comes from another cluster, with that cluster's generation.
local managedBy = obj.spec.managedBy or "featx.dev/operator"
if managedBy == "featx.dev/operator" and status.observedGeneration ~= obj.metadata.generation then
  hs.message = "Waiting for the operator to observe the latest change"
  return hs
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local succeeded = conditions.Succeeded or {}

hs.message = status.state or succeeded.reason or "Waiting for the operator"
if succeeded.message ~= nil and succeeded.message ~= "" then
  hs.message = hs.message .. ": " .. succeeded.message
elseif status.progress ~= nil and status.progress.summary ~= nil then
  hs.message = hs.message .. ": " .. status.progress.summary .. " images"
end

if succeeded.status == "True" then
  hs.status = "Healthy"
elseif succeeded.status == "False" then
  hs.status = "Degraded"
elseif conditions.Stalled ~= nil and conditions.Stalled.status == "True" then
  hs.status = "Degraded"
elseif conditions.Suspended ~= nil and conditions.Suspended.status == "True" then
  hs.status = "Suspended"
end
return hs
