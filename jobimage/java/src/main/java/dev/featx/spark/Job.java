package dev.featx.spark;

import dev.featx.contract.Contract;
import dev.featx.failure.Failures;
import dev.featx.failure.RunProblem;
import dev.featx.nets.Compilation;
import dev.featx.security.Authorities;
import dev.featx.security.KerberosLogin;
import dev.featx.source.Shard;
import dev.featx.table.GroupFiles;
import dev.featx.table.GroupResult;
import dev.featx.table.GroupTask;
import dev.featx.table.Replacement;
import dev.featx.table.ReplacementResult;
import dev.featx.table.ReplacementTask;
import dev.featx.table.Rows;
import dev.featx.table.ShardResult;
import dev.featx.task.Calibration;
import dev.featx.task.Comparison;
import dev.featx.task.Observation;
import dev.featx.task.ReadResult;
import dev.featx.task.Reading;
import dev.featx.task.ShardTask;
import dev.featx.task.TaskSettings;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSError;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.deploy.SparkHadoopUtil;
import scala.collection.Iterator;
import scala.reflect.ClassTag$;
import scala.runtime.AbstractFunction2;
import scala.runtime.BoxedUnit;

/**
 * What the driver's Python program calls: runs shards as the tasks of one Spark job.
 *
 * <p>Spark only schedules: a task is a shard, and its result is a few numbers, reported as progress as soon as the task ends.
 * {@link #run} blocks and is called in a separate thread. Documents are exchanged as JSON
 * (crds/featx_api/executor_contract.py), large ones in files, since py4j sends text slowly.
 */
public final class Job {
  // Pools of fairscheduler.xml: files are joined although shards wait.
  private static final String SHARDS = "shards";
  private static final String FILES = "files";
  private static final int MOST_RESULTS = 500;

  private final JavaSparkContext spark;
  private final Queue<ShardResult> results = new ConcurrentLinkedQueue<>();
  private final StoreWait waiting = new StoreWait();
  private final StoreWait.Listener listener = new StoreWait.Listener();
  private final TaskSettings settings;
  private final LostExecutors lostExecutors = new LostExecutors();
  private final Map<String, BroadcastNets> sent = new HashMap<>();

  /**
   * Creates a job that runs in a Spark context.
   *
   * @param spark the context
   * @param settings what all tasks share, see {@link TaskSettings}
   */
  public Job(JavaSparkContext spark, String settings) {
    this.spark = spark;
    this.settings = TaskSettings.read(settings, waiting);
    spark.sc().register(waiting, StoreWait.NAME);
    spark.sc().addSparkListener(listener);
    spark.sc().addSparkListener(lostExecutors);
  }

  /**
   * Runs shards until all are done. May be called in several threads: Spark begins the shards of a later call when those of
   * the earlier ones leave cores free.
   *
   * @param shardsFile a line per shard, see {@link Shard}
   * @param detectorFile the detector's network file, or null
   * @param extractorFile the extractor's network file
   * @throws IOException if a file can't be read
   */
  public void run(String shardsFile, String detectorFile, String extractorFile) throws IOException {
    List<String> shards = Files.readAllLines(Path.of(shardsFile));
    BroadcastNets nets = sentNets(detectorFile, extractorFile);
    submit(SHARDS, shards, ShardResult.class, results::add, (run, line, conf) -> {
      Compilation compilation = run.compilation();
      return new ShardTask(run, nets.detector(compilation), nets.extractor(compilation), conf).run(Shard.read(line));
    });
  }

  /**
   * Reads shards without running nets.
   *
   * @param shardsFile a line per shard, see {@link Shard}
   * @return see {@link ReadResult}
   * @throws IOException if a file can't be read
   */
  public String read(String shardsFile) throws IOException {
    ReadResult[] sum = {ReadResult.NONE};
    long started = System.nanoTime();
    submit(SHARDS, Files.readAllLines(Path.of(shardsFile)), ReadResult.class, result -> sum[0] = sum[0].plus(result),
        (run, line, conf) -> Reading.of(run, Shard.read(line), conf));
    return Contract.write(sum[0].in((System.nanoTime() - started) / 1e9));
  }

  /**
   * Records the range of each layer's values on images.
   *
   * @param shardFile the images, as the line of a shard
   * @param detectorFile the detector's network file with all values as outputs, or null
   * @param extractorFile the extractor's network file with all values as outputs
   * @return see {@link Observation}
   * @throws IOException if a file can't be read
   */
  public String observe(String shardFile, String detectorFile, String extractorFile) throws IOException {
    BroadcastNets nets = nets(detectorFile, extractorFile);
    return runOne(shardFile, Observation.class, (run, line, conf) -> Calibration.observe(run, nets, Shard.read(line), conf));
  }

  /**
   * Compares nets in another precision with the same nets in float32.
   *
   * @param shardFile the images, as the line of a shard
   * @param plainDetector network file of the detector in float32, or null
   * @param plainExtractor network file of the extractor in float32
   * @param detectorFile network file of the detector to compare, or null
   * @param extractorFile network file of the extractor to compare
   * @return see {@link Comparison}
   * @throws IOException if a file can't be read
   */
  public String compare(String shardFile, String plainDetector, String plainExtractor, String detectorFile, String extractorFile)
      throws IOException {
    BroadcastNets plain = nets(plainDetector, plainExtractor);
    BroadcastNets candidate = nets(detectorFile, extractorFile);
    return runOne(shardFile, Comparison.class,
        (run, line, conf) -> Calibration.compare(run, plain, candidate, Shard.read(line), conf));
  }

  private <R> String runOne(String shardFile, Class<R> kind, Work<R> work) throws IOException {
    List<R> result = new ArrayList<>();
    submit(SHARDS, Files.readAllLines(Path.of(shardFile)), kind, result::add, work);
    return Contract.write(result.get(0));
  }

  /**
   * Joins files of shards into files of the table, before shards that wait for a core.
   *
   * @param tasksFile a line per joined file, see {@link GroupTask}
   * @return the list of results, see {@link GroupResult}
   * @throws IOException if the file can't be read
   */
  public String join(String tasksFile) throws IOException {
    List<GroupResult> joined = new ArrayList<>();
    submit(FILES, Files.readAllLines(Path.of(tasksFile)), GroupResult.class, joined::add,
        (run, line, conf) -> new GroupFiles(run.table(), conf).run(Contract.read(line, GroupTask.class)));
    return Contract.write(joined);
  }

  /**
   * Removes rows from the table's files that newer files replace.
   *
   * @param tasksFile a line per old file, see {@link ReplacementTask}
   * @return the list of results, see {@link ReplacementResult}
   * @throws IOException if the file can't be read
   */
  public String replace(String tasksFile) throws IOException {
    List<ReplacementResult> replaced = new ArrayList<>();
    submit(FILES, Files.readAllLines(Path.of(tasksFile)), ReplacementResult.class, replaced::add,
        (run, line, conf) -> new Replacement(run.table(), conf).run(Contract.read(line, ReplacementTask.class)));
    return Contract.write(replaced);
  }

  private <R> void submit(String pool, List<String> lines, Class<R> kind, Consumer<R> collect, Work<R> work) {
    spark.sc().setLocalProperty("spark.scheduler.pool", pool); // of the calling thread
    JavaRDD<String> tasks = spark.parallelize(lines, lines.size());
    try {
      spark.sc().runJob(tasks.rdd(), new Task<>(settings, work), scalaRange(lines.size()), new Collect<>(collect),
          ClassTag$.MODULE$.apply(kind));
    } catch (Exception e) { // Spark's own is a checked one that Scala does not declare
      throw problem(e);
    }
  }

  /** Explains a failed job: Spark's exception has a task's problem as its cause, but not the loss of executors. */
  private RunProblem problem(Exception thrown) {
    boolean stopped = spark.sc().isStopped(); // Spark stops itself when executors fail faster than it starts them
    if (stopped || Failures.known(thrown).isEmpty() && lostExecutors.endedJob(spark.sc())) {
      return lostExecutors.problem();
    }
    return Failures.of(thrown);
  }

  /**
   * Writes an empty table for a run without images: one file with columns but no rows.
   *
   * @param file its address
   * @throws IOException if it can't be written
   */
  public void writeEmpty(String file) throws IOException {
    Authorities.trust(spark.hadoopConfiguration());
    Rows.writeFeatures(new org.apache.hadoop.fs.Path(file), spark.hadoopConfiguration(), List.of(), settings.table().damaged(),
        settings.table().carry());
  }

  /** Returns nets that were sent to executors before, or sends them. */
  private synchronized BroadcastNets sentNets(String detectorFile, String extractorFile) throws IOException {
    String key = detectorFile + " " + extractorFile;
    if (!sent.containsKey(key)) {
      sent.put(key, nets(detectorFile, extractorFile));
    }
    return sent.get(key);
  }

  private BroadcastNets nets(String detectorFile, String extractorFile) throws IOException {
    return new BroadcastNets(detectorFile == null ? null : BroadcastNets.Net.of(spark, Path.of(detectorFile)),
        BroadcastNets.Net.of(spark, Path.of(extractorFile)));
  }

  /** Returns the list of {@link ShardResult} of shards that have finished and were not returned before, as long as it is short. */
  public String poll() {
    List<ShardResult> finished = new ArrayList<>();
    while (finished.size() < MOST_RESULTS && !results.isEmpty()) {
      finished.add(results.remove());
    }
    return Contract.write(finished);
  }

  /** Returns a description of what an executor is waiting for, or null. */
  public String waiting() {
    return listener.first();
  }

  private static scala.collection.Seq<Object> scalaRange(int size) {
    return scala.Predef$.MODULE$.wrapIntArray(java.util.stream.IntStream.range(0, size).toArray()).toSeq();
  }

  /** Hadoop's settings of this executor, created once: parsing their defaults takes longer than a small shard. */
  private record HadoopSettings(SparkConf from, Configuration conf) {
    private static HadoopSettings last;

    static synchronized Configuration ofExecutor() throws IOException {
      SparkConf conf = SparkEnv.get().conf();
      if (last == null || last.from() != conf) {
        Configuration created = SparkHadoopUtil.get().newConfiguration(conf);
        Authorities.trust(created);
        last = new HadoopSettings(conf, created);
      }
      return last.conf();
    }
  }

  /** Processes one line on an executor; most lines are shards. */
  private interface Work<R> extends Serializable {
    R run(TaskSettings settings, String line, Configuration conf) throws IOException, InterruptedException;
  }

  private static final class Collect<R> extends AbstractFunction2<Object, R, BoxedUnit> {
    private final Consumer<R> consumer;

    Collect(Consumer<R> consumer) {
      this.consumer = consumer;
    }

    @Override
    public BoxedUnit apply(Object partition, R result) {
      consumer.accept(result);
      return BoxedUnit.UNIT;
    }
  }

  private static final class Task<R> extends AbstractFunction2<TaskContext, Iterator<String>, R> implements Serializable {
    private static final long serialVersionUID = 1L;

    private final TaskSettings settings;
    private final Work<R> work;

    Task(TaskSettings settings, Work<R> work) {
      this.settings = settings;
      this.work = work;
    }

    @Override
    public R apply(TaskContext context, Iterator<String> lines) {
      try {
        Configuration conf = HadoopSettings.ofExecutor();
        String line = lines.next();
        return KerberosLogin.as(conf, () -> work.run(settings, line, conf));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException("the task was interrupted", e);
      } catch (TaskKilledException e) {
        throw e;
      } catch (Exception | FSError e) {
        // Report the failure's class, and nothing that the driver might fail to deserialize. The executor logs the rest.
        throw Failures.of(e);
      }
    }
  }
}
