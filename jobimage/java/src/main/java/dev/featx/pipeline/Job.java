package dev.featx.pipeline;

import dev.featx.nets.CompiledNetwork;
import dev.featx.nets.Detector;
import dev.featx.nets.NetworkFile;
import dev.featx.nets.Networks;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.deploy.SparkHadoopUtil;
import scala.collection.Iterator;
import scala.reflect.ClassTag$;
import scala.runtime.AbstractFunction2;
import scala.runtime.BoxedUnit;

/**
 * What the driver's Python program calls: runs shards as the tasks of one Spark job.
 *
 * <p>Spark is the scheduler and no more: a task is a shard, and its result is a few numbers, which are here as soon as the
 * task has ended, for the progress. {@link #run} blocks and is called in a thread of its own.
 */
public final class Job {
  private final JavaSparkContext spark;
  private final Queue<String> results = new ConcurrentLinkedQueue<>();

  /** Makes a job that runs in a Spark context. */
  public Job(JavaSparkContext spark) {
    this.spark = spark;
  }

  /**
   * Runs shards until all are done. What is large comes in files: py4j would send it as text.
   *
   * @param planJson see {@link Plan}
   * @param shardsFile a line of JSON for each shard, see {@link Shard}
   * @param detectorFile the detector's network file, or null
   * @param extractorFile the extractor's network file
   * @throws IOException if a file can't be read
   */
  public void run(String planJson, String shardsFile, String detectorFile, String extractorFile) throws IOException {
    List<String> shards = Files.readAllLines(Path.of(shardsFile));
    Net detector = detectorFile == null ? null : net(detectorFile);
    Net extractor = net(extractorFile);
    JavaRDD<String> tasks = spark.parallelize(shards, shards.size());
    spark.sc().runJob(tasks.rdd(), new Task(planJson, detector, extractor), scalaRange(shards.size()),
        new Collect(results), ClassTag$.MODULE$.apply(ShardResult.class));
  }

  /**
   * Writes the table of a run without pictures: one file that has the columns and no rows.
   *
   * @param file where to
   * @throws IOException if it can't be written
   */
  public void writeEmpty(String file) throws IOException {
    Rows.writeFeatures(new org.apache.hadoop.fs.Path(file), spark.hadoopConfiguration(), List.of());
  }

  private Net net(String file) throws IOException {
    byte[] bytes = Files.readAllBytes(Path.of(file));
    return new Net(Networks.digest(bytes), spark.broadcast(bytes));
  }

  /** Returns the JSON of a shard that has been done since the last call, or null. */
  public String poll() {
    return results.poll();
  }

  private static scala.collection.Seq<Object> scalaRange(int size) {
    return scala.Predef$.MODULE$.wrapIntArray(java.util.stream.IntStream.range(0, size).toArray()).toSeq();
  }

  private record Net(String digest, Broadcast<byte[]> file) implements Serializable {
    CompiledNetwork compiled(Plan plan) {
      return Networks.of(digest, file::value, plan.compilation());
    }
  }

  private static final class Collect extends AbstractFunction2<Object, ShardResult, BoxedUnit> {
    private final Queue<String> results;

    Collect(Queue<String> results) {
      this.results = results;
    }

    @Override
    public BoxedUnit apply(Object partition, ShardResult result) {
      results.add(result.toJson());
      return BoxedUnit.UNIT;
    }
  }

  private static final class Task extends AbstractFunction2<TaskContext, Iterator<String>, ShardResult>
      implements Serializable {
    private static final long serialVersionUID = 1L;

    private final String planJson;
    private final Net detectorNet;
    private final Net extractorNet;

    Task(String planJson, Net detectorNet, Net extractorNet) {
      this.planJson = planJson;
      this.detectorNet = detectorNet;
      this.extractorNet = extractorNet;
    }

    @Override
    public ShardResult apply(TaskContext context, Iterator<String> shard) {
      Plan plan = Plan.read(planJson);
      Detector detector = detectorNet == null ? null
          : new Detector(NetworkFile.read(detectorNet.file().value()), detectorNet.compiled(plan));
      CompiledNetwork extractor = extractorNet.compiled(plan);
      try {
        var conf = SparkHadoopUtil.get().newConfiguration(SparkEnv.get().conf());
        return new ShardTask(plan, detector, extractor, conf).run(Shard.read(shard.next()));
      } catch (IOException e) {
        throw new java.io.UncheckedIOException(e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException("the task was ended", e);
      }
    }
  }
}
