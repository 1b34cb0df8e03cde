-- The operator acts on a number above the last one that it has acted on.
local retry = obj.spec.retry or 0
if obj.status ~= nil and obj.status.retry ~= nil and obj.status.retry > retry then
  retry = obj.status.retry
end
obj.spec.retry = retry + 1
-- A run that was cancelled stays so otherwise.
if obj.spec.cancel == true then
  obj.spec.cancel = false
end
return obj
