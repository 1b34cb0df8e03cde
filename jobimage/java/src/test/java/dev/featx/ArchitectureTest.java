package dev.featx;

import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** A package depends only on those below it, so that it can be read and changed without those above. */
@AnalyzeClasses(packages = "dev.featx", importOptions = DoNotIncludeTests.class)
class ArchitectureTest {
  @ArchTest
  static final ArchRule PACKAGES_USE_ONLY_THOSE_BELOW = layeredArchitecture().consideringOnlyDependenciesInAnyPackage("dev.featx..")
      .layer("spark").definedBy("dev.featx.spark")
      .layer("task").definedBy("dev.featx.task")
      .layer("table").definedBy("dev.featx.table")
      .layer("source").definedBy("dev.featx.source")
      .layer("image").definedBy("dev.featx.image")
      .layer("security").definedBy("dev.featx.security")
      .layer("loading").definedBy("dev.featx.nets.loading")
      .layer("bigdl").definedBy("dev.featx.nets.bigdl")
      .layer("openvino").definedBy("dev.featx.nets.openvino")
      .layer("nets").definedBy("dev.featx.nets")
      .layer("digest").definedBy("dev.featx.digest")
      .layer("contract").definedBy("dev.featx.contract")
      .layer("failure").definedBy("dev.featx.failure")
      .whereLayer("spark").mayNotBeAccessedByAnyLayer()
      .whereLayer("task").mayOnlyBeAccessedByLayers("spark")
      .whereLayer("table").mayOnlyBeAccessedByLayers("spark", "task")
      .whereLayer("source").mayOnlyBeAccessedByLayers("spark", "task", "table")
      .whereLayer("image").mayOnlyBeAccessedByLayers("spark", "task", "table", "source")
      .whereLayer("security").mayOnlyBeAccessedByLayers("spark", "task", "table", "source")
      .whereLayer("loading").mayOnlyBeAccessedByLayers("spark", "task")
      .whereLayer("bigdl").mayOnlyBeAccessedByLayers("loading")
      .whereLayer("openvino").mayOnlyBeAccessedByLayers("loading")
      .whereLayer("nets").mayOnlyBeAccessedByLayers("spark", "task", "table", "loading", "bigdl", "openvino")
      .whereLayer("contract").mayOnlyBeAccessedByLayers("spark", "task", "table", "source", "nets")
      .whereLayer("digest").mayOnlyBeAccessedByLayers("spark", "table", "loading")
      .ensureAllClassesAreContainedInArchitecture();

  @ArchTest
  static final ArchRule PACKAGES_ARE_FREE_OF_CYCLES = slices().matching("dev.featx.(**)").should().beFreeOfCycles();
}
