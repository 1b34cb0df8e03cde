package dev.featx.task;

import dev.featx.failure.QuarantineReason;
import dev.featx.failure.RunProblem;
import dev.featx.image.DecodedImage;
import dev.featx.image.Decoder;
import dev.featx.image.ImageHeader;
import dev.featx.image.ImageProblem;
import dev.featx.image.PixelBudget;
import dev.featx.image.Subject;
import dev.featx.nets.CompiledNetwork;
import dev.featx.nets.Detection;
import dev.featx.nets.Detector;
import dev.featx.source.Image;
import dev.featx.source.Images;
import dev.featx.source.Patience;
import dev.featx.source.Shard;
import dev.featx.table.Rows;
import dev.featx.table.ShardFiles;
import dev.featx.table.ShardResult;
import dev.featx.task.StepTimes.Step;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.hadoop.conf.Configuration;
import org.opencv.core.Mat;

/**
 * Runs one shard: read, decode, detect, crop, extract, write.
 *
 * <p>Separate threads read and decode ahead while the nets process a batch. An image is decoded once, and its pixels are
 * released after its batch. Images in flight are bounded: encoded ones by the window and their bytes, pixels by a
 * {@link PixelBudget}.
 */
public final class ShardTask {
  private static final long PIXELS_IN_FLIGHT = 64_000_000; // per executor: 192 MB as BGR

  private final TaskSettings settings;
  private final Detector detector;
  private final CompiledNetwork extractor;
  private final Configuration conf;
  private final List<Rows.Feature> features = new ArrayList<>();
  private final List<Rows.Failure> failures = new ArrayList<>();
  private final StepTimes times = new StepTimes();
  private int skipped;

  /** A decoded image waiting for its batch; the decoding thread has already prepared the detector's input. */
  private record Decoded(Image source, DecodedImage image, float[] detectorInput, long held) {
    Mat pixels() {
      return image.pixels();
    }
  }

  /** An image being read and decoded. */
  private record PendingImage(Image image, Future<Decoded> decoded) {}

  /**
   * Creates a task.
   *
   * @param settings shared by all shards
   * @param detector the detector, or null
   * @param extractor the net whose output is the feature
   * @param conf for Hadoop's file systems
   */
  public ShardTask(TaskSettings settings, Detector detector, CompiledNetwork extractor, Configuration conf) {
    this.settings = settings;
    this.detector = detector;
    this.extractor = extractor;
    this.conf = conf;
  }

  /**
   * Processes all images of a shard and commits it.
   *
   * @throws IOException if the source or the output does not respond
   */
  public ShardResult run(Shard shard) throws IOException, InterruptedException {
    process(shard);
    return new ShardFiles(conf, settings.table()).commit(shard, features, failures, skipped, extractor.precision(),
        times.seconds());
  }

  /**
   * Processes all images of a shard.
   *
   * @return the rows of the table
   * @throws IOException if the source does not respond
   */
  List<Rows.Feature> process(Shard shard) throws IOException, InterruptedException {
    ExecutorService pool = Executors.newFixedThreadPool(Math.max(2, settings.compilation().cores()));
    PixelBudget budget = new PixelBudget(PIXELS_IN_FLIGHT / settings.shardsAtOnce());
    Deque<PendingImage> window = new ArrayDeque<>();
    List<Decoded> batch = new ArrayList<>();
    try (Images images = shard.part().open(settings.source(), conf)) {
      boolean more = true;
      long held = 0;
      int submitted = 0;
      while (true) {
        while (more && window.size() < 2 * settings.compilation().batch()
            && (held < settings.source().maxBytes() || window.isEmpty())) {
          Image image = next(images);
          more = image != null;
          if (more) {
            held += image.held();
            window.add(new PendingImage(image, pool.submit(decoding(image, submitted++, budget))));
          }
        }
        if (window.isEmpty()) {
          break;
        }
        PendingImage next = window.remove();
        held -= next.image().held();
        while (!awaited(next.decoded())) {
          Patience.checkNotKilled();
          if (budget.isStarved() && !batch.isEmpty()) {
            runBatch(batch, budget);
          }
        }
        take(next.decoded(), next.image().key(), batch);
        if (batch.size() == settings.compilation().batch()) {
          runBatch(batch, budget);
        }
      }
      runBatch(batch, budget);
      skipped = images.skipped();
    } finally {
      pool.shutdownNow();
    }
    failures.sort((a, b) -> a.key().compareTo(b.key()));
    return features;
  }

  /** Takes an image from the source, which may have to read it: nothing else of the shard goes on meanwhile. */
  private Image next(Images images) throws IOException, InterruptedException {
    long started = System.nanoTime();
    try {
      return images.next();
    } finally {
      times.add(Step.READ, started);
      times.add(Step.IDLE, started);
    }
  }

  private Callable<Decoded> decoding(Image image, int order, PixelBudget budget) {
    return () -> {
      boolean entered = false;
      try {
        byte[] bytes = read(image);
        ImageHeader header = ImageHeader.of(bytes);
        if (header.pixels() > settings.maxPixels()) {
          throw new ImageProblem(ImageProblem.Stage.DECODE, QuarantineReason.TOO_MANY_PIXELS,
              String.format("image is %dx%d pixels, limit %d megapixels; raise spec.limits.megapixels, and"
                  + " spec.execution.memory with it", header.width(), header.height(), settings.maxPixels() / 1_000_000));
        }
        budget.enter(order, header.pixelsInMemory());
        entered = true;
        return decoded(image, bytes, header, budget);
      } finally {
        if (!entered) {
          budget.enter(order, 0);
        }
      }
    };
  }

  private byte[] read(Image image) throws IOException, InterruptedException, ImageProblem {
    long started = System.nanoTime();
    try {
      return image.content().bytes();
    } finally {
      times.add(Step.READ, started);
    }
  }

  private Decoded decoded(Image source, byte[] bytes, ImageHeader header, PixelBudget budget) throws ImageProblem {
    long held = header.pixelsInMemory();
    long started = System.nanoTime();
    try {
      DecodedImage image = Decoder.decode(bytes, header, settings.decoding());
      budget.leave(held - header.pixels()); // what the decoder took beside the pixels
      held = header.pixels();
      float[] input = null;
      if (detector != null) {
        input = new float[detector.network().inputSize()];
        settings.detector().input().write(image.pixels(), detector.network().inputShape(), input, 0);
      }
      return new Decoded(source, image, input, held);
    } catch (ImageProblem | RuntimeException e) {
      budget.leave(held);
      throw e;
    } finally {
      times.add(Step.DECODE, started);
    }
  }

  private boolean awaited(Future<Decoded> future) throws InterruptedException {
    long started = System.nanoTime();
    try {
      return isReady(future);
    } finally {
      times.add(Step.IDLE, started);
    }
  }

  private static boolean isReady(Future<Decoded> future) throws InterruptedException {
    try {
      future.get(20, TimeUnit.MILLISECONDS);
      return true;
    } catch (TimeoutException e) {
      return false;
    } catch (ExecutionException e) {
      return true;
    }
  }

  private void take(Future<Decoded> future, String key, List<Decoded> batch) throws IOException, InterruptedException {
    try {
      batch.add(future.get());
    } catch (ExecutionException e) {
      if (e.getCause() instanceof ImageProblem problem) {
        failures.add(new Rows.Failure(key, problem));
      } else if (e.getCause() instanceof RunProblem problem) {
        throw problem;
      } else if (e.getCause() instanceof IOException cause) {
        throw cause;
      } else {
        throw new IllegalStateException("decoding " + key + " failed", e.getCause());
      }
    }
  }

  private void runBatch(List<Decoded> batch, PixelBudget budget) {
    if (batch.isEmpty()) {
      return;
    }
    try {
      List<Subject> subjects = subjects(batch);
      List<Decoded> images = new ArrayList<>();
      List<Subject> crops = new ArrayList<>();
      for (int i = 0; i < batch.size(); i++) {
        if (subjects.get(i) != null) {
          images.add(batch.get(i));
          crops.add(subjects.get(i));
        }
      }
      if (!images.isEmpty()) {
        extract(images, crops);
      }
    } finally {
      for (Decoded image : batch) {
        image.pixels().release();
        budget.leave(image.held());
      }
      batch.clear();
    }
  }

  /** Returns the subject of each image, or null if the image was quarantined. */
  private List<Subject> subjects(List<Decoded> batch) {
    List<List<Detection>> detections = null;
    if (detector != null) {
      int size = detector.network().inputSize();
      float[] inputs = new float[batch.size() * size];
      for (int i = 0; i < batch.size(); i++) {
        System.arraycopy(batch.get(i).detectorInput(), 0, inputs, i * size, size);
      }
      long started = System.nanoTime();
      detections = detector.detect(inputs, batch.size(), settings.detector().policy().threshold());
      times.add(Step.DETECT, started);
    }
    List<Subject> subjects = new ArrayList<>();
    for (int i = 0; i < batch.size(); i++) {
      Mat pixels = batch.get(i).pixels();
      try {
        subjects.add(detections == null ? Subject.wholeImage(pixels.cols(), pixels.rows())
            : settings.detector().policy().choose(detections.get(i), pixels.cols(), pixels.rows()));
      } catch (ImageProblem problem) {
        failures.add(new Rows.Failure(batch.get(i).source().key(), problem));
        subjects.add(null);
      }
    }
    return subjects;
  }

  private void extract(List<Decoded> images, List<Subject> subjects) {
    long started = System.nanoTime();
    int size = extractor.inputSize();
    float[] inputs = new float[images.size() * size];
    for (int i = 0; i < images.size(); i++) {
      Mat crop = images.get(i).pixels().submat(subjects.get(i).crop());
      settings.extractor().input().write(crop, extractor.inputShape(), inputs, i * size);
      crop.release();
    }
    float[][] outputs = extractor.forward(inputs, images.size());
    times.add(Step.EXTRACT, started);
    for (int i = 0; i < images.size(); i++) {
      float[] feature = valuesOf(outputs[0], i, images.size());
      Mat pixels = images.get(i).pixels();
      // Binarize the feature itself, or the layer that is the net's second output.
      byte[] bits = settings.extractor().binarization() == null ? null
          : settings.extractor().binarization().bits(valuesOf(outputs[outputs.length - 1], i, images.size()));
      Boolean damaged = settings.decoding().keepDamaged() ? images.get(i).image().damaged() : null;
      Image source = images.get(i).source();
      features.add(new Rows.Feature(source.key(), subjects.get(i), feature, bits, pixels.cols(), pixels.rows(), damaged,
          source.carried()));
    }
  }

  private static float[] valuesOf(float[] values, int image, int images) {
    int length = values.length / images;
    return Arrays.copyOfRange(values, image * length, (image + 1) * length);
  }
}
