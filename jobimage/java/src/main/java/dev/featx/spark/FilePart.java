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
 * A part of a file, which travels as its bytes and is a part of a file again where it arrives.
 *
 * <p>Spark keeps what is broadcast both as an object and as bytes. With this object next to nothing, an executor's heap is
 * free for the net that is made of the file. Written a second time, it is Spark that moves it to this machine's own disk:
 * then the file is there, and the bytes stay in it.
 */
final class FilePart implements Serializable {
  private static final long serialVersionUID = 1L;

  private final String name;
  private final long at;
  private final int length;
  private transient boolean here;
  private String file; // a Path would have Spark measure the whole file system it refers to

  /**
   * Names a part.
   *
   * @param file that has it
   * @param name of the file where it arrives; who shares it shares the content
   * @param at where the part begins
   * @param length its bytes
   */
  FilePart(Path file, String name, long at, int length) {
    this.file = file.toString();
    this.name = name;
    this.at = at;
    this.length = length;
  }

  /** Returns the file that has this part, on this machine. */
  Path file() {
    return Path.of(file);
  }

  private void writeObject(ObjectOutputStream out) throws IOException {
    out.defaultWriteObject();
    out.writeObject(here ? null : bytes());
    here = true;
  }

  private byte[] bytes() throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(length);
    try (FileChannel channel = FileChannel.open(file(), StandardOpenOption.READ)) {
      while (bytes.hasRemaining()) {
        if (channel.read(bytes, at + bytes.position()) < 0) {
          throw new IOException(file + " has become shorter");
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
    here = true;
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
