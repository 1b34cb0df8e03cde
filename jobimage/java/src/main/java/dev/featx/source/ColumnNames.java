package dev.featx.source;

import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.Set;

/** The names of the columns that are in a file, as far as it was read: what spec.source.packed.carry may name. */
final class ColumnNames {
  private static final int MOST = 1000; // beside those that are carried
  private static final int LONGEST = 256; // characters

  private final Set<String> wanted;
  private final Set<String> names = new LinkedHashSet<>();

  /**
   * Creates an empty set.
   *
   * @param wanted names that are added whatever their number
   */
  ColumnNames(Collection<String> wanted) {
    this.wanted = Set.copyOf(wanted);
  }

  /** Adds a name, unless a hostile file has too many. */
  void add(String name) {
    if (wanted.contains(name) || names.size() < MOST && name.length() <= LONGEST) {
      names.add(name);
    }
  }

  /** Returns whether all wanted names are there. */
  boolean isComplete() {
    return names.containsAll(wanted);
  }

  /** Returns the names. */
  Set<String> names() {
    return Set.copyOf(names);
  }
}
