package dev.featx.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.featx.failure.FailureClass;
import dev.featx.failure.QuarantineReason;
import dev.featx.failure.RunProblem;
import dev.featx.image.ImageProblem;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A store that does not respond is waited for; a damaged archive, or one that its store refuses, is one row. */
class PackedImagesTest {
  private static final byte[] JPEG = {(byte) 0xff, (byte) 0xd8, (byte) 0xff, (byte) 0xe0, 1, 2, 3, 4};
  private static final PackedSettings AUTO = new PackedSettings(PackedSettings.Format.AUTO, null, null, null, null, List.of());

  private static final int END = 3 * (512 + 3072) + 512; // of the block that marks the archive's end

  private static ReadSettings settings(int seconds) {
    return new ReadSettings(1 << 20, null, new Patience(seconds, what -> {}), new ReadSettings.Samples("", List.of()), List.of());
  }

  @TempDir
  private Path folder;

  /** Fails in reads after some bytes, a number of times. */
  public static final class FaultyStore extends RawLocalFileSystem {
    private static final String READABLE = "readable.tar";

    private static IOException fault;
    private static long after;
    private static int times;

    @Override
    public FSDataInputStream open(org.apache.hadoop.fs.Path path, int buffer) throws IOException {
      FSDataInputStream stored = super.open(path, buffer);
      return new FSDataInputStream(new ArrayInputStream() {
        @Override
        public int read(byte[] bytes, int start, int count) throws IOException {
          if (stored.getPos() >= after && times > 0 && !path.getName().equals(READABLE)) {
            times--;
            throw fault;
          }
          return stored.read(bytes, start, Math.min(count, 700));
        }

        @Override
        public void seek(long position) throws IOException {
          stored.seek(position);
        }

        @Override
        public long getPos() throws IOException {
          return stored.getPos();
        }

        @Override
        public boolean seekToNewSource(long position) {
          return false;
        }
      });
    }
  }

  @AfterEach
  void repair() {
    FaultyStore.times = 0;
  }

  private static void fail(IOException fault, long after, int times) {
    FaultyStore.fault = fault;
    FaultyStore.after = after;
    FaultyStore.times = times;
  }

  private static byte[] archive(int images) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes)) {
      for (int i = 0; i < images; i++) {
        TarArchiveEntry entry = new TarArchiveEntry(i + ".jpg");
        byte[] content = Arrays.copyOf(JPEG, 3000);
        entry.setSize(content.length);
        tar.putArchiveEntry(entry);
        tar.write(content);
        tar.closeArchiveEntry();
      }
    }
    return bytes.toByteArray();
  }

  /** Returns the keys of a file's images, those that failed with their reasons. */
  private List<String> read(byte[] content, int seconds) throws IOException, InterruptedException {
    return read(content, seconds, new ReadSettings.Samples("", List.of()));
  }

  private List<String> read(byte[] content, int seconds, ReadSettings.Samples samples) throws IOException, InterruptedException {
    Path file = folder.resolve("a.tar");
    Files.write(file, content);
    Configuration conf = new Configuration(false);
    conf.set("fs.file.impl", FaultyStore.class.getName());
    conf.setBoolean("fs.file.impl.disable.cache", true);
    StoredObjects.StoredObject object = new StoredObjects.StoredObject("a.tar", "file://" + file, content.length);
    List<String> keys = new ArrayList<>();
    ReadSettings settings = new ReadSettings(1 << 20, null, new Patience(seconds, what -> {}), samples, List.of());
    try (Images images = new PackedImages(List.of(object), AUTO, PackedSection.WHOLE, List.of()).open(settings, conf)) {
      for (Image image = images.next(); image != null; image = images.next()) {
        try {
          assertEquals(3000, image.content().bytes().length);
          keys.add(image.key());
        } catch (ImageProblem problem) {
          keys.add(image.key() + " " + problem.reason().label());
        }
      }
    }
    return keys;
  }

  @Test
  void aStoreThatFailsForAWhileIsWaitedForAndNoImageIsLostOrDoubled() throws Exception {
    fail(new SocketTimeoutException("no answer"), 5000, 2);
    assertEquals(List.of("a.tar/0.jpg", "a.tar/1.jpg", "a.tar/2.jpg"), read(archive(3), 30));
  }

  @Test
  void aStoreThatStaysSilentIsTheRunsFailure() {
    fail(new SocketTimeoutException("no answer"), 5000, Integer.MAX_VALUE);
    RunProblem problem = assertThrows(RunProblem.class, () -> read(archive(3), 1));
    assertEquals(FailureClass.STORE_UNREACHABLE, problem.failureClass());
  }

  @Test
  void anArchiveThatItsStoreRefusesIsOneRowIfItReturnsOthers() throws Exception {
    fail(new AccessDeniedException("a.tar"), 0, Integer.MAX_VALUE);
    Files.write(folder.resolve(FaultyStore.READABLE), archive(1));
    ReadSettings.Samples samples =
        new ReadSettings.Samples("file://" + folder + "/", List.of(new ShardLine.ListedObject(FaultyStore.READABLE, 1)));
    assertEquals(List.of("a.tar " + QuarantineReason.REFUSED.label()), read(archive(3), 30, samples));
    fail(new FileSystemException("a.tar", null, "Input/output error"), 5000, Integer.MAX_VALUE);
    assertEquals(List.of("a.tar/0.jpg", "a.tar " + QuarantineReason.UNREADABLE.label()), read(archive(3), 30, samples));
  }

  @Test
  void aStoreThatRefusesAllIsTheRunsFailure() {
    fail(new AccessDeniedException("a.tar"), 0, Integer.MAX_VALUE);
    RunProblem problem = assertThrows(RunProblem.class, () -> read(archive(3), 30));
    assertEquals(FailureClass.ACCESS_DENIED, problem.failureClass());
  }

  @Test
  void anEndThatTheStoreReportsIsTheFilesAndNotTheStores() throws Exception {
    fail(new EOFException("past the end"), 5000, Integer.MAX_VALUE);
    assertEquals("a.tar " + QuarantineReason.TRUNCATED.label(), read(archive(3), 30).get(1));
  }

  @Test
  void anArchiveIsReadToItsCutWhereverThatIs() throws Exception {
    byte[] whole = archive(3);
    for (int length = 1; length < whole.length; length += 97) {
      List<String> keys = read(Arrays.copyOf(whole, length), 1);
      List<String> images = keys.stream().filter(key -> key.endsWith(".jpg")).toList();
      assertEquals(List.of("a.tar/0.jpg", "a.tar/1.jpg", "a.tar/2.jpg").subList(0, images.size()), images);
      assertEquals(length < END ? images.size() + 1 : 3, keys.size(), "cut after " + length + " bytes: " + keys);
    }
  }

  /** A header may claim what it likes, and gzip makes gigabytes of it a few megabytes. */
  @Test
  void aMembersNameOrAttributesOfAnySizeTakeNoMemory() throws Exception {
    for (byte type : new byte[] {'L', 'K', 'x', 'X', 'g'}) {
      TarArchiveEntry entry = new TarArchiveEntry("a", type);
      entry.setSize(Integer.MAX_VALUE);
      byte[] header = new byte[512];
      entry.writeEntryHeader(header);
      QuarantineReason reason = type == 'g' ? QuarantineReason.TRUNCATED : QuarantineReason.UNSUPPORTED; // what g says is skipped
      assertEquals(List.of("a.tar " + reason.label()), read(Arrays.copyOf(header, 512 * 3), 1));
    }
  }

  @Test
  void damagedBytesNeverEndARun() throws Exception {
    byte[] whole = archive(2);
    Random random = new Random(7);
    for (int round = 0; round < 300; round++) {
      byte[] damaged = whole.clone();
      for (int flips = 0; flips < 4; flips++) {
        damaged[random.nextInt(damaged.length)] ^= (byte) (1 << random.nextInt(8));
      }
      assertTrue(keysOf(damaged) <= 3);
    }
  }

  private int keysOf(byte[] damaged) throws IOException, InterruptedException {
    Path file = folder.resolve("damaged.tar");
    Files.write(file, damaged);
    StoredObjects.StoredObject object = new StoredObjects.StoredObject("damaged.tar", "file://" + file, damaged.length);
    int images = 0;
    ReadSettings settings = settings(1);
    try (Images read = new PackedImages(List.of(object), AUTO, PackedSection.WHOLE, List.of()).open(settings, new Configuration())) {
      while (read.next() != null) {
        images++;
      }
    }
    return images;
  }
}
