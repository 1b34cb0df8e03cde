package dev.featx.spark;

import dev.featx.nets.Compilation;
import dev.featx.security.Authorities;
import dev.featx.security.KerberosLogin;
import dev.featx.source.Shard;
import dev.featx.table.Replacement;
import dev.featx.table.Rows;
import dev.featx.table.ShardResult;
import dev.featx.task.Calibration;
import dev.featx.task.Reading;
import dev.featx.task.ShardTask;
import dev.featx.task.TaskSettings;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
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
 * <p>Spark is the scheduler and no more: a task is a shard, and its result is a few numbers, which are here as soon as the
 * task has ended, for the progress. {@link #run} blocks and is called in a thread of its own.
 */
public final class Job {
  private final JavaSparkContext spark;
  private final Queue<String> results = new ConcurrentLinkedQueue<>();
  private final StoreWait waiting = new StoreWait();
  private final StoreWait.Listener listener = new StoreWait.Listener();

  /** Makes a job that runs in a Spark context. */
  public Job(JavaSparkContext spark) {
    this.spark = spark;
    spark.sc().register(waiting, StoreWait.NAME);
    spark.sc().addSparkListener(listener);
  }

  /**
   * Runs shards until all are done. What is large comes in files: py4j would send it as text.
   *
   * @param settingsJson see {@link TaskSettings}
   * @param shardsFile a line of JSON for each shard, see {@link Shard}
   * @param detectorFile the detector's network file, or null
   * @param extractorFile the extractor's network file
   * @throws IOException if a file can't be read
   */
  public void run(String settingsJson, String shardsFile, String detectorFile, String extractorFile) throws IOException {
    List<String> shards = Files.readAllLines(Path.of(shardsFile));
    BroadcastNets nets = nets(detectorFile, extractorFile);
    Work<ShardResult> work = (settings, line, conf) -> {
      Compilation how = settings.compilation();
      return new ShardTask(settings, nets.detector(how), nets.extractor(how), conf).run(Shard.read(line));
    };
    submit(settingsJson, shards, work, ShardResult.class, result -> results.add(result.toJson()));
  }

  /**
   * Reads shards and does nothing with them.
   *
   * @param settingsJson see {@link TaskSettings}
   * @param shardsFile a line of JSON for each shard, see {@link Shard}
   * @return as JSON: images, bytes, unreadable ones, and the seconds that it took
   * @throws IOException if a file can't be read
   */
  public String read(String settingsJson, String shardsFile) throws IOException {
    long[] sums = new long[3];
    long started = System.nanoTime();
    Work<long[]> work = (settings, line, conf) -> Reading.of(settings, Shard.read(line), conf);
    submit(settingsJson, Files.readAllLines(Path.of(shardsFile)), work, long[].class, found -> {
      for (int i = 0; i < sums.length; i++) {
        sums[i] += found[i];
      }
    });
    double seconds = (System.nanoTime() - started) / 1e9;
    return String.format(Locale.ROOT, "{\"images\":%d,\"bytes\":%d,\"unreadable\":%d,\"seconds\":%.3f}", sums[0], sums[1],
        sums[2], seconds);
  }

  /**
   * Returns which values the nets' layers take on images.
   *
   * @param settingsJson see {@link TaskSettings}
   * @param shardFile the images, as a line of JSON
   * @param detectorFile the detector's network file with all values as outputs, or null
   * @param extractorFile likewise the extractor's
   * @return see {@link Calibration#look}
   * @throws IOException if a file can't be read
   */
  public String look(String settingsJson, String shardFile, String detectorFile, String extractorFile) throws IOException {
    BroadcastNets nets = nets(detectorFile, extractorFile);
    return one(settingsJson, shardFile, (settings, line, conf) -> Calibration.look(settings, nets, Shard.read(line), conf));
  }

  /**
   * Returns how far nets in another precision are from those in float32.
   *
   * @param settingsJson see {@link TaskSettings}
   * @param shardFile the images, as a line of JSON
   * @param plainDetector network file of the detector in float32, or null
   * @param plainExtractor likewise of the extractor
   * @param detectorFile network file of the detector that is judged, or null
   * @param extractorFile likewise of the extractor
   * @return see {@link Calibration#compare}
   * @throws IOException if a file can't be read
   */
  public String compare(String settingsJson, String shardFile, String plainDetector, String plainExtractor, String detectorFile,
      String extractorFile) throws IOException {
    BroadcastNets plain = nets(plainDetector, plainExtractor);
    BroadcastNets judged = nets(detectorFile, extractorFile);
    return one(settingsJson, shardFile,
        (settings, line, conf) -> Calibration.compare(settings, plain, judged, Shard.read(line), conf));
  }

  private String one(String settingsJson, String shardFile, Work<String> work) throws IOException {
    List<String> found = new ArrayList<>();
    submit(settingsJson, Files.readAllLines(Path.of(shardFile)), work, String.class, found::add);
    return found.get(0);
  }

  /**
   * Takes rows out of files of the table that newer files have rows for.
   *
   * @param settingsJson see {@link TaskSettings}
   * @param linesFile a line of JSON for each old file, see {@link Replacement#of}
   * @return what became of each, as a list of JSON
   * @throws IOException if the file can't be read
   */
  public String replace(String settingsJson, String linesFile) throws IOException {
    List<String> found = new ArrayList<>();
    Work<String> work = (settings, line, conf) -> new Replacement(settings.table(), conf).of(line);
    submit(settingsJson, Files.readAllLines(Path.of(linesFile)), work, String.class, found::add);
    return "[" + String.join(",", found) + "]";
  }

  private <R> void submit(String settingsJson, List<String> lines, Work<R> work, Class<R> kind, Consumer<R> collect) {
    JavaRDD<String> tasks = spark.parallelize(lines, lines.size());
    spark.sc().runJob(tasks.rdd(), new Task<>(settingsJson, waiting, work), scalaRange(lines.size()), new Collect<>(collect),
        ClassTag$.MODULE$.apply(kind));
  }

  /**
   * Writes the table of a run without images: one file that has the columns and no rows.
   *
   * @param file where to
   * @throws IOException if it can't be written
   */
  public void writeEmpty(String file) throws IOException {
    Authorities.trust(spark.hadoopConfiguration());
    Rows.writeFeatures(new org.apache.hadoop.fs.Path(file), spark.hadoopConfiguration(), List.of());
  }

  private BroadcastNets nets(String detectorFile, String extractorFile) throws IOException {
    return new BroadcastNets(detectorFile == null ? null : BroadcastNets.Net.of(spark, Path.of(detectorFile)),
        BroadcastNets.Net.of(spark, Path.of(extractorFile)));
  }

  /** Returns the JSON of a shard that has been done since the last call, or null. */
  public String poll() {
    return results.poll();
  }

  /** Returns what an executor waits for, in words, or null. */
  public String waiting() {
    return listener.first();
  }

  /** Returns why the last executor that has ended did, in words, or null. */
  public String lost() {
    return listener.lost();
  }

  private static scala.collection.Seq<Object> scalaRange(int size) {
    return scala.Predef$.MODULE$.wrapIntArray(java.util.stream.IntStream.range(0, size).toArray()).toSeq();
  }

  /** Hadoop's settings of this executor, made once: their defaults are XML, which takes longer to read than a small shard. */
  private record Settings(SparkConf from, Configuration made) {
    private static Settings last;

    static synchronized Configuration ofExecutor() throws IOException {
      SparkConf conf = SparkEnv.get().conf();
      if (last == null || last.from() != conf) {
        Configuration made = SparkHadoopUtil.get().newConfiguration(conf);
        Authorities.trust(made);
        last = new Settings(conf, made);
      }
      return last.made();
    }
  }

  /** What an executor does with a line: most are shards. */
  private interface Work<R> extends Serializable {
    R of(TaskSettings settings, String line, Configuration conf) throws IOException, InterruptedException;
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

    private final String settingsJson;
    private final StoreWait waiting;
    private final Work<R> work;

    Task(String settingsJson, StoreWait waiting, Work<R> work) {
      this.settingsJson = settingsJson;
      this.waiting = waiting;
      this.work = work;
    }

    @Override
    public R apply(TaskContext context, Iterator<String> lines) {
      try {
        Configuration conf = Settings.ofExecutor();
        String line = lines.next();
        return KerberosLogin.as(conf, () -> work.of(TaskSettings.read(settingsJson, waiting), line, conf));
      } catch (IOException e) {
        throw new java.io.UncheckedIOException(e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException("the task was ended", e);
      }
    }
  }
}
