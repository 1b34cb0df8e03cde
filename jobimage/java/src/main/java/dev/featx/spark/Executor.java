package dev.featx.spark;

import dev.featx.nets.loading.Preparation;
import java.util.Arrays;

/** Entry point of an executor: prepares its engine while Spark's own main class, the first argument, starts. */
public final class Executor {
  private Executor() {}

  /**
   * Starts an executor.
   *
   * @param arguments the main class, followed by its arguments
   * @throws ReflectiveOperationException if the class is not found or fails
   */
  public static void main(String[] arguments) throws ReflectiveOperationException {
    String preparation = System.getProperty("featx.prepare");
    if (preparation != null) {
      Preparation.begin(preparation);
    }
    Object own = Arrays.copyOfRange(arguments, 1, arguments.length);
    Class.forName(arguments[0]).getMethod("main", String[].class).invoke(null, own);
  }
}
