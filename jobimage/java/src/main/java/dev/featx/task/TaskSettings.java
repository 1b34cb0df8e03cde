package dev.featx.task;

import dev.featx.contract.Contract;
import dev.featx.image.Decoding;
import dev.featx.nets.Compilation;
import dev.featx.source.Patience;
import dev.featx.source.ReadSettings;
import dev.featx.table.TableSettings;
import java.io.Serializable;

/**
 * The settings shared by all tasks of a run, parsed once in the driver's JVM and serialized with each task.
 *
 * @param detector how to run the detector; null without one
 * @param extractor how to run the extractor
 * @param decoding how to decode images
 * @param maxPixels larger images are not decoded
 * @param shardsAtOnce number of shards that share an executor's memory
 * @param compilation how to compile the nets
 * @param source how to read images
 * @param table where to write rows; null if nothing is written
 */
public record TaskSettings(DetectorSettings detector, ExtractorSettings extractor, Decoding decoding, long maxPixels,
    int shardsAtOnce, Compilation compilation, ReadSettings source, TableSettings table) implements Serializable {
  /**
   * How to run the detector.
   *
   * @param input how pixels become its input
   * @param policy which box to crop
   */
  record DetectorSettings(NetInput input, SubjectPolicy policy) implements Serializable {}

  /**
   * How to run the extractor.
   *
   * @param input how pixels become its input
   * @param binarization how features become bits, or null
   */
  record ExtractorSettings(NetInput input, Binarization binarization) implements Serializable {}

  /** Returns the same settings with another compilation. */
  TaskSettings with(Compilation other) {
    return new TaskSettings(detector, extractor, decoding, maxPixels, shardsAtOnce, other, source, table);
  }

  /**
   * Parses the driver's settings.
   *
   * @param json the document
   * @param observer notified of waits for a store
   */
  public static TaskSettings read(String json, Patience.Observer observer) {
    return Contract.read(json, TaskSettings.class, Patience.Observer.class, observer);
  }
}
