import dev.featx.image.DecodedImage;
import dev.featx.image.Decoder;
import dev.featx.image.Decoding;
import dev.featx.image.ImageHeader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** Prints the median milliseconds to read the header of each file and decode it, in a warm JVM. Java runs it from source. */
class DecodeTimes {
  public static void main(String[] arguments) throws Exception {
    int rounds = Integer.parseInt(arguments[0]);
    Decoding decoding = new Decoding(new int[] {255, 255, 255}, false);
    for (String name : Arrays.copyOfRange(arguments, 1, arguments.length)) {
      byte[] bytes = Files.readAllBytes(Path.of(name));
      double[] times = new double[rounds];
      for (int round = -rounds; round < rounds; round++) { // the first half warms up
        long start = System.nanoTime();
        DecodedImage image = Decoder.decode(bytes, ImageHeader.of(bytes), decoding);
        times[Math.max(0, round)] = (System.nanoTime() - start) / 1e6;
        image.pixels().release();
      }
      Arrays.sort(times);
      System.out.println("milliseconds " + times[rounds / 2]); // libraries print lines of their own
    }
  }
}
