package dev.featx.source;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import org.apache.hadoop.conf.Configuration;
import org.apache.parquet.bytes.BytesInput;
import org.apache.parquet.hadoop.CodecFactory;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.brotli.dec.BrotliInputStream;

/** Parquet's codecs and Brotli, which Parquet leaves to a native library that no registry has for Linux. */
final class ParquetCodecs extends CodecFactory {
  ParquetCodecs(Configuration conf) {
    super(conf, 0);
  }

  @Override
  protected BytesDecompressor createDecompressor(CompressionCodecName codec) {
    return codec == CompressionCodecName.BROTLI ? new Brotli() : super.createDecompressor(codec);
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
