#!/bin/bash
# What an executor pod runs: Spark's Kubernetes backend gives the container the one argument `executor` and these
# variables, and expects the image to turn them into a JVM (its own image does so in kubernetes/dockerfiles/spark).
# Executors have no Python: the whole pixel path is in this JVM.
set -euo pipefail
if [ "${1:-}" != executor ]; then exec "$@"; fi

java_options=()
while IFS='=' read -r -d '' name value; do
  [[ $name == SPARK_JAVA_OPT_* ]] && java_options+=("$value")
done < <(env -0 | sort -z -V) # by their numbers: an option may have to precede another

# The same jars in the same order as featx_job/spark/class_path.py has them: the class archive fits no other. The featx jars come
# first: they hold the same Hadoop version's S3 client, and Featx's classes. The locale decides on the order, and on how
# Java encodes the names of files.
export LC_ALL=C.UTF-8
site=${SPARK_HOME%/pyspark}
jars=("$FEATX_JARS"/*.jar "$site"/bigdl/share/{dllib,core}/lib/*.jar "$SPARK_HOME"/jars/*.jar)
class_path=$(IFS=:; echo "${jars[*]}")

# On SIGTERM, when its pod is deleted or its node is drained, an executor takes no new shard, and exits after those that it has
# begun. As settings of the driver these would add a hook to the pod, to send a signal that nobody needs.
#
# Spark reads its key from a file only if it knows that this is Kubernetes (SecurityManager.secretKeyFromFile), which it
# would learn from a ConfigMap otherwise; the driver's own address of the API server follows with its settings.
exec "$JAVA_HOME/bin/java" "${java_options[@]}" -Dspark.master=k8s://executor \
  -Dspark.decommission.enabled=true -Dspark.executor.decommission.signal=TERM \
  -Xms"$SPARK_EXECUTOR_MEMORY" -Xmx"$SPARK_EXECUTOR_MEMORY" \
  -cp "$class_path" \
  dev.featx.spark.Executor \
  org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend \
  --driver-url "$SPARK_DRIVER_URL" \
  --executor-id "$SPARK_EXECUTOR_ID" \
  --cores "$SPARK_EXECUTOR_CORES" \
  --app-id "$SPARK_APPLICATION_ID" \
  --hostname "$SPARK_EXECUTOR_POD_IP" \
  --resourceProfileId "$SPARK_RESOURCE_PROFILE_ID" \
  --podName "$SPARK_EXECUTOR_POD_NAME"
