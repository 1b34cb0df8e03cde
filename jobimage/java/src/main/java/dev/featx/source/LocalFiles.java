package dev.featx.source;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;

/**
 * Local disks and volumes of the cluster (fs.file.impl), without Hadoop's helpers.
 *
 * <p>The plain file system keeps no hidden .crc beside each file, and can read names with a colon. It would start a process
 * of chmod for each file that it creates.
 */
public final class LocalFiles extends RawLocalFileSystem {
  /**
   * Returns a file as it is now; Hadoop's streams take twice the time.
   *
   * @param path the file
   * @param maxBytes a larger one is not read
   * @throws IOException if there is none, or it can't be read
   */
  Fetched whole(Path path, long maxBytes) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(pathToFile(path), "r")) {
      long size = file.length();
      if (size > maxBytes) {
        return new Fetched(size, null);
      }
      byte[] bytes = new byte[(int) size];
      file.readFully(bytes);
      return new Fetched(size, bytes);
    }
  }

  /**
   * Moves a file over another one; Hadoop would start a process of readlink eight times.
   *
   * @param file the file
   * @param target where to, in the same file system
   * @throws IOException if that can't be done at once
   */
  public void replace(Path file, Path target) throws IOException {
    Files.move(pathToFile(file).toPath(), pathToFile(target).toPath(), StandardCopyOption.ATOMIC_MOVE);
  }

  @Override
  public void setPermission(Path path, FsPermission permission) throws IOException {
    if (permission.getStickyBit()) {
      super.setPermission(path, permission);
    } else {
      Files.setPosixFilePermissions(pathToFile(path).toPath(), PosixFilePermissions.fromString(permission.toString()));
    }
  }
}
