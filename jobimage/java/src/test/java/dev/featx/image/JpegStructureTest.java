package dev.featx.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class JpegStructureTest {
  private static final int[] FRAME = {0xFF, 0xC2, 0, 8, 8, 0x01, 0x02, 0x03, 0x04, 1};
  private static final int[] SCAN = {0xFF, 0xDA, 0, 2, 0x12, 0xFF, 0x00, 0x34, 0xFF, 0xD0, 0x56};
  private static final int[] END = {0xFF, 0xD9};

  @Test
  void sizeIsReadFromTheFrameHeader() {
    JpegStructure structure = JpegStructure.of(file(FRAME, SCAN, END));
    assertEquals(new JpegStructure(0x0304, 0x0102, Orientation.TOP_LEFT, true), structure);
  }

  @Test
  void stuffedBytesAndRestartsInAScanAreNotTheEnd() {
    assertFalse(JpegStructure.of(file(FRAME, SCAN)).complete());
  }

  @Test
  void aProgressiveImageHasSeveralScansBeforeItsEnd() {
    assertTrue(JpegStructure.of(file(FRAME, SCAN, SCAN, SCAN, END)).complete());
    assertFalse(JpegStructure.of(file(FRAME, SCAN, SCAN, SCAN)).complete());
  }

  @Test
  void paddingBeforeAMarkerIsSkipped() {
    assertTrue(JpegStructure.of(file(FRAME, SCAN, new int[] {0xFF, 0xFF, 0xFF}, END)).complete());
  }

  @Test
  void orientationIsReadFromTheExifSegmentWhereverItIs() {
    int[] comments = {0xFF, 0xE1, 0, 8, 'h', 't', 't', 'p', ':', 0};
    int[] little = exif('I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0);
    int[] big = exif('M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 8, 0, 0);
    assertEquals(Orientation.RIGHT_TOP, JpegStructure.of(file(comments, little, FRAME, SCAN, END)).orientation());
    assertEquals(Orientation.LEFT_BOTTOM, JpegStructure.of(file(big, FRAME, SCAN, END)).orientation());
  }

  @Test
  void aDamagedOrientationIsIgnored() {
    int[] unknown = exif('I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0, 9, 0, 0, 0);
    int[] outside = exif('I', 'I', 42, 0, 0xFF, 0xFF, 0xFF, 0x7F);
    int[] cut = exif('M', 'M', 0, 42, 0, 0, 0, 8, 0xFF, 0xFF, 0x01);
    for (int[] segment : new int[][] {unknown, outside, cut, exif()}) {
      assertEquals(Orientation.TOP_LEFT, JpegStructure.of(file(segment, FRAME, SCAN, END)).orientation());
    }
  }

  @Test
  void huffmanTablesAreNotAFrame() {
    int[] tables = {0xFF, 0xC4, 0, 8, 8, 0x09, 0x09, 0x09, 0x09, 1};
    assertEquals(0x0304, JpegStructure.of(file(tables, FRAME, tables, SCAN, END)).width());
  }

  @Test
  void anEndMarkerInsideASegmentIsNotTheEnd() {
    int[] comment = {0xFF, 0xFE, 0, 4, 0xFF, 0xD9};
    assertFalse(JpegStructure.of(file(comment, FRAME, SCAN)).complete());
  }

  @Test
  void theWalkTerminatesOnAnyBytes() {
    java.util.Random random = new java.util.Random(5);
    for (int round = 0; round < 2000; round++) {
      byte[] bytes = new byte[random.nextInt(200) + 4];
      random.nextBytes(bytes);
      for (int at = 0; at < bytes.length; at += random.nextInt(6) + 1) {
        bytes[at] = (byte) 0xFF;
      }
      JpegStructure.of(bytes);
    }
  }

  private static byte[] file(int[]... parts) {
    java.io.ByteArrayOutputStream bytes = new java.io.ByteArrayOutputStream();
    bytes.write(0xFF);
    bytes.write(0xD8);
    for (int[] part : parts) {
      for (int value : part) {
        bytes.write(value);
      }
    }
    return bytes.toByteArray();
  }

  private static int[] exif(int... tiff) {
    int[] head = {0xFF, 0xE1, 0, 8 + tiff.length, 'E', 'x', 'i', 'f', 0, 0};
    int[] whole = java.util.Arrays.copyOf(head, head.length + tiff.length);
    System.arraycopy(tiff, 0, whole, head.length, tiff.length);
    return whole;
  }
}
