package dev.featx.source;

import dev.featx.failure.FailureClass;
import dev.featx.failure.Failures;
import dev.featx.failure.RunProblem;
import dev.featx.source.StoredObjects.StoredObject;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Decides whether a failure is one object's or its store's: it is the object's if another object can be read now.
 *
 * <p>The other object is the last one that the shard has read, or one from across the source. So a shard whose objects are all
 * refused does not fail a run that can read the rest, and credentials that are revoked during a run never become rows.
 */
final class Witnesses {
  private final List<StoredObject> samples;
  private volatile StoredObject last;

  /** Reads as little as possible of an object. */
  interface Check {
    /** Returns if the object can be read. */
    void of(StoredObject object) throws IOException, InterruptedException;
  }

  Witnesses(List<StoredObject> samples) {
    this.samples = samples;
  }

  /** Records that an object was read. */
  void add(StoredObject object) {
    last = object;
  }

  /** Returns whether the store returns another object than this one. */
  boolean contradict(StoredObject failed, Check check) throws InterruptedException {
    List<StoredObject> others = new ArrayList<>(samples);
    if (last != null) {
      others.add(0, last);
    }
    for (StoredObject other : others) {
      if (other.uri().equals(failed.uri())) {
        continue;
      }
      try {
        check.of(other);
        return true;
      } catch (FileNotFoundException e) {
        // Gone since it was listed, which says nothing about the store.
      } catch (IOException e) {
        if (!Failures.isRefusedObject(e) && !Failures.isFaultyObject(e)) {
          return false; // the store does not respond, and the next sample would wait for it too
        }
      } catch (RunProblem e) {
        if (e.failureClass() != FailureClass.PATH_NOT_ALLOWED) { // which is a problem of this link
          return false;
        }
      }
    }
    return false;
  }
}
