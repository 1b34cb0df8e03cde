package dev.featx.task;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.Test;

class BinarizationTest {
  private static final float[] FEATURE = {4, 0, 0, 4, 0, 0, 0, 4, 4, 0};

  @Test
  void bitsAreSetAboveTheFeaturesOwnMeanAndTheFirstUnitIsTheHighestBit() throws Exception {
    Binarization binarization = Binarization.of(new ObjectMapper().readTree("{\"method\":\"imageMean\"}"));
    assertNull(binarization.threshold());
    assertArrayEquals(new byte[] {(byte) 0b10010001, (byte) 0b10000000}, binarization.bits(FEATURE));
  }

  @Test
  void aUnitThatEqualsTheThresholdIsNotAboveIt() throws Exception {
    Binarization binarization = Binarization.of(new ObjectMapper().readTree("{\"method\":\"fixed\",\"threshold\":4.0}"));
    assertArrayEquals(new byte[2], binarization.bits(FEATURE));
  }

  @Test
  void aFeatureWithoutDifferencesHasNoBits() {
    assertArrayEquals(new byte[1], new Binarization(null).bits(new float[] {1, 1, 1}));
  }
}
