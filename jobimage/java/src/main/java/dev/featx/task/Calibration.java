package dev.featx.task;

import dev.featx.image.Subject;
import dev.featx.nets.Box;
import dev.featx.nets.Compilation;
import dev.featx.nets.Detector;
import dev.featx.nets.NetworkFile;
import dev.featx.nets.WatchedNetwork;
import dev.featx.nets.loading.Networks;
import dev.featx.source.Shard;
import dev.featx.table.Rows;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.apache.hadoop.conf.Configuration;

/** Calibrates a run in 8-bit integers on one executor: observes ranges of values, then compares with float32. */
public final class Calibration {
  private static final float SAME_OVERLAP = 0.5f;

  private Calibration() {}

  /**
   * Runs images through both nets in float32 and returns the range of each layer's values.
   *
   * @param settings the run's
   * @param nets with all layers as outputs
   * @param shard the images
   * @param conf for Hadoop's file systems
   */
  public static Observation observe(TaskSettings settings, RunNets nets, Shard shard, Configuration conf)
      throws IOException, InterruptedException {
    try (Watched watched = new Watched(settings, nets)) {
      List<Rows.Feature> rows = watched.process(shard, conf);
      return new Observation(rows.size(), watched.detector == null ? null : watched.detector.seen(), watched.extractor.seen());
    }
  }

  /**
   * Runs images through the nets in float32 and in the run's precision, and compares the results.
   *
   * @param settings the run's
   * @param plain nets in float32
   * @param candidate the nets in the run's precision
   * @param shard the images
   * @param conf for Hadoop's file systems
   */
  public static Comparison compare(TaskSettings settings, RunNets plain, RunNets candidate, Shard shard, Configuration conf)
      throws IOException, InterruptedException {
    Map<String, Rows.Feature> exact = new HashMap<>();
    try (Watched watched = new Watched(settings, plain)) {
      watched.process(shard, conf).forEach(row -> exact.put(row.key(), row));
    }
    Compilation compilation = settings.compilation();
    List<Rows.Feature> rows =
        new ShardTask(settings, candidate.detector(compilation), candidate.extractor(compilation), conf).process(shard);
    double sum = 0;
    double lowest = 1;
    int same = 0;
    int count = 0;
    for (Rows.Feature row : rows) {
      Rows.Feature other = exact.remove(row.key());
      if (other != null) {
        double cosine = cosine(row.feature(), other.feature());
        sum += cosine;
        lowest = Math.min(lowest, cosine);
        same += isSame(row.subject(), other.subject()) ? 1 : 0;
        count++;
      }
    }
    // An image with a subject in only one of the two runs counts as a difference.
    int total = Math.max(rows.size(), count + exact.size());
    return new Comparison(count, count == 0 ? 0 : sum / count, count == 0 ? 0 : lowest, total == 0 ? 0 : (double) same / total);
  }

  /** Returns whether two subjects have the same class, or none, and boxes that overlap by half. */
  private static boolean isSame(Subject left, Subject right) {
    return Objects.equals(left.category(), right.category()) && box(left).overlap(box(right)) >= SAME_OVERLAP;
  }

  private static Box box(Subject subject) {
    return new Box(subject.x0(), subject.y0(), subject.x1(), subject.y1());
  }

  private static double cosine(float[] left, float[] right) {
    double product = 0;
    double leftSquare = 0;
    double rightSquare = 0;
    for (int i = 0; i < left.length; i++) {
      product += (double) left[i] * right[i];
      leftSquare += (double) left[i] * left[i];
      rightSquare += (double) right[i] * right[i];
    }
    double lengths = Math.sqrt(leftSquare) * Math.sqrt(rightSquare);
    return lengths > 0 ? product / lengths : leftSquare == rightSquare ? 1 : 0;
  }

  /** The two nets in float32, which record their ranges; they are freed afterwards, since the run does not use them. */
  private static final class Watched implements AutoCloseable {
    private final TaskSettings settings;
    private final NetworkFile detectorFile;
    private final WatchedNetwork detector;
    private final WatchedNetwork extractor;

    Watched(TaskSettings run, RunNets nets) {
      settings = run.with(run.compilation().plain());
      detectorFile = nets.detectorFile();
      detector = detectorFile == null ? null : watched(detectorFile);
      extractor = watched(nets.extractorFile());
    }

    private WatchedNetwork watched(NetworkFile file) {
      return new WatchedNetwork(Networks.compile(file, settings.compilation()), file.ownOutputs());
    }

    List<Rows.Feature> process(Shard shard, Configuration conf) throws IOException, InterruptedException {
      Detector boxes = detector == null ? null : new Detector(detectorFile, detector);
      return new ShardTask(settings, boxes, extractor, conf).process(shard);
    }

    @Override
    public void close() {
      if (detector != null) {
        detector.close();
      }
      extractor.close();
    }
  }
}
