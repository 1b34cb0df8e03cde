package dev.featx.source;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import dev.featx.security.KerberosLogin;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Map;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;

/**
 * A folder in HDFS, or in any other file system that Hadoop supports, which the driver uses for small files.
 *
 * <p>Paths are relative to the folder. Writes are atomic: a file is written under another name, then renamed.
 */
public final class HadoopFolder {
  private final Path root;
  private final Configuration conf;

  /**
   * Creates a handle; nothing is read yet.
   *
   * @param uri of the folder
   * @param settings Hadoop's
   */
  public HadoopFolder(String uri, Map<String, String> settings) {
    this.root = new Path(uri);
    this.conf = HadoopSettings.withDefaults(settings);
  }

  /** Returns whether the folder exists. */
  public boolean exists() throws IOException {
    FileSystem files = files();
    return files.exists(root) && files.getFileStatus(root).isDirectory();
  }

  /** Creates the folder unless it exists. */
  public void make() throws IOException {
    files().mkdirs(root);
  }

  /** Returns a file's content, or null if the file does not exist. */
  public byte[] read(String path) throws IOException {
    try (FSDataInputStream stream = files().open(below(path))) {
      return stream.readAllBytes();
    } catch (FileNotFoundException e) {
      return null;
    }
  }

  /**
   * Copies a file to this machine, and returns whether it exists.
   *
   * @param path of the file
   * @param target path of the copy
   * @param most bytes that are copied
   */
  public boolean download(String path, String target, long most) throws IOException {
    try (FSDataInputStream stream = files().open(below(path));
        OutputStream copy = Files.newOutputStream(Paths.get(target))) {
      if (files().getFileStatus(below(path)).getLen() > most) {
        throw new IOException(path + " has more than " + most + " bytes");
      }
      stream.transferTo(copy);
      return true;
    } catch (FileNotFoundException e) {
      return false;
    }
  }

  /** Returns a file's size in bytes, or -1 if the file does not exist. */
  public long size(String path) throws IOException {
    try {
      return files().getFileStatus(below(path)).getLen();
    } catch (FileNotFoundException e) {
      return -1;
    }
  }

  /** Writes a file, replacing an existing one. */
  public void write(String path, byte[] data) throws IOException {
    Path target = below(path);
    rename(hidden(target, data), target, Options.Rename.OVERWRITE);
  }

  /** Writes a file, or returns false if it exists. Exactly one of several concurrent writers succeeds. */
  public boolean create(String path, byte[] data) throws IOException {
    Path target = below(path);
    Path hidden = hidden(target, data);
    try {
      rename(hidden, target, Options.Rename.NONE);
      return true;
    } catch (FileAlreadyExistsException e) {
      files().delete(hidden, false);
      return false;
    }
  }

  /** Returns the files below a folder that are not hidden, as JSON: [[path, size, milliseconds of the last change]]. */
  public String files(String folder) throws IOException {
    ArrayNode array = new ObjectMapper().createArrayNode();
    Path start = folder.isEmpty() ? root : below(folder);
    String base = files().makeQualified(root).toUri().getPath();
    try {
      RemoteIterator<LocatedFileStatus> files = files().listFiles(start, true);
      while (files.hasNext()) {
        LocatedFileStatus file = files.next();
        String path = file.getPath().toUri().getPath().substring(base.length() + 1);
        if (!path.startsWith(".") && !path.contains("/.")) {
          array.addArray().add(path).add(file.getLen()).add(file.getModificationTime());
        }
      }
    } catch (FileNotFoundException e) {
      return "[]";
    }
    return array.toString();
  }

  /**
   * Returns a listing of all files below this folder, also hidden ones.
   *
   * @param after the path, in UTF-8, after which it begins
   */
  public HadoopListing listing(byte[] after) {
    return new HadoopListing(this, after);
  }

  /** Moves a file, replacing an existing one; does nothing if it has been moved before. */
  public void move(String source, String target) throws IOException {
    Path to = below(target);
    files().mkdirs(to.getParent());
    try {
      rename(below(source), to, Options.Rename.OVERWRITE);
    } catch (FileNotFoundException e) {
      if (!files().exists(to)) {
        throw e;
      }
    }
  }

  /** Removes a file if it exists. */
  public void remove(String path) throws IOException {
    files().delete(below(path), false);
  }

  /** Returns a path below this folder, which may hold colons: Hadoop takes the start of a relative path for a scheme. */
  private Path below(String path) {
    return new Path(root + "/" + path);
  }

  Path root() {
    return root;
  }

  private Path hidden(Path target, byte[] data) throws IOException {
    Path hidden = new Path(target.getParent(), "." + target.getName() + "." + UUID.randomUUID());
    try (FSDataOutputStream stream = files().create(hidden, true)) {
      stream.write(data);
    }
    return hidden;
  }

  private void rename(Path source, Path target, Options.Rename option) throws IOException {
    KerberosLogin.ensure(conf);
    FileContext.getFileContext(target.toUri(), conf).rename(source, target, option);
  }

  FileSystem files() throws IOException {
    KerberosLogin.ensure(conf);
    return root.getFileSystem(conf);
  }
}
