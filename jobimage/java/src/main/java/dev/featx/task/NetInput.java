package dev.featx.task;

import java.io.Serializable;
import org.opencv.core.Mat;
import org.opencv.core.Size;
import org.opencv.imgproc.Imgproc;

/**
 * Converts pixels to a net's input: resized bilinearly to its size, then (pixel - mean) * scale, channel by channel.
 *
 * <p>The result equals that of cv2.dnn.blobFromImage.
 *
 * @param mean of each channel, in the net's order
 * @param scale factor applied after subtracting the mean
 * @param swap whether the net expects RGB
 */
record NetInput(float[] mean, float scale, boolean swap) implements Serializable {
  /**
   * Writes the input of one image.
   *
   * @param image BGR pixels, possibly a view of a larger matrix
   * @param shape {3, height, width} of the net's input
   * @param target destination; the image takes 3 * height * width elements
   * @param at index of the first element
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
