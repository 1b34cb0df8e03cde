"""Unit tests of the operator: decisions in a simulated world, with a clock that the tests advance."""
