package dev.featx.nets;

import java.io.Serializable;

/**
 * The lowest and the highest values that a net took on images.
 *
 * @param input of its input
 * @param outputs of each of its outputs
 */
public record SeenValues(float[] input, float[][] outputs) implements Serializable {}
