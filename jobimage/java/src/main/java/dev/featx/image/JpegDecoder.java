package dev.featx.image;

import dev.featx.failure.QuarantineReason;
import java.util.Arrays;
import java.util.Random;
import org.opencv.core.Core;
import org.opencv.core.Mat;

/**
 * Decodes JPEGs, and tells those that merely lack their end marker from those that lack pixels.
 *
 * <p>libjpeg fills what is missing, and warns in both cases. But what follows the last pixel does not change an image, and what
 * takes the place of missing data does: an image without an end marker is whole if it decodes to the same pixels whatever follows.
 */
final class JpegDecoder {
  private static final int LEAST_PADDING = 16; // zero bytes at the end of a file that was not fully uploaded
  private static final int FILLER = 256;
  private static final int END = 0xD9;
  private static final int FIRST_RESTART = 0xD0;

  private JpegDecoder() {}

  static DecodedImage decode(byte[] bytes, ImageHeader header, Decoding decoding) throws ImageProblem {
    JpegStructure structure = JpegStructure.of(bytes);
    DecodedImage image = structure.complete() ? new DecodedImage(pixels(bytes, header), false) : incomplete(bytes, header, decoding);
    IccProfile.toSrgb(image.pixels(), structure.profile(), true);
    return image;
  }

  private static DecodedImage incomplete(byte[] bytes, ImageHeader header, Decoding decoding) throws ImageProblem {
    JpegFrame frame = JpegFrame.of(bytes);
    byte[] data = withoutPadding(bytes);
    boolean whole = frame.covered() && isWhole(data, frame, header);
    if (!whole && !(decoding.keepDamaged() && frame.scanned())) {
      throw ImageHeader.truncated(bytes);
    }
    return new DecodedImage(pixels(followedBy(data, new byte[0]), header), !whole);
  }

  /** Decodes with libjpeg-turbo, or with OpenCV what that leaves. */
  private static Mat pixels(byte[] bytes, ImageHeader header) throws ImageProblem {
    Mat pixels = TurboJpeg.decode(bytes, header);
    if (pixels != null) {
      return pixels;
    }
    try {
      return Decoder.withOpenCv(bytes, header);
    } catch (ImageProblem problem) {
      String kind = problem.reason() == QuarantineReason.DAMAGED ? JpegFrame.of(bytes).unsupported() : null;
      throw kind == null ? problem : ImageHeader.unsupported(kind);
    }
  }

  private static boolean isWhole(byte[] data, JpegFrame frame, ImageHeader header) throws ImageProblem {
    byte[] filler = new byte[FILLER];
    new Random(1).nextBytes(filler);
    for (int i = 0; i < filler.length; i++) {
      filler[i] &= 0x7F; // no markers
    }
    boolean whole = hasSamePixels(data, filler, header);
    if (whole && frame.restarts()) {
      byte[] restarted = new byte[2 + FILLER];
      restarted[0] = (byte) 0xFF;
      restarted[1] = (byte) (FIRST_RESTART + frame.restart());
      System.arraycopy(filler, 0, restarted, 2, FILLER);
      whole = hasSamePixels(data, restarted, header);
    }
    return whole;
  }

  private static boolean hasSamePixels(byte[] data, byte[] suffix, ImageHeader header) throws ImageProblem {
    Mat plain = pixels(followedBy(data, new byte[0]), header);
    Mat followed = pixels(followedBy(data, suffix), header);
    Mat difference = new Mat();
    Core.absdiff(plain, followed, difference);
    boolean same = Core.countNonZero(difference.reshape(1)) == 0;
    plain.release();
    followed.release();
    difference.release();
    return same;
  }

  /** Returns data, more bytes, and an end marker. */
  private static byte[] followedBy(byte[] data, byte[] suffix) {
    byte[] file = Arrays.copyOf(data, data.length + suffix.length + 2);
    System.arraycopy(suffix, 0, file, data.length, suffix.length);
    file[file.length - 2] = (byte) 0xFF;
    file[file.length - 1] = (byte) END;
    return file;
  }

  private static byte[] withoutPadding(byte[] bytes) {
    int end = bytes.length;
    while (end > 0 && bytes[end - 1] == 0) {
      end--;
    }
    int length = bytes.length - end < LEAST_PADDING ? bytes.length : end;
    return Arrays.copyOf(bytes, length > 0 && (bytes[length - 1] & 0xFF) == 0xFF ? length - 1 : length);
  }
}
