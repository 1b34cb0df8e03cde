package dev.featx.source;

import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotLinkException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;

/**
 * Keeps {@link LocalFiles} inside mounted claims, so that no link in a volume has an executor read its own Secrets or write
 * elsewhere.
 *
 * <p>A path is resolved without looking outside its claim: links may be relative and stay below the claim. Its folders are
 * then opened one after the other without following links, so that a link swapped in meanwhile is an error. On a user's
 * machine, paths outside the folder of claims are not restricted. featx_job/local_files.py does the same for the driver.
 *
 * @param folder has one subfolder per claim; null if nothing is restricted
 * @param only whether paths outside it are refused
 */
record ClaimFiles(Path folder, boolean only) {
  /** Setting with the folder. */
  static final String FOLDER = "featx.claims";

  /** Setting: whether there are no other local files. */
  static final String ONLY = "featx.claims.only";

  private static final int MOST_LINKS = 40; // as many as Linux follows
  private static final Set<OpenOption> READ = Set.of(StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS);
  private static final Set<OpenOption> WRITE =
      Set.of(StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW, LinkOption.NOFOLLOW_LINKS);

  static ClaimFiles of(Configuration conf) {
    String folder = conf.get(FOLDER);
    return new ClaimFiles(folder == null ? null : Path.of(folder), conf.getBoolean(ONLY, false));
  }

  /** Returns whether a path is inside a claim. */
  boolean contain(Path path) {
    return folder != null && path.startsWith(folder) && path.getNameCount() > folder.getNameCount();
  }

  /**
   * Returns a path without links, which need not exist.
   *
   * @throws RunProblem PathNotAllowed, whether or not there is a file
   */
  Path resolve(Path path) {
    if (!contain(path)) {
      if (only && !path.equals(folder)) {
        throw refused(path);
      }
      return path;
    }
    Path claim = claimOf(path);
    Deque<Path> pending = new ArrayDeque<>();
    claim.relativize(path).forEach(pending::add);
    Path resolved = claim;
    for (int links = 0; !pending.isEmpty();) {
      Path part = pending.remove(); // its text may lack bytes that are not UTF-8
      String name = part.toString();
      if (name.equals("..")) {
        if (resolved.equals(claim)) {
          throw refused(path);
        }
        resolved = resolved.getParent();
      } else if (!name.isEmpty() && !name.equals(".")) {
        Path target = target(resolved.resolve(part));
        if (target == null) {
          resolved = resolved.resolve(part);
        } else if (target.isAbsolute() || ++links > MOST_LINKS) {
          throw refused(path);
        } else {
          for (int i = target.getNameCount() - 1; i >= 0; i--) {
            pending.addFirst(target.getName(i));
          }
        }
      }
    }
    return resolved;
  }

  private static Path target(Path path) {
    try {
      return Files.readSymbolicLink(path);
    } catch (NotLinkException e) {
      return null;
    } catch (IOException e) {
      return null; // there is nothing, or nothing that this user may read
    }
  }

  private Path claimOf(Path path) {
    return path.getRoot().resolve(path.subpath(0, folder.getNameCount() + 1));
  }

  private static RunProblem refused(Path path) {
    return new RunProblem(FailureClass.PATH_NOT_ALLOWED, path + " is not inside a mounted claim, or a link on it leads out of"
        + " the claim; replace the link by the file");
  }

  /** Opens a file of a claim to read it. */
  SeekableByteChannel read(Path path) throws IOException {
    Path file = resolve(path);
    if (Files.exists(file, LinkOption.NOFOLLOW_LINKS) && !Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
      throw new FileNotFoundException(path + " (not a file)"); // a pipe would block
    }
    return inFolder(file, folder -> folder.newByteChannel(file.getFileName(), READ));
  }

  /** Creates a file of a claim. */
  SeekableByteChannel create(Path path) throws IOException {
    Path file = resolve(path);
    return inFolder(file, folder -> folder.newByteChannel(file.getFileName(), WRITE));
  }

  /** Moves a file within a claim, replacing an existing one. */
  void replace(Path path, Path target) throws IOException {
    Path from = resolve(path);
    Path to = resolve(target.getParent()).resolve(target.getFileName());
    inFolder(from, source -> inFolder(to, folder -> {
      source.move(from.getFileName(), folder, to.getFileName());
      return null;
    }));
  }

  /**
   * Deletes a file or folder of a claim.
   *
   * @return whether it existed
   * @throws IOException if it is a folder that is not empty, unless `recursive`
   */
  boolean delete(Path path, boolean recursive) throws IOException {
    Path file = resolve(path);
    try {
      return inFolder(file, folder -> {
        delete(folder, file.getFileName(), recursive);
        return true;
      });
    } catch (FileNotFoundException e) {
      return false;
    }
  }

  private static void delete(SecureDirectoryStream<Path> folder, Path name, boolean recursive) throws IOException {
    if (!isFolder(folder, name)) {
      folder.deleteFile(name);
      return;
    }
    if (recursive) {
      try (SecureDirectoryStream<Path> inner = folder.newDirectoryStream(name, LinkOption.NOFOLLOW_LINKS)) {
        for (Path entry : inner) {
          delete(inner, entry.getFileName(), true);
        }
      }
    }
    folder.deleteDirectory(name);
  }

  private static boolean isFolder(SecureDirectoryStream<Path> folder, Path name) throws IOException {
    return folder.getFileAttributeView(name, BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS).readAttributes()
        .isDirectory();
  }

  /**
   * Creates a folder of a claim, and those above it, unless they exist.
   *
   * <p>Java can't create a folder relative to an open one. If a link is planted on the path at this moment, an empty folder
   * may appear where it leads, and this fails.
   */
  void makeFolders(Path path) throws IOException {
    Path made = resolve(path);
    Path parent = claimOf(made);
    SecureDirectoryStream<Path> opened = secure(Files.newDirectoryStream(parent));
    try {
      for (Path name : namesBelow(parent, made)) {
        parent = parent.resolve(name);
        SecureDirectoryStream<Path> inner = openedOrMade(opened, parent);
        opened.close();
        opened = inner;
      }
    } finally {
      opened.close();
    }
  }

  private static SecureDirectoryStream<Path> openedOrMade(SecureDirectoryStream<Path> parent, Path folder)
      throws IOException {
    try {
      return parent.newDirectoryStream(folder.getFileName(), LinkOption.NOFOLLOW_LINKS);
    } catch (NoSuchFileException e) {
      try {
        Files.createDirectory(folder);
      } catch (FileAlreadyExistsException other) {
        // another task was faster, or a link is there: opening it decides
      }
      return parent.newDirectoryStream(folder.getFileName(), LinkOption.NOFOLLOW_LINKS);
    }
  }

  /** Sets the permissions of a file or folder of a claim. */
  void setPermissions(Path path, Set<PosixFilePermission> permissions) throws IOException {
    Path file = resolve(path);
    inFolder(file, folder -> {
      folder.getFileAttributeView(file.getFileName(), PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
          .setPermissions(permissions);
      return null;
    });
  }

  /** Works in the folder of a file. */
  private interface Work<T> {
    T in(SecureDirectoryStream<Path> folder) throws IOException;
  }

  private <T> T inFolder(Path file, Work<T> work) throws IOException {
    Path claim = claimOf(file);
    if (file.equals(claim)) {
      throw new FileSystemException(file.toString(), null, "this is the claim itself");
    }
    SecureDirectoryStream<Path> opened = null;
    try {
      opened = secure(Files.newDirectoryStream(claim));
      for (Path name : namesBelow(claim, file.getParent())) {
        SecureDirectoryStream<Path> inner = opened.newDirectoryStream(name, LinkOption.NOFOLLOW_LINKS);
        opened.close();
        opened = inner;
      }
      return work.in(opened);
    } catch (NoSuchFileException e) {
      throw (FileNotFoundException) new FileNotFoundException(file + " (No such file or directory)").initCause(e);
    } finally {
      if (opened != null) {
        opened.close();
      }
    }
  }

  /** Returns the names on the way from a folder to another one below it. */
  private static Iterable<Path> namesBelow(Path folder, Path below) {
    return below.equals(folder) ? List.of() : folder.relativize(below);
  }

  private static SecureDirectoryStream<Path> secure(DirectoryStream<Path> stream) throws IOException {
    if (stream instanceof SecureDirectoryStream<Path> secured) {
      return secured;
    }
    stream.close();
    throw new IOException("claims need an operating system that opens folders relative to others");
  }
}
