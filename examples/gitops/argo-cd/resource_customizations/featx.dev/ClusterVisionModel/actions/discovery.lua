local stalled = false
if obj.status ~= nil then
  for _, condition in ipairs(obj.status.conditions or {}) do
    if condition.type == "Stalled" and condition.status == "True" then
      stalled = true
    end
  end
end

local actions = {}
actions["retry"] = {
  ["disabled"] = not stalled,
  ["iconClass"] = "fa fa-fw fa-rotate-right",
  ["displayName"] = "Check Again"
}
return actions
