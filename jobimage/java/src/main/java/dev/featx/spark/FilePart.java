package dev.featx.spark;

import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.apache.spark.SparkEnv;

/**
 * A part of a file, serialized as its bytes and written to a file on the receiving machine.
 *
 * <p>Spark stores a broadcast both as an object and as bytes. This object is tiny, which leaves an executor's heap to the
 * net built from the file. If it is serialized a second time, Spark is moving it to this machine's own disk: the file is
 * already there, so the bytes are left out.
 */
final class FilePart implements Serializable {
  private static final long serialVersionUID = 1L;

  private final String name;
  private final long at;
  private final int length;
  private transient boolean transferred;
  private String file; // with a Path, Spark's size estimate would include the whole file system it refers to

  /**
   * Creates a part.
   *
   * @param file the source file
   * @param name file name on the receiving machine; the same name means the same content
   * @param at offset of the part in bytes
   * @param length in bytes
   */
  FilePart(Path file, String name, long at, int length) {
    this.file = file.toString();
    this.name = name;
    this.at = at;
    this.length = length;
  }

  /** Returns the file on this machine that contains this part. */
  Path file() {
    return Path.of(file);
  }

  private void writeObject(ObjectOutputStream out) throws IOException {
    out.defaultWriteObject();
    out.writeObject(transferred ? null : bytes());
    transferred = true;
  }

  private byte[] bytes() throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(length);
    try (FileChannel channel = FileChannel.open(file(), StandardOpenOption.READ)) {
      while (bytes.hasRemaining()) {
        if (channel.read(bytes, at + bytes.position()) < 0) {
          throw new IOException(file + " was truncated");
        }
      }
    }
    return bytes.array();
  }

  private void readObject(ObjectInputStream in) throws IOException, ClassNotFoundException {
    in.defaultReadObject();
    byte[] bytes = (byte[]) in.readObject();
    if (bytes != null) {
      write(ByteBuffer.wrap(bytes));
    }
    transferred = true;
  }

  private void write(ByteBuffer bytes) throws IOException {
    file = SparkEnv.get().blockManager().diskBlockManager().localDirs()[0].toPath().resolve(name).toString();
    try (FileChannel channel = FileChannel.open(file(), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      while (bytes.hasRemaining()) {
        channel.write(bytes, at + bytes.position());
      }
    }
  }
}
