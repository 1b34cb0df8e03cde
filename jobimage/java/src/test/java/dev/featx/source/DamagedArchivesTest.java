package dev.featx.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.compressors.CompressorException;
import org.apache.commons.compress.compressors.CompressorStreamFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Of an archive that is cut, or has more bytes than it should, every image before that is a row. */
class DamagedArchivesTest {
  private static final List<String> ALL = List.of("0.jpg", "1.jpg", "2.jpg");

  @TempDir
  private Path folder;

  private record Rows(List<String> keys, List<String> problems) {}

  private Rows read(String name, byte[]... parts) throws IOException, InterruptedException {
    PackedReader.Result result = PackedReader.read(folder.resolve(name), PackedReader.joined(parts), PackedReader.AUTO);
    return new Rows(result.keys(), result.reasons());
  }

  private static byte[] image(int seed) {
    byte[] image = new byte[5000];
    new Random(seed).nextBytes(image);
    System.arraycopy(new byte[] {(byte) 0xff, (byte) 0xd8, (byte) 0xff, (byte) 0xe0}, 0, image, 0, 4);
    return image;
  }

  private static byte[] tar() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes)) {
      for (int i = 0; i < ALL.size(); i++) {
        TarArchiveEntry entry = new TarArchiveEntry(ALL.get(i));
        byte[] image = image(i);
        entry.setSize(image.length);
        tar.putArchiveEntry(entry);
        tar.write(image);
        tar.closeArchiveEntry();
      }
    }
    return bytes.toByteArray();
  }

  private static byte[] compressed(String compression, byte[] content) throws IOException, CompressorException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (OutputStream stream = new CompressorStreamFactory().createCompressorOutputStream(compression, bytes)) {
      stream.write(content);
    }
    return bytes.toByteArray();
  }

  @ParameterizedTest
  @ValueSource(strings = {"gz", "bzip2", "lz4-framed"})
  void imagesBeforeTheCutOfACompressedTarAreRows(String compression) throws Exception {
    byte[] whole = compressed(compression, tar());
    assertEquals(new Rows(ALL, List.of("Truncated")), read("a", Arrays.copyOf(whole, whole.length - 1)));
  }

  @Test
  void aCutInTheMiddleOfAGzipLosesOnlyWhatIsAfterIt() throws Exception {
    byte[] whole = compressed("gz", tar());
    assertEquals(new Rows(List.of("0.jpg"), List.of("Truncated")), read("a", Arrays.copyOf(whole, whole.length / 2)));
  }

  @Test
  void zerosAfterAndBetweenGzipsAreNoDamage() throws Exception {
    byte[] whole = compressed("gz", tar());
    Rows result = read("a", whole, new byte[1000], whole, new byte[12]);
    assertEquals(6, result.keys.size());
    assertEquals(List.of(), result.problems);
  }

  @Test
  void otherBytesAfterAGzipAreDamageAfterItsImages() throws Exception {
    assertEquals(new Rows(ALL, List.of("Damaged")), read("a", compressed("gz", tar()), "junk".getBytes("US-ASCII")));
  }

  @Test
  void nothingOfADamagedBlockOfBzip2IsUsed() throws Exception {
    byte[] whole = compressed("bzip2", tar());
    whole[whole.length / 2] ^= 0x55;
    assertEquals(new Rows(List.of(), List.of("Damaged")), read("a", whole));
  }

  @Test
  void aZipMayBeginWithTheProgramThatUnpacksIt() throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      zip.putNextEntry(new ZipEntry("0.jpg"));
      zip.write(image(0));
    }
    byte[] program = "MZ and more of a program".repeat(50).getBytes("US-ASCII");
    assertEquals(new Rows(List.of("0.jpg"), List.of()), read("a.ZIP", program, bytes.toByteArray()));
    assertEquals(new Rows(List.of(), List.of("Unsupported")), read("b.zip", program));
  }

  @Test
  void tarsCompressedByZlibAreRead() throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DeflaterOutputStream stream = new DeflaterOutputStream(bytes)) {
      stream.write(tar());
    }
    Rows result = read("a", bytes.toByteArray());
    assertEquals(ALL, result.keys);
    assertTrue(result.problems.isEmpty());
  }

  private static byte[] storedWithoutSizes(boolean compressed) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (int i = 0; i < ALL.size(); i++) {
      byte[] image = image(i);
      byte[] content = image;
      if (compressed) {
        Deflater deflater = new Deflater(9, true);
        deflater.setInput(image);
        deflater.finish();
        content = new byte[8000];
        content = Arrays.copyOf(content, deflater.deflate(content));
      }
      CRC32 checksum = new CRC32();
      checksum.update(image);
      byte[] name = ALL.get(i).getBytes("US-ASCII");
      ByteBuffer member = ByteBuffer.allocate(100 + content.length).order(ByteOrder.LITTLE_ENDIAN);
      member.putInt(0x04034b50).putShort((short) 20).putShort((short) 8).putShort((short) (compressed ? 8 : 0)).putInt(0x21);
      member.putInt(0).putInt(0).putInt(0).putShort((short) name.length).putShort((short) 0).put(name).put(content);
      member.putInt(0x08074b50).putInt((int) checksum.getValue()).putInt(content.length).putInt(image.length);
      bytes.write(member.array(), 0, member.position());
    }
    return bytes.toByteArray();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void imagesBeforeTheCutOfAZipWhoseSizesFollowThemAreRows(boolean compressed) throws Exception {
    byte[] whole = storedWithoutSizes(compressed);
    byte[] directory = "PK\1\2 and more".getBytes("US-ASCII");
    assertEquals(new Rows(ALL, List.of("Truncated")), read("a.zip", whole, Arrays.copyOf(directory, 20)));
    Rows cut = read("b.zip", Arrays.copyOf(whole, whole.length - 1000));
    assertEquals(new Rows(ALL.subList(0, 2), List.of("Truncated")), cut);
  }

  @Test
  void onlyTheWantedImagesAreReadAndMissingOnesAreSaid() throws Exception {
    byte[] tar = tar();
    PackedReader.Result result = PackedReader.read(folder.resolve("a"), Arrays.copyOf(tar, 7000), PackedReader.AUTO, "a/0.jpg");
    assertEquals(new PackedReader.Result(List.of("0.jpg"), List.of()), result); // up to the last one, before the cut
    result = PackedReader.read(folder.resolve("a"), tar, PackedReader.AUTO, "a/9.jpg", "a/2.jpg");
    assertEquals(List.of("2.jpg"), result.keys());
    assertEquals(List.of("Missing"), result.reasons());
    assertEquals(ALL, PackedReader.read(folder.resolve("a"), tar, PackedReader.AUTO, "a", "a/1.jpg").keys());
  }

  private static void link(TarArchiveOutputStream tar, String name, String target, byte type) throws IOException {
    TarArchiveEntry entry = new TarArchiveEntry(name, type);
    entry.setLinkName(target);
    tar.putArchiveEntry(entry);
    tar.closeArchiveEntry();
  }

  @Test
  void linksLeadThroughLinkedFolders() throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes)) {
      TarArchiveEntry entry = new TarArchiveEntry("data/v2/0.jpg");
      byte[] image = image(0);
      entry.setSize(image.length);
      tar.putArchiveEntry(entry);
      tar.write(image);
      tar.closeArchiveEntry();
      link(tar, "latest", "data/v2", TarArchiveEntry.LF_SYMLINK);
      link(tar, "train", "./latest/", TarArchiveEntry.LF_SYMLINK);
      link(tar, "a/1.jpg", "../train/0.jpg", TarArchiveEntry.LF_SYMLINK);
      link(tar, "a/up.jpg", "../latest/../v2/0.jpg", TarArchiveEntry.LF_SYMLINK);
      link(tar, "hard.jpg", "a/1.jpg", TarArchiveEntry.LF_LINK);
      link(tar, "circle", "circle/a", TarArchiveEntry.LF_SYMLINK);
      link(tar, "lost.jpg", "circle/0.jpg", TarArchiveEntry.LF_SYMLINK);
      link(tar, "out.jpg", "/data/v2/0.jpg", TarArchiveEntry.LF_SYMLINK);
    }
    Rows rows = read("a", bytes.toByteArray());
    assertEquals(List.of("data/v2/0.jpg", "a/1.jpg", "a/up.jpg", "hard.jpg"), rows.keys);
    assertEquals(List.of("Missing", "Missing"), rows.problems);
  }
}
