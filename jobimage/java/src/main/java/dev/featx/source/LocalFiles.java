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
 * Local disks and volumes of the cluster (fs.file.impl), without Hadoop's helper processes.
 *
 * <p>Hadoop's raw file system writes no hidden .crc files and can read names with a colon, but runs a chmod process for each
 * file it creates.
 */
public final class LocalFiles extends RawLocalFileSystem {
  /**
   * Reads a file with its current size; Hadoop's streams take twice as long.
   *
   * @param path the file
   * @param maxBytes larger files are not read
   * @throws IOException if the file does not exist or can't be read
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
   * Moves a file, replacing an existing one; Hadoop would run readlink eight times.
   *
   * @param file the file
   * @param target its new path, in the same file system
   * @throws IOException if it can't be moved atomically
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
