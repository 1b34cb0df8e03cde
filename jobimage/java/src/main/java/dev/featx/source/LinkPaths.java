package dev.featx.source;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;

/** Paths within an archive, and where they lead: links to files, and to folders on the way, are followed as Linux does. */
final class LinkPaths {
  /** No member has this path. */
  static final String NOWHERE = "/";

  private static final int MOST_FOLLOWED = 40; // as many as Linux follows
  private static final int MOST_PARTS = 1000; // of a path, with those of the links on its way
  private static final int LONGEST = 4096; // characters

  private LinkPaths() {}

  /**
   * What a link leads to.
   *
   * @param path of the target
   * @param fromRoot whether it begins at the archive's root, as of hard links; otherwise at the link's folder
   */
  record Target(String path, boolean fromRoot) {}

  /** The links of an archive. */
  interface Links {
    /** Returns what a normalized path leads to if it is a link, otherwise null. */
    Target targetOf(String path) throws IOException;
  }

  /** Returns the path at the end of all links, normalized; {@link #NOWHERE} if they lead out of the archive or in a circle. */
  static String follow(String path, Links links) throws IOException {
    Deque<String> rest = new ArrayDeque<>();
    Deque<String> done = new ArrayDeque<>();
    if (!prepend(path, rest)) {
      return NOWHERE;
    }
    int followed = 0;
    for (int steps = 0; !rest.isEmpty(); steps++) {
      if (steps == MOST_PARTS) {
        return NOWHERE;
      }
      enter(rest.removeFirst(), done);
      Target target = links.targetOf(String.join("/", done));
      if (target != null) {
        boolean leavesArchive = !target.fromRoot && target.path.startsWith("/");
        if (leavesArchive || ++followed > MOST_FOLLOWED || !prepend(target.path, rest)) {
          return NOWHERE;
        }
        if (target.fromRoot) {
          done.clear();
        } else {
          done.removeLast();
        }
      }
    }
    return String.join("/", done);
  }

  /** Returns a path without its empty parts, {@code .} and {@code ..}. */
  static String normalized(String path) {
    Deque<String> parts = new ArrayDeque<>();
    for (String part : path.split("/")) {
      enter(part, parts);
    }
    return String.join("/", parts);
  }

  private static void enter(String part, Deque<String> parts) {
    if (part.equals("..") && !parts.isEmpty() && !parts.peekLast().equals("..")) {
      parts.removeLast();
    } else if (!part.isEmpty() && !part.equals(".")) {
      parts.addLast(part);
    }
  }

  private static boolean prepend(String path, Deque<String> rest) {
    String[] parts = path.split("/");
    if (path.length() > LONGEST || parts.length + rest.size() > MOST_PARTS) {
      return false;
    }
    for (int i = parts.length - 1; i >= 0; i--) {
      rest.addFirst(parts[i]);
    }
    return true;
  }
}
