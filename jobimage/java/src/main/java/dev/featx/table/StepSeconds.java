package dev.featx.table;

import java.io.Serializable;

/**
 * How long the steps of a shard took, in seconds.
 *
 * @param read threads spent reading images from the source, with retries
 * @param decode threads spent decoding, and on the detector's input
 * @param idle the shard had no decoded image, so that the nets had no work from it
 * @param detect in the detector, also waiting for a free one
 * @param extract cropping and in the extractor, also waiting for a free one
 * @param write writing rows
 */
public record StepSeconds(double read, double decode, double idle, double detect, double extract, double write)
    implements Serializable {
  public static final StepSeconds NONE = new StepSeconds(0, 0, 0, 0, 0, 0);

  StepSeconds withWrite(double seconds) {
    return new StepSeconds(read, decode, idle, detect, extract, seconds);
  }
}
