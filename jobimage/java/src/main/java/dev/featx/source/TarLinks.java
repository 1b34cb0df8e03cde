package dev.featx.source;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Links of a tar archive, and the members that they lead to. */
final class TarLinks {
  private static final int MOST_LINKS = 200_000; // of an archive: all of them are in memory

  private final PackedFile file;
  private final Map<String, LinkPaths.Target> targets = new HashMap<>();
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
    String name = LinkPaths.normalized(link.name());
    if (symbolic || !name.equals(LinkPaths.normalized(target))) { // otherwise to an earlier member of its own name
      targets.put(name, new LinkPaths.Target(target, !symbolic));
    }
    links.add(link);
  }

  boolean isEmpty() {
    return links.isEmpty();
  }

  /** Finds the member at the end of each chain of links. */
  void resolve() throws IOException {
    for (Link link : links) {
      byTarget.computeIfAbsent(LinkPaths.follow(link.name(), targets::get), name -> new ArrayList<>()).add(link);
    }
    links.clear();
  }

  /** Returns the links that lead to a member, once. */
  List<Link> removeTo(String name) {
    List<Link> found = byTarget.remove(LinkPaths.normalized(name));
    return found == null ? List.of() : found;
  }

  /** Returns the links that lead to no member, once. */
  List<Link> removeAll() {
    List<Link> dangling = byTarget.values().stream().flatMap(List::stream)
        .sorted(Comparator.comparingLong(Link::place)).toList();
    byTarget.clear();
    return dangling;
  }
}
