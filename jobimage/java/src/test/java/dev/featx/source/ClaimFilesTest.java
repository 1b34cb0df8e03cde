package dev.featx.source;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.featx.failure.FailureClass;
import dev.featx.failure.QuarantineReason;
import dev.featx.failure.RunProblem;
import dev.featx.image.ImageProblem;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** In a cluster executors reach nothing but mounted claims, and no link leads out of one. */
class ClaimFilesTest {
  private static final byte[] SECRET = "hunter2".getBytes();
  private static final long RACE_NANOS = 2_000_000_000;

  @TempDir
  Path folder;

  private Path claim;

  @BeforeEach
  void volumes() throws IOException {
    claim = Files.createDirectories(folder.resolve("claims/photos/inner")).getParent();
    Files.write(claim.resolve("inner/a.jpg"), new byte[] {1, 2, 3});
    Files.createDirectories(folder.resolve("claims/other"));
    Files.write(Files.createDirectories(folder.resolve("secrets")).resolve("token"), SECRET);
    Files.write(folder.resolve("claims/other/token"), SECRET);
  }

  @Test
  void aFileOfAClaimIsReadAtAnyPositionAndWritten() throws IOException {
    try (LocalFiles files = files(true)) {
      assertArrayEquals(new byte[] {1, 2, 3}, files.fetch(path(claim.resolve("inner/a.jpg")), 10).bytes());
      assertEquals(new Fetched(3, null), files.fetch(path(claim.resolve("inner/a.jpg")), 2));
      try (FSDataInputStream stream = files.open(path(claim.resolve("inner/a.jpg")))) {
        stream.seek(2);
        assertEquals(3, stream.read());
        assertEquals(-1, stream.read());
        byte[] bytes = new byte[2];
        stream.readFully(1, bytes);
        assertArrayEquals(new byte[] {2, 3}, bytes);
      }
      org.apache.hadoop.fs.Path written = path(claim.resolve("new/.b"));
      for (int i = 0; i < 2; i++) { // a retried task overwrites
        try (FSDataOutputStream stream = files.create(written, true)) {
          stream.write(SECRET);
          assertEquals(SECRET.length, stream.getPos());
        }
      }
      files.replace(written, path(claim.resolve("new/b")));
      assertArrayEquals(SECRET, Files.readAllBytes(claim.resolve("new/b")));
      assertThrows(FileNotFoundException.class, () -> files.fetch(path(claim.resolve("none/none")), 10));
      assertThrows(FileNotFoundException.class, () -> files.open(path(claim.resolve("none"))));
    }
  }

  @Test
  void aRelativeLinkInsideAClaimIsFollowed() throws IOException {
    Files.createSymbolicLink(claim.resolve("folder"), Path.of("inner"));
    Files.createSymbolicLink(claim.resolve("link"), Path.of("folder/../inner/a.jpg"));
    try (LocalFiles files = files(true)) {
      assertEquals(3, files.fetch(path(claim.resolve("link")), 10).size());
      assertEquals(3, files.fetch(path(claim.resolve("folder/a.jpg")), 10).size());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"../../secrets/token", "../other/token", "/proc/self/environ", "/etc/passwd", "../../secrets/nothing",
      "inner/../../other/token", "link"})
  void aLinkOutOfAClaimIsNeitherReadNorWritten(String target) throws IOException {
    Files.createSymbolicLink(claim.resolve("link"), Path.of(target));
    org.apache.hadoop.fs.Path link = path(claim.resolve("link"));
    try (LocalFiles files = files(true)) {
      assertRefused(() -> files.fetch(link, 1000));
      assertRefused(() -> files.open(link));
      assertRefused(() -> files.create(link, true));
      assertRefused(() -> files.getFileStatus(link));
      assertRefused(() -> files.exists(link));
      assertRefused(() -> files.delete(link, false));
      assertRefused(() -> files.mkdirs(new org.apache.hadoop.fs.Path(link, "sub")));
      assertRefused(() -> files.create(new org.apache.hadoop.fs.Path(link, "sub"), true));
      assertRefused(() -> files.rename(path(claim.resolve("inner/a.jpg")), new org.apache.hadoop.fs.Path(link, "b")));
      assertRefused(() -> files.listStatus(path(claim)));
    }
    assertArrayEquals(SECRET, Files.readAllBytes(folder.resolve("secrets/token")));
    assertArrayEquals(SECRET, Files.readAllBytes(folder.resolve("claims/other/token")));
    assertFalse(Files.exists(folder.resolve("secrets/nothing")));
  }

  @Test
  void foldersAreCreatedMovedAndDeletedInsideAClaim() throws IOException {
    try (LocalFiles files = files(true)) {
      for (int i = 0; i < 2; i++) {
        assertTrue(files.mkdirs(path(claim.resolve("new/a/b"))));
      }
      assertTrue(files.mkdirs(path(claim)));
      Files.write(claim.resolve("new/a/b/c"), SECRET);
      Files.createSymbolicLink(claim.resolve("new/a/out"), Path.of("../../../../secrets"));
      assertTrue(files.rename(path(claim.resolve("new/a")), path(claim.resolve("moved"))));
      assertArrayEquals(SECRET, Files.readAllBytes(claim.resolve("moved/b/c")));
      files.setPermission(path(claim.resolve("moved/b")), new FsPermission("700"));
      assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(claim.resolve("moved/b"))));
      assertThrows(IOException.class, () -> files.delete(path(claim.resolve("moved")), false));
      assertTrue(Files.exists(claim.resolve("moved/b/c")));
      assertTrue(files.delete(path(claim.resolve("moved")), true));
      assertFalse(Files.exists(claim.resolve("moved")));
      assertFalse(files.delete(path(claim.resolve("moved")), true));
      assertFalse(files.delete(path(claim.resolve("moved/b/c")), true));
      assertThrows(IOException.class, () -> files.delete(path(claim), true));
      assertThrows(IOException.class, () -> files.mkdirs(path(claim.resolve("inner/a.jpg/b"))));
      assertThrows(FileNotFoundException.class, () -> files.rename(path(claim.resolve("none")), path(claim.resolve("b"))));
      assertThrows(UnsupportedOperationException.class, () -> files.append(path(claim.resolve("inner/a.jpg"))));
    }
    assertArrayEquals(SECRET, Files.readAllBytes(folder.resolve("secrets/token")));
  }

  @Test
  void aLinkThatIsPlantedMeanwhileIsNotFollowed() throws Exception {
    Path swapped = claim.resolve("swapped");
    Path outside = Files.createDirectory(folder.resolve("outside"));
    Files.write(outside.resolve("a"), SECRET);
    Files.createDirectory(claim.resolve("real"));
    Files.createSymbolicLink(claim.resolve("fake"), outside);
    AtomicBoolean done = new AtomicBoolean();
    Thread attacker = new Thread(() -> {
      while (!done.get()) {
        for (String name : List.of("real", "fake")) {
          try {
            Files.move(claim.resolve(name), swapped, StandardCopyOption.ATOMIC_MOVE);
            Files.move(swapped, claim.resolve(name), StandardCopyOption.ATOMIC_MOVE);
          } catch (IOException e) {
            // the folder is in use or gone; the next round tries again
          }
        }
      }
    });
    attacker.start();
    try (LocalFiles files = files(true)) {
      for (long end = System.nanoTime() + RACE_NANOS; System.nanoTime() < end;) {
        attempt(() -> files.delete(path(swapped.resolve("a")), true));
        attempt(() -> files.rename(path(claim.resolve("inner/a.jpg")), path(swapped.resolve("a"))));
        attempt(() -> files.rename(path(swapped.resolve("a")), path(claim.resolve("inner/a.jpg"))));
        attempt(() -> files.setPermission(path(swapped.resolve("a")), new FsPermission("777")));
        attempt(() -> files.createNonRecursive(path(swapped.resolve("a")), true, 10, (short) 1, 10, null).close());
      }
    } finally {
      done.set(true);
      attacker.join();
    }
    assertArrayEquals(SECRET, Files.readAllBytes(outside.resolve("a")));
    assertFalse(Files.getPosixFilePermissions(outside.resolve("a")).contains(PosixFilePermission.OTHERS_WRITE));
  }

  /** Does what may be refused. */
  private static void attempt(Executable call) throws Exception {
    try {
      call.execute();
    } catch (IOException | RunProblem e) {
      // refused, or not there at this moment
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aLinkInPlaceOfAShardsFileIsReplacedAndNotFollowed() throws IOException {
    Files.createSymbolicLink(claim.resolve("part"), Path.of("../../secrets/token"));
    try (LocalFiles files = files(true)) {
      files.replace(path(claim.resolve("inner/a.jpg")), path(claim.resolve("part")));
    }
    assertFalse(Files.isSymbolicLink(claim.resolve("part")));
    assertArrayEquals(SECRET, Files.readAllBytes(folder.resolve("secrets/token")));
  }

  @ParameterizedTest
  @ValueSource(strings = {"secrets/token", "secrets/nothing", "claims-of-others/x"})
  void inAClusterNoOtherPathIsAllowedWhetherOrNotItExists(String other) throws IOException {
    try (LocalFiles files = files(true)) {
      RunProblem problem = assertRefused(() -> files.fetch(path(folder.resolve(other)), 1000));
      assertTrue(problem.getMessage().startsWith(folder.resolve(other) + " is not inside a mounted claim"));
      assertRefused(() -> files.create(path(folder.resolve(other)), true));
    }
  }

  @Test
  void onAUsersMachineOtherFilesAreNotRestrictedButClaimsAre() throws IOException {
    Files.createSymbolicLink(claim.resolve("link"), Path.of("../../secrets/token"));
    try (LocalFiles files = files(false)) {
      assertArrayEquals(SECRET, files.fetch(path(folder.resolve("secrets/token")), 1000).bytes());
      assertRefused(() -> files.fetch(path(claim.resolve("link")), 1000));
    }
  }

  @Test
  void anImageBehindSuchALinkIsARowOfTheQuarantine() throws IOException {
    Files.createSymbolicLink(claim.resolve("link.jpg"), Path.of("../../secrets/token"));
    ObjectReader reader = new ObjectReader(conf(true),
        new ReadSettings(1000, null, new Patience(1, what -> { }), new ReadSettings.Samples("", List.of()), List.of()));
    FileSystem.closeAll();
    StoredObjects.StoredObject object = new StoredObjects.StoredObject("link.jpg", claim.resolve("link.jpg").toUri().toString(), 1);
    ImageProblem problem = assertThrows(ImageProblem.class, () -> reader.read(object));
    FileSystem.closeAll();
    assertEquals(QuarantineReason.OUTSIDE_CLAIM, problem.reason());
    assertFalse(problem.getMessage().contains("secrets"));
  }

  @Test
  void aLinkThatLeadsOutSaysNothingAboutOtherFiles() throws Exception {
    Files.createSymbolicLink(claim.resolve("link.jpg"), Path.of("../../secrets/token"));
    Files.write(claim.resolve("good.jpg"), new byte[] {1});
    try (LocalFiles files = files(true)) {
      Witnesses witnesses = new Witnesses(List.of(object("link.jpg"), object("none.jpg"), object("good.jpg")));
      assertTrue(witnesses.contradict(object("bad.jpg"), other -> files.fetch(new org.apache.hadoop.fs.Path(other.uri()), 10)));
      assertFalse(witnesses.contradict(object("good.jpg"), other -> files.fetch(new org.apache.hadoop.fs.Path(other.uri()), 10)));
    }
  }

  private StoredObjects.StoredObject object(String name) {
    return new StoredObjects.StoredObject(name, claim.resolve(name).toUri().toString(), 1);
  }

  private static RunProblem assertRefused(Executable call) {
    RunProblem problem = assertThrows(RunProblem.class, call);
    assertEquals(FailureClass.PATH_NOT_ALLOWED, problem.failureClass());
    return problem;
  }

  private LocalFiles files(boolean only) throws IOException {
    return (LocalFiles) FileSystem.newInstance(folder.toUri(), conf(only));
  }

  private Configuration conf(boolean only) {
    Configuration conf = new Configuration(false);
    conf.set("fs.file.impl", LocalFiles.class.getName());
    conf.set(ClaimFiles.FOLDER, folder.resolve("claims").toString());
    conf.setBoolean(ClaimFiles.ONLY, only);
    return conf;
  }

  private static org.apache.hadoop.fs.Path path(Path file) {
    return new org.apache.hadoop.fs.Path(file.toUri().toString().replaceAll("/$", ""));
  }
}
