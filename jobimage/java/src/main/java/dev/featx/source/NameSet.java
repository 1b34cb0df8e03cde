package dev.featx.source;

import java.util.concurrent.ThreadLocalRandom;

/**
 * The names of a file's images, as hashes: an archive with a million long names would fill the heap.
 *
 * <p>Whether a name was there before is the same for every reader of the file. Two names of one hash, of which there are fewer
 * than one in 10^5 files of ten million names, count as one.
 */
final class NameSet {
  private static final int SMALLEST = 1 << 10;
  private static final long OFFSET = 0xcbf29ce484222325L; // FNV-1a
  private static final long PRIME = 0x100000001b3L;

  private final long spread = ThreadLocalRandom.current().nextLong() | 1; // so that nobody can choose names of one slot
  private long[] hashes = new long[SMALLEST]; // 0 is an empty slot
  private int size;

  /** Adds a name; returns whether it was not there before. */
  boolean add(String name) {
    if (!put(hashes, hash(name))) {
      return false;
    }
    if (++size > hashes.length / 8 * 5) {
      long[] larger = new long[hashes.length * 2];
      for (long hash : hashes) {
        if (hash != 0) {
          put(larger, hash);
        }
      }
      hashes = larger;
    }
    return true;
  }

  private boolean put(long[] slots, long hash) {
    int slot = (int) (hash * spread >>> Long.numberOfLeadingZeros(slots.length) + 1);
    while (slots[slot] != 0) {
      if (slots[slot] == hash) {
        return false;
      }
      slot = slot + 1 & slots.length - 1;
    }
    slots[slot] = hash;
    return true;
  }

  private static long hash(String name) {
    long hash = OFFSET;
    for (int i = 0; i < name.length(); i++) {
      hash = (hash ^ name.charAt(i)) * PRIME;
    }
    hash = (hash ^ hash >>> 30) * 0xbf58476d1ce4e5b9L;
    hash = (hash ^ hash >>> 27) * 0x94d049bb133111ebL;
    hash ^= hash >>> 31;
    return hash == 0 ? 1 : hash;
  }
}
