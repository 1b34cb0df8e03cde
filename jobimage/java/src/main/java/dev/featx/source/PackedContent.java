package dev.featx.source;

import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Set;
import org.apache.commons.compress.compressors.CompressorException;
import org.apache.commons.compress.compressors.CompressorInputStream;
import org.apache.commons.compress.compressors.CompressorStreamFactory;
import org.apache.hadoop.fs.FSDataInputStream;

/** Recognizes the format of packed files by their content: names are often wrong, as of a gzip named .tar. */
final class PackedContent {
  private static final int BLOCK = TarHeader.BLOCK;
  private static final int BUFFER = 1 << 20;
  private static final int MOST_MEMORY_KIB = 256 << 10; // of a decompressor; xz -9 takes 64 MiB
  private static final String NO_START = "the compressed stream has no valid start";
  private static final Set<String> COMPRESSIONS = Set.of(CompressorStreamFactory.GZIP, CompressorStreamFactory.BZIP2,
      CompressorStreamFactory.DEFLATE, CompressorStreamFactory.XZ, CompressorStreamFactory.ZSTANDARD, CompressorStreamFactory.LZ4_FRAMED);

  private PackedContent() {}

  /**
   * Opens the images of a file.
   *
   * @throws RunProblem SourceNotSupported, if its content is not what the resource says, or has no images
   * @throws IOException if the file is damaged, or its store fails
   */
  static PackedImages.Members open(PackedFile file) throws IOException {
    PackedSettings.Format format;
    boolean compressed;
    try (InputStream stream = file.open()) {
      InputStream start = new BufferedInputStream(stream, BLOCK * 2);
      PackedSettings.Format plain = formatOf(start);
      compressed = plain == null && compressionOf(start) != null;
      format = compressed ? formatOf(decompressed(start)) : plain;
    }
    if (format == null && !compressed && ZipMembers.hasEnd(file)) {
      format = PackedSettings.Format.ZIP; // it begins with a program that unpacks it
    }
    if (format == null && hasNoEnding(file)) {
      return new NotPacked();
    }
    check(file, format, compressed);
    return switch (format) {
      case TAR -> new TarMembers(file);
      case ZIP -> new ZipMembers(file);
      case TFRECORD -> new TfRecordMembers(file);
      case SEQUENCE_FILE -> new SequenceMembers(file);
      default -> new ParquetMembers(file);
    };
  }

  /** A file without an ending that is none of a data set's files, such as a LICENSE. */
  private static final class NotPacked implements PackedImages.Members {
    @Override
    public PackedImages.Member next() {
      return null;
    }

    @Override
    public int skipped() {
      return 1;
    }

    @Override
    public void close() {
      // Nothing is open.
    }
  }

  private static boolean hasNoEnding(PackedFile file) {
    PackedSettings.Format wanted = file.settings().format();
    boolean usual = wanted == PackedSettings.Format.SEQUENCE_FILE || wanted == PackedSettings.Format.TFRECORD; // part-00000
    return !usual && file.key().indexOf('.', file.key().lastIndexOf('/') + 1) < 0;
  }

  private static void check(PackedFile file, PackedSettings.Format format, boolean compressed) {
    PackedSettings.Format wanted = file.settings().format();
    if (format == null) {
      throw unsupported(file, (compressed ? "its compressed content is" : "it is") + " neither tar, zip, TFRecord, SequenceFile"
          + " nor Parquet; exclude it with spec.source.exclude, or pack it again");
    }
    boolean table = wanted == PackedSettings.Format.DELTA && format == PackedSettings.Format.PARQUET;
    if (wanted != PackedSettings.Format.AUTO && wanted != format && !table) {
      throw unsupported(file, "its content is " + format.label() + "; set spec.source.packed.format to " + format.label()
          + " or auto");
    }
    if (compressed && format != PackedSettings.Format.TAR && format != PackedSettings.Format.TFRECORD) {
      throw unsupported(file, "it is a compressed " + format.label() + " file, which cannot be read from its end; decompress it");
    }
  }

  /** Returns the problem of a file that cannot be read as the resource says. */
  static RunProblem unsupported(PackedFile file, String message) {
    return new RunProblem(FailureClass.SOURCE_NOT_SUPPORTED, file.key() + ": " + message);
  }

  /** Opens a file's bytes as they were before they were compressed, if they are; the stream supports marks. */
  static InputStream bytes(PackedFile file) throws IOException {
    FSDataInputStream stored = file.open();
    InputStream stream = new BufferedInputStream(stored, BUFFER);
    return formatOf(stream) == null && compressionOf(stream) != null ? decompressed(stream) : stream;
  }

  private static InputStream decompressed(InputStream stream) throws IOException {
    String compression = compressionOf(stream);
    boolean gzip = CompressorStreamFactory.GZIP.equals(compression); // the only one that leaves the stream at the end of a part
    CompressorStreamFactory factory = new CompressorStreamFactory(!gzip, MOST_MEMORY_KIB);
    boolean bzip2 = CompressorStreamFactory.BZIP2.equals(compression); // its blocks are smaller than the buffer
    return new BufferedInputStream(new DecompressedStream(stream, stored -> part(factory, compression, stored), bzip2), BUFFER);
  }

  private static CompressorInputStream part(CompressorStreamFactory factory, String compression, InputStream stored)
      throws IOException {
    try {
      return factory.createCompressorInputStream(compression, stored);
    } catch (CompressorException e) {
      throw new IOException(NO_START, e);
    }
  }

  private static String compressionOf(InputStream stream) {
    try {
      String name = CompressorStreamFactory.detect(stream);
      return COMPRESSIONS.contains(name) ? name : null;
    } catch (CompressorException e) {
      return null; // there is no compression
    }
  }

  /** Returns the format of an uncompressed stream, which is not moved, or null. */
  private static PackedSettings.Format formatOf(InputStream stream) throws IOException {
    stream.mark(BLOCK);
    byte[] start = stream.readNBytes(BLOCK);
    stream.reset();
    if (startsWith(start, "PAR1") || startsWith(start, "PARE")) {
      return PackedSettings.Format.PARQUET;
    }
    if (startsWith(start, "SEQ") && start.length > 3 && start[3] <= 6) {
      return PackedSettings.Format.SEQUENCE_FILE;
    }
    if (startsWith(start, "PK\3\4") || startsWith(start, "PK\5\6")) {
      return PackedSettings.Format.ZIP;
    }
    if (start.length >= TfRecordMembers.HEADER && TfRecordMembers.isHeader(start)) {
      return PackedSettings.Format.TFRECORD;
    }
    return start.length == BLOCK && (TarHeader.isHeader(start) || TarHeader.isZero(start)) ? PackedSettings.Format.TAR : null;
  }

  private static boolean startsWith(byte[] bytes, String magic) {
    return bytes.length >= magic.length()
        && Arrays.equals(bytes, 0, magic.length(), magic.getBytes(StandardCharsets.ISO_8859_1), 0, magic.length());
  }
}
