package dev.featx.task;

import dev.featx.contract.Contract;
import dev.featx.nets.Compilation;
import dev.featx.source.Patience;
import dev.featx.source.ReadSettings;
import dev.featx.table.TableSettings;
import java.io.Serializable;

/**
 * What all tasks of a run share: parsed once, in the driver's JVM, and serialized with each task.
 *
 * @param detector how the detector is run; null without one
 * @param extractor how the extractor is run
 * @param maxPixels larger images are not decoded
 * @param shardsAtOnce shards that share an executor's memory
 * @param compilation how nets are compiled
 * @param source how images are read
 * @param table where rows go; null if nothing is written
 */
public record TaskSettings(DetectorSettings detector, ExtractorSettings extractor, long maxPixels, int shardsAtOnce,
    Compilation compilation, ReadSettings source, TableSettings table) implements Serializable {
  /**
   * How the detector is run.
   *
   * @param input how pixels become its input
   * @param policy which box is cropped
   */
  record DetectorSettings(NetInput input, SubjectPolicy policy) implements Serializable {}

  /**
   * How the extractor is run.
   *
   * @param input how pixels become its input
   * @param binarization how features become bits, or null
   */
  record ExtractorSettings(NetInput input, Binarization binarization) implements Serializable {}

  /** Returns the same settings for nets that are compiled in another way. */
  TaskSettings with(Compilation other) {
    return new TaskSettings(detector, extractor, maxPixels, shardsAtOnce, other, source, table);
  }

  /**
   * Parses the driver's settings.
   *
   * @param json the document
   * @param observer is notified while a store is waited for
   */
  public static TaskSettings read(String json, Patience.Observer observer) {
    return Contract.read(json, TaskSettings.class, Patience.Observer.class, observer);
  }
}
