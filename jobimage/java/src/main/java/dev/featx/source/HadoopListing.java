package dev.featx.source;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.PriorityQueue;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;

/**
 * All files below a folder, in the order of their paths' bytes, page by page.
 *
 * <p>HDFS lists a folder in the order of names, where {@code a} comes before {@code a.jpg}; the files in a folder {@code a}
 * come after it. And it compares signed bytes, so that names with other letters than ASCII's come first. What comes too
 * early waits until the names have passed it; nothing else is kept of a listing.
 */
public final class HadoopListing {
  private static final int PAGE = 1000;

  private final HadoopFolder folder;
  private final Deque<OpenFolder> open = new ArrayDeque<>();
  private boolean isOpen;
  private byte[] last;

  /**
   * Creates a listing; nothing is read yet.
   *
   * @param folder the folder
   * @param after the path, in UTF-8, after which the listing begins; empty for all
   */
  HadoopListing(HadoopFolder folder, byte[] after) {
    this.folder = folder;
    this.last = after.clone();
  }

  /**
   * Returns the next files as JSON, [[path, size, milliseconds of the last change]], and an empty array after the last one.
   * After a failure it may be called again.
   */
  public String next() throws IOException {
    ArrayNode page = new ObjectMapper().createArrayNode();
    try {
      FileSystem files = folder.files();
      if (!isOpen) {
        open.clear();
        open(files, folder.root(), "");
        isOpen = true;
      }
      while (page.size() < PAGE && !open.isEmpty()) {
        add(open.peek(), page, files);
      }
    } catch (IOException e) {
      isOpen = false; // it goes on after the last file
      if (page.isEmpty()) {
        throw e;
      }
    }
    return page.toString();
  }

  private void add(OpenFolder folder, ArrayNode page, FileSystem files) throws IOException {
    Entry entry = folder.next();
    if (entry == null) {
      open.pop();
    } else if (entry.status.isDirectory()) {
      if (compare(entry.key, last) > 0 || startsWith(last, entry.key)) {
        open(files, entry.status.getPath(), entry.path);
      }
    } else if (compare(entry.key, last) > 0) {
      page.addArray().add(entry.path).add(entry.status.getLen()).add(entry.status.getModificationTime());
      last = entry.key;
    }
  }

  private void open(FileSystem files, Path folder, String path) throws IOException {
    try {
      open.push(new OpenFolder(files.listStatusIterator(folder), path));
    } catch (FileNotFoundException e) {
      // It was removed since its parent was read, and its files with it.
    }
  }

  private static boolean startsWith(byte[] path, byte[] folder) {
    return path.length >= folder.length && Arrays.equals(path, 0, folder.length, folder, 0, folder.length);
  }

  private static int compare(byte[] one, byte[] other) {
    return Arrays.compareUnsigned(one, other);
  }

  /** A name in a folder; a folder's path ends with a slash. */
  private record Entry(String path, byte[] key, FileStatus status) {
    static Entry of(String folder, FileStatus status) {
      String path = folder + status.getPath().getName() + (status.isDirectory() ? "/" : "");
      return new Entry(path, path.getBytes(StandardCharsets.UTF_8), status);
    }
  }

  /** A folder that is being read. */
  private static final class OpenFolder {
    private final RemoteIterator<FileStatus> names;
    private final String path;
    private final PriorityQueue<Entry> waiting = new PriorityQueue<>((one, other) -> compare(one.key, other.key));
    private byte[] newest = {};
    private byte[] bound = {}; // all names to come are greater, and so are their paths

    OpenFolder(RemoteIterator<FileStatus> names, String path) {
      this.names = names;
      this.path = path;
    }

    /** Returns the next entry in the order of paths, or null after the last one. */
    Entry next() throws IOException {
      while ((waiting.isEmpty() || compare(waiting.peek().key, bound) > 0) && names.hasNext()) {
        Entry entry = Entry.of(path, names.next());
        byte[] name = entry.status.getPath().getName().getBytes(StandardCharsets.UTF_8);
        if (Arrays.compare(name, newest) <= 0) {
          throw new IOException("the server lists a folder's names in no order");
        }
        newest = name;
        bound = (path + asciiStart(name)).getBytes(StandardCharsets.UTF_8);
        waiting.add(entry);
      }
      return waiting.poll();
    }

    private static String asciiStart(byte[] name) {
      int length = 0;
      while (length < name.length && name[length] >= 0) {
        length++;
      }
      return new String(name, 0, length, StandardCharsets.US_ASCII);
    }
  }
}
