package dev.featx.task;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.featx.nets.Compilation;
import dev.featx.source.Patience;
import dev.featx.source.ReadSettings;
import dev.featx.table.TableSettings;
import java.io.Serializable;

/**
 * What every shard of a run has in common, as the driver wrote it (featx_job/spark/session.py).
 *
 * @param detectorInput how pixels become the detector's input; null without a detector
 * @param policy how the subject is chosen; null without a detector
 * @param extractorInput how pixels become the extractor's input
 * @param binarization how features become bits, or null
 * @param maxPixels a larger image is not decoded
 * @param source how images are read
 * @param table where rows go
 * @param shardsAtOnce shards that share an executor's memory
 * @param compilation how nets are made ready to run
 */
public record TaskSettings(NetInput detectorInput, SubjectPolicy policy, NetInput extractorInput, Binarization binarization,
    long maxPixels, ReadSettings source, TableSettings table, int shardsAtOnce, Compilation compilation)
    implements Serializable {

  /** Returns the same for nets made ready in another way. */
  TaskSettings with(Compilation other) {
    return new TaskSettings(detectorInput, policy, extractorInput, binarization, maxPixels, source, table, shardsAtOnce, other);
  }

  /**
   * Reads what the driver wrote.
   *
   * @param json the text
   * @param observer is told when a store is waited for
   */
  public static TaskSettings read(String json, Patience.Observer observer) {
    try {
      JsonNode run = new ObjectMapper().readTree(json);
      JsonNode detector = run.get("detector");
      boolean detects = detector != null && !detector.isNull();
      JsonNode extractor = run.get("extractor");
      Patience patience = new Patience(run.get("patience").asLong(), observer);
      return new TaskSettings(detects ? NetInput.of(detector.get("input")) : null, detects ? SubjectPolicy.of(detector) : null,
          NetInput.of(extractor.get("input")), extractor.hasNonNull("binarize") ? Binarization.of(extractor.get("binarize")) : null,
          run.get("maxPixels").asLong(), ReadSettings.of(run, patience), TableSettings.of(run, patience),
          run.get("shardsAtOnce").asInt(), Compilation.of(run.get("engine").asText(), run.get("precision").asText(),
              run.get("batch").asInt(), run.get("cores").asInt(), run.get("streams").asInt()));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("the driver's settings are no JSON", e);
    }
  }
}
