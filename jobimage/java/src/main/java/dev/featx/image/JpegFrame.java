package dev.featx.image;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * How a JPEG is coded, and whether its scans hold all coefficients. Read only of files that are incomplete or can't be decoded.
 *
 * @param marker of the frame header, such as 0xC0 for baseline; 0 without one
 * @param precision bits per sample
 * @param restarts whether the data is divided by restart markers
 * @param restart number of the next restart marker, from 0 to 7
 * @param scanned whether there is a scan
 * @param covered whether the scans, if they are whole, hold all coefficients of all components
 */
record JpegFrame(int marker, int precision, boolean restarts, int restart, boolean scanned, boolean covered) {
  private static final int JPEG_LS = 0xF7; // its scans have other escapes, so its end is not found
  private static final int SCAN = 0xDA;
  private static final int RESTART_INTERVAL = 0xDD;
  private static final int COEFFICIENTS = 64;
  private static final int MISSING = 16;

  static JpegFrame of(byte[] bytes) {
    int[] frame = new int[3];
    int[] lastScan = new int[1];
    Map<Integer, int[]> missingBits = new HashMap<>();
    JpegStructure.walk(bytes, (marker, at) -> {
      if ((JpegStructure.isFrame(marker) || marker == JPEG_LS) && at + 7 < bytes.length) {
        frame[0] = marker;
        frame[1] = bytes[at + 2] & 0xFF;
        for (int i = 0; i < (bytes[at + 7] & 0xFF) && at + 8 + 3 * i < bytes.length; i++) {
          int[] missing = new int[COEFFICIENTS];
          Arrays.fill(missing, MISSING);
          missingBits.put(bytes[at + 8 + 3 * i] & 0xFF, missing);
        }
      } else if (marker == RESTART_INTERVAL && at + 3 < bytes.length) {
        frame[2] = JpegStructure.unsigned(bytes, at + 2);
      } else if (marker == SCAN) {
        lastScan[0] = at + JpegStructure.unsigned(bytes, at);
        readScan(bytes, at, frame[0], missingBits);
      }
    });
    boolean covered = !missingBits.isEmpty();
    for (int[] missing : missingBits.values()) {
      covered &= Arrays.stream(missing).allMatch(bits -> bits == 0);
    }
    int restart = 0;
    for (int at = lastScan[0]; at > 0 && at + 1 < bytes.length; at++) {
      if ((bytes[at] & 0xFF) == 0xFF && (bytes[at + 1] & 0xF8) == 0xD0) {
        restart = (bytes[at + 1] + 1) & 7;
      }
    }
    return new JpegFrame(frame[0], frame[1], frame[2] > 0, restart, lastScan[0] > 0, covered);
  }

  private static void readScan(byte[] bytes, int at, int frame, Map<Integer, int[]> missingBits) {
    int components = at + 2 < bytes.length ? bytes[at + 2] & 0xFF : 0;
    int parameters = at + 3 + 2 * components;
    if (parameters + 2 >= bytes.length) {
      return;
    }
    boolean progressive = (frame & 3) == 2;
    int first = progressive ? bytes[parameters] & 0xFF : 0;
    int last = progressive ? Math.min(COEFFICIENTS - 1, bytes[parameters + 1] & 0xFF) : COEFFICIENTS - 1;
    for (int i = 0; i < components; i++) {
      int[] missing = missingBits.get(bytes[at + 3 + 2 * i] & 0xFF);
      for (int coefficient = first; missing != null && coefficient <= last; coefficient++) {
        missing[coefficient] = progressive ? bytes[parameters + 2] & 0x0F : 0;
      }
    }
  }

  /** Returns why libjpeg-turbo does not decode files of this kind, or null if it does. */
  String unsupported() {
    return switch (marker) {
      case 0xC3, 0xCB -> "a lossless JPEG";
      case JPEG_LS -> "a JPEG-LS image";
      case 0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF -> "a hierarchical JPEG";
      default -> precision != 8 && precision != 0 ? "a JPEG of " + precision + " bits per channel" : null;
    };
  }
}
