package dev.featx.pipeline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalFilesTest {
  @TempDir
  Path folder;

  @Test
  void aFileHasThePermissionsThatHadoopWouldGiveIt() throws IOException {
    Path file = folder.resolve("a:b.parquet");
    try (FileSystem files = files("022")) {
      files.create(path(file), true, 4096, (short) 1, 1 << 20).close();
    }
    assertEquals("rw-r--r--", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
  }

  @Test
  void permissionsOfAFileThatIsGoneAreAnError() throws IOException {
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
