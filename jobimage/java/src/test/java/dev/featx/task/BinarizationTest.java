package dev.featx.task;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import dev.featx.contract.Contract;
import org.junit.jupiter.api.Test;

class BinarizationTest {
  private static final float[] FEATURE = {4, 0, 0, 4, 0, 0, 0, 4, 4, 0};

  @Test
  void bitsAreSetAboveTheFeaturesMeanAndTheFirstUnitIsTheHighestBit() {
    Binarization binarization = Contract.read("{\"threshold\":null}", Binarization.class);
    assertNull(binarization.threshold());
    assertArrayEquals(new byte[] {(byte) 0b10010001, (byte) 0b10000000}, binarization.bits(FEATURE));
  }

  @Test
  void aUnitEqualToTheThresholdIsNotAboveIt() {
    Binarization binarization = Contract.read("{\"threshold\":4.0}", Binarization.class);
    assertArrayEquals(new byte[2], binarization.bits(FEATURE));
  }

  @Test
  void aConstantFeatureHasNoBitsSet() {
    assertArrayEquals(new byte[1], new Binarization(null).bits(new float[] {1, 1, 1}));
  }
}
