package dev.featx.image;

import org.opencv.core.Mat;

/**
 * A decoded image.
 *
 * @param pixels CV_8UC3 as BGR; the owner releases them
 * @param damaged whether only a part of the image could be decoded
 */
public record DecodedImage(Mat pixels, boolean damaged) {}
