package dev.featx.source;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Links of a tar archive, and the members that they lead to. */
final class TarLinks {
  private static final int MOST_FOLLOWED = 40; // as many as Linux follows
  private static final int MOST_LINKS = 200_000; // of an archive: all of them are in memory

  private final PackedFile file;
  private final Map<String, String> targets = new HashMap<>();
  private final List<Link> links = new ArrayList<>();
  private final Map<String, List<Link>> byTarget = new HashMap<>();

  /**
   * A link.
   *
   * @param name within the archive
   * @param place of the member in the archive
   * @param sample that it belongs to
   */
  record Link(String name, long place, SampleColumns.Sample sample) {}

  TarLinks(PackedFile file) {
    this.file = file;
  }

  void add(Link link, String target, boolean symbolic) {
    if (links.size() == MOST_LINKS) {
      throw PackedContent.unsupported(file, "it has more links than the limit, " + MOST_LINKS + "; pack the files themselves");
    }
    targets.put(normalized(link.name()), symbolic ? resolved(link.name(), target) : normalized(target));
    links.add(link);
  }

  boolean isEmpty() {
    return links.isEmpty();
  }

  /** Finds the member at the end of each chain of links. */
  void resolve() {
    for (Link link : links) {
      String target = targets.get(normalized(link.name()));
      for (int i = 0; i < MOST_FOLLOWED && targets.containsKey(target); i++) {
        target = targets.get(target);
      }
      byTarget.computeIfAbsent(target, name -> new ArrayList<>()).add(link);
    }
    links.clear();
  }

  /** Returns the links that lead to a member, once. */
  List<Link> removeTo(String name) {
    List<Link> found = byTarget.remove(normalized(name));
    return found == null ? List.of() : found;
  }

  /** Returns the links that lead to no member, once. */
  List<Link> removeAll() {
    List<Link> dangling = byTarget.values().stream().flatMap(List::stream)
        .sorted(Comparator.comparingLong(Link::place)).toList();
    byTarget.clear();
    return dangling;
  }

  /** Returns the name of the member that a symbolic link leads to; an absolute one leads out of the archive. */
  static String resolved(String name, String target) {
    return target.startsWith("/") ? target : normalized(name.substring(0, name.lastIndexOf('/') + 1) + target);
  }

  private static String normalized(String name) {
    Deque<String> parts = new ArrayDeque<>();
    for (String part : name.split("/")) {
      if (part.equals("..") && !parts.isEmpty() && !parts.peekLast().equals("..")) {
        parts.removeLast();
      } else if (!part.isEmpty() && !part.equals(".")) {
        parts.addLast(part);
      }
    }
    return String.join("/", parts);
  }
}
