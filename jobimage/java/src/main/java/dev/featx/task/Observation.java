package dev.featx.task;

import dev.featx.nets.SeenValues;
import java.io.Serializable;

/**
 * Observed ranges of both nets' values, from which the 8-bit integers' scales follow.
 *
 * @param images number of images that reached the extractor
 * @param detector null without one, or if no image reached it
 * @param extractor null if no image reached it
 */
public record Observation(int images, SeenValues detector, SeenValues extractor) implements Serializable {}
