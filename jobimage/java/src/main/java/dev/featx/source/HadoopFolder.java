package dev.featx.source;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import dev.featx.security.KerberosLogin;
import java.io.FileNotFoundException;
import java.io.IOException;
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
 * A folder of HDFS, or of whatever Hadoop has a file system for, as the driver uses it: for what is small.
 *
 * <p>Paths are relative to it. A file is written under another name first and renamed, so that it is there whole or not at
 * all.
 */
public final class HadoopFolder {
  private final Path root;
  private final Configuration conf;

  /**
   * Names a folder; nothing is asked yet.
   *
   * @param uri of the folder
   * @param settings Hadoop's
   */
  public HadoopFolder(String uri, Map<String, String> settings) {
    this.root = new Path(uri);
    this.conf = new Configuration();
    settings.forEach(conf::set);
  }

  /** Returns whether the folder is there. */
  public boolean exists() throws IOException {
    FileSystem files = files();
    return files.exists(root) && files.getFileStatus(root).isDirectory();
  }

  /** Makes the folder, unless it is there. */
  public void make() throws IOException {
    files().mkdirs(root);
  }

  /** Returns a file's content, or null if there is none. */
  public byte[] read(String path) throws IOException {
    try (FSDataInputStream stream = files().open(new Path(root, path))) {
      return stream.readAllBytes();
    } catch (FileNotFoundException e) {
      return null;
    }
  }

  /** Returns a file's size in bytes, or -1 if there is none. */
  public long size(String path) throws IOException {
    try {
      return files().getFileStatus(new Path(root, path)).getLen();
    } catch (FileNotFoundException e) {
      return -1;
    }
  }

  /** Writes a file, over an old one if there is one. */
  public void write(String path, byte[] data) throws IOException {
    Path target = new Path(root, path);
    rename(hidden(target, data), target, Options.Rename.OVERWRITE);
  }

  /** Writes a file, unless there is one already: then returns false. Of several writers one succeeds. */
  public boolean create(String path, byte[] data) throws IOException {
    Path target = new Path(root, path);
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
    ArrayNode found = new ObjectMapper().createArrayNode();
    Path start = folder.isEmpty() ? root : new Path(root, folder);
    String base = files().makeQualified(root).toUri().getPath();
    try {
      RemoteIterator<LocatedFileStatus> files = files().listFiles(start, true);
      while (files.hasNext()) {
        LocatedFileStatus file = files.next();
        String path = file.getPath().toUri().getPath().substring(base.length() + 1);
        if (!path.startsWith(".") && !path.contains("/.")) {
          found.addArray().add(path).add(file.getLen()).add(file.getModificationTime());
        }
      }
    } catch (FileNotFoundException e) {
      return "[]";
    }
    return found.toString();
  }

  /** Moves a file over an old one if there is one; does nothing if it was moved before. */
  public void move(String source, String target) throws IOException {
    Path to = new Path(root, target);
    files().mkdirs(to.getParent());
    try {
      rename(new Path(root, source), to, Options.Rename.OVERWRITE);
    } catch (FileNotFoundException e) {
      if (!files().exists(to)) {
        throw e;
      }
    }
  }

  /** Removes a file, unless it is gone already. */
  public void remove(String path) throws IOException {
    files().delete(new Path(root, path), false);
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

  private FileSystem files() throws IOException {
    KerberosLogin.ensure(conf);
    return root.getFileSystem(conf);
  }
}
