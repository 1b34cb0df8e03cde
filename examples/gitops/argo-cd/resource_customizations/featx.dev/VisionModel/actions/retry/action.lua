-- Any change of the spec has the model checked again.
obj.spec.retry = (obj.spec.retry or 0) + 1
return obj
