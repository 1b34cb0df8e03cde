package dev.featx.task;

import java.io.Serializable;

/**
 * How far nets are from nets in float32.
 *
 * @param images that both have a feature of
 * @param cosine mean cosine of their features
 * @param lowestCosine the lowest of them
 * @param agreement share of images with the same subject: none, or one of the same class whose boxes overlap by half
 */
public record Comparison(int images, double cosine, double lowestCosine, double agreement) implements Serializable {}
