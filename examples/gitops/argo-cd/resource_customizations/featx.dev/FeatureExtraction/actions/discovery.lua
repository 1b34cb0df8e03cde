-- What has ended stays as it is; only a failed run can be continued, by a number above the last one (spec.retry).
local ended = false
local failed = false
local waits = obj.status ~= nil and obj.status.nextAttemptTime ~= nil
if obj.status ~= nil then
  for _, condition in ipairs(obj.status.conditions or {}) do
    if condition.type == "Succeeded" and condition.status ~= "Unknown" then
      ended = true
      failed = condition.status == "False"
    end
  end
end
local suspended = obj.spec.suspend == true
local cancelled = obj.spec.cancel == true

local actions = {}
actions["suspend"] = {
  ["disabled"] = ended or suspended,
  ["iconClass"] = "fa fa-fw fa-pause",
  ["displayName"] = "Suspend"
}
actions["resume"] = {
  ["disabled"] = ended or not suspended,
  ["iconClass"] = "fa fa-fw fa-play",
  ["displayName"] = "Resume"
}
actions["retry"] = {
  ["disabled"] = not failed and not waits,
  ["iconClass"] = "fa fa-fw fa-rotate-right",
  ["displayName"] = "Retry"
}
actions["cancel"] = {
  ["disabled"] = ended or cancelled,
  ["iconClass"] = "fa fa-fw fa-stop",
  ["displayName"] = "Cancel"
}
return actions
