package dev.featx.task;

import java.io.Serializable;

/**
 * The difference between nets and the same nets in float32.
 *
 * @param images number of images with a feature in both
 * @param cosine mean cosine of their features
 * @param lowestCosine lowest cosine of an image
 * @param agreement share of images with the same subject: none, or one of the same class whose boxes overlap by half
 */
public record Comparison(int images, double cosine, double lowestCosine, double agreement) implements Serializable {}
