package dev.featx.pipeline;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.featx.nets.Compilation;
import java.io.Serializable;

/**
 * What every shard of a run has in common, as the driver wrote it (featx_job/spark/session.py).
 *
 * @param detectorInput how pixels become the detector's input; null without a detector
 * @param policy how the subject is chosen; null without a detector
 * @param extractorInput how pixels become the extractor's input
 * @param binarization how features become bits, or null
 * @param maxPixels a larger image is not decoded
 * @param maxBytes a larger object is not read
 * @param featuresFolder where shards' feature files go
 * @param logged whether a log will say which files are the table's, so that each has a name of its own
 * @param quarantineFolder where their quarantine files go
 * @param doneFolder where a shard's end is marked
 * @param hbase the table that images are cells of, or null
 * @param patience with stores that do not answer
 * @param shardsAtOnce shards that share an executor's memory
 * @param compilation how nets are made ready to run
 */
record Plan(NetInput detectorInput, Subject.Policy policy, NetInput extractorInput, Binarization binarization, long maxPixels,
    long maxBytes, String featuresFolder, boolean logged, String quarantineFolder, String doneFolder, HBaseTable hbase, Patience patience,
    int shardsAtOnce, Compilation compilation)
    implements Serializable {

  /** Returns the same for nets made ready in another way. */
  Plan with(Compilation other) {
    return new Plan(detectorInput, policy, extractorInput, binarization, maxPixels, maxBytes, featuresFolder, logged,
        quarantineFolder, doneFolder, hbase, patience, shardsAtOnce, other);
  }

  static Plan read(String json, Waiting waiting) {
    try {
      JsonNode plan = new ObjectMapper().readTree(json);
      JsonNode detector = plan.get("detector");
      boolean detects = detector != null && !detector.isNull();
      JsonNode extractor = plan.get("extractor");
      return new Plan(detects ? NetInput.of(detector.get("input")) : null, detects ? Subject.Policy.of(detector) : null,
          NetInput.of(extractor.get("input")), extractor.hasNonNull("binarize") ? Binarization.of(extractor.get("binarize")) : null,
          plan.get("maxPixels").asLong(), plan.get("maxBytes").asLong(), plan.get("featuresFolder").asText(),
          plan.get("logged").asBoolean(), plan.get("quarantineFolder").asText(), plan.get("doneFolder").asText(),
          plan.hasNonNull("hbase") ? HBaseTable.of(plan.get("hbase")) : null, new Patience(plan.get("patience").asLong(), waiting),
          plan.get("shardsAtOnce").asInt(), Compilation.of(plan.get("engine").asText(), plan.get("precision").asText(),
              plan.get("batch").asInt(), plan.get("cores").asInt(), plan.get("streams").asInt()));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("the driver's plan is no JSON", e);
    }
  }
}
