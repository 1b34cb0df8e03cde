package dev.featx.source;

import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import java.io.IOException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hbase.util.Bytes;
import org.apache.hadoop.io.BytesWritable;
import org.apache.hadoop.io.SequenceFile;
import org.apache.hadoop.io.Writable;
import org.apache.hadoop.util.ReflectionUtils;

/** Images in the values of a SequenceFile (BytesWritable), named by its keys, any Writable as text. */
final class SequenceMembers implements PackedImages.Members {
  private final SequenceFile.Reader reader;
  private final Writable key;
  private final BytesWritable value = new BytesWritable();
  private final long maxBytes;

  SequenceMembers(Path file, Configuration conf, PackedSettings settings, long maxBytes) throws IOException {
    this.reader = new SequenceFile.Reader(conf, SequenceFile.Reader.file(file));
    if (reader.getValueClass() != BytesWritable.class) {
      reader.close();
      throw new RunProblem(FailureClass.SOURCE_NOT_SUPPORTED,
          file + " holds values of another class than BytesWritable, which images must have");
    }
    if (!Writable.class.isAssignableFrom(reader.getKeyClass())) { // the file names it, and its constructor would run
      reader.close();
      throw new RunProblem(FailureClass.SOURCE_NOT_SUPPORTED, file + " holds keys that are not Writable");
    }
    this.key = (Writable) ReflectionUtils.newInstance(reader.getKeyClass(), conf);
    this.maxBytes = maxBytes;
  }

  @Override
  public PackedImages.Member next() throws IOException {
    if (!reader.next(key, value)) {
      return null;
    }
    String name = key instanceof BytesWritable bytes ? Bytes.toStringBinary(bytes.copyBytes()) : key.toString();
    return new PackedImages.Member(name, value.getLength() <= maxBytes ? value.copyBytes() : null, value.getLength());
  }

  @Override
  public void close() throws IOException {
    reader.close();
  }
}
