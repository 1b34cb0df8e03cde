package dev.featx.source;

import dev.featx.failure.FailureClass;
import dev.featx.failure.RunProblem;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotLinkException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.Deque;
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

  /** Works in the folder of a file. */
  private interface Work<T> {
    T in(SecureDirectoryStream<Path> folder) throws IOException;
  }

  private <T> T inFolder(Path file, Work<T> work) throws IOException {
    Path claim = claimOf(file);
    SecureDirectoryStream<Path> opened = null;
    try {
      opened = secure(Files.newDirectoryStream(claim));
      for (Path name : claim.relativize(file.getParent())) {
        if (!name.toString().isEmpty()) {
          SecureDirectoryStream<Path> inner = opened.newDirectoryStream(name, LinkOption.NOFOLLOW_LINKS);
          opened.close();
          opened = inner;
        }
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

  private static SecureDirectoryStream<Path> secure(DirectoryStream<Path> stream) throws IOException {
    if (stream instanceof SecureDirectoryStream<Path> secured) {
      return secured;
    }
    stream.close();
    throw new IOException("claims need an operating system that opens folders relative to others");
  }
}
