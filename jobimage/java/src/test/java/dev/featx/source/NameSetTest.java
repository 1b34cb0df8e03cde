package dev.featx.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A set of names in a few bytes each knows the same names as one that keeps them. */
class NameSetTest {
  @Test
  void aNameIsNewOnce() {
    Random random = new Random(1);
    Set<String> expected = new HashSet<>();
    NameSet names = new NameSet();
    for (int i = 0; i < 200_000; i++) {
      String name = random.nextInt(150_000) + ".jpg";
      assertEquals(expected.add(name), names.add(name));
    }
    assertTrue(names.add(""));
    assertFalse(names.add(""));
  }
}
