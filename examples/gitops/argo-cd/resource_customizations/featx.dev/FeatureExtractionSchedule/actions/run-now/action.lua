-- Each new value starts one run. The resource's version is new after each change.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["featx.dev/run-now"] = "argo-cd-" .. (obj.metadata.resourceVersion or "")
return obj
