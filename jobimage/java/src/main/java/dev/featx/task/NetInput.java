package dev.featx.task;

import java.io.Serializable;
import org.opencv.core.Mat;
import org.opencv.core.Size;
import org.opencv.imgproc.Imgproc;

/**
 * How pixels become a net's input: resized bilinearly to its size, then (pixel - mean) * scale, channel by channel.
 *
 * <p>The same numbers as cv2.dnn.blobFromImage gives.
 *
 * @param mean of each channel, in the net's order
 * @param scale factor after the mean is subtracted
 * @param swap whether the net wants RGB
 */
record NetInput(float[] mean, float scale, boolean swap) implements Serializable {
  /**
   * Writes an image's numbers.
   *
   * @param image BGR pixels, possibly a part of a larger matrix
   * @param shape {3, height, width} of the net's input
   * @param target where to; the image takes 3 * height * width places
   * @param at its first place
   */
  void write(Mat image, int[] shape, float[] target, int at) {
    int height = shape[1];
    int width = shape[2];
    Mat resized = new Mat();
    Imgproc.resize(image, resized, new Size(width, height), 0, 0, Imgproc.INTER_LINEAR);
    byte[] pixels = new byte[3 * height * width];
    resized.get(0, 0, pixels);
    resized.release();
    int plane = height * width;
    for (int channel = 0; channel < 3; channel++) {
      int from = swap ? 2 - channel : channel;
      int to = at + channel * plane;
      for (int pixel = 0; pixel < plane; pixel++) {
        target[to + pixel] = ((pixels[pixel * 3 + from] & 0xFF) - mean[channel]) * scale;
      }
    }
  }
}
