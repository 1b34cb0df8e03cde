package dev.featx.nets;

import java.io.Serializable;

/**
 * The lowest and highest values of a net on images.
 *
 * @param input range of its input
 * @param outputs range of each output
 */
public record SeenValues(float[] input, float[][] outputs) implements Serializable {}
