package dev.featx.table;

import dev.featx.digest.Sha256;
import java.io.IOException;
import java.security.MessageDigest;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.util.HadoopOutputFile;
import org.apache.parquet.io.OutputFile;
import org.apache.parquet.io.PositionOutputStream;

/** A file that is digested as it is written: reading it back would double the output's traffic. */
final class DigestedFile implements OutputFile {
  private final OutputFile file;
  private final MessageDigest digest = Sha256.newDigest();

  DigestedFile(Path path, Configuration conf) throws IOException {
    this.file = HadoopOutputFile.fromPath(path, conf);
  }

  /** Returns the SHA-256 of the bytes written so far. */
  String sha256() {
    return Sha256.of(digest);
  }

  @Override
  public PositionOutputStream create(long blockSizeHint) throws IOException {
    return digested(file.create(blockSizeHint));
  }

  @Override
  public PositionOutputStream createOrOverwrite(long blockSizeHint) throws IOException {
    return digested(file.createOrOverwrite(blockSizeHint));
  }

  @Override
  public boolean supportsBlockSize() {
    return file.supportsBlockSize();
  }

  @Override
  public long defaultBlockSize() {
    return file.defaultBlockSize();
  }

  private PositionOutputStream digested(PositionOutputStream stream) {
    digest.reset();
    return new PositionOutputStream() {
      @Override
      public long getPos() throws IOException {
        return stream.getPos();
      }

      @Override
      public void write(int value) throws IOException {
        stream.write(value);
        digest.update((byte) value);
      }

      @Override
      public void write(byte[] bytes, int start, int length) throws IOException {
        stream.write(bytes, start, length);
        digest.update(bytes, start, length);
      }

      @Override
      public void flush() throws IOException {
        stream.flush();
      }

      @Override
      public void close() throws IOException {
        stream.close();
      }
    };
  }
}
