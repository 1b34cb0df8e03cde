package dev.featx.source;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.function.LongConsumer;
import org.apache.hadoop.conf.Configuration;
import org.apache.parquet.bytes.BytesInput;
import org.apache.parquet.hadoop.CodecFactory;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.brotli.dec.BrotliInputStream;

/**
 * Parquet's codecs and Brotli, which Parquet leaves to a native library that no registry has for Linux.
 *
 * <p>Memory for a page is allocated as its header says, which may be damaged: no page is larger than its column.
 */
final class ParquetCodecs extends CodecFactory {
  private final long mostBytes;
  private final LongConsumer limit;

  /**
   * Creates codecs.
   *
   * @param mostBytes of a page, uncompressed
   * @param limit refuses pages of some size
   */
  ParquetCodecs(Configuration conf, long mostBytes, LongConsumer limit) {
    super(conf, 0);
    this.limit = limit;
    this.mostBytes = mostBytes;
  }

  @Override
  protected BytesDecompressor createDecompressor(CompressionCodecName codec) {
    return new Bounded(codec == CompressionCodecName.BROTLI ? new Brotli() : super.createDecompressor(codec));
  }

  private final class Bounded extends BytesDecompressor {
    private final BytesDecompressor codec;

    Bounded(BytesDecompressor codec) {
      this.codec = codec;
    }

    @Override
    public BytesInput decompress(BytesInput bytes, int size) throws IOException {
      check(size);
      return codec.decompress(bytes, size);
    }

    @Override
    public void decompress(ByteBuffer input, int compressedSize, ByteBuffer output, int size) throws IOException {
      check(size);
      codec.decompress(input, compressedSize, output, size);
    }

    private void check(int size) throws IOException {
      if (size < 0 || size > mostBytes) {
        throw new IOException("a page is larger than its column");
      }
      limit.accept(size);
    }

    @Override
    public void release() {
      codec.release();
    }
  }

  private static final class Brotli extends BytesDecompressor {
    @Override
    public BytesInput decompress(BytesInput bytes, int size) throws IOException {
      byte[] page = new byte[size];
      try (InputStream stream = new BrotliInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
        if (stream.readNBytes(page, 0, size) < size) {
          throw new IOException("a page is shorter than its header says");
        }
      }
      return BytesInput.from(page);
    }

    @Override
    public void decompress(ByteBuffer input, int compressedSize, ByteBuffer output, int size) throws IOException {
      byte[] compressed = new byte[compressedSize];
      input.get(compressed);
      output.put(decompress(BytesInput.from(compressed), size).toByteArray());
    }

    @Override
    public void release() {
      // It holds nothing.
    }
  }
}
