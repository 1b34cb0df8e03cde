package dev.featx.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Mutated files are decoded or rejected: none crashes the JVM, hangs, or costs memory that is not returned.
 *
 * <p>`make bench WHAT=fuzz` runs it at length (-Dfeatx.fuzz=100000).
 */
class DecoderFuzzTest {
  private static final int FILES = Integer.getInteger("featx.fuzz", 2000);
  private static final long PIXELS = 50_000_000; // the default of spec.limits.megapixels
  private static final double LONGEST = 10; // seconds of CPU time, which a busy machine does not change much
  private static final double SLOW = 2;
  private static final OperatingSystemMXBean PROCESS = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
  private static final int MOST_GROWTH = 256; // MiB of the process, after the first fifth
  private static final Path IMAGES = Path.of("src/test/resources/images");

  private final Map<String, Integer> outcomes = new HashMap<>();
  private double longest;

  @Test
  void mutatedFilesAreDecodedOrRejected() throws IOException {
    List<byte[]> seeds = seeds();
    Random random = new Random(14);
    long early = 0;
    long earlyHeap = 0;
    for (int i = 0; i < FILES; i++) {
      byte[] file = mutated(seeds.get(random.nextInt(seeds.size())), random);
      long start = PROCESS.getProcessCpuTime();
      outcomes.merge(decoded(file, random.nextBoolean()), 1, Integer::sum);
      double seconds = (PROCESS.getProcessCpuTime() - start) / 1e9;
      if (seconds > SLOW) {
        System.out.printf("file %d took %.2f s of CPU time: %s of %d bytes%n", i, seconds, Signature.of(file), file.length);
        Files.write(Path.of("target", "slow-" + i), file);
      }
      longest = Math.max(longest, seconds);
      if (i == FILES / 5) {
        early = residentMebibytes();
        earlyHeap = Runtime.getRuntime().totalMemory();
      }
    }
    long growth = residentMebibytes() - early;
    System.out.printf("%d files: %s; longest %.2f s of CPU time; memory %d MiB, %+d MiB since the first fifth, of which the heap %+d%n",
        FILES, outcomes, longest, residentMebibytes(), growth, (Runtime.getRuntime().totalMemory() - earlyHeap) / 1024 / 1024);
    assertEquals(FILES, outcomes.values().stream().mapToInt(Integer::intValue).sum());
    assertTrue(longest < LONGEST, "a file took " + longest + " s");
    assertTrue(growth < MOST_GROWTH, "memory grew by " + growth + " MiB");
  }

  private static List<byte[]> seeds() throws IOException {
    List<byte[]> seeds = new ArrayList<>();
    try (Stream<Path> paths = Files.list(IMAGES)) {
      for (Path path : paths.sorted().toList()) {
        seeds.add(Files.readAllBytes(path));
      }
    }
    return seeds;
  }

  private static String decoded(byte[] file, boolean keepDamaged) {
    try {
      ImageHeader header = ImageHeader.of(file);
      if (header.pixels() > PIXELS) {
        return "too many pixels";
      }
      DecodedImage image = Decoder.decode(file, header, new Decoding(new int[] {9, 8, 7}, keepDamaged));
      assertEquals(header.pixels(), (long) image.pixels().rows() * image.pixels().cols());
      image.pixels().release();
      return image.damaged() ? "damaged" : "decoded";
    } catch (ImageProblem problem) {
      return problem.reason().label();
    }
  }

  /** Flips bits, sets bytes and numbers to their extremes, cuts, and repeats parts. */
  private static byte[] mutated(byte[] seed, Random random) {
    byte[] file = seed.clone();
    for (int change = random.nextInt(6); change >= 0 && file.length > 8; change--) {
      int at = random.nextInt(2) == 0 ? random.nextInt(Math.min(file.length, 256)) : random.nextInt(file.length);
      switch (random.nextInt(8)) {
        case 0 -> file[at] = (byte) random.nextInt(256);
        case 1 -> file[at] = (byte) (random.nextBoolean() ? 0xFF : 0);
        case 2 -> ByteBuffer.wrap(file).putInt(Math.min(at, file.length - 4), random.nextInt() >> random.nextInt(32));
        case 3 -> ByteBuffer.wrap(file).putShort(Math.min(at, file.length - 2), (short) (random.nextInt() >> random.nextInt(16)));
        case 4 -> file = random.nextInt(4) == 0 ? Arrays.copyOf(file, at) : file;
        case 5 -> System.arraycopy(file, at, file, random.nextInt(at + 1), Math.min(random.nextInt(32), file.length - at));
        default -> file[at] ^= (byte) (1 << random.nextInt(8));
      }
    }
    return file;
  }

  private static long residentMebibytes() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("\\D", "")) / 1024;
      }
    }
    throw new IOException("/proc/self/status has no VmRSS");
  }
}
