package dev.featx.source;

import java.io.IOException;
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
  private long place = -1;

  SequenceMembers(PackedFile file) throws IOException {
    this.reader = new SequenceFile.Reader(file.conf(), SequenceFile.Reader.stream(file.open()),
        SequenceFile.Reader.length(file.getLength()));
    if (reader.getValueClass() != BytesWritable.class) {
      reader.close();
      throw PackedContent.unsupported(file, "its values have another class than BytesWritable, which images must have");
    }
    if (!Writable.class.isAssignableFrom(reader.getKeyClass())) { // the file names it, and its constructor would run
      reader.close();
      throw PackedContent.unsupported(file, "its keys are not Writable");
    }
    this.key = (Writable) ReflectionUtils.newInstance(reader.getKeyClass(), file.conf());
    this.maxBytes = file.maxBytes();
  }

  @Override
  public PackedImages.Member next() throws IOException {
    if (!reader.next(key, value)) {
      return null;
    }
    place++;
    String name = key instanceof BytesWritable bytes ? Bytes.toStringBinary(bytes.copyBytes()) : key.toString();
    return PackedImages.Member.of(name, place, value.getLength() <= maxBytes ? value.copyBytes() : null, value.getLength());
  }

  @Override
  public void close() throws IOException {
    reader.close();
  }
}
