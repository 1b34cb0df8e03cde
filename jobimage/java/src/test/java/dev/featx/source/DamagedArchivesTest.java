package dev.featx.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.featx.image.ImageProblem;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.compressors.CompressorException;
import org.apache.commons.compress.compressors.CompressorStreamFactory;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Of an archive that is cut, or has more bytes than it should, every image before that is a row. */
class DamagedArchivesTest {
  private static final List<String> ALL = List.of("0.jpg", "1.jpg", "2.jpg");

  @TempDir
  private Path folder;

  private record Result(List<String> keys, List<String> problems) {}

  private Result read(String name, byte[]... parts) throws IOException, InterruptedException {
    byte[] content = HostileArchivesTest.joined(parts);
    Path path = folder.resolve(name);
    Files.write(path, content);
    StoredObjects.StoredObject object = new StoredObjects.StoredObject(name, "file://" + path, content.length);
    PackedSettings settings = new PackedSettings(PackedSettings.Format.AUTO, null, null, null, null, List.of());
    ReadSettings limits = new ReadSettings(1 << 20, null, new Patience(1, what -> {}), new ReadSettings.Samples("", List.of()), List.of());
    Result result = new Result(new ArrayList<>(), new ArrayList<>());
    try (Images images = new PackedImages(List.of(object), settings, PackedSection.WHOLE).open(limits, new Configuration())) {
      for (Image image = images.next(); image != null; image = images.next()) {
        try {
          image.content().bytes();
          result.keys.add(image.key().substring(name.length() + 1));
        } catch (ImageProblem problem) {
          result.problems.add(problem.reason().label());
        }
      }
    }
    return result;
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
    assertEquals(new Result(ALL, List.of("Truncated")), read("a", Arrays.copyOf(whole, whole.length - 1)));
  }

  @Test
  void aCutInTheMiddleOfAGzipLosesOnlyWhatIsAfterIt() throws Exception {
    byte[] whole = compressed("gz", tar());
    assertEquals(new Result(List.of("0.jpg"), List.of("Truncated")), read("a", Arrays.copyOf(whole, whole.length / 2)));
  }

  @Test
  void zerosAfterAndBetweenGzipsAreNoDamage() throws Exception {
    byte[] whole = compressed("gz", tar());
    Result result = read("a", whole, new byte[1000], whole, new byte[12]);
    assertEquals(6, result.keys.size());
    assertEquals(List.of(), result.problems);
  }

  @Test
  void otherBytesAfterAGzipAreDamageAfterItsImages() throws Exception {
    assertEquals(new Result(ALL, List.of("Damaged")), read("a", compressed("gz", tar()), "junk".getBytes("US-ASCII")));
  }

  @Test
  void nothingOfADamagedBlockOfBzip2IsUsed() throws Exception {
    byte[] whole = compressed("bzip2", tar());
    whole[whole.length / 2] ^= 0x55;
    assertEquals(new Result(List.of(), List.of("Damaged")), read("a", whole));
  }

  @Test
  void aZipMayBeginWithTheProgramThatUnpacksIt() throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      zip.putNextEntry(new ZipEntry("0.jpg"));
      zip.write(image(0));
    }
    byte[] program = "MZ and more of a program".repeat(50).getBytes("US-ASCII");
    assertEquals(new Result(List.of("0.jpg"), List.of()), read("a.ZIP", program, bytes.toByteArray()));
    assertEquals(new Result(List.of(), List.of("Unsupported")), read("b.zip", program));
  }

  @Test
  void tarsCompressedByZlibAreRead() throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DeflaterOutputStream stream = new DeflaterOutputStream(bytes)) {
      stream.write(tar());
    }
    Result result = read("a", bytes.toByteArray());
    assertEquals(ALL, result.keys);
    assertTrue(result.problems.isEmpty());
  }
}
