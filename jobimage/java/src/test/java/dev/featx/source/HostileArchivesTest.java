package dev.featx.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.featx.failure.QuarantineReason;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32C;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.apache.hadoop.io.WritableUtils;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a file says of its sizes is never allocated before it is there: it is refused by the name of a limit. */
class HostileArchivesTest {
  private static final byte[] JPEG = {(byte) 0xff, (byte) 0xd8, (byte) 0xff, (byte) 0xe0, 1, 2, 3, 4};
  private static final int HUGE = Integer.MAX_VALUE - 8;
  private static final long TERABYTE = 1L << 40;

  @TempDir
  private Path folder;

  private PackedReader.Result read(byte[] content) throws IOException, InterruptedException {
    return PackedReader.read(folder.resolve("a"), content, PackedReader.AUTO);
  }

  private void assertRefused(byte[] content, String limit) throws IOException, InterruptedException {
    PackedReader.Result result = read(content);
    assertEquals(1, result.problems().size(), result::toString);
    String problem = result.problems().get(0);
    assertTrue(problem.startsWith(QuarantineReason.UNSUPPORTED.label()) && problem.contains(limit), problem);
  }

  private static byte[] header(String name, char type, long size) {
    byte[] block = new byte[512];
    System.arraycopy(name.getBytes(StandardCharsets.UTF_8), 0, block, 0, name.length());
    byte[] number = ByteBuffer.allocate(12).putInt(0x80000000).putLong(size).array();
    System.arraycopy(number, 0, block, 124, 12);
    block[156] = (byte) type;
    System.arraycopy("ustar\00000".getBytes(StandardCharsets.ISO_8859_1), 0, block, 257, 8);
    Arrays.fill(block, 148, 156, (byte) ' ');
    int sum = 0;
    for (byte value : block) {
      sum += value & 0xff;
    }
    System.arraycopy(String.format("%06o\0 ", sum).getBytes(StandardCharsets.ISO_8859_1), 0, block, 148, 8);
    return block;
  }

  private static byte[] member(String name, byte[] content) {
    return PackedReader.joined(header(name, '0', content.length), Arrays.copyOf(content, (content.length + 511) / 512 * 512));
  }

  @Test
  void headersOfATarAreBounded() throws Exception {
    byte[] image = member("0.jpg", JPEG);
    for (char type : new char[] {'x', 'L', 'K', 'X'}) {
      byte[] tar = PackedReader.joined(image, header("x", type, TERABYTE), new byte[2048]);
      assertRefused(tar, "1099511627776 bytes, more than the limit, 1048576");
      assertEquals(List.of("0.jpg"), read(tar).keys());
    }
  }

  @Test
  void partsOfASparseMemberAreBounded() throws Exception {
    byte[] records = "22 GNU.sparse.major=1\n30 GNU.sparse.realsize=104857\n".getBytes(StandardCharsets.UTF_8);
    byte[] map = "1000000000\n0\n".getBytes(StandardCharsets.UTF_8);
    byte[] pax = PackedReader.joined(header("x", 'x', records.length), Arrays.copyOf(records, 512));
    assertRefused(
        PackedReader.joined(pax, header("0.jpg", '0', 512), Arrays.copyOf(map, 1536)),
        "1000000000 parts, more than the limit, 100000");
  }

  @Test
  void aMemberThatIsLargerThanItsArchiveIsAProblemOfTheArchive() throws Exception {
    PackedReader.Result result = read(PackedReader.joined(member("0.jpg", JPEG), header("1.jpg", '0', TERABYTE), new byte[2048]));
    assertEquals(List.of("0.jpg"), result.keys());
    assertEquals(2, result.problems().size());
    assertTrue(result.problems().get(0).startsWith(QuarantineReason.TOO_LARGE.label()));
    assertTrue(result.problems().get(1).startsWith(QuarantineReason.TRUNCATED.label()));
  }

  @Test
  void imagesOfOneSampleAreBounded() throws Exception {
    ByteArrayOutputStream tar = new ByteArrayOutputStream();
    for (int i = 0; i < 1001; i++) {
      tar.writeBytes(member("2020." + i + ".jpg", JPEG));
    }
    tar.writeBytes(new byte[1024]);
    PackedSettings carrying = new PackedSettings(PackedSettings.Format.AUTO, null, null, null, null, List.of("txt"));
    PackedReader.Result result = PackedReader.read(folder.resolve("a"), tar.toByteArray(), carrying);
    assertTrue(result.problems().get(0).contains("limit of a sample, 1000 images"), result.problems()::toString);
    assertEquals(1001, read(tar.toByteArray()).keys().size());
  }

  private static byte[] sequence(boolean blocks, Writer rest) throws IOException {
    return sequence(blocks, blocks ? "DefaultCodec" : null, rest);
  }

  private static byte[] sequence(boolean blocks, String codec, Writer rest) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(bytes);
    out.writeBytes("SEQ");
    out.writeByte(6);
    for (String type : List.of("org.apache.hadoop.io.Text", "org.apache.hadoop.io.BytesWritable")) {
      WritableUtils.writeVInt(out, type.length());
      out.writeBytes(type);
    }
    out.writeBoolean(codec != null);
    out.writeBoolean(blocks);
    if (codec != null) {
      WritableUtils.writeVInt(out, ("org.apache.hadoop.io.compress." + codec).length());
      out.writeBytes("org.apache.hadoop.io.compress." + codec);
    }
    out.writeInt(0);
    out.write(new byte[16]);
    rest.write(out);
    out.write(new byte[64]);
    return bytes.toByteArray();
  }

  private interface Writer {
    void write(DataOutputStream out) throws IOException;
  }

  @Test
  void recordsOfASequenceFileAreBounded() throws Exception {
    assertRefused(sequence(false, out -> {
      out.writeInt(HUGE);
      out.writeInt(HUGE);
    }), HUGE + " bytes, more than the limit, 1048576");
    PackedReader.Result value = read(sequence(false, out -> {
      out.writeInt(HUGE);
      out.writeInt(2);
      out.writeByte(1);
      out.writeByte('k');
      out.writeInt(HUGE - 6);
    }));
    assertTrue(value.problems().get(0).startsWith(QuarantineReason.TRUNCATED.label()), value::toString);
    PackedReader.Result block = read(sequence(true, out -> {
      out.writeInt(-1);
      out.write(new byte[16]);
      WritableUtils.writeVInt(out, HUGE);
      WritableUtils.writeVInt(out, HUGE);
    }));
    assertEquals(1, block.problems().size());
  }

  @Test
  void aBlockOfASequenceFileThatDecompressesToGigabytesIsRefused() throws Exception {
    ByteArrayOutputStream bomb = new ByteArrayOutputStream();
    try (DeflaterOutputStream deflated = new DeflaterOutputStream(bomb)) {
      for (int i = 0; i < 40; i++) {
        deflated.write(new byte[1 << 20]);
      }
    }
    assertRefused(sequence(true, out -> {
      out.writeInt(-1);
      out.write(new byte[16]);
      WritableUtils.writeVInt(out, 10);
      WritableUtils.writeVInt(out, bomb.size());
      out.write(bomb.toByteArray());
    }), "lengths of keys of a block have more bytes than the limit");
  }

  @Test
  void whatACodecAllocatesInVainDoesNotEndTheExecutor() throws Exception {
    assertRefused(sequence(false, "Lz4Codec", out -> {
      out.writeInt(100);
      out.writeInt(2);
      out.writeByte(1);
      out.writeByte('k');
      out.writeInt(100);
      out.writeInt(Integer.MAX_VALUE); // of a chunk, for which Hadoop allocates an array
    }), "more memory than an executor has");
  }

  private static byte[] record(long length, byte[] content) {
    ByteBuffer bytes = ByteBuffer.allocate(16 + content.length).order(ByteOrder.LITTLE_ENDIAN).putLong(length);
    bytes.putInt(masked(Arrays.copyOf(bytes.array(), 8))).put(content).putInt(masked(content));
    return bytes.array();
  }

  private static int masked(byte[] bytes) {
    CRC32C checksum = new CRC32C();
    checksum.update(bytes);
    return Integer.rotateRight((int) checksum.getValue(), 15) + 0xa282ead8;
  }

  @Test
  void recordsAndFeaturesOfATfRecordAreBounded() throws Exception {
    PackedReader.Result tooLarge = read(PackedReader.joined(record(TERABYTE, new byte[100]), new byte[100]));
    assertTrue(tooLarge.problems().get(0).startsWith(QuarantineReason.TRUNCATED.label()), tooLarge::toString);
    ByteArrayOutputStream features = new ByteArrayOutputStream();
    for (int i = 0; i < 10_001; i++) {
      features.writeBytes(new byte[] {10, 6, 10, 4});
      features.writeBytes(String.format("%04x", i).getBytes(StandardCharsets.UTF_8));
    }
    ByteBuffer example = ByteBuffer.allocate(4 + features.size()).put((byte) 10);
    int size = features.size();
    example.put((byte) (size & 127 | 128)).put((byte) (size >> 7 & 127 | 128)).put((byte) (size >> 14)).put(features.toByteArray());
    assertRefused(record(example.capacity(), example.array()), "more features than the limit, 10000");
  }

  @Test
  void aFooterOfParquetIsBounded() throws Exception {
    byte[] start = Arrays.copyOf("PAR1".getBytes(StandardCharsets.UTF_8), 1 << 16);
    ByteBuffer end = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putInt(HUGE).put("PAR1".getBytes(StandardCharsets.UTF_8));
    assertRefused(PackedReader.joined(start, end.array()), "its footer has " + HUGE + " bytes, more than the limit, 16777216");
  }

  @Test
  void aDirectoryOfAZipThatIsTooLargeForTheHeapIsNotRead() throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      for (int i = 0; i < 1100; i++) {
        ZipEntry entry = new ZipEntry(i + ".jpg");
        entry.setComment("x".repeat(32_000)); // only the directory has comments
        zip.putNextEntry(entry);
        zip.write(JPEG);
      }
    }
    PackedReader.Result result = read(bytes.toByteArray());
    assertEquals(1100, result.keys().size());
    assertEquals(List.of(), result.problems());
  }
}
