package dev.featx.task;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.featx.failure.QuarantineReason;
import dev.featx.image.ImageProblem;
import dev.featx.image.Subject;
import dev.featx.nets.Detection;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.opencv.core.Rect;

/** The choice of the box, and the crop around it. */
class SubjectPolicyTest {
  private static final Detection BEST = new Detection(0.25f, 0.25f, 0.5f, 0.75f, 0.9f, 1);
  private static final Detection SECOND = new Detection(0.5f, 0.5f, 1f, 1f, 0.8f, 2);

  private static SubjectPolicy policy(Set<Integer> classes, float margin, float minArea, boolean skip) {
    return new SubjectPolicy(classes, 0.5f, margin, minArea, skip);
  }

  @Test
  void theBestBoxIsChosen() throws Exception {
    Subject subject = policy(Set.of(), 0, 0, false).choose(List.of(BEST, SECOND), 400, 200);
    assertEquals(0.9f, subject.score());
    assertEquals(new Rect(100, 50, 100, 100), subject.crop());
  }

  @Test
  void onlySufficientlyLargeBoxesOfClassesOfInterestAreChosen() throws Exception {
    assertEquals(2, policy(Set.of(2), 0, 0, false).choose(List.of(BEST, SECOND), 400, 200).category());
    assertEquals(2, policy(Set.of(), 0, 0.2f, false).choose(List.of(BEST, SECOND), 400, 200).category());
    float area = 0.125f; // of BEST
    assertEquals(1, policy(Set.of(), 0, area, false).choose(List.of(BEST, SECOND), 400, 200).category());
  }

  @Test
  void theMarginWidensTheCropWithinTheImageButNotTheBox() throws Exception {
    Subject subject = policy(Set.of(), 0.5f, 0, false).choose(List.of(SECOND), 400, 200);
    assertEquals(new Rect(100, 50, 300, 150), subject.crop());
    assertEquals(200, subject.x0());
  }

  @Test
  void aBoxBeyondTheImageIsClipped() throws Exception {
    Detection outside = new Detection(-0.5f, -0.5f, 0.5f, 1.5f, 0.9f, 1);
    Subject subject = policy(Set.of(), 0, 0, false).choose(List.of(outside), 400, 200);
    assertEquals(new Rect(0, 0, 200, 200), subject.crop());
    assertEquals(List.of(0f, 0f, 200f, 200f), List.of(subject.x0(), subject.y0(), subject.x1(), subject.y1()));
  }

  @Test
  void aMarginBeyondTheImageIsCutOff() throws Exception {
    Detection corner = new Detection(0.125f, 0.25f, 0.375f, 0.75f, 0.9f, 1);
    assertEquals(new Rect(0, 0, 250, 200), policy(Set.of(), 1, 0, false).choose(List.of(corner), 400, 200).crop());
  }

  @Test
  void aCropHasAtLeastOnePixel() throws Exception {
    Detection thin = new Detection(0.999f, 0.999f, 1f, 1f, 0.9f, 1);
    assertEquals(new Rect(399, 199, 1, 1), policy(Set.of(), 0, 0, false).choose(List.of(thin), 400, 200).crop());
  }

  @Test
  void withoutAUsableBoxTheWholeImageIsUsedOrRejected() throws Exception {
    Subject whole = policy(Set.of(9), 0, 0, false).choose(List.of(BEST), 400, 200);
    assertEquals(new Rect(0, 0, 400, 200), whole.crop());
    assertNull(whole.score());
    SubjectPolicy skip = policy(Set.of(9), 0, 0, true);
    ImageProblem problem = assertThrows(ImageProblem.class, () -> skip.choose(List.of(BEST), 400, 200));
    assertEquals(QuarantineReason.NO_DETECTION, problem.reason());
  }
}
