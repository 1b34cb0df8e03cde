package dev.featx.source;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalFilesTest {
  @TempDir
  Path folder;

  @Test
  void aFileHasThePermissionsThatHadoopWouldSet() throws IOException {
    Path file = folder.resolve("a:b.parquet");
    try (FileSystem files = files("022")) {
      files.create(path(file), true, 4096, (short) 1, 1 << 20).close();
    }
    assertEquals("rw-r--r--", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
  }

  @Test
  void aFileIsReadWithItsCurrentSizeUpToALimit() throws IOException {
    Path file = folder.resolve("a:b.jpg");
    Files.write(file, new byte[] {1, 2, 3});
    try (LocalFiles files = (LocalFiles) files("022")) {
      assertArrayEquals(new byte[] {1, 2, 3}, files.fetch(path(file), 10).bytes());
      assertEquals(new Fetched(3, null), files.fetch(path(file), 2));
      assertThrows(FileNotFoundException.class, () -> files.fetch(path(folder.resolve("none")), 10));
    }
  }

  @Test
  void aFileIsReadWhateverBytesItsNameHas() throws IOException {
    for (String key : new String[] {"a b%20.jpg", "caf\\xE9.jpg", "größe\\x0A#?+.jpg", "\uD83D\uDE00.jpg", "\\xFF\\xFE/\\x80.jpg"}) {
      Path file = Path.of(URI.create(folder.toUri() + percent(ImageKeys.bytes(key))));
      Files.createDirectories(file.getParent());
      Files.write(file, new byte[] {1, 2, 3});
      org.apache.hadoop.fs.Path path = new StoredObjects.StoredObject(key, "file://" + folder + "/" + key, 3).path();
      try (LocalFiles files = (LocalFiles) files("022"); FSDataInputStream stream = files.open(path)) {
        assertArrayEquals(new byte[] {1, 2, 3}, files.fetch(path, 10).bytes(), key);
        assertArrayEquals(new byte[] {1, 2, 3}, stream.readAllBytes(), key);
        assertEquals(3, files.getFileStatus(path).getLen(), key);
        Files.delete(file);
        assertThrows(FileNotFoundException.class, () -> files.fetch(path, 10), key);
        assertThrows(FileNotFoundException.class, () -> files.getFileStatus(path), key);
      }
    }
  }

  private static String percent(byte[] name) {
    StringBuilder address = new StringBuilder();
    for (byte value : name) {
      address.append(value == '/' ? "/" : String.format("%%%02X", value));
    }
    return address.toString();
  }

  @Test
  void settingPermissionsOfAMissingFileFails() throws IOException {
    try (FileSystem files = files("022")) {
      assertThrows(IOException.class, () -> files.setPermission(path(folder.resolve("none")), new FsPermission("600")));
    }
  }

  private FileSystem files(String umask) throws IOException {
    Configuration conf = new Configuration(false);
    conf.set("fs.file.impl", LocalFiles.class.getName());
    conf.set("fs.permissions.umask-mode", umask);
    return FileSystem.newInstance(folder.toUri(), conf);
  }

  private static org.apache.hadoop.fs.Path path(Path file) {
    return new org.apache.hadoop.fs.Path(file.toUri());
  }
}
