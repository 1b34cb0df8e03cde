local suspended = obj.spec.suspend == true

local actions = {}
actions["suspend"] = {
  ["disabled"] = suspended,
  ["iconClass"] = "fa fa-fw fa-pause",
  ["displayName"] = "Suspend"
}
actions["resume"] = {
  ["disabled"] = not suspended,
  ["iconClass"] = "fa fa-fw fa-play",
  ["displayName"] = "Resume"
}
-- A suspended schedule starts a run if it is asked to.
actions["run-now"] = {
  ["iconClass"] = "fa fa-fw fa-plus",
  ["displayName"] = "Run Now"
}
return actions
